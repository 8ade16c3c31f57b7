"""Random plans for whole runs: what the model says, what the tools do, when somebody stops it.

All of a plan follows from its seed. A call of a tool carries a token of its own in its
arguments, so that it can be told how often the tool ran for it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from minimalagent_nb import Agent, errors, tool
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Usage
from minimalagent_nb.models import (
    ModelReply,
    ModelRequest,
    RetryChunk,
    ScriptedModel,
    TextChunk,
    ThinkingChunk,
)
from tests.servers import converse

STOP_REASONS = [
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
    "a reason of next year",
]
MODEL_ERRORS = [
    kind for name in errors.__all__ if issubclass(kind := getattr(errors, name), errors.ModelError)
]
FOREIGN_ERRORS = [ZeroDivisionError, OSError, RuntimeError, StopAsyncIteration, RecursionError]
TEXTS = [
    "",
    " \n",
    "Hello.",
    "The answer is 42, as <b>said</b>.",
    "<thinking>I must add.</thinking>Let me see.",
    "Before <thinking>in the middle</thinking> after",
    "<thinking>never closed",
    "closed only</thinking> here",
    "</thinking",
    "<thinking></thinking>",
    "naïve 日本 😀",
    "\ud83d half",
    "x" * 300,
]
BREAKS = [
    "cut",
    "reset",
    "end",
    "garble",
    "throttlingException",
    "modelStreamErrorException",
    "internalServerException",
    "serviceUnavailableException",
    "validationException",
]
STRAY = "stray"
"""What stands in a block that nobody knows; it is kept as text, but it does not stream."""
KINDS = ["ok", "raise", "exit", "interrupt", "hang", "print", "odd", "nan", "none", "large"]
TOOLS = ["act", "act_async", "each", "each_async", "hurry", "ask", "wrapped", "careful", "here"]


# -- what tools do -----------------------------------------------------------


class Odd:
    """A value that cannot even say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@dataclass
class Traces:
    """What the tools of a plan left behind: how often each call ran."""

    ran: Counter[str] = field(default_factory=Counter)
    careful: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def behave(self, token: str, kind: str) -> Any:
        """One run of a tool."""
        self.ran[token] += 1
        if kind == "raise":
            raise ValueError("" if token.endswith("1") else "boom")
        if kind == "exit":
            raise SystemExit(3)
        if kind == "interrupt":
            raise GeneratorExit
        if kind == "print":
            print("working on", token)
        values = {"odd": Odd(), "nan": [float("nan")], "none": None, "large": "x" * 30_000}
        return values.get(kind, {"token": token})

    def tools(self) -> list[Any]:
        """One tool of each make; `kind` says what the call does."""

        @tool
        def act(token: str, kind: str = "ok") -> Any:
            """Act."""
            if kind == "hang":
                self.release.wait(0.03)
            return self.behave(token, kind)

        @tool
        async def act_async(token: str, kind: str = "ok") -> Any:
            """Act later."""
            if kind == "hang":
                await asyncio.sleep(0.02)
            return self.behave(token, kind)

        @tool
        def each(token: str, kind: str = "ok") -> Iterator[Any]:
            """Act piece by piece."""
            yield "begun"
            yield self.behave(token, kind)

        @tool
        async def each_async(token: str, kind: str = "ok") -> AsyncIterator[Any]:
            """Act piece by piece, later."""
            yield "begun"
            await asyncio.sleep(0)
            yield self.behave(token, kind)

        @tool(timeout=0.005)
        def hurry(token: str, kind: str = "ok") -> Any:
            """Act in time."""
            result = self.behave(token, kind)
            if kind == "hang":
                self.release.wait(0.03)
            return result

        @tool(approve=True)
        def careful(token: str, kind: str = "ok") -> Any:
            """Act when allowed."""
            self.careful.append(token)
            return self.behave(token, kind)

        @tool(main_thread=True)
        def here(token: str, kind: str = "ok") -> Any:
            """Act on the thread of the caller."""
            return self.behave(token, kind)

        @tool
        def wrapped(token: str, kind: str = "ok") -> Any:
            """Hand out a coroutine."""
            return act_async(token, kind)

        inner = ScriptedModel(lambda request: "An inner answer.")
        asked = Agent(tools=[act], model=inner, show_reasoning=False, name="ask")
        own = [act, act_async, each, each_async, hurry, wrapped, careful, here]
        return [*own, asked.as_tool()]


