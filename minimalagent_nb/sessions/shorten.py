"""A reasoning made to fit into one item: long values are cut, and it says so.

Imports events, reasoning and the codec. The values given are never changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from minimalagent_nb.events import Usage
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.sessions.codec import byte_size, dumps

__all__ = ["clip", "copy_of", "fitted", "live_view"]

_NEWEST_VALUE = 1_500
"""Bytes that one value may take of a live view, so that one does not fill it."""
_NAME = 200
"""Characters of names and call ids, which are the model's own words too."""
_CHILD = 32
"""Bytes that an entry of a list or an object gets at least, or it is left out."""
_STEP = 40
"""Bytes that a step takes at least."""
_ROUNDS = 8
_LEAST: dict[str, Any] = {"inputs": {}, "notices": []}
"""The least form of values that are not None then."""
_MARK = "…"


def copy_of(reasoning: Reasoning) -> Reasoning:
    """A copy that later events do not reach; inputs and results are shared."""
    steps = [
        dataclasses.replace(step, tools=[_copy_of_call(tool) for tool in step.tools])
        for step in reasoning.steps
    ]
    return dataclasses.replace(reasoning, steps=steps, notices=list(reasoning.notices))


def _copy_of_call(call: ToolData) -> ToolData:
    nested = copy_of(call.reasoning) if call.reasoning else None
    output = [dict(part) for part in call.output]
    return dataclasses.replace(call, output=output, reasoning=nested)


def fitted(reasoning: Reasoning, limit: int) -> str:
    """The reasoning as JSON of at most `limit` bytes.

    What fits is written whole. Of what does not, the longest inputs, results and
    texts are shortened to one length until it fits, and steps are left out of its
    middle only when their names alone are too long; `truncated` and
    `exceeded_size_limit` say so, and `total_steps` keeps the true number.
    """
    text = dumps(reasoning.to_dict())
    if byte_size(text) <= limit:
        return text
    return _shortened(reasoning, limit, _common_length, _without_middle, exceeded=True)


def live_view(reasoning: Reasoning, limit: int) -> str:
    """The reasoning of a run under way, as JSON of at most `limit` bytes.

    Every step and tool name is there as far as they fit, and of the inputs, results
    and texts the newest; `truncated` says whether anything is missing.
    """
    return _shortened(reasoning, limit, _newest_first, _without_oldest, exceeded=False)


def clip(value: Any, size: int) -> Any:
    """A JSON value cut to about `size` bytes of JSON, in the shape it had.

    Strings, lists and objects lose their ends and say how much that was. The work
    grows with `size` and not with the value.
    """
    if isinstance(value, str):
        return _clip_text(value, size)
    if isinstance(value, dict):
        return _clip_object(value, size)
    if isinstance(value, (list, tuple)):
        return _clip_list(value, size)
    if value is None or isinstance(value, (bool, float)):
        return value
    return value if len(str(value)) <= max(size, _CHILD) else _MARK


def _clip_text(text: str, size: int) -> str:
    piece = text[: max(size, 0)]
    written = byte_size(dumps(piece))
    if len(piece) == len(text) and written <= size:
        return text
    kept = int(len(piece) * (size - _CHILD) / written)
    if kept <= 0:
        return _MARK
    return f"{text[:kept]}{_MARK} [+{len(text) - kept} characters]"


