"""A run standing still, as HTML: what a saved notebook shows anywhere.

Semantic elements with inline style only, because readers of notebooks drop style
sheets and scripts: without any style it is still a list that opens and closes.
Colours come from JupyterLab's variables where there are some, else they are mixed
from the text's own, so that it fits light and dark pages. Imports reasoning and
this room's pure parts.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes

__all__ = [
    "MAX_BYTES",
    "Limits",
    "details",
    "least_size",
    "run_body",
    "static_html",
    "style",
    "summary_line",
]

MAX_BYTES = 200_000
"""No run's HTML is larger than this, in bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a run is shown: bytes of escaped text, but for the counts.

    `value` holds for each input, result, error and notice, `answer` for the
    Markdown of an answer.
    """

    value: int
    thinking: int
    answer: int
    steps: int
    tools: int


_LIMITS = (
    Limits(16_000, 16_000, 80_000, 400, 100),
    Limits(4_000, 4_000, 40_000, 200, 50),
    Limits(1_000, 1_000, 20_000, 100, 20),
    Limits(300, 300, 2_000, 12, 4),
)

_FRAME_BYTES = 600
"""What a step or a call costs at least, for its elements and their style."""

_BORDER = "var(--jp-border-color2, rgba(128, 128, 128, 0.35))"
_FONT = "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', sans-serif)"
_CODE = "var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace)"
_STATUS = {
    "Completed": "var(--jp-success-color1, #2c974b)",
    "Failed": "var(--jp-error-color1, #d1453b)",
    "Stopped": "var(--jp-warn-color0, #b26a00)",
    "Running": "var(--jp-brand-color1, #2f7fd1)",
}

_STYLES = {
    "run": f"font-family: {_FONT}; font-size: 13px; line-height: 1.5; margin: 4px 0",
    "query": "margin: 0; font-size: 14px; font-weight: 600; white-space: pre-wrap",
    "meta": "margin: 2px 0 8px; font-size: 12px",
    "list": "list-style: none; margin: 0; padding: 0",
    "entry": "margin: 0 0 6px",
    "step": "margin: 0; padding: 0",
    "summary": "cursor: pointer; padding: 1px 0",
    "row": "display: inline-flex; gap: 16px; justify-content: space-between; "
    "align-items: baseline; width: calc(100% - 20px); vertical-align: top",
    "label": "min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap",
    "side": "flex: none; font-size: 12px",
    "soft": "opacity: 0.75",
    "facts": "display: block; margin-left: 16px; font-size: 12px",
    "reason": "display: block; margin-left: 16px; font-size: 12px; overflow: hidden; "
    "text-overflow: ellipsis; white-space: nowrap; color: var(--jp-error-color1, #d1453b)",
    "body": f"margin: 0 0 4px 5px; padding: 0 0 0 12px; border-left: 1px solid {_BORDER}",
    "thinking": "margin: 2px 0 4px; white-space: pre-wrap; opacity: 0.8; font-style: italic",
    "said": "margin: 2px 0 4px",
    "code": f"font-family: {_CODE}; font-size: 12px; background: none; padding: 0; color: inherit",
    "caption": "margin: 4px 0 0; font-size: 11px; opacity: 0.75",
    "pre": f"margin: 0 0 4px; padding: 0; font-family: {_CODE}; font-size: 12px; "
    "line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; overflow: auto; "
    "max-height: 320px; border: 0; background: none; color: inherit",
    "answer": f"margin: 8px 0 0; padding: 8px 0 0; border-top: 1px solid {_BORDER}; "
    "font-size: 14px",
    "notice": "margin: 6px 0 0; font-size: 12px; padding: 0 0 0 8px; "
    "border-left: 3px solid var(--jp-warn-color1, #b26a00)",
    "error": "margin: 8px 0 0; padding: 0 0 0 8px; white-space: pre-wrap; "
    "border-left: 3px solid var(--jp-error-color1, #d1453b)",
}


def style(name: str) -> str:
    """The inline style attribute of a part, with a space before it."""
    return f' style="{html.escape(_STYLES[name])}"'


def static_html(reasoning: Reasoning) -> str:
    """The run as one HTML element, smaller than `MAX_BYTES` whatever the run holds.

    The query, one line of figures, each step with its thinking and tool calls, and
    the answer from its Markdown. What is too large is cut with a note.
    """
    written = ""
    for limits in _LIMITS:
        if limits is not _LIMITS[-1] and least_size(reasoning, limits) > MAX_BYTES:
            continue
        written = _document(reasoning, limits)
        if len(written.encode()) < MAX_BYTES:
            break
    return written


def least_size(run: Reasoning, limits: Limits) -> int:
    """What the run needs at least within these limits, without writing it."""
    size = min(len(run.final_response or ""), limits.answer)
    for step in run.steps[: limits.steps]:
        texts = (step.thinking or "", step.text or "")
        size += sum(min(len(text), limits.thinking) for text in texts)
        size += _FRAME_BYTES * (1 + min(len(step.tools), limits.tools))
    return size


def _document(run: Reasoning, limits: Limits) -> str:
    query = _escaped(run.query or "", 4_000)
    return (
        # The class keeps MathJax from reading dollar amounts as formulas.
        f'<div class="mathjax_ignore"{style("run")}>'
        f"<p{style('query')}>{query}</p>"
        f"<p{style('meta')}>{summary_line(run)}</p>"
        f"{run_body(run, limits)}</div>"
    )


def summary_line(run: Reasoning) -> str:
    """Status and figures of a run on one line, as HTML."""
    first, *rest = figures.summary_parts(run)
    return _side(first, *rest)


def run_body(run: Reasoning, limits: Limits) -> str:
    """Steps, answer and notices of a run, without its query."""
    steps = "".join(_step(step, limits) for step in run.steps[: limits.steps])
    left = len(run.steps) - limits.steps
    if left > 0:
        steps += f"<li{style('caption')}>… {figures.count(left, 'more step')}, not shown here</li>"
    if run.final_thinking:
        inside = _thinking(run.final_thinking, limits)
        side = _side(figures.token_text(figures.answer_usage(run)))
        steps += f"<li>{details('<strong>Answer</strong>', side, inside, is_open=True)}</li>"
    parts = [f"<ul{style('list')}>{steps}</ul>" if steps else ""]
    if run.status == "failed" and run.error:
        parts.append(f"<p{style('error')}>{_escaped(run.error, 4_000)}</p>")
    elif run.final_response:
        answer = _rendered(run.final_response, limits.answer)
        parts.append(f"<div{style('answer')}>{answer}</div>")
    shown = [*run.notices[:10], *_cut_notices(run)]
    parts.extend(f"<p{style('notice')}>{_escaped(text, limits.value)}</p>" for text in shown)
    return "".join(parts)


def _cut_notices(run: Reasoning) -> Iterable[str]:
    if len(run.notices) > 10:
        yield f"{len(run.notices) - 10:,} more notices"
    if run.truncated:
        yield "The stored reasoning was shortened to fit into the session table."


def _step(step: ReasoningStep, limits: Limits) -> str:
    inside = [_thinking(step.thinking, limits)] if step.thinking else []
    if step.text:
        inside.append(f"<div{style('said')}>{_rendered(step.text, limits.thinking)}</div>")
    calls = "".join(f"<li>{_tool(tool, limits)}</li>" for tool in step.tools[: limits.tools])
    left = len(step.tools) - limits.tools
    if left > 0:
        calls += f"<li{style('caption')}>… {figures.count(left, 'more tool call')}</li>"
    inside.append(f"<ul{style('list')}>{calls}</ul>" if calls else "")
    label = f"<strong>Step {step.step_number}</strong>"
    side = _side("", *figures.step_parts(step))
    return f"<li>{details(label, side, ''.join(inside), is_open=True)}</li>"


def _rendered(text: str, limit: int) -> str:
    """Markdown as HTML; as it stands where elements would take most of the room."""
    written = markdown_html(markdown_nodes(bounded_text(figures.clean(text), limit)))
    if len(written.encode()) <= 4 * limit:
        return written
    return f"<p{style('thinking')}>{_escaped(text, limit)}</p>"


def _thinking(text: str, limits: Limits) -> str:
    return f"<p{style('thinking')}>{_escaped(text.strip(), limits.thinking)}</p>"


def _tool(tool: ToolData, limits: Limits) -> str:
    arguments = html.escape(figures.call_preview(tool.inputs))
    name = _escaped(tool.name, 200)
    label = f"<code{style('code')}><strong>{name}</strong>({arguments})</code>"
    word = figures.TOOL_WORDS.get(tool.status, tool.status)
    side = _side(word, figures.duration_text(tool.duration))
    inside = [_value("Inputs", tool.inputs, limits)] if tool.inputs else []
    if tool.error is not None:
        inside.append(_value("Error", tool.error, limits))
    elif tool.status == "success":
        caption = "Result, shortened for the model" if tool.truncated else "Result"
        inside.append(_value(caption, tool.result, limits))
    # A failure is read without opening anything.
    reason = f"<span{style('reason')}>{_escaped(tool.error, 300)}</span>" if tool.error else ""
    return details(label, side, "".join(inside), reason)


def _value(caption: str, value: Any, limits: Limits) -> str:
    text = _escaped(figures.json_text(value, limits.value), limits.value)
    return f"<p{style('caption')}>{caption}</p><pre{style('pre')}>{text}</pre>"


def details(label: str, side: str, inside: str, below: str = "", *, is_open: bool = False) -> str:
    """A part that opens, its texts given as HTML; `below` stands under the label."""
    # A focused summary would let its keys through to the notebook's commands.
    return (
        f"<details{' open' if is_open else ''}{style('step')}>"
        f'<summary data-lm-suppress-shortcuts="true"{style("summary")}>'
        f"<span{style('row')}><span{style('label')}>{label}</span>"
        f" <span{style('side')}>{side}</span></span>{below}</summary>"
        f"<div{style('body')}>{inside}</div></details>"
    )


def _side(word: str, *figures_: str) -> str:
    """A status in its colour, and figures, in one line of HTML."""
    colour = _STATUS.get(word)
    parts = [html.escape(part) for part in figures_ if part]
    if not colour:
        parts = [html.escape(word), *parts] if word else parts
        return f"<span{style('soft')}>{' · '.join(parts)}</span>"
    rest = f"<span{style('soft')}> · {' · '.join(parts)}</span>" if parts else ""
    return f'<span style="color: {colour}">{html.escape(word)}</span>{rest}'


def _escaped(text: str, limit: int) -> str:
    """Escaped text of at most `limit` bytes, and a note where something was cut."""
    text = figures.clean(text)
    escaped = html.escape(text)
    if len(escaped.encode()) <= limit:
        return escaped
    kept = min(len(text), limit)
    while (size := len(html.escape(text[:kept]).encode())) > limit:
        kept = min(kept - 1, kept * limit // size)
    return f"{html.escape(text[:kept])}… ({len(text) - kept:,} more characters)"
