"""A run whose events are folded and stored as they come, and how it is consumed.

Imports the loop and the ground floor; the session log only for its type.
"""

from __future__ import annotations

import contextvars
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from minimalagent_nb.cancel import under_way
from minimalagent_nb.engine.interrupts import no_interrupt_lost
from minimalagent_nb.engine.loop import Run
from minimalagent_nb.engine.scope import nested_run
from minimalagent_nb.errors import AgentError
from minimalagent_nb.events import Event, Notice, RunEnded, is_delta
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.printed import Printed
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.secrets import without_secrets
from minimalagent_nb.tools.jsonable import text_of
from minimalagent_nb.view import View

if TYPE_CHECKING:
    from minimalagent_nb.models import Model
    from minimalagent_nb.models.protocol import ModelRequest
    from minimalagent_nb.sessions import Recorder

__all__ = ["GuardedView", "LogView", "RecordedRun", "show"]

_inherited: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar(
    "minimalagent_hooks", default=()
)
"""The hooks that a run which the running code begins has beside its own."""

_rules_around: contextvars.ContextVar[Redactor | None] = contextvars.ContextVar(
    "minimalagent_rules", default=None
)
"""What takes out of a run that the running code begins what its outer run keeps to itself."""

_NOT_WAITED = "The memory was still being written when the wait for it was interrupted."


