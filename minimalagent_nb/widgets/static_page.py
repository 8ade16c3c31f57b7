"""A run standing still, as HTML: what a saved notebook shows anywhere.

Semantic elements, because readers of notebooks drop style sheets and scripts: without
any style it is still a list that opens and closes. Imports reasoning and this room's
pure parts.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.displays import Shown, shown_output
from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes
from minimalagent_nb.widgets.static_parts import Limits, details, escaped, side_line, style

__all__ = ["MAX_BYTES", "least_size", "run_body", "static_html", "summary_line"]

MAX_BYTES = 200_000
"""No run's HTML is larger than this, in bytes of UTF-8."""

_OPEN_DEPTH = 3
"""So many sub-agents in one another are open at first."""

_LIMITS = (
    Limits(16_000, 16_000, 80_000, 400, 100),
    Limits(4_000, 4_000, 40_000, 200, 50, parts=20, images=90_000, depth=4),
    Limits(1_000, 1_000, 20_000, 100, 20, parts=10, images=60_000, depth=2),
    Limits(300, 300, 2_000, 10, 3, parts=2, images=0, depth=0),
)

_FRAME_BYTES = 600
"""What a step or a call costs at least, for its elements and their style."""


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


def least_size(run: Reasoning, limits: Limits, most: int = 2 * MAX_BYTES) -> int:
    """What the run needs at least within these limits, without writing it.

    The counting ends at `most`: sub-agents of sub-agents can be very many.
    """
    size = min(len(run.final_response or ""), limits.answer)
    for step in run.steps[: limits.steps]:
        texts = (step.thinking or "", step.text or "")
        size += sum(min(len(text), limits.thinking) for text in texts) + _FRAME_BYTES
        for tool in step.tools[: limits.tools]:
            size += _FRAME_BYTES
            if size >= most:
                return size
            if tool.reasoning and limits.depth > 0:
                size += least_size(tool.reasoning, limits.inner(), most - size)
    return size


class _Room:
    """What may be written: limits, and what images of the whole page may still cost."""

    def __init__(self, limits: Limits, images: list[int] | None = None) -> None:
        self.limits = limits
        self._images = images or [limits.images]
        self.inside = 0

    def inner(self) -> _Room:
        """The room of a sub-agent's run."""
        room = _Room(self.limits.inner(), self._images)
        room.inside = self.inside + 1
        return room

    def takes(self, image: Shown) -> bool:
        """Whether the image has a place, which it takes then."""
        if len(image.data) > self._images[0]:
            return False
        self._images[0] -= len(image.data)
        return True


def _document(run: Reasoning, limits: Limits) -> str:
    query = escaped(run.query or "", 4_000)
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
    return side_line(first, *rest)


def run_body(run: Reasoning, limits: Limits) -> str:
    """Steps, answer and notices of a run, without its query."""
    return _run(run, _Room(limits))


def _run(run: Reasoning, room: _Room) -> str:
    limits = room.limits
    steps = "".join(_step(step, room) for step in run.steps[: limits.steps])
    left = len(run.steps) - limits.steps
    if left > 0:
        steps += f"<li{style('caption')}>… {figures.count(left, 'more step')}, not shown here</li>"
    if run.final_thinking:
        inside = _thinking(run.final_thinking, limits)
        side = side_line(figures.token_text(figures.answer_usage(run)))
        steps += f"<li>{details('<strong>Answer</strong>', side, inside, is_open=True)}</li>"
    parts = [f"<ul{style('list')}>{steps}</ul>" if steps else ""]
    if run.status == "failed" and run.error:
        parts.append(f"<p{style('error')}>{escaped(run.error, 4 * limits.value)}</p>")
    elif run.final_response:
        answer = _rendered(run.final_response, limits.answer)
        parts.append(f"<div{style('inner' if room.inside else 'answer')}>{answer}</div>")
    if run.outcome in figures.OUTCOME_WORDS:
        parts.append(f"<p{style('outcome')}>{figures.OUTCOME_WORDS[run.outcome]}</p>")
    shown = [*run.notices[:10], *_cut_notices(run)]
    parts.extend(f"<p{style('notice')}>{escaped(text, limits.value)}</p>" for text in shown)
    return "".join(parts)


def _cut_notices(run: Reasoning) -> Iterable[str]:
    if len(run.notices) > 10:
        yield f"{len(run.notices) - 10:,} more notices"
    if run.truncated:
        yield figures.SHORTENED


def _step(step: ReasoningStep, room: _Room) -> str:
    limits = room.limits
    inside = [_thinking(step.thinking, limits)] if step.thinking else []
    if step.text:
        inside.append(f"<div{style('said')}>{_rendered(step.text, limits.thinking)}</div>")
    calls = "".join(f"<li>{_tool(tool, room)}</li>" for tool in step.tools[: limits.tools])
    left = len(step.tools) - limits.tools
    if left > 0:
        calls += f"<li{style('caption')}>… {figures.count(left, 'more tool call')}</li>"
    inside.append(f"<ul{style('list')}>{calls}</ul>" if calls else "")
    label = f"<strong>Step {step.step_number}</strong>"
    side = side_line("", *figures.step_parts(step))
    return f"<li>{details(label, side, ''.join(inside), is_open=True)}</li>"


