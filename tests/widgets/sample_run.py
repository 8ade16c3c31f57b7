"""Runs as an engine would tell them, event by event, for the tests of the views."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from minimalagent_nb.events import (
    Event,
    MessageAdded,
    Notice,
    RunEnded,
    RunStarted,
    StepEnded,
    StepReset,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallEnded,
    ToolCallStarted,
    Usage,
)
from minimalagent_nb.messages import user_message

START = 1_790_000_000.0
QUERY = "Which penguin species is the heaviest, and by how much? Compare the sexes as well."
ANSWER = """**Gentoo** penguins are the heaviest, by about **1.4 kg** over the other two species.

| Species | Female | Male | Mean |
|---|---:|---:|---:|
| Adelie | 3,369 g | 4,043 g | 3,706 g |
| Chinstrap | 3,527 g | 3,939 g | 3,733 g |
| Gentoo | 4,680 g | 5,485 g | 5,092 g |

1. In every species the males are heavier, by `412 g` to `805 g`.
2. 11 penguins of unknown sex were left out.

```python
penguins.groupby(["species", "sex"]).body_mass_g.mean()
```

See [the data's own page](https://allisonhorst.github.io/palmerpenguins/).
"""
COLUMNS = {
    "rows": 344,
    "columns": ["species", "island", "bill_length_mm", "body_mass_g", "sex", "year"],
    "missing": {"sex": 11, "body_mass_g": 2},
    "complete": False,
}
MEANS = [
    {"species": species, "sex": sex, "mean_g": mean, "n": n}
    for species, sex, mean, n in (
        ("Adelie", "female", 3368.84, 73),
        ("Adelie", "male", 4043.49, 73),
        ("Chinstrap", "female", 3527.21, 34),
        ("Chinstrap", "male", 3938.97, 34),
        ("Gentoo", "female", 4679.74, 58),
        ("Gentoo", "male", 5484.84, 61),
    )
]


_TOKENS = Usage(400, 60)


class Teller:
    """Writes events with a clock and step numbers of its own."""

    def __init__(self, start: float = START) -> None:
        self.at = start
        self.start = start
        self.step = 0
        self.calls = 0
        self.usage = Usage()

    def begin(self, query: str = QUERY, **values: Any) -> RunStarted:
        values = {"run_id": "run-1", "model": "us.amazon.nova-pro-v1:0", "max_steps": 20, **values}
        return RunStarted(at=self.at, query=query, session_id="penguins", **values)

    def deltas(self, kind: Any, text: str, size: int = 7) -> Iterator[Event]:
        for begin in range(0, len(text), size):
            self.at += 0.02
            yield kind(at=self.at, step=self.step, text=text[begin : begin + size])

    def open_turn(self, thinking: str = "", text: str = "") -> Iterator[Event]:
        self.step += 1
        self.at += 0.1
        self.turn_began = self.at
        yield StepStarted(at=self.at, step=self.step)
        yield from self.deltas(ThinkingDelta, thinking)
        yield from self.deltas(TextDelta, text)

    def close_turn(self, thinking: str, text: str, calls: int, tokens: Usage) -> Iterator[Event]:
        self.usage += tokens
        yield StepEnded(
            at=self.at,
            step=self.step,
            stop_reason="tool_use" if calls else "end_turn",
            thinking=thinking,
            text=text,
            calls=calls,
            usage=tokens,
            duration=self.at - self.turn_began,
        )
        yield MessageAdded(at=self.at, message=user_message("as the wire has it"))

    def turn(
        self, thinking: str = "", text: str = "", *, calls: int = 0, tokens: Usage = _TOKENS
    ) -> Iterator[Event]:
        yield from self.open_turn(thinking, text)
        yield from self.close_turn(thinking, text, calls, tokens)

    def call(self, name: str, inputs: dict[str, Any]) -> ToolCallStarted:
        self.calls += 1
        self.at += 0.01
        return ToolCallStarted(
            at=self.at, step=self.step, call_id=f"call-{self.calls}", name=name, inputs=inputs
        )

    def returned(
        self, call_id: str, result: Any, seconds: float = 0.2, **more: Any
    ) -> ToolCallEnded:
        self.at += seconds
        return ToolCallEnded(
            at=self.at,
            step=self.step,
            call_id=call_id,
            **{"status": "success", "result": result, "duration": seconds, **more},
        )

    def raised(self, call_id: str, error: str, seconds: float = 0.05) -> ToolCallEnded:
        return self.returned(call_id, None, seconds, status="error", error=error)

    def end(self, response: str = "", status: Any = "completed", **more: Any) -> RunEnded:
        return RunEnded(
            at=self.at,
            status=status,
            response=response,
            usage=self.usage,
            duration=self.at - self.start,
            **more,
        )


def finished_run(answer: str = ANSWER) -> list[Event]:
    """Three turns: two tools side by side, one that fails and is tried again, an answer."""
    teller = Teller()
    return [*_work(teller), *_answer(teller, answer)]


def running_run() -> list[Event]:
    """The same run while its second turn's tools are working."""
    events = list(_work(Teller()))
    ended = [i for i, event in enumerate(events) if event.type == "tool_call_ended"]
    return events[: ended[-1]]


def answering_run() -> list[Event]:
    """The same run in the middle of its answer."""
    events = finished_run()
    deltas = [i for i, event in enumerate(events) if event.type == "text_delta"]
    return events[: deltas[-20]]


def failed_run() -> list[Event]:
    """The model's service gives up in the second turn."""
    teller = Teller()
    thought = "First I look at the columns."
    events: list[Event] = [teller.begin(), *teller.turn(thought, calls=1)]
    events += [teller.call("describe_data", {"table": "penguins"})]
    events += [teller.returned("call-1", COLUMNS)]
    events += teller.open_turn("Now the means by species")
    events += [StepReset(at=teller.at, step=2, reason="the connection broke", attempt=2, delay=0.5)]
    error = "The model's service is not available (503) after 3 attempts. Run the cell again later."
    return [*events, teller.end(status="failed", error=error)]


def stopped_run() -> list[Event]:
    """The reader stops the run while a tool works."""
    teller = Teller()
    events: list[Event] = [teller.begin(), *teller.turn("This takes a while.", calls=1)]
    events += [teller.call("simulate", {"runs": 100_000, "seed": 7})]
    events += [teller.returned("call-1", None, 3.2, status="stopped")]
    return [*events, teller.end(status="stopped", stop_reason="stopped")]


def _work(teller: Teller) -> Iterator[Event]:
    yield teller.begin()
    thought = (
        "The question is about body mass by species and sex. I do not know the table yet, so I "
        "look at its columns first, and at the units that the masses are in."
    )
    yield from teller.turn(thought, calls=2, tokens=Usage(1_204, 96))
    yield teller.call("describe_data", {"table": "penguins"})
    yield teller.call("list_tables", {})
    yield teller.returned("call-2", ["penguins", "islands"], 0.004)
    yield teller.returned("call-1", COLUMNS, 0.31)
    said = "The table has masses in grams. I take the **means by species and sex**."
    yield from teller.turn("", said, calls=1, tokens=Usage(310, 71, 1_204, 0))
    sql = "SELECT species, sex, avg(body_mass) AS mean_g, count(*) AS n FROM penguins GROUP BY 1, 2"
    yield teller.call("query_data", {"sql": sql, "limit": 50})
    yield teller.raised(
        "call-3", "BinderException: column body_mass not found. Did you mean body_mass_g?"
    )
    thought = "The column is body_mass_g."
    yield from teller.open_turn("The col")
    yield StepReset(
        at=teller.at, step=3, reason="too many requests (ThrottlingException)", attempt=2, delay=0.8
    )
    yield from teller.deltas(ThinkingDelta, thought)
    yield from teller.close_turn(thought, "", 2, Usage(290, 64, 1_650, 0))
    yield teller.call("query_data", {"sql": sql.replace("body_mass)", "body_mass_g)"), "limit": 50})
    yield teller.call("plot", {"kind": "bar", "x": "species", "y": "mean_g", "by": "sex"})
    yield teller.returned("call-4", MEANS, 0.42, truncated=True)
    yield teller.returned("call-5", "Figure with 6 bars", 1.34)


def _answer(teller: Teller, answer: str) -> Iterator[Event]:
    thought = "I have the means; the differences can be told from them."
    yield from teller.turn(thought, answer, tokens=Usage(340, 212, 2_004, 0))
    yield Notice(
        at=teller.at, kind="memory", text="The session is kept in ~/.local/share/sessions.db."
    )
    yield teller.end(answer, stop_reason="end_turn")


def random_run(seed: int) -> list[Event]:
    """Any run that the order of events allows, the same for the same seed."""
    pick = random.Random(seed)
    teller = Teller()
    events: list[Event] = [teller.begin(f"question {seed}")]
    for _ in range(pick.randint(0, 5)):
        events += _random_turn(teller, pick, pick.randint(1, 4))
    ending = pick.choice(["completed", "failed", "stopped", "running"])
    if ending == "completed":
        text = pick.choice(["done", "# Title\n\n- a\n- b", ""])
        events += teller.turn(pick.choice(["", "hm"]), text)
        events += [teller.end(text, stop_reason=pick.choice(["end_turn", ""]))]
    elif ending == "failed":
        events += [*teller.open_turn("so far", "and"), teller.end(status="failed", error="broke")]
    elif ending == "stopped":
        events += [teller.end(status="stopped")]
    return events


def _random_turn(teller: Teller, pick: random.Random, calls: int) -> Iterator[Event]:
    thinking = pick.choice(["", "thinking it over", "über 🐧"])
    text = pick.choice(["", "saying something"])
    yield from teller.open_turn(thinking, text)
    if pick.random() < 0.3:
        yield StepReset(at=teller.at, step=teller.step, reason="broke off", attempt=2)
        yield from teller.deltas(ThinkingDelta, thinking)
    yield from teller.close_turn(thinking, text, calls, Usage(pick.randint(1, 99), 5, 2, 1))
    ids = []
    for _ in range(calls):
        yield teller.call(pick.choice(["alpha", "beta"]), {"n": pick.random(), "s": "x" * 5})
        ids.append(f"call-{teller.calls}")
    pick.shuffle(ids)
    for call_id in ids[: len(ids) if pick.random() < 0.8 else 1]:
        if pick.random() < 0.3:
            yield teller.raised(call_id, "no")
        else:
            yield teller.returned(call_id, pick.choice([None, 1, "text", {"a": [1, None]}, False]))
    if pick.random() < 0.2:
        yield Notice(at=teller.at, kind="memory", text="memory is behind")
