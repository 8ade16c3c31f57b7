"""Interactions whose kernel is gone: their log is closed, and all else is made of it.

Imports errors, events, the fold, messages, reasoning, tools' results and its siblings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minimalagent_nb.events import (
    Event,
    MessageAdded,
    RunEnded,
    RunStarted,
    StepEnded,
    ToolCallEnded,
    ToolCallStarted,
    Usage,
)
from minimalagent_nb.fold import fold
from minimalagent_nb.messages import ContentBlock, Message, ToolUse, closing_message, tool_uses
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.batches import EventLog, messages_of, read_log, sealed
from minimalagent_nb.sessions.conversation import FINAL, REPAIRED
from minimalagent_nb.sessions.documented import reasoning_in
from minimalagent_nb.sessions.heartbeat import Liveness
from minimalagent_nb.sessions.interaction import Interaction, open_key, reasoning_key
from minimalagent_nb.sessions.items import Item, ItemStore

__all__ = [
    "DIED",
    "closing_events",
    "exact_events",
    "failed_view",
    "finish_log",
    "left_behind",
    "project",
]

DIED = "The kernel that ran this died before it was done."
_NO_RESULT = f"{DIED} This call gave no result, and its tool may have run."
_CLOSING = f"({DIED} Ask again to go on.)"


def closing_events(events: Sequence[Event]) -> list[Event]:
    """The events that end a log which its kernel has left without an end.

    They depend on nothing but the log: whoever makes them makes the same. Every call
    without a result gets an error for one, and the conversation, where the run has
    added to it, ends with a message of the assistant's that says what happened.
    """
    at = events[-1].at if events else 0.0
    begun = {event.call_id: event for event in events if isinstance(event, ToolCallStarted)}
    ended = {event.call_id: event for event in events if isinstance(event, ToolCallEnded)}
    closing: list[Event] = []
    for call_id, start in begun.items():
        if call_id not in ended:
            end = ToolCallEnded(
                at=at, step=start.step, call_id=call_id, status="error", error=_NO_RESULT
            )
            ended[call_id] = end
            closing.append(end)
    messages = messages_of(events)
    uses = tool_uses(messages[-1]) if messages and messages[-1]["role"] == "assistant" else []
    if uses:
        message = _results(uses, ended)
        messages.append(message)
        closing.append(MessageAdded(at=at, message=message))
    if messages and messages[-1]["role"] == "user":
        closing.append(MessageAdded(at=at, message=closing_message(_CLOSING)))
    started = next((event.at for event in events if isinstance(event, RunStarted)), at)
    usage = sum((event.usage for event in events if isinstance(event, StepEnded)), Usage())
    closing.append(
        RunEnded(at=at, status="failed", error=DIED, usage=usage, duration=max(at - started, 0.0))
    )
    return closing


def _results(uses: Sequence[ToolUse], ended: dict[str, ToolCallEnded]) -> Message:
    """The user's message with the result of every call, in call order."""
    from minimalagent_nb.tools import render

    blocks: list[ContentBlock] = []
    for use in uses:
        end = ended.get(use["toolUseId"])
        if end is not None and end.status == "success":
            content = render(end.result).content
            blocks.append({"toolResult": {"toolUseId": use["toolUseId"], "content": content}})
            continue
        text = (end.error if end else None) or _NO_RESULT
        blocks.append(
            {
                "toolResult": {
                    "toolUseId": use["toolUseId"],
                    "content": [{"text": text}],
                    "status": "error",
                }
            }
        )
    return {"role": "user", "content": blocks}


def left_behind(
    store: ItemStore, session_id: str, liveness: Liveness, known: frozenset[str]
) -> Iterator[tuple[int, str]]:
    """Ids and runs of the session's open interactions whose kernel is gone.

    Args:
        known: runs that somebody takes care of.

    Raises:
        SessionReadError: the store could not be read.
    """
    for marker in list(store.query(open_key(session_id), after=0)):
        run = str(marker.attributes.get("run", ""))
        if run not in known and liveness.is_dead(store, session_id, marker.sk):
            yield marker.sk, run


def finish_log(store: ItemStore, interaction: Interaction) -> list[Message]:
    """Close the log of an interaction whose kernel is gone, and store all that follows from it.

    Harmless where several do it at once, or again after one of them died of it.

    Returns:
        What the interaction has added to the conversation.

    Raises:
        SessionWriteError, SessionReadError: the store failed; what is done stays done.
    """
    session_id, interaction_id = interaction.session_id, interaction.id
    head = store.get(reasoning_key(session_id), interaction_id)
    if head is None or head.attributes.get("run") != interaction.run:
        # It died before the interaction was its own.
        store.delete(open_key(session_id), interaction_id)
        return []
    interaction.resume()
    while True:
        log = read_log(store, session_id, interaction_id)
        events = list(log.events)
        # The more of the log a repair knew, the more its outcome counts.
        rank = REPAIRED + len(log.chunks) if log.repaired or not log.ended else FINAL
        if log.ended or not events:
            break
        closing = closing_events(events)
        if interaction.put_repair(sealed(closing, 1, repair=True), log.slot):
            events += closing
            break
    reasoning = fold(events) if events else failed_view(head)
    project(interaction, reasoning, messages_of(events), rank)
    return messages_of(events)


def failed_view(head: Item) -> Reasoning:
    """What is left of an interaction without a log that can be read: its view, as failed."""
    try:
        reasoning = reasoning_in(head)
    except ValueError:
        reasoning = Reasoning()
    reasoning.status, reasoning.error = "failed", DIED
    reasoning.final_response = reasoning.final_response or DIED
    return reasoning


def project(
    interaction: Interaction, reasoning: Reasoning, messages: Sequence[Message], rank: int = FINAL
) -> None:
    """Store what follows from the log of a whole run: its turn, its reasoning, its entry.

    Raises:
        SessionWriteError, SessionReadError: the store failed.
    """
    interaction.put_messages(messages, rank)
    interaction.put_reasoning(reasoning, rank)
    interaction.put_entry(reasoning)
    interaction.close()


def exact_events(log: EventLog, is_dead: bool) -> list[Event]:
    """The events of a log as a reader should see them: closed where its kernel is gone.

    Empty where the log is damaged or holds nothing.
    """
    if log.damage or not log.events or not isinstance(log.events[0], RunStarted):
        return []
    if log.ended or not is_dead:
        return log.events
    return log.events + closing_events(log.events)
