"""A run standing still, as Markdown and as plain text.

The Markdown can be shown by any renderer: nothing of a model or tool in it can
become HTML. Imports reasoning and this room's pure parts.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.markdown import code_block_source, markdown_nodes, markdown_source

__all__ = ["static_markdown", "static_text"]

_MAX_CHARACTERS = 150_000
_VALUES = (2_000, 500, 100)
"""Characters of each value: the first with which the whole is small enough counts."""
_ANSWER = 64_000
_STEPS = 40
_TOOLS = 10


def static_markdown(reasoning: Reasoning) -> str:
    """The run as Markdown: query, figures, a list of steps, the answer.

    The answer's own Markdown is kept; everything else of the run is escaped or
    stands in code blocks.
    """
    return _fitting(_markdown, reasoning)


def static_text(reasoning: Reasoning) -> str:
    """The run as plain text, indented by level, for terminals and diffs."""
    return _fitting(_text, reasoning)


def _fitting(write: Callable[[Reasoning, int], str], run: Reasoning) -> str:
    """The run written with values as long as the size of the whole allows."""
    written = ""
    for value in _VALUES:
        written = write(run, value)
        if len(written) <= _MAX_CHARACTERS:
            break
    return written


def _markdown(run: Reasoning, limit: int) -> str:
    query = bounded_text(figures.clean(run.query or ""), 4 * limit)
    lines = [f"> {_line(line)}".rstrip() for line in query.split("\n")]
    lines += ["", _line(" · ".join(figures.summary_parts(run))), ""]
    for step in run.steps[:_STEPS]:
        lines += [*_step_source(step, limit), ""]
    lines += _more(run.steps, _STEPS, "more step")
    if run.status == "failed" and run.error:
        lines += [f"**Failed:** {_line(bounded_text(run.error, 4 * limit))}"]
    elif run.final_response:
        answer = bounded_text(figures.clean(run.final_response), _ANSWER)
        lines += [markdown_source(markdown_nodes(answer))]
    for notice in run.notices[:10]:
        lines += ["", f"*{_line(bounded_text(notice, limit))}*"]
    return "\n".join(lines).strip() + "\n"


def _step_source(step: ReasoningStep, limit: int) -> list[str]:
    heading = " · ".join([f"**Step {step.step_number}**", *figures.step_parts(step)])
    lines = [f"- {heading}", ""]
    if step.thinking:
        lines += [f"  {_line(bounded_text(step.thinking, 4 * limit))}", ""]
    if step.text:
        said = markdown_nodes(figures.clean(bounded_text(step.text, 4 * limit)))
        lines += [*textwrap.indent(markdown_source(said), "  ").split("\n"), ""]
    for tool in step.tools[:_TOOLS]:
        lines += textwrap.indent("\n".join(_tool_source(tool, limit)), "  ").split("\n")
    return lines + [f"  {line}" for line in _more(step.tools, _TOOLS, "more tool call")]


def _tool_source(tool: ToolData, limit: int) -> list[str]:
    name = _line(bounded_text(tool.name, 100))
    lines = [f"- **{name}** · {_line(_outcome(tool))}", ""]
    for value in _values(tool):
        block = code_block_source(figures.json_text(value, limit))
        lines += [*textwrap.indent(block, "  ").split("\n"), ""]
    return lines


def _line(text: str) -> str:
    """Any text as one harmless line of Markdown."""
    words = " ".join(figures.clean(text).split())
    return markdown_source([words]) if words else ""


def _text(run: Reasoning, limit: int) -> str:
    lines = [figures.clean(bounded_text(run.query or "", 4 * limit))]
    lines += [" · ".join(figures.summary_parts(run)), ""]
    for step in run.steps[:_STEPS]:
        lines += [" · ".join([f"Step {step.step_number}", *figures.step_parts(step)])]
        for text in (step.thinking, step.text):
            if text:
                lines += _indented(bounded_text(text.strip(), 4 * limit), 2)
        for tool in step.tools[:_TOOLS]:
            lines += _tool_text(tool, limit)
        lines += [*_more(step.tools, _TOOLS, "more tool call"), ""]
    lines += _more(run.steps, _STEPS, "more step")
    if run.status == "failed" and run.error:
        lines += [f"Failed: {figures.clean(bounded_text(run.error, 4 * limit))}"]
    elif run.final_response:
        lines += [figures.clean(bounded_text(run.final_response, _ANSWER))]
    lines += [f"Note: {figures.clean(bounded_text(text, limit))}" for text in run.notices[:10]]
    return "\n".join(lines).strip()


def _tool_text(tool: ToolData, limit: int) -> list[str]:
    name = figures.clean(bounded_text(tool.name, 100))
    lines = [f"  {name}({figures.call_preview(tool.inputs)})", f"    {_outcome(tool)}"]
    for value in _values(tool)[1 if tool.inputs else 0 :]:
        lines += _indented(figures.json_text(value, limit), 6)
    return lines


def _outcome(tool: ToolData) -> str:
    word = figures.TOOL_WORDS.get(tool.status, tool.status)
    return " · ".join(part for part in (word, figures.duration_text(tool.duration)) if part)


def _values(tool: ToolData) -> list[Any]:
    """What went in, where something did, and what came out."""
    values: list[Any] = [tool.inputs] if tool.inputs else []
    if tool.error is not None:
        values.append(tool.error)
    elif tool.status == "success":
        values.append(tool.result)
    return values


def _more(items: Sequence[Any], shown: int, noun: str) -> list[str]:
    left = len(items) - shown
    return [f"… {figures.count(left, noun)}, not shown here", ""] if left > 0 else []


def _indented(text: str, spaces: int) -> list[str]:
    return [" " * spaces + line if line else "" for line in figures.clean(text).split("\n")]
