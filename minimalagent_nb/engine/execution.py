"""The execution of the tool calls of one turn, side by side, results in call order.

Sync tools run in threads of their own, so that a call that never returns can be left
behind when the run is stopped; async tools run on a given event loop, or on a private
one; tools for the main thread run on the caller's. Imports its siblings, tools and the
ground floor.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.approval import ApprovalRequest, Approver, default_approver
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.approvals import ask, denial, misfit, must_ask
from minimalagent_nb.engine.capture import begin_capture
from minimalagent_nb.engine.outcome import CallOutcome, ResultBudget, failed
from minimalagent_nb.engine.running import CallPlace, RunningCall
from minimalagent_nb.engine.threads import ThreadSlots
from minimalagent_nb.events import ApprovalGiven, ApprovalRequested, Event, Notice
from minimalagent_nb.messages import ToolUse
from minimalagent_nb.tools import Toolbox, ToolContext
from minimalagent_nb.tools.jsonable import text_of, to_json
from minimalagent_nb.tools.schema import ArgumentsError

__all__ = ["CallSite", "Execution"]

MOST_THREADS = 32
"""Threads of one turn at once."""

MOST_CALLS = 128
"""Calls of one turn; further ones are refused."""

_POLL = 0.5
"""Seconds after which a waiting thread looks up: on Windows, and where it comes just before the
wait, an interrupt does not end one."""


@dataclass(frozen=True)
class CallSite:
    """What the calls of a run have in common.

    Attributes:
        loop: gives the event loop for async tools.
        budget: characters of one result that the model is shown.
        caller: the event loop of an async caller, whose thread runs the tools for the main
            thread; None where the run's own thread is the caller's.
        outer: performs calls for the main thread where the run is a sub-agent's: on the
            thread that asked for the outer run. None for any other run.
        approver: decides on calls that need approval, None for the default one.
        enter: called with the id of each call in the context of its code, before that begins.
        turn_budget: characters of all results of one turn.
        grace: seconds that a call which is to end is waited for before it is left behind.
    """

    cancel: CancelToken
    loop: Callable[[], asyncio.AbstractEventLoop]
    budget: int
    session_id: str | None = None
    run_id: str = ""
    caller: asyncio.AbstractEventLoop | None = None
    outer: Callable[[RunningCall], None] | None = None
    approver: Approver | None = None
    enter: Callable[[str], None] | None = None
    turn_budget: int = 60_000
    grace: float = 0.15


class Execution:
    """The calls of the turn number `step` while they run.

    Args:
        broken: toolUseId to reason, for calls that must not run.
        now: seconds since the epoch.

    Attributes:
        outcomes: of the calls that have ended, by id.
    """

    def __init__(
        self,
        uses: Sequence[ToolUse],
        toolbox: Toolbox,
        broken: Mapping[str, str],
        site: CallSite,
        step: int,
        now: Callable[[], float],
    ) -> None:
        self.outcomes: dict[str, CallOutcome] = {}
        self._uses = uses
        self._toolbox = toolbox
        self._broken = broken
        self._site = site
        self._step = step
        self._now = now
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._slots = ThreadSlots(MOST_THREADS)
        self._open: dict[str, RunningCall] = {}
        self._handed_up: deque[RunningCall] = deque()
        self._on_loop: list[RunningCall] = []
        self._notices: list[Event] = []
        self._end_capture: Callable[[], None] = lambda: None
        self._place = CallPlace(
            context=ToolContext(session_id=site.session_id, run_id=site.run_id, step=step),
            loop=site.loop,
            budget=ResultBudget(site.budget, site.turn_budget, len(uses)),
            now=now,
            wake=self._wake,
            left=self._slots.release,
            caller=site.caller,
            main_thread=self._perform_here,
            enter=site.enter,
            grace=site.grace,
        )

    # -- the way through -----------------------------------------------------

    def batches(self) -> Iterator[list[Event]]:
        """The events of the calls as they come, those in one list happened together.

        Calls that need no approval begin at once, at most `MOST_THREADS` of them in
        threads; meanwhile the others are asked for one by one. Ends early when the run
        is cancelled: no call begins any more from then on.

        Raises:
            KeyboardInterrupt: the user's own.
        """
        cancel = self._site.cancel
        forget = cancel.on_cancel(self._interrupt_all)
        self._end_capture = begin_capture()
        try:
            asked, inline = self._begin()
            yield self._sweep()
            for call in asked:
                yield from self._asked(call, inline)
            while inline and not cancel.cancelled:
                inline.pop(0).perform()
                yield self._sweep()
            while self._open and not cancel.cancelled:
                self._wait(self._pause())
                self._raise_interrupt()
                while self._handed_up and not cancel.cancelled:
                    self._handed_up.popleft().perform()
                yield self._sweep()
            self._raise_interrupt()
        except BaseException:
            # An interrupt of the user's, or a reader who left: what ends from here on was stopped.
            self._interrupt_all()
            raise
        finally:
            forget()
            if not self._open:
                self._end_capture()

    def settle(self) -> list[Event]:
        """End what still runs, and wait a moment for it; the events of what ended by itself.

        A call that was ended has no outcome after this.
        """
        until = time.monotonic() + self._site.grace
        try:
            self._interrupt_all()
            while any(call.goes_on for call in self._open.values()):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._wait(min(left, _POLL))
        except KeyboardInterrupt:
            # Whoever is this impatient has what they want: the run ends now.
            self._interrupt_all()
        events = self._sweep()
        for call in self._open.values():
            call.reports.close()
            events += call.reports.collect(time.monotonic(), final=True)
        self._end_capture()
        return events

    def goes_on(self, call_id: str) -> bool:
        """Whether the code of a call without an outcome still runs."""
        return call_id in self._open and self._open[call_id].goes_on

    # -- beginning -----------------------------------------------------------

    def _begin(self) -> tuple[list[RunningCall], list[RunningCall]]:
        """Begin what may begin; returns the calls to ask for, and those for this thread."""
        asked: list[RunningCall] = []
        inline: list[RunningCall] = []
        for number, use in enumerate(self._uses):
            if self._site.cancel.cancelled:
                break
            call = self._prepared(number, use)
            if call is None:
                continue
            if self._must_ask(call):
                asked.append(call)
            else:
                self._start(call, inline)
        return asked, inline

    def _prepared(self, number: int, use: ToolUse) -> RunningCall | None:
        """The call with its arguments; None where it cannot run and has its outcome."""
        call_id = use["toolUseId"]
        tool = self._toolbox.get(use["name"])
        if number >= MOST_CALLS:
            why = f"At most {MOST_CALLS} tools are called in one turn: call this one in the next."
        elif call_id in self._broken:
            why = self._broken[call_id]
        elif tool is None:
            why = self._toolbox.unknown(use["name"])
        else:
            call = self._open[call_id] = RunningCall(tool, use, self._place)
            try:
                call.bind(use["input"])
            except ArgumentsError as error:
                call.end_with(str(error))
                return None
            return call
        outcome = self.outcomes[call_id] = self._place.budget.charged(failed(call_id, why))
        self._notices.append(outcome.event(self._step, self._now()))
        return None

    def _start(self, call: RunningCall, inline: list[RunningCall]) -> None:
        """Run the call where its tool belongs; one for this thread is put off until then."""
        if call.tool.main_thread:
            if self._site.outer is None and self._site.caller is None:
                inline.append(call)
            else:
                self._perform_here(call)
        elif call.tool.is_async:
            call.perform_async()
        else:
            self._slots.submit(call)

    def _perform_here(self, call: RunningCall) -> None:
        """Have the call, a sub-agent's perhaps, performed on the thread that asked for the run."""
        if self._site.outer is not None:
            self._site.outer(call)
        elif self._site.caller is not None:
            self._on_loop.append(call)
            call.perform_on(self._site.caller)
        else:
            self._handed_up.append(call)
            self._wake()

    # -- approval ------------------------------------------------------------

    def _must_ask(self, call: RunningCall) -> bool:
        needed, warning = must_ask(call.tool, copy.deepcopy(call.use["input"]))
        self._warn(warning)
        return needed

    def _asked(self, call: RunningCall, inline: list[RunningCall]) -> Iterator[list[Event]]:
        """Ask for the call, and begin it where it was allowed."""
        site = self._site
        place: Any = {"step": self._step, "call_id": call.call_id}
        if site.cancel.cancelled:
            return
        yield [*self._sweep(), ApprovalRequested(at=self._now(), **place)]
        request = ApprovalRequest(
            run_id=site.run_id,
            session_id=site.session_id,
            tool=call.tool.name,
            description=call.tool.description,
            inputs=copy.deepcopy(call.use["input"]),
            check=functools.partial(misfit, call.tool),
            **place,
        )
        approval, warning = ask(site.approver or default_approver(), request, site.cancel)
        self._warn(warning)
        if approval is None:
            return
        edited = dict(approval.inputs or {}) if approval.decision == "edited" else None
        # The approver is anybody's code: its values go on as they are, the record is JSON.
        given = ApprovalGiven(
            at=self._now(),
            decision=approval.decision,
            inputs=None if edited is None else to_json(edited),
            reason=to_json(text_of(approval.reason or "")),
            by=to_json(text_of(approval.by or "")),
            **place,
        )
        yield [given]
        if site.cancel.cancelled:
            return
        if approval.decision == "denied":
            call.end_with(denial(approval), status="denied")
        elif self._bound(call, edited):
            self._start(call, inline)
        yield self._sweep()

    def _bound(self, call: RunningCall, edited: Mapping[str, object] | None) -> bool:
        """Whether the call has its arguments; edited ones are checked like the model's."""
        try:
            if edited is not None:
                call.bind(edited)
        except ArgumentsError as error:
            call.end_with(f"The arguments as they were edited do not fit. {error}")
            return False
        return True

    def _warn(self, text: str) -> None:
        if text:
            self._notices.append(Notice(at=self._now(), kind="approval", text=to_json(text)))

    # -- what comes ----------------------------------------------------------

    def _wake(self) -> None:
        self._wakes.put(None)

    def _wait(self, seconds: float) -> None:
        """Wait until there is something new, at most this long."""
        try:
            self._wakes.get(timeout=seconds)
            while True:
                self._wakes.get_nowait()
        except queue.Empty:
            return

    def _pause(self) -> float:
        """Seconds until a report is due."""
        clock = time.monotonic()
        waits = [call.reports.wait(clock) for call in self._open.values()]
        return min([_POLL, *(wait for wait in waits if wait is not None)])

    def _sweep(self) -> list[Event]:
        """The events that are due, and the ends of the calls that have ended.

        A stopped call is left without an outcome, for who closes the run.
        """
        events, self._notices = self._notices, []
        clock = time.monotonic()
        for call in list(self._open.values()):
            outcome = call.outcome
            if outcome is None or outcome.status == "stopped":
                events += call.reports.collect(clock)
                continue
            call.reports.close()
            events += call.reports.collect(clock, final=True)
            del self._open[call.call_id]
            self.outcomes[call.call_id] = outcome
            events.append(outcome.event(self._step, self._now()))
        return events

    def _raise_interrupt(self) -> None:
        """An interrupt that met a tool on the caller's loop ends the run as anywhere."""
        for call in self._on_loop:
            if call.interrupt_of_user is not None:
                raise call.interrupt_of_user

    def _interrupt_all(self) -> None:
        self._slots.close()
        for call in list(self._open.values()):
            call.interrupt()
        self._wake()
