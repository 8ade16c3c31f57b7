"""A run with all that a call can bring: approval, progress, prints, displays, sub-agents."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from minimalagent_nb.events import (
    ApprovalGiven,
    ApprovalRequested,
    Event,
    Notice,
    RunStarted,
    SubAgentEvent,
    ToolCallOutput,
    ToolCallProgress,
    Usage,
)
from tests.widgets.sample_run import START, Teller

QUESTION = "Which species should we weigh again next season? Draw the masses, then tidy the table."
ANSWER = """Weigh **Chinstrap** again: 68 birds are too few for the difference that you look for.

| Species | Birds | Mean |
|---|---:|---:|
| Adelie | 152 | 3,701 g |
| Chinstrap | 68 | 3,733 g |
| Gentoo | 124 | 5,076 g |

The rows before 2008 are gone from `penguins_raw`; the table itself"""

JPEG = (
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////"
    "////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQAB"
    "PxA="
)
"""One pixel; a whole JPEG."""


def png(width: int = 420, height: int = 180, bars: tuple[int, ...] = (62, 64, 110)) -> str:
    """A bar chart as PNG in base64."""
    colours = [(88, 133, 183), (223, 142, 71), (97, 160, 95)]
    white, rows = (255, 255, 255), []
    for y in range(height):
        row = bytearray()
        for x in range(width):
            number, within = divmod(x - 30, 130)
            is_bar = 0 <= number < len(bars) and 20 <= within < 90
            is_bar = is_bar and height - 20 - bars[number] <= y < height - 20
            axis = y == height - 20 or (x == 30 and y < height - 20)
            row += bytes((60, 60, 60) if axis else colours[number] if is_bar else white)
        rows.append(b"\0" + bytes(row))

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    whole = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + whole + chunk(b"IEND", b"")).decode()


class Storyteller(Teller):
    """Tells also what happens in the middle of a call."""

    def _place(self, call_id: str) -> dict[str, Any]:
        self.at += 0.01
        return {"at": self.at, "step": self.step, "call_id": call_id}

    def asked(self, call_id: str) -> Event:
        return ApprovalRequested(**self._place(call_id))

    def decided(self, call_id: str, decision: Any, **values: Any) -> Event:
        return ApprovalGiven(**self._place(call_id), decision=decision, **values)

    def progress(self, call_id: str, text: str, fraction: float | None = None) -> Event:
        return ToolCallProgress(**self._place(call_id), text=text, fraction=fraction)

    def printed(self, call_id: str, text: str, kind: Any = "stdout") -> Event:
        return ToolCallOutput(**self._place(call_id), kind=kind, text=text)

    def displayed(self, call_id: str, **data: Any) -> Event:
        bundle = {name.replace("_", "/", 1): value for name, value in data.items()}
        return ToolCallOutput(**self._place(call_id), kind="display", data=bundle)

    def delegated(self, call_id: str, events: list[Event]) -> Iterator[Event]:
        """A sub-agent's own run; its clock goes on here."""
        for event in events:
            self.at = max(self.at, event.at)
            yield SubAgentEvent(at=event.at, step=self.step, call_id=call_id, event=event)

    def colleague(self, agent: str, query: str) -> tuple[Storyteller, RunStarted]:
        """The teller of a sub-agent's run, and how that begins."""
        other = Storyteller(self.at)
        return other, other.begin(query, run_id=f"run-{agent}", agent=agent, model="nova-lite")


