"""The loop: asks the model, runs the tools, until there is an answer. Written once.

`Run.events` is a synchronous generator of events; everything else (blocking, async,
stored, shown) is a way of consuming it. Imports the protocols of models and tools,
and the ground floor.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.asking import Asking
from minimalagent_nb.engine.calls import TurnCalls
from minimalagent_nb.engine.coroutines import PrivateLoop
from minimalagent_nb.engine.execution import CallSite
from minimalagent_nb.engine.plan import RunPlan
from minimalagent_nb.engine.turn import split_message
from minimalagent_nb.errors import AgentError
from minimalagent_nb.events import (
    Event,
    MessageAdded,
    Notice,
    RunEnded,
    RunStarted,
    RunStatus,
    StepEnded,
    SubAgentEvent,
    Usage,
)
from minimalagent_nb.messages import (
    Message,
    ToolUse,
    clean,
    closing_message,
    json_safe,
    message_text,
    tool_uses,
)
from minimalagent_nb.models.protocol import Model, ModelReply, ModelRequest
from minimalagent_nb.secrets import without_secrets
from minimalagent_nb.tools.jsonable import text_of

__all__ = ["Run", "RunPlan"]

_NO_ANSWER = "(No answer was given.)"
_RESULTS = 0.3
"""Share of a small model's context window that the results of one turn may fill."""

_ENDINGS = {
    "max_tokens": "The answer was cut off at the model's limit of output tokens.",
    "model_context_window_exceeded": "The answer was cut off where it filled the model's context "
    "window. Ask for a shorter one, or start a new session.",
    "guardrail_intervened": "A guardrail intervened in the answer.",
    "content_filtered": "The model's content filter intervened in the answer.",
}


