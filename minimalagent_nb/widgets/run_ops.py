"""What a page is sent of a run, and what a snapshot of it needs: with its sub-agents' runs.

Pure: no thread, no clock, no page. An op is the JSON of an event with every value of
a size that a page can hold; ``tool_call_output`` has a ``shown`` form in place of its
data, and ``{type: "markdown", step, at, nodes}`` is a text that was rendered (step 0
is the run's answer). A ``tool_call_ended`` may have ``table``, what is known of the table
that the call returned, and ``nodes``, a result in Markdown. Imports the JSON of events, the
tables of tools, and this room's pure parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from minimalagent_nb.event_json import event_to_dict
from minimalagent_nb.events import Event
from minimalagent_nb.tools.tables import table_facts
from minimalagent_nb.widgets.bounds import bounded, bounded_text
from minimalagent_nb.widgets.displays import Shown, display_form, printed, printed_piece
from minimalagent_nb.widgets.figures import clean
from minimalagent_nb.widgets.markdown import markdown_nodes

__all__ = ["IMAGES_OF_A_CALL", "IMAGES_OF_A_RUN", "PRINTED", "RunOps", "merged"]

Op = dict[str, Any]

PRINTED = 64_000
"""Characters that a call may print and display as text."""

IMAGES_OF_A_CALL = 2_000_000
IMAGES_OF_A_RUN = 6_000_000
"""Characters of base64; a run's sub-agents share in its own."""

_PART = 100
"""What a part of the output costs at least, so that there are not too many."""

_VALUE = 64_000
_TEXT = 64_000
_RENDERED = 32_000
"""Characters of a result that is rendered as Markdown."""

_BOUNDED_VALUES = {"inputs", "result"}
_TAGS = {"type", "call_id"}
_DELTAS = ("thinking_delta", "text_delta")
_OF_A_CALL = {
    "approval_requested",
    "approval_given",
    "tool_call_progress",
    "tool_call_output",
    "tool_call_ended",
}


def merged(events: Iterable[Event]) -> Iterator[Op]:
    """The events' JSON, with what only adds to an op before it as part of that op.

    Deltas and prints are joined and of a call's progress the newest is kept, as long as
    nothing else happened in the same run in between.
    """
    ops: list[Op] = []
    newest: dict[tuple[Any, ...], tuple[Op, Any, list[str]]] = {}
    texts: list[tuple[Op, list[str]]] = []
    for event in events:
        whole = event_to_dict(event)
        run, op = _innermost(whole)
        if op["type"] == "tool_call_ended" and (facts := _table_facts(event)) is not None:
            op["table"] = facts
        key = _merge_key(op)
        if key is not None and run in newest and newest[run][1] == key:
            before, _, parts = newest[run]
            if op["type"] == "tool_call_progress":
                parts.clear()
                before["fraction"] = op["fraction"]
            parts.append(op["text"])
            before["at"] = op["at"]
            continue
        ops.append(whole)
        newest[run] = (op, key, [op["text"]] if key else [])
        if key is not None:
            texts.append((op, newest[run][2]))
    for op, parts in texts:
        op["text"] = "".join(parts)
    yield from ops


def _innermost(op: Op) -> tuple[tuple[Any, ...], Op]:
    """The event of the sub-agent that it is about, and which run that is."""
    run: list[Any] = []
    while op["type"] == "sub_agent":
        run.append((op["step"], op["call_id"]))
        op = op["event"]
    return tuple(run), op


def _table_facts(event: Any) -> dict[str, Any] | None:
    """Of the table that a call returned, in the process where it did."""
    while event.type == "sub_agent":
        event = event.event
    return table_facts(event.value)


def _merge_key(op: Op) -> tuple[Any, ...] | None:
    """Ops of one key can become one; None for those that stand alone."""
    if op["type"] in _DELTAS:
        return op["type"], op["step"]
    if op["type"] == "tool_call_progress":
        return op["type"], op["step"], op["call_id"]
    if op["type"] == "tool_call_output" and op["kind"] != "display":
        return op["type"], op["step"], op["call_id"], op["kind"]
    return None


class _Images:
    """What the images of a run may still cost, in characters of base64."""

    def __init__(self) -> None:
        self.left = IMAGES_OF_A_RUN


