"""Values that were cut for display, whole, for a page that asks for them.

A page is sent bounded copies; the values themselves are in the reasoning, that of a run of
this process or a stored one. Imports reasoning and this room's pure parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ToolData
from minimalagent_nb.widgets.bounds import bounded
from minimalagent_nb.widgets.replay import shown_id

__all__ = ["MAX_WHOLE", "VALUES", "find_call", "whole_json", "whole_messages"]

MAX_WHOLE = 8_000_000
"""Characters of JSON that a page is sent of one value: more, it could not hold."""

PART = 400_000
"""Characters of one message, so that no message keeps others waiting."""

VALUES = ("inputs", "result")
"""The values of a call that can be had whole."""

_MOST_PAIRS = 100

_NOT_THERE = "What is kept of the run does not have this value any more."


def find_call(run: Reasoning | None, calls: Any) -> ToolData | None:
    """The call at which the pairs of step number and call id lead, through sub-agents' runs.

    The ids are those of the page; see `replay.shown_id`. None where there is no such call.
    """
    if not isinstance(calls, list) or not calls or len(calls) > _MOST_PAIRS:
        return None
    found: ToolData | None = None
    for pair in calls:
        if run is None or not isinstance(pair, list) or len(pair) != 2:
            return None
        tools = [
            tool
            for step in run.steps
            if step.step_number == pair[0]
            for place, tool in enumerate(step.tools)
            if shown_id(tool, step.step_number, place) == pair[1]
        ]
        if not tools:
            return None
        found, run = tools[-1], tools[-1].reasoning
    return found


def whole_json(run: Reasoning | None, calls: Any, name: Any) -> tuple[str, bool]:
    """A call's ``inputs`` or ``result`` as JSON text.

    Args:
        run: None where nothing is kept of it.
        calls: the way to the call; see `find_call`.
        name: one of `VALUES`.

    Returns:
        The text, of about `MAX_WHOLE` characters at most, and whether even this is cut.

    Raises:
        LookupError: there is no such call or value.
    """
    tool = find_call(run, calls)
    if tool is None or name not in VALUES:
        raise LookupError(_NOT_THERE)
    value, cut = bounded(tool.inputs if name == "inputs" else tool.result, MAX_WHOLE)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")), cut


def whole_messages(run: Reasoning | None, content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer to ``{id, calls, name}`` of a page: the JSON in parts, or why not.

    Each message is ``{type: "whole", id, part, parts, text, cut}`` or
    ``{type: "whole", id, error}``.
    """
    to = {"type": "whole", "id": content.get("id")}
    try:
        text, cut = whole_json(run, content.get("calls"), content.get("name"))
    except LookupError as error:
        yield {**to, "error": str(error)}
        return
    parts = max(1, -(-len(text) // PART))
    for part in range(parts):
        piece = text[part * PART : (part + 1) * PART]
        yield {**to, "part": part, "parts": parts, "text": piece, "cut": cut}