def _clip_object(value: dict[str, Any], size: int) -> dict[str, Any]:
    """Entries in their order, each with an equal share of what the ones before have left."""
    kept: dict[str, Any] = {}
    for number, (key, item) in enumerate(value.items()):
        missing = len(value) - number
        if size < _CHILD + 2 * len(key):
            return {**kept, _MARK: f"+{missing} more"} if size >= _CHILD else kept
        kept[key] = clip(item, max(size // missing, _CHILD) - len(key))
        size -= byte_size(dumps(kept[key])) + byte_size(dumps(key)) + 2
    return kept


def _clip_list(value: list[Any] | tuple[Any, ...], size: int) -> list[Any]:
    """As many entries from the front as fit."""
    kept: list[Any] = []
    for number, item in enumerate(value):
        if size < _CHILD:
            return [*kept, f"{_MARK} [+{len(value) - number} more]"] if kept else kept
        kept.append(clip(item, size))
        size -= byte_size(dumps(kept[-1])) + 1
    return kept


class _Slot:
    """A place of the reasoning whose value may be shortened."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name
        self.value = getattr(owner, name)

    def cut(self, size: int) -> bool:
        """Shorten the value to about `size` bytes, to its least form where that is too few.

        Returns:
            Whether that took anything away.
        """
        shorter = clip(self.value, size) if size >= _CHILD else _LEAST.get(self._name)
        setattr(self._owner, self._name, shorter)
        return bool(shorter != self.value)

    def size(self) -> int:
        """Bytes of what stands there now."""
        return byte_size(dumps(getattr(self._owner, self._name)))


def _slots(reasoning: Reasoning) -> Iterator[_Slot]:
    """All such places with something in them: the run's own, then those of the newest step."""
    names = ("query", "final_response", "error", "final_thinking", "notices")
    places: list[tuple[Any, str]] = [(reasoning, name) for name in names]
    for step in reversed(reasoning.steps):
        for tool in step.tools:
            places += [(tool, "inputs"), (tool, "result"), (tool, "error")]
        places += [(step, "text"), (step, "thinking")]
    for owner, name in places:
        if getattr(owner, name) not in (None, "", [], {}):
            yield _Slot(owner, name)


Spread = Callable[[list[_Slot], int], bool]
Choose = Callable[[list[ReasoningStep], int], list[ReasoningStep]]


def _shortened(
    reasoning: Reasoning, limit: int, spread: Spread, choose: Choose, *, exceeded: bool
) -> str:
    """Shorten the values until the JSON fits, and only then the number of steps.

    The length of a cut value is an estimate (escapes, markers), hence the rounds; with
    no room at all every value has its least form, of which the size is known exactly.
    """
    kept, lean = min(len(reasoning.steps), limit // _STEP), False
    while True:
        bare = _chosen(reasoning, choose(reasoning.steps, kept), lean)
        for slot in _slots(bare):
            slot.cut(0)
        bare.truncated, bare.exceeded_size_limit = True, True
        room = limit - byte_size(dumps(bare.to_dict()))
        # Times and ids of single calls go first where they take more than half.
        for _ in range(_ROUNDS if room >= (0 if lean else limit // 2) else 0):
            copy = _chosen(reasoning, choose(reasoning.steps, kept), lean)
            cut = spread(list(_slots(copy)), room)
            if cut or lean or kept < len(reasoning.steps):
                copy.truncated = True
                copy.exceeded_size_limit = reasoning.exceeded_size_limit or exceeded
            text = dumps(copy.to_dict())
            excess = byte_size(text) - limit
            if excess <= 0:
                return text
            room = max(room - excess - _CHILD, 0)
        if lean and not kept:
            return dumps(bare.to_dict())
        kept, lean = kept * 7 // 8 if lean else kept, True


def _chosen(reasoning: Reasoning, steps: list[ReasoningStep], lean: bool) -> Reasoning:
    """A copy with these steps and names of a bounded length.

    A lean one has neither times nor token counts of single steps and calls.
    """
    copy = copy_of(dataclasses.replace(reasoning, steps=steps))
    for name in ("model", "agent", "stop_reason"):
        setattr(copy, name, getattr(copy, name)[:_NAME])
    for step in copy.steps:
        if lean:
            step.usage, step.duration = Usage(), None
        for tool in step.tools:
            tool.name, tool.call_id = tool.name[:_NAME], tool.call_id[:_NAME]
            if lean:
                tool.started, tool.duration, tool.call_id = None, None, ""
    return copy


def _common_length(slots: list[_Slot], room: int) -> bool:
    """Cut the longest values, all to the one length with which they fill the room."""
    sizes = [slot.size() for slot in slots]
    length, left = 0, room
    for number, size in enumerate(sorted(sizes)):
        length = left // (len(sizes) - number)
        if size > length:
            break
        left -= size
    cut = False
    for slot, size in zip(slots, sizes, strict=True):
        # Short values are worth more than further steps are.
        cut = (size > max(length, _CHILD) and slot.cut(length)) or cut
    return cut


def _newest_first(slots: list[_Slot], room: int) -> bool:
    """Fill the room with the values in their order, none with more than its share."""
    cut = False
    for slot in slots:
        cut = slot.cut(min(room, _NEWEST_VALUE)) or cut
        room -= slot.size()
    return cut


def _without_middle(steps: list[ReasoningStep], kept: int) -> list[ReasoningStep]:
    return steps[: (kept + 1) // 2] + steps[len(steps) - kept // 2 :]


def _without_oldest(steps: list[ReasoningStep], kept: int) -> list[ReasoningStep]:
    return steps[len(steps) - kept :]