def _rendered(text: str, limit: int) -> str:
    """Markdown as HTML; as it stands where elements would take most of the room."""
    written = markdown_html(markdown_nodes(bounded_text(figures.clean(text), limit)))
    if len(written.encode()) <= 4 * limit:
        return written
    return f"<p{style('thinking')}>{escaped(text, limit)}</p>"


def _thinking(text: str, limits: Limits) -> str:
    return f"<p{style('thinking')}>{escaped(text.strip(), limits.thinking)}</p>"


def _tool(tool: ToolData, room: _Room) -> str:
    edited = figures.edited_inputs(tool)
    arguments = html.escape(figures.call_preview(tool.inputs if edited is None else edited))
    label = f"<code{style('code')}><strong>{escaped(tool.name, 200)}</strong>({arguments})</code>"
    side = side_line(figures.tool_word(tool), figures.duration_text(tool.duration))
    output = list(shown_output(tool.output[: room.limits.parts]))
    inside = [_inputs(tool, edited, room.limits)]
    if tool.reasoning:
        inside.append(_agent(tool, tool.reasoning, room))
    inside.append(_output(tool, output, room))
    if tool.error is not None:
        caption = "Told the model" if tool.status == "denied" else "Error"
        inside.append(_value(caption, tool.error, room.limits))
    elif tool.status == "success":
        caption = "Result, shortened for the model" if tool.truncated else "Result"
        inside.append(_value(caption, tool.result, room.limits))
    is_open = any(kind == "display" for kind, _ in output) or tool.reasoning is not None
    lines = _lines(tool, room.limits)
    return details(
        label, side, "".join(inside), lines, is_open=is_open and room.inside < _OPEN_DEPTH
    )


def _lines(tool: ToolData, limits: Limits) -> str:
    """What is read without opening anything: a failure, a decision, how far it is."""
    decided = figures.approval_text(tool.approval)
    lines = [("line", figures.progress_text(tool.progress) if tool.status == "running" else "")]
    lines.append(("line", decided))
    if tool.error and not (tool.status == "denied" and decided):
        lines.append(("reason", tool.error))
    if tool.left_behind:
        lines.append(("warning", figures.LEFT_BEHIND))
    return "".join(
        f"<span{style(name)}>{escaped(text, min(limits.value, 500))}</span>"
        for name, text in lines
        if text
    )


def _inputs(tool: ToolData, edited: Any, limits: Limits) -> str:
    if edited is None:
        return _value("Inputs", tool.inputs, limits) if tool.inputs else ""
    asked = _value("Inputs, as the model wrote them", tool.inputs, limits) if tool.inputs else ""
    return _value("Inputs, edited", edited, limits) + asked


def _agent(tool: ToolData, run: Reasoning, room: _Room) -> str:
    """A sub-agent's run as a branch of its call."""
    word = figures.agent_word(tool, run)
    tokens, time = figures.token_text(run.usage), figures.duration_text(run.duration)
    side = (
        side_line("", tokens, word, time) if word == "Completed" else side_line(word, tokens, time)
    )
    label = f"<strong>{escaped(run.agent or 'Sub-agent', 200)}</strong>"
    asked = f"<span{style('line')}>{escaped(run.query or '', 300)}</span>"
    if room.limits.depth > 0:
        inside = _run(run, room.inner())
    else:
        steps = figures.count(len(run.steps), "step")
        inside = f"<p{style('caption')}>… {steps} of a sub-agent, not shown here</p>"
    return details(label, side, inside, asked, is_open=room.inside < _OPEN_DEPTH)


def _output(tool: ToolData, output: list[tuple[str, Shown]], room: _Room) -> str:
    """What a call printed and displayed, in order."""
    written = "".join(_shown(kind, shown, room) for kind, shown in output)
    left = len(tool.output) - room.limits.parts
    if left > 0:
        written += f"<p{style('caption')}>… {figures.count(left, 'more part')}, not shown here</p>"
    return f"<p{style('caption')}>Output</p>{written}" if written else ""


def _shown(kind: str, shown: Shown, room: _Room) -> str:
    limits = room.limits
    if shown.kind == "markdown":
        return f"<div{style('said')}>{_rendered(shown.text, limits.value)}</div>"
    if shown.kind != "image":
        name = "stderr" if kind == "stderr" else "pre"
        return f"<pre{style(name)}>{escaped(shown.text, limits.value)}</pre>"
    if not room.takes(shown):
        return f"<p{style('caption')}>{escaped(shown.text, 300)}, not shown here</p>"
    return (
        f'<img src="data:{shown.mime};base64,{shown.data}" alt="{escaped(shown.text, 300)}"'
        f' width="{shown.width}" height="{shown.height}"{style("image")}>'
    )


def _value(caption: str, value: Any, limits: Limits) -> str:
    text = escaped(figures.json_text(value, limits.value), limits.value)
    return f"<p{style('caption')}>{caption}</p><pre{style('pre')}>{text}</pre>"
