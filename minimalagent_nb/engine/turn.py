"""One model turn while it streams: chunks in, events out. Imports the protocols of models."""

from __future__ import annotations

from collections.abc import Iterator

from minimalagent_nb.engine.thinking import ThinkingSplitter
from minimalagent_nb.events import Event, StepEnded, StepReset, TextDelta, ThinkingDelta, Usage
from minimalagent_nb.messages import Message
from minimalagent_nb.models.protocol import ModelChunk, RetryChunk, TextChunk, ThinkingChunk

__all__ = ["Turn", "split_message"]


class Turn:
    """The model turn number `step`, begun at `started` (seconds since the epoch)."""

    def __init__(self, step: int, started: float) -> None:
        self.step = step
        self.started = started
        self._splitter = ThinkingSplitter()
        self._pieces: dict[str, list[str]] = {"thinking": [], "text": []}

    def take_in(self, chunk: ModelChunk, now: float) -> Iterator[Event]:
        """The events that a chunk amounts to; none where it may be the beginning of a tag."""
        if isinstance(chunk, RetryChunk):
            self._splitter = ThinkingSplitter()
            self._pieces = {"thinking": [], "text": []}
            yield StepReset(
                at=now,
                step=self.step,
                reason=chunk.reason,
                attempt=chunk.attempt,
                delay=chunk.delay,
            )
        elif isinstance(chunk, ThinkingChunk):
            yield self._delta("thinking", chunk.text, now)
        elif isinstance(chunk, TextChunk):
            for kind, text in self._splitter.feed(chunk.text):
                yield self._delta(kind, text, now)

    def flush(self, now: float) -> Iterator[Event]:
        """What was held back, when the turn is over."""
        for kind, text in self._splitter.finish():
            yield self._delta(kind, text, now)

    def broken_off(self, now: float) -> StepEnded:
        """The end of a turn that will not be completed, with what it had said."""
        return StepEnded(
            at=now,
            step=self.step,
            stop_reason="interrupted",
            thinking="".join(self._pieces["thinking"]).strip(),
            text="".join(self._pieces["text"]).strip(),
            usage=Usage(),
            duration=now - self.started,
        )

    def _delta(self, kind: str, text: str, now: float) -> Event:
        self._pieces[kind].append(text)
        event = ThinkingDelta if kind == "thinking" else TextDelta
        return event(at=now, step=self.step, text=text)


def split_message(message: Message) -> tuple[str, str]:
    """What an assistant's message thinks, and what it says, without thinking tags.

    A message that only thinks because it forgot to close its tag says what it
    thinks: an answer is never lost to a missing tag.
    """
    splitter = ThinkingSplitter()
    pieces: dict[str, list[str]] = {"thinking": [], "text": []}
    for block in message["content"]:
        reasoning = block.get("reasoningContent", {}).get("reasoningText", {}).get("text")
        if reasoning:
            pieces["thinking"].append(reasoning)
        for kind, text in splitter.feed(block.get("text", "")):
            pieces[kind].append(text)
    unclosed = splitter.inside
    for kind, text in splitter.finish():
        pieces[kind].append(text)
    thinking, text = "".join(pieces["thinking"]).strip(), "".join(pieces["text"]).strip()
    calls = any("toolUse" in block for block in message["content"])
    return ("", thinking) if unclosed and not text and not calls else (thinking, text)
