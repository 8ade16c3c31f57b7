"""What a model is sent of a long conversation, so that it stays within its context window.

Pure bookkeeping: the conversation itself is never changed, and what is left out here
stays in the session. Imports the conversation values and the token counts.

The order of what goes: first the content of old tool results (they can be had again),
then whole old turns. Room is made in large steps and rarely, because every change of
the beginning makes a prompt cache useless.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.events import Usage
from minimalagent_nb.messages import ContentBlock, Message, holds_media, within_limits

__all__ = ["ContextWindow", "Shortening", "estimate_tokens"]

_CHARACTERS_PER_TOKEN = 3.5
"""A guess between prose (4) and JSON (3), mended by what the service counts."""

_TOKENS_OF_MEDIA = 1_600
"""Of an image of a megapixel (Anthropic's and Amazon's documentation: width x height / 750)."""

_FULL, _TARGET = 0.85, 0.6
"""Shares of the window: from the first on room is made, down to the second."""

_AFTER_REFUSAL = 0.75
"""What the window is taken to be, of what the service has just refused as too long."""

_NEWEST_RESULTS = 2
"""Messages of results that keep their content as long as older ones can give way."""

_SHORT = 200
"""Characters of a result below which clearing it saves nothing."""

_LEFT_OUT = "(Earlier turns of this conversation were left out here to save room.)"
_SUMMARY = "(Earlier turns of this conversation, summarised to save room:)\n{summary}"


def estimate_tokens(value: Any) -> int:
    """About how many tokens a message, a schema or a text is."""
    if isinstance(value, str):
        return int(len(value) / _CHARACTERS_PER_TOKEN) + 1
    media = [0]

    def stand_in(odd: Any) -> str:
        media[0] += 1
        return ""

    # Only the bytes of images and documents are no JSON.
    text = json.dumps(value, ensure_ascii=False, default=stand_in)
    return int(len(text) / _CHARACTERS_PER_TOKEN) + media[0] * _TOKENS_OF_MEDIA + 1


@dataclass
class Shortening:
    """What was done to make room.

    Attributes:
        cleared: number of tool results whose content went.
        left_out: messages of the old turns that went, oldest first.
        turns: number of these turns.
        before, after: tokens of the whole request, estimated.
    """

    before: int
    after: int = 0
    cleared: int = 0
    turns: int = 0
    left_out: list[Message] = field(default_factory=list)

    def __str__(self) -> str:
        """One line for the reader."""
        done = []
        if self.cleared:
            done.append(f"the content of {_counted(self.cleared, 'old tool result')} was cleared")
        if self.turns:
            done.append(f"{_counted(self.turns, 'old turn')} left out")
        return (
            f"The conversation neared the model's context window: {' and '.join(done)} in what "
            f"the model is sent (about {self.before:,} tokens, now {self.after:,}). "
            "The session keeps everything."
        )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


class ContextWindow:
    """The messages that a model is sent, kept within `limit` tokens.

    Args:
        messages: a conversation that `messages.normalize` has passed.
        limit: tokens that a request may have, None where that is not known.
        overhead: tokens of the system prompt and the tools.
    """

    def __init__(self, messages: Sequence[Message], limit: int | None, overhead: int = 0) -> None:
        self._messages = list(messages)
        self._sizes = [estimate_tokens(message) for message in messages]
        self._given_limit = limit
        self._refused: float | None = None
        self._estimate = overhead + sum(self._sizes)
        self._factor = 1.0
        # Where the question under way stands: what comes from there on is no old turn.
        self._question = max((at for at, m in enumerate(messages) if _begins_turn(m)), default=0)
        self._uncleared = 0
        self._media = [at for at, message in enumerate(messages) if holds_media(message)]

    @property
    def messages(self) -> list[Message]:
        """What the model is sent; the list is the window's own."""
        return self._messages

    @property
    def tokens(self) -> int:
        """Tokens of the next request, estimated."""
        return int(self._estimate * self._factor)

    def add(self, message: Message, *, same_turn: bool = False) -> None:
        """The conversation has grown by a message.

        Args:
            same_turn: whether it belongs to the turn under way, also where it is a user's.
        """
        if _begins_turn(message) and not same_turn:
            self._question = len(self._messages)
        size = estimate_tokens(message)
        self._messages.append(message)
        self._sizes.append(size)
        self._estimate += size
        if holds_media(message):
            self._limit_media(len(self._messages) - 1)

    def room(self, share: float) -> float:
        """Characters of text that fill this share of the window; no bound where it is not known."""
        limit = math.inf if self._limit is None else self._limit
        # A low count of a short request says little of what is to come.
        return limit * share * _CHARACTERS_PER_TOKEN / max(self._factor, 1.0)

    def learn(self, usage: Usage) -> None:
        """Mend the estimate by what the service counted for the request just made."""
        counted = usage.total_tokens - usage.output_tokens
        if counted > 0:
            self._factor = min(max(counted / self._estimate, 0.25), 4.0)

    def fit(self) -> Shortening | None:
        """Make room where the window is nearly full; None where it is not, or nothing helps."""
        limit = self._limit
        if limit is None or self.tokens <= limit * _FULL:
            return None
        return self._shorten(limit)

    def refused(self) -> Shortening | None:
        """Make room because the service found the request too long; None where nothing helps."""
        self._refused = self._estimate * _AFTER_REFUSAL
        limit = self._limit
        return None if limit is None else self._shorten(limit)

    @property
    def _limit(self) -> float | None:
        """Tokens of a request: as given, or less where the service has refused less.

        What was refused is kept in tokens of the estimate: the service did not count them.
        """
        if self._refused is None:
            return self._given_limit
        refused = self._refused * self._factor
        return refused if self._given_limit is None else min(refused, self._given_limit)

    def put_summary(self, summary: str) -> None:
        """Put a summary of the turns that were just left out in the place of the note on them."""
        first = self._messages[0]
        content: list[ContentBlock] = [
            {"text": _SUMMARY.format(summary=summary)},
            *first["content"][1:],
        ]
        self._replace(0, {"role": "user", "content": content})

    def _shorten(self, limit: float) -> Shortening | None:
        done = Shortening(before=self.tokens)
        target = limit * _TARGET
        self._clear_results(done, target, keep=_NEWEST_RESULTS)
        if self.tokens > target:
            self._leave_out_turns(done, target)
        if self.tokens > limit * _FULL:
            self._clear_results(done, target, keep=1)
        done.after = self.tokens
        return done if done.cleared or done.turns else None

    def _clear_results(self, done: Shortening, target: float, *, keep: int) -> None:
        """Clear results, oldest first, but those of the `keep` newest messages of results."""
        later = range(self._uncleared, len(self._messages))
        places = [at for at in later if _has_results(self._messages[at])]
        for at in places[: max(0, len(places) - keep)]:
            if self.tokens <= target:
                return
            message, cleared = _cleared(self._messages[at])
            if cleared:
                self._replace(at, message)
                done.cleared += cleared
            self._uncleared = at + 1

    def _leave_out_turns(self, done: Shortening, target: float) -> None:
        """Leave out whole turns, oldest first; the one under way stays."""
        earlier = range(self._question + 1)
        starts = [at for at in earlier if _begins_turn(self._messages[at])]
        end = saved = turns = 0
        for start, following in itertools.pairwise(starts):
            if (self._estimate - saved) * self._factor <= target:
                break
            saved += sum(self._sizes[start:following])
            end, turns = following, turns + 1
        if not turns:
            return
        done.left_out = self._messages[:end]
        done.turns = turns
        self._estimate -= sum(self._sizes[:end])
        del self._messages[:end], self._sizes[:end]
        self._question -= end
        self._uncleared = max(self._uncleared - end, 0)
        self._media = [at - end for at in self._media if at >= end]
        first = self._messages[0]
        note: ContentBlock = {"text": _LEFT_OUT}
        self._replace(0, {"role": "user", "content": [note, *first["content"]]})

    def _limit_media(self, newest: int) -> None:
        """Put notes in the place of older images and documents than a request may have."""
        self._media.append(newest)
        holders = [self._messages[at] for at in self._media]
        for at, before, kept in zip(self._media, holders, within_limits(holders), strict=True):
            if kept is not before:
                self._replace(at, kept)
        self._media = [at for at in self._media if holds_media(self._messages[at])]

    def _replace(self, at: int, message: Message) -> None:
        size = estimate_tokens(message)
        self._estimate += size - self._sizes[at]
        self._messages[at], self._sizes[at] = message, size


def _has_results(message: Message) -> bool:
    return any("toolResult" in block for block in message["content"])


def _begins_turn(message: Message) -> bool:
    return message["role"] == "user" and not _has_results(message)


def _cleared(message: Message) -> tuple[Message, int]:
    """The message with its long results replaced by a note, and how many these were."""
    blocks: list[ContentBlock] = []
    cleared = 0
    for block in message["content"]:
        result = block.get("toolResult")
        characters = len(json.dumps(result["content"], default=_media_text)) if result else 0
        if result is None or characters <= _SHORT:
            blocks.append(block)
            continue
        cleared += 1
        note = (
            f"(This result was cleared to save room; it had {characters:,} characters. "
            "Call the tool again if it is needed.)"
        )
        blocks.append({"toolResult": {**result, "content": [{"text": note}]}})
    return {"role": "user", "content": blocks}, cleared


def _media_text(_: Any) -> str:
    """In the place of an image's bytes: long enough to be cleared."""
    return " " * _SHORT
