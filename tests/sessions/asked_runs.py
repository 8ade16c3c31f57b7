"""Agents that run in a thread and are asked for something from outside, through their store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minimalagent_nb import Agent
from minimalagent_nb.errors import AgentError, RunStoppedError
from minimalagent_nb.events import Event, SubAgentEvent
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.sessions import SessionLog
from tests.engine.calling import name_of


class AskedRun:
    """A run that goes on, and a second log on its store that watches it.

    Args:
        own: the run's log.
        other: the log of who watches.
        calls: of the one turn with calls, each of the tools once by default.
        turns: calls of several turns.
    """

    def __init__(
        self,
        own: SessionLog,
        other: SessionLog,
        tools: Sequence[Any],
        *calls: Any,
        session_id: str = "s",
        turns: Sequence[Any] = (),
        **options: Any,
    ) -> None:
        turns = turns or [list(calls) or [call(name_of(one)) for one in tools]]
        model = ScriptedModel([*turns, "Done."])
        self.agent = Agent(
            tools=tools,
            model=model,
            memory=own,
            real_time_reasoning=True,
            show_reasoning=False,
            **options,
        )
        self.other, self.session_id = other, session_id
        self.events: Iterator[Event] = other.watch(session_id, poll=0.01)
        self.result: Any = None
        self.error: Exception | None = None
        self.run = self.call = ""
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        try:
            self.result = self.agent.run("go", self.session_id)
        except AgentError as error:
            self.error = error

    def begin(self) -> AskedRun:
        """Start it."""
        self._thread.start()
        return self

    def until(self, kind: str) -> Event:
        """The next event of this kind as it is stored, a sub-agent's too."""
        for event in self.events:
            while True:
                if event.type == "run_started":
                    self.run = event.run_id
                if event.type == kind:
                    self.call = getattr(event, "call_id", "")
                    return event
                if not isinstance(event, SubAgentEvent):
                    break
                event = event.event
        raise AssertionError(f"the run ended without {kind}")

    @property
    def interaction_id(self) -> int:
        """The run's interaction."""
        found = self.other.reasoning(self.session_id).interaction_id
        assert found is not None
        return found

    def answer(self, decision: str, **more: Any) -> Any:
        """Answer the call that was seen last; the reply."""
        known = {"run": self.run, "call": self.call, "decision": decision, **more}
        sent = self.other.answer_call(self.session_id, self.interaction_id, **known)
        return sent.wait(20, poll=0.01)

    def end(self) -> AskedRun:
        """Wait for its end; a stop is no error."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.error is not None and not isinstance(self.error, RunStoppedError):
            raise self.error
        return self


def items_of(store: Any, *keys: str) -> list[Any]:
    """All items of these partitions."""
    return [item for key in keys for item in store.query(key)]


Make = Callable[..., AskedRun]
