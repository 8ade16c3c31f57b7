"""A reasoning made to fit into one item: long values are cut, and it says so.

Imports events, reasoning and the codec. The values given are never changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
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
_LEAST: dict[str, Any] = {"inputs": {}, "notices": [], "output": []}
"""The least form of values that are not None then."""
_DEEPEST = 50
"""Sub-agents in one another that are stored: each costs frames of the stack to encode."""
_MARK = "…"


def copy_of(reasoning: Reasoning, depth: int = 0) -> Reasoning:
    """A copy that later events do not reach; inputs and results are shared.

    Sub-agents nested deeper than a limit are left out; the run that had them says so.
    """
    steps = [
        dataclasses.replace(step, tools=[_copy_of_call(tool, depth) for tool in step.tools])
        for step in reasoning.steps
    ]
    copy = dataclasses.replace(reasoning, steps=steps, notices=list(reasoning.notices))
    if depth >= _DEEPEST:
        copy.truncated = copy.truncated or any(call.reasoning for call in _calls(reasoning))
    return copy


def _copy_of_call(call: ToolData, depth: int) -> ToolData:
    kept = call.reasoning if depth < _DEEPEST else None
    nested = copy_of(kept, depth + 1) if kept else None
    output = [dict(part) for part in call.output]
    return dataclasses.replace(call, output=output, reasoning=nested)


def _calls(reasoning: Reasoning) -> Iterator[ToolData]:
    return (tool for step in reasoning.steps for tool in step.tools)


def _all_calls(reasoning: Reasoning) -> Iterator[ToolData]:
    """The calls of the run and of its sub-agents."""
    for call in _calls(reasoning):
        yield call
        if call.reasoning:
            yield from _all_calls(call.reasoning)


def fitted(reasoning: Reasoning, limit: int) -> str:
    """The reasoning as JSON of at most `limit` bytes.

    What fits is written whole. Of what does not, first the images that tools displayed
    go, then what they printed, each with a line in its place. Then the longest inputs,
    results and texts, those of sub-agents too, are shortened to one length until it
    fits, and steps are left out of its middle only when their names alone are too long;
    `truncated` and `exceeded_size_limit` say so, and `total_steps` keeps the true number.
    """
    text = dumps(reasoning.to_dict())
    if byte_size(text) <= limit:
        return text
    reasoning = _without_outputs(reasoning, byte_size(text) - limit)
    reasoning.truncated, reasoning.exceeded_size_limit = True, True
    text = dumps(reasoning.to_dict())
    if byte_size(text) <= limit:
        return text
    return _shortened(reasoning, limit, _common_length, _without_middle, exceeded=True)


def live_view(reasoning: Reasoning, limit: int) -> str:
    """The reasoning of a run under way, as JSON of at most `limit` bytes.

    Every step and tool name is there as far as they fit, and of the inputs, results
    and texts the newest, without what tools printed and displayed where that does not
    fit; `truncated` says whether anything is missing.
    """
    excess = byte_size(dumps(reasoning.to_dict())) - limit
    if excess > 0:
        reasoning = _without_outputs(reasoning, excess)
        reasoning.truncated = True
    return _shortened(reasoning, limit, _newest_first, _without_oldest, exceeded=False)


def _without_outputs(reasoning: Reasoning, excess: int) -> Reasoning:
    """A copy without the largest outputs of calls: images until it fits, then prints."""
    copy = copy_of(reasoning)
    calls = [call for call in _all_calls(copy) if call.output]
    for is_lost in (_is_image, lambda part: True):
        sizes = [(_size_of(filter(is_lost, call.output)), call) for call in calls]
        for size, call in sorted(sizes, key=lambda pair: -pair[0]):
            if excess <= 0 or size <= 2 * _CHILD:
                break
            call.output = _without(call.output, is_lost)
            excess -= size - 2 * _CHILD
    return copy


def _is_image(part: dict[str, Any]) -> bool:
    data = part.get("data")
    return isinstance(data, dict) and any(str(name).startswith("image/") for name in data)


def _without(output: list[dict[str, Any]], is_lost: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """The output with one line in the place of the parts that are lost."""
    kept: list[dict[str, Any]] = []
    lost = [part for part in output if is_lost(part)]
    images = sum(1 for part in lost if _is_image(part))
    printed = sum(len(str(part.get("text", ""))) for part in lost)
    what = [f"{images} image{'s' * (images != 1)}"] if images else []
    what += [f"{printed:,} printed characters"] if printed else []
    words = f"Too large to store: {' and '.join(what) or f'{len(lost)} displays'}."
    note = {"kind": "display", "data": {"text/plain": words}}
    for part in output:
        if not is_lost(part):
            kept.append(part)
        elif note not in kept:
            kept.append(note)
    return kept


def _size_of(values: Iterable[Any]) -> int:
    return sum(byte_size(dumps(value)) for value in values)


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
        # What a tool put out is there or not: its parts are of a shape that others read.
        fits = size >= (self.size() if self._name == "output" else _CHILD)
        shorter = clip(self.value, size) if fits else _LEAST.get(self._name)
        setattr(self._owner, self._name, shorter)
        return bool(shorter != self.value)

    def size(self) -> int:
        """Bytes of what stands there now."""
        return byte_size(dumps(getattr(self._owner, self._name)))


def _slots(reasoning: Reasoning) -> Iterator[_Slot]:
    """All such places with something in them: the run's own, then those of the newest step."""
    names = ("query", "final_response", "error", "final_thinking", "notices")
    yield from _filled((reasoning, name) for name in names)
    for step in reversed(reasoning.steps):
        for tool in step.tools:
            parts = ("inputs", "result", "error", "approval", "progress", "output")
            yield from _filled((tool, name) for name in parts)
            if tool.reasoning:
                yield from _slots(tool.reasoning)
        yield from _filled([(step, "text"), (step, "thinking")])