class RunOps:
    """The ops of one run: each as it comes, and all that a page needs which has none."""

    def __init__(self, images: _Images | None = None) -> None:
        self._images = images or _Images()
        self._log: list[Op | _Call] = []
        self._turn = _Turn()
        self._calls: dict[tuple[int, str], _Call] = {}
        self._working: dict[tuple[int, str], _Call] = {}

    def take(self, op: Op) -> Iterator[Op]:
        """The ops that follow from this one; to be consumed, because they are kept then."""
        kind = op["type"]
        op = op if kind == "tool_call_output" else _bounded_op(op)
        if kind in _DELTAS:
            self._turn.take(op)
            yield op
        elif kind == "tool_call_started":
            call = _Call(op, self._images)
            self._calls[op["step"], op["call_id"]] = call
            self._working[op["step"], op["call_id"]] = call
            self._log.append(call)
            yield op
        elif kind in _OF_A_CALL or kind == "sub_agent":
            if (op["step"], op["call_id"]) in self._calls:
                yield from self._calls[op["step"], op["call_id"]].take(op)
            if kind == "tool_call_ended":
                self._working.pop((op["step"], op["call_id"]), None)
        else:
            yield from self._of_the_run(op)

    def _of_the_run(self, op: Op) -> Iterator[Op]:
        kind = op["type"]
        yield op
        self._log.append(op)
        if kind in ("step_started", "step_reset", "step_ended", "run_ended"):
            self._turn = _Turn()
        text = op.get("text") if kind == "step_ended" else op.get("response")
        if text:
            rendered = _markdown_op(op.get("step", 0), op["at"], text)
            self._log.append(rendered)
            yield rendered

    def render(self) -> Iterator[Op]:
        """The texts under way as Markdown, those that have changed."""
        yield from self._turn.render()
        for call in self._working.values():
            yield from call.render()

    def snapshot(self) -> Iterator[Op]:
        """The ops that lead from nothing to the present, as few as there can be."""
        for item in self._log:
            if isinstance(item, _Call):
                yield from item.snapshot()
            else:
                yield item
        yield from self._turn.snapshot()


class _Call:
    """A tool call: what has happened to it, and the run that a sub-agent made for it."""

    def __init__(self, started: Op, images: _Images) -> None:
        self._images = images
        self._of_images = IMAGES_OF_A_CALL
        self._started = started
        self._newest: dict[str, Op] = {}
        self._output: list[Op] = []
        self._size = 0
        self._is_full = False
        self._run: RunOps | None = None

    def take(self, op: Op) -> Iterator[Op]:
        if op["type"] == "sub_agent":
            if self._run is None or op["event"]["type"] == "run_started":
                self._run = RunOps(self._images)
            for event in self._run.take(op["event"]):
                yield {**op, "event": event}
        elif op["type"] != "tool_call_output":
            if op["type"] == "tool_call_ended" and self._run is None:
                op = _with_markdown(op)
            self._newest.pop(op["type"], None)  # it takes its place behind the others
            self._newest[op["type"]] = op
            yield op
        elif op["kind"] == "display":
            yield from self._display(op)
        else:
            yield from self._print(op)

    def render(self) -> Iterator[Op]:
        for event in self._run.render() if self._run else ():
            yield self._wrapped(event)

    def snapshot(self) -> Iterator[Op]:
        ended = self._newest.get("tool_call_ended")
        yield self._started
        yield from (op for op in self._newest.values() if op is not ended)
        yield from self._output
        for event in self._run.snapshot() if self._run else ():
            yield self._wrapped(event)
        if ended:
            yield ended

    def _wrapped(self, event: Op) -> Op:
        place = {name: self._started[name] for name in ("step", "call_id")}
        return {"type": "sub_agent", "at": event["at"], **place, "event": event}

    def _print(self, op: Op) -> Iterator[Op]:
        """A piece of printed text, which the page adds to the last one of its kind."""
        piece = printed_piece(op["text"][: 8 * PRINTED])
        if self._is_full or not piece:
            return
        if not self._output or self._output[-1]["kind"] != op["kind"]:
            self._size += _PART
            self._output.append({**op, "text": ""})
        part = self._output[-1]
        before = part["text"]
        text = _after(before, piece)
        if self._size + len(text) - len(before) > PRINTED or len(op["text"]) > 8 * PRINTED:
            self._is_full = True
            piece = piece[: max(PRINTED - self._size, 0)]
            text = _after(before, piece)
        self._size += len(text) - len(before)
        part["text"], part["at"] = text, op["at"]
        yield {**op, "text": piece}
        if self._is_full:
            yield self._note(op)

    def _display(self, op: Op) -> Iterator[Op]:
        shown = display_form(op["data"])
        if shown.kind == "image":
            left = min(self._of_images, self._images.left)
            if len(shown.data) > left:
                shown = Shown("text", f"{shown.text}, not shown: there are too many images.")
            else:
                self._of_images -= len(shown.data)
                self._images.left -= len(shown.data)
        if self._is_full and shown.kind != "image":
            return
        self._size += max(len(shown.text), _PART)
        self._is_full = self._size > PRINTED
        form = {name: getattr(shown, name) for name in Shown.__slots__ if getattr(shown, name)}
        if shown.kind == "markdown":
            form["nodes"] = markdown_nodes(shown.text)
        op = {key: value for key, value in op.items() if key not in ("data", "text")}
        self._output.append({**op, "shown": form})
        yield self._output[-1]
        if self._is_full:
            yield self._note(op)

    def _note(self, op: Op) -> Op:
        """The end of what is shown, once."""
        text = "… there is more output than is shown here"
        place = {name: op[name] for name in ("type", "at", "step", "call_id")}
        self._output.append({**place, "kind": "display", "shown": {"kind": "text", "text": text}})
        return self._output[-1]


