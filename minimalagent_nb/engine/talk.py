"""The conversation of one run: what it holds, and what of it the model is sent.

Imports the context window and the ground floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from minimalagent_nb.engine.context import ContextWindow
from minimalagent_nb.events import MessageAdded
from minimalagent_nb.messages import ContentBlock, Message, clean, normalize, tool_uses

__all__ = ["Talk"]


class Talk:
    """The conversation before the run, its query, and what the run adds.

    Attributes:
        messages: all of it, normalised once at the start and added to by well-formed
            messages.
        call_ids: its toolUseIds, each with how often it was written.
        window: what the model is sent, which may be less.

    Args:
        context: blocks that go before the query, in the same message.
        limit: tokens that a request may have, None where that is not known.
        overhead: tokens of the system prompt and the tools.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        history: Iterable[Message],
        query: str,
        *,
        context: Sequence[ContentBlock] = (),
        limit: int | None,
        overhead: int,
        now: Callable[[], float],
    ) -> None:
        self._query: Message = {"role": "user", "content": [*context, {"text": query}]}
        self._now = now
        self._started = now()
        self._query_added = False
        self.messages = normalize([*history, self._query])
        self.call_ids = {
            use["toolUseId"]: 1 for message in self.messages for use in tool_uses(message)
        }
        self.window = ContextWindow(self.messages, limit, overhead)

    @property
    def waits_for_reply(self) -> bool:
        """Whether the run has added something, and a user's message is the last."""
        return self._query_added and self.messages[-1]["role"] == "user"

    def add(self, message: Message) -> MessageAdded:
        """The conversation grows by a message."""
        self.messages.append(message)
        self.window.add(message, same_turn=True)
        return MessageAdded(at=self._now(), message=message)

    def add_reply(self, message: Message) -> list[MessageAdded]:
        """The assistant's message; before the first one of the run, the query itself.

        A run that never got a reply thus leaves the conversation as it was.
        """
        events: list[MessageAdded] = []
        if not self._query_added:
            self._query_added = True
            events.append(MessageAdded(at=self._started, message=clean(self._query)))
        events.append(self.add(message))
        return events

    def to_send(self, note: str | None = None) -> Sequence[Message]:
        """What the model is sent; with a `note` at its end that is not kept.

        It goes into the last tool result: some models refuse text beside results.
        """
        messages = tuple(self.window.messages)
        if note is None:
            return messages
        block: ContentBlock = {"text": note}
        content = list(messages[-1]["content"])
        result = content[-1].get("toolResult")
        if result is None:
            content.append(block)
        else:
            content[-1] = {
                "toolResult": {**result, "content": [*result["content"], {"text": note}]}
            }
        return (*messages[:-1], {"role": "user", "content": content})