# -- what the model says -----------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """One answer of the model: pieces as they stream, then a reply or an error."""

    pieces: tuple[Any, ...] = ()
    reply: ModelReply | None = None
    error: Exception | None = None
    heeds_cancel: bool = True


class FuzzModel:
    """A model that follows the turns of a plan, and then answers; it keeps every request."""

    name = "fuzz"

    def __init__(self, turns: list[Turn]) -> None:
        self._turns = iter(turns)
        self.requests: list[ModelRequest] = []

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[Any]:
        self.requests.append(request)
        turn = next(self._turns, None) or answer("Done.")
        for piece in turn.pieces:
            if cancel.cancelled and turn.heeds_cancel:
                return
            yield piece
        if turn.error is not None:
            raise turn.error
        if turn.reply is not None:
            yield turn.reply


def answer(text: str) -> Turn:
    message: Any = {"role": "assistant", "content": [{"text": text}]}
    return Turn((TextChunk(text),), ModelReply(message, "end_turn"))


def make_turn(random: Random, prefix: str) -> Turn:
    """A random turn; its calls have tokens that begin with `prefix`."""
    blocks = make_blocks(random, prefix)
    pieces: list[Any] = []
    if random.random() < 0.15:
        pieces += [*chunks_of(random, make_blocks(random, prefix)), RetryChunk("cut", 2, 0.0)]
    pieces += chunks_of(random, blocks)
    heeds = random.random() < 0.8
    if random.random() < 0.15:
        kind = random.choice(MODEL_ERRORS + FOREIGN_ERRORS)
        kept = pieces[: random.randrange(len(pieces) + 1)]
        return Turn(tuple(kept), error=kind("It broke."), heeds_cancel=heeds)
    if random.random() < 0.03:
        return Turn(tuple(pieces), heeds_cancel=heeds)
    calls = [b["toolUse"] for b in blocks if isinstance(b.get("toolUse"), dict)]
    stop_reason = random.choice(STOP_REASONS) if random.random() < 0.3 else ""
    broken = {
        use["toolUseId"]: "it was cut off"
        for use in calls
        if random.random() < 0.1 and isinstance(use.get("toolUseId"), str)
    }
    reply = ModelReply(
        {"role": "assistant", "content": blocks},  # type: ignore[typeddict-item]
        stop_reason or ("tool_use" if calls else "end_turn"),
        Usage(random.randrange(50), random.randrange(50)),
        broken,
    )
    return Turn(tuple(pieces), reply, heeds_cancel=heeds)


