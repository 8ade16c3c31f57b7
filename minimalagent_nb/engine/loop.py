"""The loop: asks the model, runs the tools, until there is an answer. Written once.

`Run.events` is a synchronous generator of events; everything else (blocking, async,
stored, shown) is a way of consuming it. Imports the protocols of models and tools,
and the ground floor.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.calls import TurnCalls
from minimalagent_nb.engine.execution import CallSite, PrivateLoop
from minimalagent_nb.engine.turn import Turn, split_message
from minimalagent_nb.errors import AgentError, ModelError
from minimalagent_nb.events import (
    Event,
    MessageAdded,
    Notice,
    RunEnded,
    RunStarted,
    RunStatus,
    StepEnded,
    StepStarted,
    Usage,
)
from minimalagent_nb.messages import (
    Message,
    ToolUse,
    clean,
    closing_message,
    message_text,
    normalize,
    tool_uses,
    user_message,
)
from minimalagent_nb.models.protocol import Model, ModelReply, ModelRequest, ToolSpec
from minimalagent_nb.tools import Toolbox

__all__ = ["Run", "RunPlan"]

_LIMIT_NOTE = (
    "(The limit of {steps} steps for this question is reached. Answer it now with what you "
    "have found out, and call no more tools.)"
)
_NO_ANSWER = "(No answer was given.)"
_ENDINGS = {
    "max_tokens": "The answer was cut off at the model's limit of output tokens.",
    "model_context_window_exceeded": "The conversation has outgrown the model's context window; "
    "the answer may be cut. Start a new session.",
    "guardrail_intervened": "A guardrail intervened in the answer.",
    "content_filtered": "The model's content filter intervened in the answer.",
}


@dataclass(frozen=True)
class RunPlan:
    """Everything a run needs to know; `history` is what was said before, as stored."""

    query: str
    model: Model
    toolbox: Toolbox
    history: Sequence[Message] = ()
    system: str = ""
    max_steps: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    session_id: str | None = None
    agent: str = ""
    result_budget: int = 20_000
    clock: Callable[[], float] = time.time
    loop: asyncio.AbstractEventLoop | None = None


class Run:
    """One run: a stream of events, and the conversation that grows with it.

    Attributes:
        messages: the conversation, normalised once at the start and added to by
            well-formed messages.
        cancel: set it to end the run; what was done is kept.
    """

    def __init__(self, plan: RunPlan, cancel: CancelToken | None = None) -> None:
        self.plan = plan
        self.cancel = cancel or CancelToken()
        self.messages = normalize([*plan.history, user_message(plan.query)])
        self.run_id = uuid.uuid4().hex
        self._query_added = False
        self._usage = Usage()
        self._step = 0
        self._started = plan.clock()
        self._turn: Turn | None = None
        self._calls: TurnCalls | None = None
        # Events that have happened but were not handed out yet: the state changes first,
        # so that a run left at any event still closes with nothing lost.
        self._pending: deque[Event] = deque()
        self._ended = False
        self._private_loop = PrivateLoop()
        self._specs = tuple(
            ToolSpec(tool.name, tool.description, tool.input_schema) for tool in plan.toolbox
        )

    def events(self) -> Iterator[Event]:
        """The run itself. The last event is always `RunEnded`.

        Raises:
            AgentError: after the last event, where the run failed.
            KeyboardInterrupt: after the last event, where it was interrupted.
        """
        failure: BaseException | None = None
        try:
            yield from self._deliver(self._start())
            yield from self._turns()
        except KeyboardInterrupt as interrupt:
            self.cancel.cancel()
            failure = interrupt
        except AgentError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - a model of the user's own may raise anything
            failure = _wrapped(error, self.plan.model)
        finally:
            self._private_loop.close()
        stopped = self.cancel.cancelled
        yield from self.closing_events(failure)
        # What a model raises because its connection was taken away is no failure.
        if failure is not None and not (stopped and isinstance(failure, AgentError)):
            raise failure

    def closing_events(self, failure: BaseException | None = None) -> list[Event]:
        """The events that end the run where it stands, with the conversation left valid.

        For a run that was stopped or failed, and for one whose events nobody reads
        any more. Empty where the run has ended.
        """
        if self._ended:
            return []
        failed_run = failure is not None and not self.cancel.cancelled
        why = "The run failed here." if failed_run else "The run was stopped here."
        events: list[Event] = [*self._pending]
        self._pending.clear()
        text = ""
        if self._turn is not None:
            end = self._turn.broken_off(self._now())
            text, self._turn = end.text, None
            events.append(end)
            if text:
                events += self._add_reply(closing_message(f"{text}\n\n({why})"))
        events += self._abandon_calls(f"{why} This call gave no result.")
        if self._query_added and self.messages[-1]["role"] == "user":
            events.append(self._add(closing_message(f"({why})")))
        status: RunStatus = "failed" if failed_run else "stopped"
        events.append(self._end(status, text, error=str(failure) if failed_run else None))
        return events

    # -- the way through: turns of the model and their tool calls ------------

    def _start(self) -> RunStarted:
        plan = self.plan
        return RunStarted(
            at=self._started,
            run_id=self.run_id,
            query=plan.query,
            session_id=plan.session_id,
            model=plan.model.name,
            agent=plan.agent,
            max_steps=plan.max_steps,
            tools=tuple(tool.name for tool in plan.toolbox),
        )

    def _turns(self) -> Iterator[Event]:
        """Model turns with their tool calls, until one answers or the limit is reached."""
        for step in count(1):
            last = step > self.plan.max_steps
            if last:
                text = f"The limit of {self.plan.max_steps} steps is reached: an answer is due."
                yield Notice(at=self._now(), kind="max_steps", text=text)
            reply = yield from self._ask(step, last)
            if reply is None:
                return
            message = clean(reply.message)
            if last:
                # Nobody will run these: calls without results would spoil the conversation.
                kept = [block for block in message["content"] if "toolUse" not in block]
                message = {"role": "assistant", "content": kept}
            calls = tool_uses(message)
            text = yield from self._take_in(step, reply, message, calls)
            if not calls:
                yield from self._finish(text, reply.stop_reason, last)
                return
            yield from self._run_calls()
            if self.cancel.cancelled:
                return

    def _ask(self, step: int, last: bool) -> Generator[Event, None, ModelReply | None]:
        """One model turn as it streams; returns its reply, None where it was stopped."""
        self._step = step
        self._turn = Turn(step, self._now())
        yield StepStarted(at=self._turn.started, step=step)
        request = ModelRequest(
            messages=self._with_limit_note() if last else tuple(self.messages),
            system=self.plan.system,
            tools=self._specs,
            options=self.plan.options,
        )
        chunks = self.plan.model.stream(request, self.cancel)
        try:
            for chunk in chunks:
                if isinstance(chunk, ModelReply):
                    return chunk
                yield from self._turn.take_in(chunk, self._now())
                if self.cancel.cancelled:
                    return None
        finally:
            if isinstance(chunks, Generator):
                chunks.close()
        if self.cancel.cancelled:
            return None
        raise ModelError(
            f"The model {self.plan.model.name} ended its turn without a reply. Its stream() must "
            "yield one ModelReply at the end."
        )

    def _take_in(
        self, step: int, reply: ModelReply, message: Message, calls: list[ToolUse]
    ) -> Generator[Event, None, str]:
        """The reply as the end of its turn and as a message; returns what it says."""
        turn = self._turn
        assert turn is not None  # noqa: S101 - _ask has set it
        now = self._now()
        yield from turn.flush(now)
        thinking, text = split_message(message)
        ended = StepEnded(
            at=now,
            step=step,
            stop_reason=reply.stop_reason,
            thinking=thinking,
            text=text,
            calls=len(calls),
            usage=reply.usage,
            duration=now - turn.started,
        )
        readable = calls or message_text(message).strip()
        # All at once and at the end: an interrupt before this leaves a turn that broke off.
        self._turn, self._usage = None, self._usage + reply.usage
        self._calls = TurnCalls(step, calls, _broken(reply, calls), self._now) if calls else None
        added = self._add_reply(message if readable else closing_message(_NO_ANSWER))
        yield from self._deliver(ended, *added)
        return text

    def _run_calls(self) -> Iterator[Event]:
        """The calls of one turn: all begun, each ended as it ends, one message of results."""
        calls = self._calls
        assert calls is not None  # noqa: S101 - _take_in has set it
        plan = self.plan
        site = CallSite(
            cancel=self.cancel,
            loop=lambda: plan.loop or self._private_loop.get(),
            budget=plan.result_budget,
            session_id=plan.session_id,
            run_id=self.run_id,
        )
        for event in calls.events(plan.toolbox, site):
            yield from self._deliver(event)
        if not self.cancel.cancelled:
            yield from self._deliver(self._add_results())

    def _finish(self, text: str, stop_reason: str, last: bool) -> Iterator[Event]:
        if stop_reason in _ENDINGS:
            yield Notice(at=self._now(), kind=stop_reason, text=_ENDINGS[stop_reason])
        elif not text:
            yield Notice(at=self._now(), kind="empty_answer", text="The model's answer was empty.")
        stop_reason = "max_steps" if last else stop_reason
        yield from self._deliver(self._end("completed", text, stop_reason=stop_reason))

    # -- the conversation and the end ----------------------------------------

    def _deliver(self, *events: Event) -> Iterator[Event]:
        self._pending.extend(events)
        while self._pending:
            yield self._pending.popleft()

    def _add(self, message: Message) -> MessageAdded:
        self.messages.append(message)
        return MessageAdded(at=self._now(), message=message)

    def _add_reply(self, message: Message) -> list[Event]:
        """The assistant's message; before the first one of the run, the query itself.

        A run that never got a reply thus leaves the conversation as it was.
        """
        events: list[Event] = []
        if not self._query_added:
            self._query_added = True
            query = user_message(self.plan.query)
            events.append(MessageAdded(at=self._started, message=query))
        events.append(self._add(message))
        return events

    def _add_results(self) -> MessageAdded:
        """One message with the outcome of every open call, in call order."""
        calls, self._calls = self._calls, None
        assert calls is not None  # noqa: S101 - only called where calls are open
        return self._add(calls.message())

    def _abandon_calls(self, why: str) -> list[Event]:
        """The ends of the calls that are still open, and the message of all results."""
        return [*self._calls.abandon(why), self._add_results()] if self._calls else []

    def _with_limit_note(self) -> list[Message]:
        """The conversation with the request for an answer, which is not kept.

        It goes into the last tool result: some models refuse text beside results.
        """
        note = {"text": _LIMIT_NOTE.format(steps=self.plan.max_steps)}
        messages = list(self.messages)
        content = list(messages[-1]["content"])
        result = content[-1].get("toolResult")
        if result is None:
            content.append(note)  # type: ignore[arg-type]
        else:
            content[-1] = {"toolResult": {**result, "content": [*result["content"], note]}}
        messages[-1] = {"role": "user", "content": content}
        return messages

    def _end(
        self, status: RunStatus, response: str, *, stop_reason: str = "", error: str | None = None
    ) -> RunEnded:
        self._ended = True
        now = self._now()
        return RunEnded(
            at=now,
            status=status,
            response=response,
            stop_reason=stop_reason,
            error=error,
            usage=self._usage,
            duration=now - self._started,
        )

    def _now(self) -> float:
        return self.plan.clock()


def _broken(reply: ModelReply, calls: Sequence[ToolUse]) -> dict[str, str]:
    """The calls that must not run, by the ids that they have after cleaning."""
    written = [use for use in tool_uses(reply.message) if isinstance(use, Mapping)]
    return {
        call["toolUseId"]: reply.broken_calls[use["toolUseId"]]
        for use, call in zip(written, calls, strict=True)
        if use.get("toolUseId") in reply.broken_calls
    }


def _wrapped(error: Exception, model: Model) -> ModelError:
    """An error that a model should have translated itself."""
    wrapped = ModelError(
        f"The model {model.name} raised {type(error).__name__}: {error}. This is a defect of "
        "its class: its stream() should raise a ModelError that says what to do."
    )
    wrapped.__cause__ = error
    return wrapped