def colleague_run(teller: Storyteller) -> list[Event]:
    """A sub-agent that asks another one."""
    other, begun = teller.colleague("biologist", "How many birds of each species are there?")
    events: list[Event] = [begun]
    events += other.turn("I count the rows of the table.", calls=1, tokens=Usage(412, 38, 900, 0))
    events += [other.call("count_rows", {"by": "species"})]
    events += [other.printed("call-1", "344 rows read\n")]
    events += [other.returned("call-1", {"Adelie": 152, "Chinstrap": 68, "Gentoo": 124}, 0.08)]
    events += other.turn("Somebody should check this.", calls=1, tokens=Usage(120, 22, 1_300, 0))
    events += [other.call("ask_statistician", {"question": "Are 68 birds enough?"})]
    third, begun = other.colleague("statistician", "Are 68 birds enough?")
    inner: list[Event] = [begun]
    inner += third.turn("The difference is small.", calls=1, tokens=Usage(300, 20))
    inner += [third.call("power", {"n": 68, "effect": 0.2})]
    inner += [third.returned("call-1", 0.42, 0.03)]
    inner += third.turn("", "No: the power is only **0.42**.", tokens=Usage(310, 18))
    inner += [third.end("No: the power is only **0.42**.", stop_reason="end_turn")]
    events += other.delegated("call-2", inner)
    events += [other.returned("call-2", "No: the power is only **0.42**.", 0.5)]
    answer = "Adelie 152, Chinstrap **68**, Gentoo 124. For Chinstrap that is too few."
    events += other.turn("", answer, tokens=Usage(140, 41, 1_500, 0))
    return [*events, other.end(answer, stop_reason="end_turn")]


def told(teller: Storyteller) -> Iterator[Event]:
    """The whole run, event by event."""
    yield teller.begin(QUESTION, agent="keeper")
    thought = "First I need the counts and a picture; then the old rows can go."
    yield from teller.turn(thought, calls=2, tokens=Usage(340, 61, 900, 0))
    yield teller.call("ask_biologist", {"question": "How many birds of each species are there?"})
    yield teller.call("plot_masses", {"by": "species"})
    yield teller.progress("call-2", "reading the table", 0.1)
    yield teller.printed("call-2", "reading penguins.csv\n344 rows, 8 columns\n")
    yield teller.printed("call-2", "DtypeWarning: column 4 has mixed types\n", "stderr")
    yield teller.progress("call-2", "drawing 3 bars", 0.7)
    yield from teller.delegated("call-1", colleague_run(teller))
    yield teller.displayed(
        "call-2", image_png=png(), text_plain="<Figure size 420x180 with 1 Axes>"
    )
    yield teller.displayed("call-2", text_markdown="Masses **in grams**, `n = 344`.")
    yield teller.returned("call-2", "3 bars", 1.24)
    yield teller.returned("call-1", "Adelie 152, Chinstrap **68**, Gentoo 124.", 2.1)
    yield from teller.turn("Now the old rows.", calls=4, tokens=Usage(210, 140, 1_240, 0))
    yield teller.call("delete_rows", {"table": "penguins_raw", "where": "year < 2009"})
    yield teller.call("drop_table", {"table": "penguins_raw"})
    yield teller.call("export", {"to": "s3://penguins/masses.parquet"})
    yield teller.call("fit_model", {"epochs": 40})
    yield teller.asked("call-3")
    edited = {"table": "penguins_raw", "where": "year < 2008"}
    yield teller.decided("call-3", "edited", by="user", inputs=edited)
    yield teller.returned("call-3", {"deleted": 110}, 0.2)
    yield teller.asked("call-4")
    yield teller.decided("call-4", "denied", by="user", reason="We still need the table.")
    error = "The call was denied: We still need the table. Do not try it again."
    yield teller.returned("call-4", None, 6.2, status="denied", error=error)
    yield teller.progress("call-6", "epoch 17 of 40, loss 0.231", 0.43)
    yield teller.printed("call-6", "epoch 16 loss 0.234\nepoch 17 loss 0.231\n")
    yield teller.progress("call-5", "uploading")
    stopped = "The tool did not end within 30 s."
    yield teller.returned("call-5", None, 30.0, status="stopped", error=stopped, left_behind=True)
    yield teller.returned("call-6", {"loss": 0.198}, 12.0)
    yield from teller.turn("I have it all.", ANSWER, tokens=Usage(420, 512, 1_900, 0))
    words = "14 messages before Monday were left out of the prompt to keep it within 32,000 tokens."
    yield Notice(at=teller.at, kind="context", text=words)
    yield teller.end(ANSWER, stop_reason="max_tokens")


def rich_run() -> list[Event]:
    """The whole."""
    return list(told(Storyteller(START)))


def until(kind: str, number: int) -> list[Event]:
    """The run as far as the event of this kind and number, the last of them included."""
    events = rich_run()
    places = [place for place, event in enumerate(events) if event.type == kind]
    return events[: places[number] + 1]