class RecordedRun:
    """A run, its reasoning, and its place in the session memory.

    Args:
        begin_record: opens the record in the memory, None where there is none; called
            when the first event is asked for, so that a stream that nobody reads
            leaves no trace.
        hooks: called with every event once it is folded and handed to the memory; of one
            that has a method ``for_run``, what that returns when it is given the redactor. A
            method ``enter_call`` of that is called with the id of each tool call in the
            context of its code, and one ``enter_request`` with the model and its request,
            before each one and in the context in which the model works; runs that the code of
            a call begins have the hooks with a true ``nested``, too.
        redactor: takes out what must not leave the process; the rules of a run whose call
            begins this one count beside it.
    """

    def __init__(
        self,
        run: Run,
        begin_record: Callable[[], Recorder | None],
        logger: logging.Logger,
        hooks: Sequence[Callable[[Event], object]] = (),
        redactor: Redactor | None = None,
    ) -> None:
        self.run = run
        self._logger = logger
        self._begin_record = begin_record
        self._recorder: Recorder | None = None
        self._is_over = False
        self._fold = ReasoningFold()
        kinds = {type(hook) for hook in hooks}
        inherited = [hook for hook in _inherited.get() if type(hook) not in kinds]
        self._redactor = (redactor or Redactor()).within(_rules_around.get())
        self._printed = Printed(self._redactor)
        opened = [(hook, _opened(hook, self._redactor)) for hook in (*hooks, *inherited)]
        self._hooks = [one for _, one in opened if one is not None]
        self._nested = tuple(hook for hook, _ in opened if getattr(hook, "nested", False))
        run.enter_call = self._enter_call
        if any(hasattr(hook, "enter_request") for hook in self._hooks):
            run.enter_requests(self._enter_request)

    @property
    def reasoning(self) -> Reasoning:
        """What was done so far."""
        return self._fold.reasoning

    @property
    def ended(self) -> bool:
        """Whether the last event has passed."""
        return self.reasoning.status != "running"

    def events(self) -> Iterator[Event]:
        """The run's events, each folded and stored before it is handed out.

        Whoever stops reading early ends the run; what was done is stored all the same.

        Raises:
            AgentError, KeyboardInterrupt: after the last event, where the run failed or was
                interrupted; `reasoning` on it holds what was done.
        """
        with nested_run(self.run.cancel), under_way(self.run.run_id, self.run.cancel):
            yield from self._recorded()

    def _recorded(self) -> Iterator[Event]:
        self._recorder = self._begin_record()
        try:
            for event in self.run.events():
                yield from self._take(event)
        except (AgentError, KeyboardInterrupt) as error:
            # Left here when the interrupt did not meet the run itself.
            yield from self._close()
            error.reasoning = self.reasoning  # type: ignore[union-attr]
            raise
        finally:
            for _ in self._close():
                pass

    def _close(self) -> Iterator[Event]:
        self.run.cancel.cancel()
        for event in self.run.closing_events():
            yield from self._take(event)
        if not self._is_over and self.run.end is not None:
            # An interrupt may swallow any event; without this one the run would never end.
            yield from self._take(self.run.end)

    def _take(self, event: Event) -> Iterator[Event]:
        self._log(event)
        self._fold.apply(event)
        interrupt: KeyboardInterrupt | None = None
        if self._recorder is not None:
            self._recorder.add(event)
            if isinstance(event, RunEnded):
                try:
                    warning = self._recorder.finish()
                except KeyboardInterrupt as raised:
                    interrupt, warning = raised, _NOT_WAITED
                    self._recorder.end()
                self.reasoning.interaction_id = self._recorder.interaction_id
                if warning:
                    notice = Notice(at=event.at, kind="memory", text=warning)
                    self._fold.apply(notice)
                    self._call_hooks(notice)
                    yield notice
        self._is_over = isinstance(event, RunEnded)
        self._call_hooks(event)
        yield event
        if interrupt is not None:
            raise interrupt

    def _log(self, event: Event) -> None:
        """Log the event as it may be stored; what deltas tell comes whole with the step's end."""
        if self._logger.isEnabledFor(logging.DEBUG) and not is_delta(event):
            for one in self._printed.events(event):
                self._logger.debug("%s", one)

    def _call_hooks(self, event: Event) -> None:
        """Show the event to who watches; one that raises is not called again in this run."""
        for hook in list(self._hooks):
            self._call(hook, hook, event)

    def _enter_call(self, call_id: str) -> None:
        """Before the code of a call, in its context."""
        _inherited.set(self._nested)
        _rules_around.set(self._redactor)
        for hook in list(self._hooks):
            if (enter := getattr(hook, "enter_call", None)) is not None:
                self._call(hook, enter, call_id)

    def _enter_request(self, model: Model, request: ModelRequest) -> None:
        for hook in list(self._hooks):
            if (enter := getattr(hook, "enter_request", None)) is not None:
                self._call(hook, enter, model, request)

    def _call(self, hook: Any, function: Callable[..., object], *arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - a hook's defect must not cost the run
            self._hooks.remove(hook)
            _warn_of(hook, error)


def _opened(hook: Any, redactor: Redactor) -> Any:
    """The hook of one run; None where it cannot be had.

    Raises:
        AgentError: the hook says what is missing.
    """
    for_run = getattr(hook, "for_run", None)
    if for_run is None:
        return hook
    try:
        return for_run(redactor)
    except AgentError:
        raise
    except Exception as error:  # noqa: BLE001 - see _call
        _warn_of(hook, error)
        return None


def _warn_of(hook: Any, error: Exception) -> None:
    name = getattr(hook, "__qualname__", type(hook).__name__)
    warnings.warn(
        f"on_event: {name} is not called any more in this run, because it failed "
        f"({type(error).__name__}: {text_of(error)}). The run goes on.",
        RuntimeWarning,
        stacklevel=4,
    )


def show(recorded: RecordedRun, view: View) -> None:
    """Consume the run to its end and show it.

    An interrupt ends the run, whether it comes while the run works or while the
    view draws; the run's last events are shown before it goes on its way.

    Raises:
        AgentError: where the run failed.
        KeyboardInterrupt: where it was interrupted.
    """
    guarded = GuardedView(view)
    with no_interrupt_lost(recorded.run.cancel.cancel):
        guarded.start()
        try:
            _show(recorded, guarded)
        finally:
            guarded.finish()


def _show(recorded: RecordedRun, guarded: GuardedView) -> None:
    events = recorded.events()
    try:
        for event in events:
            guarded.add(event)
    except KeyboardInterrupt as interrupt:
        if not recorded.ended:
            recorded.run.cancel.cancel()
            for event in events:
                guarded.add(event)
        interrupt.reasoning = recorded.reasoning  # type: ignore[attr-defined]
        raise


class LogView:
    """What stands in where nothing is shown: notices go to the agent's logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def start(self) -> None:
        """Nothing to prepare."""

    def add(self, event: Event) -> None:
        """Log what the reader of a view would have seen as a notice."""
        if isinstance(event, Notice):
            self._logger.warning("%s", without_secrets(event.text))

    def finish(self) -> None:
        """Nothing to close."""


class GuardedView:
    """A view whose defects cost a warning and the picture, never the run."""

    def __init__(self, view: View) -> None:
        self._view: View | None = view

    def start(self) -> None:
        """Start the view."""
        self._guard(lambda view: view.start())

    def add(self, event: Event) -> None:
        """Hand the event on."""
        self._guard(lambda view: view.add(event))

    def finish(self) -> None:
        """Let the view finish."""
        self._guard(lambda view: view.finish())

    def _guard(self, act: Callable[[View], None]) -> None:
        if self._view is None:
            return
        try:
            act(self._view)
        except Exception as error:  # noqa: BLE001 - see the class
            self._view = None
            warnings.warn(
                f"The run is no longer shown, because its view failed ({type(error).__name__}: "
                f"{text_of(error)}). The run itself goes on, and its reasoning is kept.",
                RuntimeWarning,
                stacklevel=3,
            )