def _filled(places: Iterable[tuple[Any, str]]) -> Iterator[_Slot]:
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
    most = max(len(run.steps) for run in _all_runs(reasoning))
    kept, lean = min(most, limit // _STEP), False
    while True:
        bare = _chosen(reasoning, choose, kept, lean)
        for slot in _slots(bare):
            slot.cut(0)
        bare.truncated, bare.exceeded_size_limit = True, True
        room = limit - byte_size(dumps(bare.to_dict()))
        # Times and ids of single calls go first where they take more than half.
        for _ in range(_ROUNDS if room >= (0 if lean else limit // 2) else 0):
            copy = _chosen(reasoning, choose, kept, lean)
            cut = spread(list(_slots(copy)), room)
            if cut or lean or kept < most:
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


def _all_runs(reasoning: Reasoning) -> Iterator[Reasoning]:
    yield reasoning
    yield from (call.reasoning for call in _all_calls(reasoning) if call.reasoning)


def _chosen(reasoning: Reasoning, choose: Choose, kept: int, lean: bool) -> Reasoning:
    """A copy with at most so many steps in each run and names of a bounded length.

    A lean one has neither times nor token counts of single steps and calls.
    """
    copy = copy_of(reasoning)
    _choose(copy, choose, kept, lean)
    return copy


def _choose(run: Reasoning, choose: Choose, kept: int, lean: bool) -> None:
    run.truncated = run.truncated or kept < len(run.steps)
    run.steps = choose(run.steps, kept) if kept < len(run.steps) else run.steps
    for name in ("model", "agent", "stop_reason"):
        setattr(run, name, getattr(run, name)[:_NAME])
    for step in run.steps:
        if lean:
            step.usage, step.duration = Usage(), None
        for tool in step.tools:
            tool.name, tool.call_id = tool.name[:_NAME], tool.call_id[:_NAME]
            if lean:
                tool.started, tool.duration, tool.call_id = None, None, ""
            if tool.reasoning:
                _choose(tool.reasoning, choose, kept, lean)


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
