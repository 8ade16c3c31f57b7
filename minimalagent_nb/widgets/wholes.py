"""Values that were cut for display, whole, for a page that asks for them.

A page is sent bounded copies; the values themselves are in the reasoning. Imports reasoning
and this room's pure parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ToolData
from minimalagent_nb.widgets.bounds import bounded

__all__ = ["MAX_WHOLE", "find_call", "whole_messages", "whole_value"]

MAX_WHOLE = 8_000_000
"""Characters of JSON that a page is sent of one value: more, it could not hold."""

PART = 400_000
"""Characters of one message, so that no message keeps others waiting."""

_NOT_THERE = "The kernel does not have this value any more."


def find_call(run: Reasoning | None, calls: Any) -> ToolData | None:
    """The call at which the pairs of step number and call id lead, through sub-agents' runs."""
    if not isinstance(calls, list) or not calls or len(calls) > 100:
        return None
    found: ToolData | None = None
    for pair in calls:
        if run is None or not isinstance(pair, list) or len(pair) != 2:
            return None
        steps = [step for step in run.steps if step.step_number == pair[0]]
        tools = [tool for step in steps for tool in step.tools if tool.call_id == pair[1]]
        if not tools:
            return None
        found, run = tools[-1], tools[-1].reasoning
    return found


def whole_value(run: Reasoning, calls: Any, name: Any) -> tuple[Any, bool]:
    """A call's ``inputs`` or ``result`` as JSON of at most `MAX_WHOLE` characters.

    Returns:
        The value, and whether even this is cut.

    Raises:
        LookupError: there is no such call or value.
    """
    tool = find_call(run, calls)
    if tool is None or name not in ("inputs", "result"):
        raise LookupError(_NOT_THERE)
    return bounded(tool.inputs if name == "inputs" else tool.result, MAX_WHOLE)


def whole_messages(run: Reasoning, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer to ``{type: "whole", id, calls, name}``: the JSON in parts, or why not.

    Each message is ``{type: "whole", id, part, parts, text, cut}`` or
    ``{type: "whole", id, error}``.
    """
    to = {"type": "whole", "id": content.get("id")}
    try:
        value, cut = whole_value(run, content.get("calls"), content.get("name"))
    except LookupError as error:
        yield {**to, "error": str(error)}
        return
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    parts = max(1, -(-len(text) // PART))
    for part in range(parts):
        piece = text[part * PART : (part + 1) * PART]
        yield {**to, "part": part, "parts": parts, "text": piece, "cut": cut}