class _Turn:
    """What a turn under way has brought until now, as the page knows it."""

    def __init__(self) -> None:
        self._step = 0
        self._at = 0.0
        self._parts: dict[str, list[str]] = {"thinking_delta": [], "text_delta": []}
        self._rendered: list[Op] = []
        self._is_stale = False

    def take(self, op: Op) -> None:
        self._step, self._at = op["step"], op["at"]
        self._parts[op["type"]].append(op["text"])
        self._is_stale = self._is_stale or op["type"] == "text_delta"

    def render(self) -> list[Op]:
        """The text as Markdown, where it has changed."""
        if not self._is_stale:
            return []
        self._is_stale = False
        self._rendered = [_markdown_op(self._step, self._at, "".join(self._parts["text_delta"]))]
        return self._rendered

    def snapshot(self) -> list[Op]:
        """The turn as one delta of each kind."""
        texts = {kind: "".join(parts) for kind, parts in self._parts.items()}
        deltas = [
            {"type": kind, "at": self._at, "step": self._step, "text": text}
            for kind, text in texts.items()
            if text
        ]
        return [*deltas, *self._rendered]


def _after(before: str, piece: str) -> str:
    """Printed text that goes on with a piece; the page joins them by the same rule."""
    return printed(before + piece) if "\r" in piece or before[-1:] == "\r" else before + piece


def _bounded_op(op: Op) -> Op:
    """The event's JSON with every value of a size that a page can hold."""
    for key, value in op.items():
        if key in _BOUNDED_VALUES:
            op[key], cut = bounded(value, _VALUE)
            if cut:
                op = {**op, "cut": True}
        elif isinstance(value, str) and key not in _TAGS:
            op[key] = bounded_text(value, _TEXT)
        elif key == "fraction":
            op[key] = value if value is not None and 0 <= value <= 1 else None
    return op


_MARKDOWN = re.compile(
    r"^#{1,6} \S|^(```|~~~)|^\|.+\|\s*\n\|[\s:|-]+\|\s*$|\*\*\S[^*\n]*\*\*|\[[^\]\n]+\]\(https?://",
    re.MULTILINE,
)


def _with_markdown(op: Op) -> Op:
    """A result that may be Markdown also rendered, for a reader who wants to see it so."""
    text = op.get("result")
    if not isinstance(text, str) or len(text) > _RENDERED or not _MARKDOWN.search(text):
        return op
    return {**op, "nodes": markdown_nodes(clean(text))}


def _markdown_op(step: int, at: float, text: str) -> Op:
    return {"type": "markdown", "at": at, "step": step, "nodes": markdown_nodes(clean(text))}