class Run:
    """One run: a stream of events, and the conversation that grows with it.

    Attributes:
        cancel: set it to end the run; what was done is kept.
        enter_call: called with the id of each tool call in the context of its code, before that
            begins.
        end: the last event, once it is known.
    """

    def __init__(self, plan: RunPlan, cancel: CancelToken | None = None) -> None:
        self.plan = plan
        self.cancel = cancel or CancelToken()
        self.run_id = uuid.uuid4().hex
        self.enter_call: Callable[[str], None] | None = None
        self._usage = Usage()
        self._started = plan.clock()
        self._calls: TurnCalls | None = None
        # Events that have happened but were not handed out yet: the state changes first,
        # so that a run left at any event still closes with nothing lost.
        self._pending: deque[Event] = deque()
        self.end: RunEnded | None = None
        self._private_loop = PrivateLoop()
        self._asking = Asking(plan, self.cancel)

    def enter_requests(self, enter: Callable[[Model, ModelRequest], None]) -> None:
        """Have this called with each request before the model is, in the context of that."""
        self._asking.enter = enter

    @property
    def messages(self) -> list[Message]:
        """The whole conversation, this run's messages at its end."""
        return self._asking.talk.messages

    @property
    def output(self) -> Any:
        """The structured output, None before it is there and where none was asked for."""
        wanted = self._asking.wanted
        return wanted.output if wanted else None

    def preview(self) -> ModelRequest:
        """The first request, for a run whose events were not asked for."""
        self._asking.talk.window.fit()
        return self._asking.request()

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
        except Exception as error:  # noqa: BLE001 - a run fails by errors of one kind only
            failure = _unforeseen(error)
        finally:
            self._private_loop.close()
        stopped = self.cancel.cancelled
        yield from self.closing_events(failure)
        # What a model raises because its connection was taken away is no failure.
        if failure is not None and not (stopped and isinstance(failure, AgentError)):
            raise failure

    def closing_events(self, failure: BaseException | None = None) -> Iterator[Event]:
        """The events that end the run where it stands, with the conversation left valid.

        For a run that was stopped or failed, and for one whose events nobody reads
        any more; what one reader leaves of them the next one gets. Empty where the run
        has ended.
        """
        if self.end is None:
            self._close(failure)
        yield from self._deliver()

    def _close(self, failure: BaseException | None) -> None:
        failed_run = failure is not None and not self.cancel.cancelled
        why = "The run failed here." if failed_run else "The run was stopped here."
        talk, pending = self._asking.talk, self._pending
        text = ""
        if self._asking.turn is not None:
            end = self._asking.turn.broken_off(self._now())
            text, self._asking.turn = end.text, None
            pending.append(end)
            if text:
                pending.extend(talk.add_reply(clean(closing_message(f"{text}\n\n({why})"))))
        pending.extend(self._abandon_calls(f"{why} This call gave no result."))
        if talk.waits_for_reply:
            pending.append(talk.add(closing_message(f"({why})")))
        status: RunStatus = "failed" if failed_run else "stopped"
        pending.append(self._end(status, text, failure=failure if failed_run else None))

    # -- the way through: turns of the model and their tool calls ------------

    def _start(self) -> RunStarted:
        plan = self.plan
        return RunStarted(
            at=self._started,
            run_id=self.run_id,
            query=str(json_safe(plan.query)),
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
            if step == self.plan.max_steps + 1:
                steps = "1 step" if step == 2 else f"{step - 1} steps"
                text = f"The limit of {steps} is reached: an answer is due."
                yield Notice(at=self._now(), kind="max_steps", text=text)
            reply = yield from self._asking.ask(step, last)
            if reply is None:
                return
            text = yield from self._take_in(step, reply, last)
            wanted = self._asking.wanted
            if wanted.found if wanted else self._calls is None:
                yield from self._finish(text, reply.stop_reason, last)
                return
            if self._calls is not None:
                yield from self._run_calls(self._calls)
            elif wanted:
                yield from self._deliver(self._asking.talk.add(wanted.remind(text)))
            if self.cancel.cancelled:
                return
            if wanted:
                wanted.check()

    def _without_calls(self, message: Message) -> Message:
        """The message without the calls that nobody will run: they would need results."""
        wanted = self._asking.wanted
        allowed = wanted.name if wanted else None
        kept = [
            block
            for block in message["content"]
            if "toolUse" not in block or block["toolUse"]["name"] == allowed
        ]
        return {"role": "assistant", "content": kept}

    def _take_in(self, step: int, reply: ModelReply, last: bool) -> Generator[Event, None, str]:
        """The reply as the end of its turn and as a message; returns what it says."""
        message = clean(reply.message, self._asking.talk.call_ids)
        broken = _broken(reply, tool_uses(message))
        if last:
            message = self._without_calls(message)
        calls = tool_uses(message)
        wanted = self._asking.wanted
        if wanted:
            wanted.take(calls, broken)
        turn = self._asking.turn
        assert turn is not None  # noqa: S101 - _ask has set it
        now = self._now()
        yield from turn.flush(now)
        thinking, text = split_message(message)
        answer = wanted if wanted and wanted.found else None
        if answer:
            text = answer.text()
        ended = StepEnded(
            at=now,
            step=step,
            stop_reason=reply.stop_reason,
            thinking=thinking,
            text=text,
            calls=0 if answer else len(calls),
            usage=reply.usage,
            duration=now - turn.started,
        )
        readable = calls or message_text(message).strip()
        # All at once and at the end: an interrupt before this leaves a turn that broke off.
        self._asking.turn, self._usage = None, self._usage + reply.usage
        added = self._asking.talk.add_reply(message if readable else closing_message(_NO_ANSWER))
        if answer:
            added += [self._asking.talk.add(further) for further in answer.closing_messages(calls)]
        elif calls:
            self._calls = TurnCalls(step, calls, broken, self._now)
        yield from self._deliver(ended, *added)
        return text

    def _run_calls(self, calls: TurnCalls) -> Iterator[Event]:
        """The calls of one turn: all begun, each ended as it ends, one message of results."""
        plan = self.plan
        room = self._asking.talk.window.room(_RESULTS)
        site = CallSite(
            cancel=self.cancel,
            loop=lambda: plan.loop or self._private_loop.get(),
            budget=int(min(plan.result_budget, room)),
            turn_budget=int(min(CallSite.turn_budget, room)),
            session_id=plan.session_id,
            run_id=self.run_id,
            caller=plan.loop,
            outer=plan.outer,
            approver=plan.approver,
            enter=self.enter_call,
        )
        for events in calls.events(plan.toolbox, site):
            yield from self._deliver(*self._counted(events))
        if not self.cancel.cancelled:
            yield from self._deliver(self._add_results())

    def _counted(self, events: list[Event]) -> list[Event]:
        """The events as they are; what sub-agents used counts as this run's."""
        for event in events:
            if isinstance(event, SubAgentEvent) and isinstance(event.event, RunEnded):
                self._usage += event.event.usage
        return events

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

    def _add_results(self) -> MessageAdded:
        """One message with the outcome of every open call, in call order."""
        calls, self._calls = self._calls, None
        assert calls is not None  # noqa: S101 - only called where calls are open
        return self._asking.talk.add(calls.message())

    def _abandon_calls(self, why: str) -> list[Event]:
        """The ends of the calls that are still open, and the message of all results."""
        if self._calls is None:
            return []
        return [*self._counted(self._calls.abandon(why)), self._add_results()]

    def _end(
        self,
        status: RunStatus,
        response: str,
        *,
        stop_reason: str = "",
        failure: BaseException | None = None,
    ) -> RunEnded:
        now = self._now()
        self.end = RunEnded(
            at=now,
            status=status,
            response=response,
            stop_reason=stop_reason,
            error=None if failure is None else str(json_safe(str(failure))),
            error_type="" if failure is None else type(failure).__name__,
            usage=self._usage + self._asking.usage,
            duration=now - self._started,
        )
        return self.end

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


def _unforeseen(error: Exception) -> AgentError:
    """An error of this package's own, or of what was plugged into it."""
    told = without_secrets(f"{type(error).__name__}: {text_of(error)}")
    wrapped = AgentError(
        f"The run failed because of {told}. This is no error of "
        "the model or of a tool: see the error that this one was raised from, and report it."
    )
    wrapped.__cause__ = error
    return wrapped