def make_blocks(random: Random, prefix: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if random.random() < 0.2:
        thought = {"text": random.choice(["Hm.", "", " "])}
        if random.random() < 0.6:
            thought["signature"] = "c2lnbmVk"
        blocks.append({"reasoningContent": {"reasoningText": thought}})
    if random.random() < 0.05:
        blocks.append({"reasoningContent": {"redactedContent": b"\x00\x01"}})
    for _ in range(random.choice([0, 1, 1, 1, 2])):
        blocks.append({"text": random.choice(TEXTS)})
    for number in range(random.choice([0, 0, 1, 1, 1, 2, 3, 5])):
        blocks.append({"toolUse": make_call(random, f"{prefix}.{number}")})
    if random.random() < 0.05:
        blocks.append(random.choice([{"toolUse": STRAY}, {}]))
    if random.random() < 0.1:
        random.shuffle(blocks)
    return blocks


def make_call(random: Random, token: str) -> dict[str, Any]:
    """A tool call: mostly sound, at times of no tool, with wrong arguments or a wrong id."""
    name = random.choice(TOOLS)
    inputs: Any = {"token": token}
    if name == "ask":
        inputs = {"request": "Find out."}
    elif random.random() < 0.5:
        inputs["kind"] = random.choice(KINDS)
    if random.random() < 0.1:
        name = random.choice(["missing", "add two", "", "n" * 80, "final_answer"])
    if random.random() < 0.1:
        inputs = random.choice([{}, {"token": 5, "more": []}, [1], "half {", None])
    use_id: Any = random.choice(["same", "u 1", ""]) if random.random() < 0.2 else f"use-{token}"
    return {"toolUseId": use_id, "name": name, "input": inputs}


def chunks_of(random: Random, blocks: list[dict[str, Any]]) -> list[Any]:
    """The pieces in which the blocks would stream, cut anywhere."""
    chunks: list[Any] = []
    for block in blocks:
        thought = block.get("reasoningContent", {}).get("reasoningText", {}).get("text")
        text, kind = (thought, ThinkingChunk) if thought else (block.get("text", ""), TextChunk)
        while text:
            size = random.choice([1, 3, 7, 20, len(text)])
            chunks.append(kind(text[:size]))
            text = text[size:]
    return chunks


# -- the same over HTTP ------------------------------------------------------


def make_server_steps(random: Random, prefix: str) -> list[Any]:
    """A random answer of the server of the tests, with faults before it and in it."""
    steps: list[Any] = []
    if random.random() < 0.1:
        steps.append(random.choice([converse.throttle(), converse.cut()]))
    blocks: list[Any] = []
    if random.random() < 0.2:
        blocks.append(converse.thinking("Hm.", signed=random.random() < 0.7))
    if random.random() < 0.05:
        blocks.append(converse.redacted(b"\x00"))
    blocks += [converse.text(random.choice(TEXTS[2:-2])) for _ in range(random.choice([0, 1, 1]))]
    for number in range(random.choice([0, 1, 1, 2, 3])):
        use = make_call(random, f"{prefix}.{number}")
        inputs = '{"token": "cut' if random.random() < 0.1 else use["input"]
        use_id = str(use["toolUseId"]).replace(" ", "-") or "same"
        name = use["name"].replace(" ", "-")[:64] or "missing"
        blocks.append(converse.tool_use(name, inputs, use_id=use_id))
    more: dict[str, Any] = {"unknown_events": random.random() < 0.1}
    if random.random() < 0.2:
        more["break_after"] = random.randrange(1, 6)
        more["break_how"] = random.choice(BREAKS)
    if random.random() < 0.15:
        more["stop_reason"] = random.choice(STOP_REASONS[:-1])
    steps.append(converse.reply(*(blocks or [converse.text("Ok.")]), **more))
    return steps


# -- the plan ----------------------------------------------------------------


@dataclass(frozen=True)
class Stop:
    """Somebody ends the run at the event of this number.

    `how`: ``stop`` (by the consumer), ``thread`` (by another thread), ``interrupt``
    (KeyboardInterrupt in the consumer), ``hook`` (the same in a hook), ``leave``.
    """

    at: int
    how: str


@dataclass(frozen=True)
class PlannedRun:
    query: str
    mode: str
    stop: Stop | None
    typed: bool


@dataclass(frozen=True)
class Plan:
    """Some runs of one agent, one after another."""

    seed: int
    http: bool
    streaming: bool
    turns: list[Any]
    runs: list[PlannedRun]
    max_steps: int
    session: bool
    real_time: bool
    context_tokens: int | None
    approver: str

    def __str__(self) -> str:
        runs = "; ".join(f"{run.mode} {run.stop or ''}".strip() for run in self.runs)
        where = "over HTTP" if self.http else "scripted"
        return f"plan {self.seed} ({where}, {len(self.turns)} turns, {runs})"


def make_plan(seed: int, *, http: bool = False) -> Plan:
    random = Random(seed)
    runs = []
    for _ in range(random.choice([1, 1, 2, 3])):
        mode = random.choice(["run", "stream", "arun", "astream"])
        stop = None
        if random.random() < 0.35:
            hows = ["stop", "thread", "leave"] + ([] if mode[0] == "a" else ["interrupt", "hook"])
            stop = Stop(random.randrange(25), random.choice(hows))
        query = random.choice(["What is it?", "Go on.", "日本?", json.dumps({"a": [1]})])
        runs.append(PlannedRun(query, mode, stop, typed=random.random() < 0.08))
    count = random.randrange(8)
    make: Callable[[int], Any] = lambda n: make_turn(random, f"t{n}")  # noqa: E731
    turns = [make(number) for number in range(count)]
    if http:
        turns = [step for n in range(count) for step in make_server_steps(random, f"t{n}")]
    return Plan(
        seed=seed,
        http=http,
        streaming=random.random() < 0.7,
        turns=turns,
        runs=runs,
        max_steps=random.randint(1, 5),
        session=random.random() < 0.6,
        real_time=random.random() < 0.3,
        context_tokens=random.choice([None, None, None, 2_000]),
        approver=random.choice(["always", "always", "never"]),
    )
