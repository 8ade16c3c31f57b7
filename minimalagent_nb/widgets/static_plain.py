"""A run standing still, as Markdown and as plain text.

The Markdown can be shown by any renderer: nothing of a model or tool in it can
become HTML. Imports reasoning and this room's pure parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.displays import Shown, shown_output
from minimalagent_nb.widgets.markdown import code_block_source, markdown_nodes, markdown_source

__all__ = ["static_markdown", "static_text"]

_MAX_CHARACTERS = 150_000
_ANSWER = 64_000
_CALLS = 1_000
"""So many calls, those of sub-agents too, are written at most."""


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is written: `value` in characters of each value, the rest are counts."""

    value: int
    depth: int
    """Of sub-agents in one another."""
    steps: int = 40
    tools: int = 10
    parts: int = 20

    def inner(self) -> _Size:
        """That of a sub-agent's run."""
        return _Size(max(self.value // 2, 100), self.depth - 1, 10, 5, 5)


_SIZES = (_Size(2_000, 4), _Size(500, 2), _Size(100, 0), _Size(100, 0, 12, 4, 2))
"""The first with which the whole is small enough counts."""


def static_markdown(reasoning: Reasoning) -> str:
    """The run as Markdown: query, figures, a list of steps, the answer.

    The answer's own Markdown is kept; everything else of the run is escaped or
    stands in code blocks.
    """
    return _fitting(_markdown, reasoning) + "\n"


def static_text(reasoning: Reasoning) -> str:
    """The run as plain text, indented by level, for terminals and diffs."""
    return _fitting(_text, reasoning)


def _fitting(write: Callable[[Reasoning, _Size], list[str]], run: Reasoning) -> str:
    """The run written with values as long as the size of the whole allows."""
    written = ""
    for size in _SIZES:
        if size.depth and _calls(run, size, _CALLS) >= _CALLS:
            continue
        written = "\n".join(write(run, size)).strip()
        if len(written) <= _MAX_CHARACTERS:
            break
    return written


def _calls(run: Reasoning, size: _Size, most: int) -> int:
    """How many calls would be written; the counting ends at `most`."""
    number = 0
    for step in run.steps[: size.steps]:
        for tool in step.tools[: size.tools]:
            number += 1
            if number < most and tool.reasoning and size.depth > 0:
                number += _calls(tool.reasoning, size.inner(), most - number)
            if number >= most:
                return most
    return number


def _markdown(run: Reasoning, size: _Size) -> list[str]:
    query = bounded_text(figures.clean(run.query or ""), 4 * size.value)
    lines = [*(f"> {_line(line)}".rstrip() for line in query.split("\n")), ""]
    lines += [_line(" · ".join(figures.summary_parts(run))), ""]
    return lines + _markdown_body(run, size)


def _markdown_body(run: Reasoning, size: _Size) -> list[str]:
    lines: list[str] = []
    for step in run.steps[: size.steps]:
        lines += [*_step_source(step, size), ""]
    lines += _more(run.steps, size.steps, "more step")
    if run.status == "failed" and run.error:
        lines += [f"**Failed:** {_line(bounded_text(run.error, 4 * size.value))}"]
    elif run.final_response:
        answer = bounded_text(figures.clean(run.final_response), _ANSWER)
        lines += markdown_source(markdown_nodes(answer)).split("\n")
    asides = [figures.OUTCOME_WORDS.get(run.outcome, ""), *run.notices[:10]]
    for aside in filter(None, asides):
        lines += ["", f"*{_line(bounded_text(aside, size.value))}*"]
    return lines


def _step_source(step: ReasoningStep, size: _Size) -> list[str]:
    heading = " · ".join([f"**Step {step.step_number}**", *figures.step_parts(step)])
    lines = [f"- {heading}", ""]
    if step.thinking:
        lines += [f"  {_line(bounded_text(step.thinking, 4 * size.value))}", ""]
    if step.text:
        lines += _within(_said_source(step.text, 4 * size.value))
    for tool in step.tools[: size.tools]:
        lines += _within(_tool_source(tool, size))
    return lines + [f"  {line}" for line in _more(step.tools, size.tools, "more tool call")]


def _tool_source(tool: ToolData, size: _Size) -> list[str]:
    name = _line(bounded_text(tool.name, 100))
    lines = [f"- **{name}** · {_line(_outcome(tool))}", ""]
    for told in _told(tool):
        lines += [f"  {_line(bounded_text(told, size.value))}", ""]
    for value in _inputs(tool):
        lines += _within(_code(figures.json_text(value, size.value)))
    if tool.reasoning:
        lines += _within(_agent_source(tool, tool.reasoning, size))
    for _, shown in _shown(tool, size):
        lines += _within(_shown_source(shown, size))
    for value in _outcomes(tool):
        lines += _within(_code(figures.json_text(value, size.value)))
    return lines


def _agent_source(tool: ToolData, run: Reasoning, size: _Size) -> list[str]:
    name, figures_ = _agent_line(tool, run)
    lines = [f"- **{_line(name)}** · {_line(figures_)}", ""]
    lines += [f"  {_line(bounded_text(run.query or '', size.value))}", ""]
    if size.depth <= 0:
        return lines
    return [*lines, *_within(_markdown_body(run, size.inner())), ""]


def _shown_source(shown: Shown, size: _Size) -> list[str]:
    if shown.kind == "markdown":
        return _said_source(shown.text, size.value)
    if shown.kind == "image":
        return [f"*{_line(bounded_text(shown.text, size.value))}*", ""]
    return _code(bounded_text(shown.text, size.value))


def _said_source(text: str, limit: int) -> list[str]:
    nodes = markdown_nodes(figures.clean(bounded_text(text, limit)))
    return [*markdown_source(nodes).split("\n"), ""]


def _code(text: str) -> list[str]:
    return [*code_block_source(text).split("\n"), ""]


def _within(lines: Sequence[str]) -> list[str]:
    """The lines as part of the item of a list."""
    return [f"  {line}" if line else "" for line in lines]


def _line(text: str) -> str:
    """Any text as one harmless line of Markdown."""
    words = " ".join(figures.clean(text).split())
    return markdown_source([words]) if words else ""


def _text(run: Reasoning, size: _Size) -> list[str]:
    lines = [figures.clean(bounded_text(run.query or "", 4 * size.value))]
    lines += [" · ".join(figures.summary_parts(run)), ""]
    return lines + _text_body(run, size)


def _text_body(run: Reasoning, size: _Size) -> list[str]:
    lines: list[str] = []
    for step in run.steps[: size.steps]:
        lines += [" · ".join([f"Step {step.step_number}", *figures.step_parts(step)])]
        for text in (step.thinking, step.text):
            if text:
                lines += _indented(bounded_text(text.strip(), 4 * size.value), 2)
        for tool in step.tools[: size.tools]:
            lines += _tool_text(tool, size)
        lines += [*_more(step.tools, size.tools, "more tool call"), ""]
    lines += _more(run.steps, size.steps, "more step")
    if run.status == "failed" and run.error:
        lines += [f"Failed: {figures.clean(bounded_text(run.error, 4 * size.value))}"]
    elif run.final_response:
        lines += [figures.clean(bounded_text(run.final_response, _ANSWER))]
    if run.outcome in figures.OUTCOME_WORDS:
        lines += [f"({figures.OUTCOME_WORDS[run.outcome]})"]
    notices = run.notices[:10]
    return lines + [f"Note: {figures.clean(bounded_text(text, size.value))}" for text in notices]


def _tool_text(tool: ToolData, size: _Size) -> list[str]:
    name = figures.clean(bounded_text(tool.name, 100))
    edited = figures.edited_inputs(tool)
    arguments = figures.call_preview(tool.inputs if edited is None else edited)
    lines = [f"  {name}({arguments})", f"    {_outcome(tool)}"]
    for told in _told(tool):
        lines += _indented(bounded_text(told, size.value), 4)
    if tool.reasoning:
        lines += _indented(" · ".join(_agent_line(tool, tool.reasoning)), 6)
        lines += _indented(bounded_text(tool.reasoning.query or "", size.value), 6)
        if size.depth > 0:
            inside = "\n".join(_text_body(tool.reasoning, size.inner())).rstrip()
            lines += _indented(inside, 8)
    for kind, shown in _shown(tool, size):
        text = f"[{shown.text}]" if shown.kind == "image" else shown.text
        guide = "    ! " if kind == "stderr" else "    | "
        lines += [guide + line for line in _indented(bounded_text(text, size.value), 0)]
    for value in _outcomes(tool):
        lines += _indented(figures.json_text(value, size.value), 6)
    return lines


def _outcome(tool: ToolData) -> str:
    parts = (figures.tool_word(tool), figures.duration_text(tool.duration))
    return " · ".join(part for part in parts if part)


def _told(tool: ToolData) -> list[str]:
    """How far the call is, what was decided on it, and what is left of it."""
    progress = figures.progress_text(tool.progress) if tool.status == "running" else ""
    left = figures.LEFT_BEHIND if tool.left_behind else ""
    return [text for text in (progress, figures.approval_text(tool.approval), left) if text]


def _agent_line(tool: ToolData, run: Reasoning) -> tuple[str, str]:
    """Name and figures of a sub-agent."""
    parts = [figures.agent_word(tool, run), *figures.summary_parts(run)[1:]]
    return figures.clean(bounded_text(run.agent or "Sub-agent", 100)), " · ".join(parts)


def _shown(tool: ToolData, size: _Size) -> list[tuple[str, Shown]]:
    """What the call printed and displayed, as far as it is shown, and of what kind."""
    parts = list(shown_output(tool.output[: size.parts]))
    left = len(tool.output) - size.parts
    note = f"… {figures.count(left, 'more part')} of the output, not shown here"
    return [*parts, ("display", Shown("text", note))] if left > 0 else parts


def _inputs(tool: ToolData) -> list[Any]:
    """What went in; of edited arguments those that the call ran with come first."""
    return [value for value in (figures.edited_inputs(tool), tool.inputs) if value]


def _outcomes(tool: ToolData) -> list[Any]:
    """What came out, where something did."""
    if tool.error is not None:
        return [tool.error]
    return [tool.result] if tool.status == "success" else []


def _more(items: Sequence[Any], shown: int, noun: str) -> list[str]:
    left = len(items) - shown
    return [f"… {figures.count(left, noun)}, not shown here", ""] if left > 0 else []


def _indented(text: str, spaces: int) -> list[str]:
    return [" " * spaces + line if line else "" for line in figures.clean(text).split("\n")]
