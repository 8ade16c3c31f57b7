"""`Agent`: the documented class. Opens what a run needs, and consumes its events.

Imports the loop, the toolbox and the ground floor; models and stores are opened
late, by the factories of their rooms.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.checks import (
    check_log_level,
    check_mapping,
    check_positive,
    check_query,
    check_text,
)
from minimalagent_nb.engine.loop import Run, RunPlan
from minimalagent_nb.engine.offload import in_thread
from minimalagent_nb.engine.recording import GuardedView, LogView, RecordedRun, show
from minimalagent_nb.engine.result import RunResult
from minimalagent_nb.errors import ConfigurationError, RunStoppedError
from minimalagent_nb.events import Event
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.tools import Toolbox
from minimalagent_nb.view import View, default_view

if TYPE_CHECKING:
    from minimalagent_nb.models import Model
    from minimalagent_nb.sessions import ItemStore, Recorder, SessionLog

__all__ = ["Agent"]

_DEFAULT_TABLE = "minimalagent-session-table"
_STOPPED = (
    "The run was stopped. What was done until then is in this error's .reasoning, and in the "
    "session where the agent has a memory: ask again to go on."
)


class Agent:
    """An agent that answers with the help of tools, and remembers when it is asked to.

    The parameters and their defaults are the documented ones of minimalagent; those
    after the star are this package's own.

    Args:
        tools: functions decorated with @tool.
        max_steps: model turns with tool calls before an answer is asked for.
        show_reasoning: show the live tree in a notebook, print it in a terminal.
        log_level: of this agent's own logger, `logger`.
        model_id: Bedrock model or inference profile.
        bedrock_region: AWS region of the model.
        memory_region: AWS region of the session table, by default that of the model.
        system_prompt: what the model is told before the conversation.
        use_session_memory: keep conversations and reasoning in the DynamoDB table;
            on by itself when a table name is given.
        real_time_reasoning: write the reasoning while the run goes on, not only at
            its end.
        session_table_name: the DynamoDB table, made where it does not exist.
        session_ttl: seconds after which a session that nobody uses expires; None
            keeps it for ever.
        model: a model object, or its name as in `models.find_model`, instead of
            `model_id`.
        memory: ``"dynamodb"``, ``"sqlite"``, ``"sqlite:///path"`` or an ItemStore:
            where sessions are kept, instead of `use_session_memory`.
        name: what to call the agent in trees and logs.
        model_options: settings of the model's service by the service's own names.

    Raises:
        ConfigurationError: a parameter cannot be used; it says which and why.
    """

    def __init__(
        self,
        tools: Iterable[Any] | None = None,
        max_steps: int = 5,
        show_reasoning: bool = True,
        log_level: str = "WARNING",
        model_id: str = "us.amazon.nova-pro-v1:0",
        bedrock_region: str = "us-west-2",
        memory_region: str | None = None,
        system_prompt: str = "",
        use_session_memory: bool = False,
        real_time_reasoning: bool = False,
        session_table_name: str = _DEFAULT_TABLE,
        session_ttl: int | None = 3600,
        *,
        model: Model | str | None = None,
        memory: str | ItemStore | None = None,
        name: str = "agent",
        model_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.max_steps = check_positive("max_steps", max_steps)
        if session_ttl is not None:
            check_positive("session_ttl", session_ttl)
        self.name = check_text("name", name)
        self.show_reasoning = show_reasoning
        self.system_prompt = check_text("system_prompt", system_prompt)
        self.real_time_reasoning = real_time_reasoning
        self.model_options = check_mapping("model_options", model_options)
        check_text("bedrock_region", bedrock_region)
        if memory_region is not None:
            check_text("memory_region", memory_region)
        self.logger = _own_logger(name, check_log_level(log_level))
        self.tools = Toolbox()
        if tools is not None:
            self.add_tools(tools)
        self.model = _open_model(model, model_id, bedrock_region)
        if memory is None and (use_session_memory or session_table_name != _DEFAULT_TABLE):
            memory = "dynamodb"
        self.memory = _open_memory(
            memory, session_table_name, memory_region or bedrock_region, session_ttl
        )
        self._running: set[CancelToken] = set()

    # -- running -------------------------------------------------------------

    def run(
        self, input_text: str, session_id: str | None = None, *, view: View | None = None
    ) -> RunResult:
        """Answer `input_text`, and wait for the answer.

        Works in a running event loop as well; async tools then run on a private one.

        Args:
            session_id: 1 to 128 letters, digits, underscores and dashes. With a
                memory, the conversation of this session goes on, and is kept.
            view: shows the run instead of the default one.

        Returns:
            The answer and how it came about: ``response, reasoning = agent.run(...)``.

        Raises:
            AgentError: one of its children; `reasoning` holds what was done, which is
                stored all the same.
        """
        recorded = self._begin(input_text, session_id)
        with self._tracked(recorded):
            show(recorded, self._view(view))
        return self._result(recorded)

    async def arun(
        self, input_text: str, session_id: str | None = None, *, view: View | None = None
    ) -> RunResult:
        """Like `run`, without blocking: async tools run on the caller's own event loop."""
        recorded = await self._abegin(input_text, session_id)
        guarded = GuardedView(self._view(view))
        guarded.start()
        try:
            async with aclosing(self._in_thread(recorded, after=guarded.add)) as events:
                async for event in events:
                    guarded.add(event)
        finally:
            guarded.finish()
        return self._result(recorded)

    def stream(self, input_text: str, session_id: str | None = None) -> Iterator[Event]:
        """The events of a run as they come; nothing is shown.

        The last one is `RunEnded`. Leaving early ends the run; what was done is kept.

        Raises:
            AgentError: before the first event for wrong parameters or an unreadable
                session, after the last one where the run failed.
        """
        recorded = self._begin(input_text, session_id)
        return self._streamed(recorded)

    async def astream(self, input_text: str, session_id: str | None = None) -> AsyncIterator[Event]:
        """Like `stream`, without blocking: async tools run on the caller's own event loop."""
        recorded = await self._abegin(input_text, session_id)
        async with aclosing(self._in_thread(recorded)) as events:
            async for event in events:
                yield event

    def stop(self) -> None:
        """End the runs of this agent that are under way, from any thread."""
        for token in list(self._running):
            token.cancel()

    # -- tools ---------------------------------------------------------------

    def add_tools(self, tools: Iterable[Any]) -> Agent:
        """Add decorated functions, all or none; one of a known name replaces it.

        Returns:
            The agent itself.

        Raises:
            ConfigurationError: for anything that is not decorated with @tool.
        """
        if not isinstance(tools, Iterable) or isinstance(tools, (str, bytes, Mapping)):
            raise ConfigurationError(
                "tools must be a list of functions decorated with @tool, such as [my_tool]."
            )
        self.tools.add(tools)
        return self

    def clear_tools(self) -> Agent:
        """Remove all tools; returns the agent itself."""
        self.tools.clear()
        return self

    # -- memory --------------------------------------------------------------

    def get_reasoning(self, session_id: str) -> Reasoning:
        """What was done in the newest interaction of a session; an empty one where there is none.

        While a run with real-time reasoning goes on, this is what it has done so far.

        Raises:
            SessionReadError: the memory could not be read.
        """
        return self.memory.reasoning(session_id) if self.memory else Reasoning()

    def get_reasoning_history(self, session_id: str) -> list[Reasoning]:
        """What was done in all interactions of a session, oldest first.

        Raises:
            SessionReadError: the memory could not be read.
        """
        return list(self.memory.history(session_id)) if self.memory else []

    # -- inside --------------------------------------------------------------

    def _begin(
        self,
        input_text: str,
        session_id: str | None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> RecordedRun:
        """Everything that can go wrong before a model is asked."""
        query = check_query(input_text)
        memory = self.memory if session_id is not None else None
        if session_id is not None:
            from minimalagent_nb.sessions import check_session_id

            check_session_id(session_id)
        plan = RunPlan(
            query=query,
            model=self.model,
            toolbox=self.tools.copy(),
            history=memory.load(session_id) if memory and session_id else (),
            system=self.system_prompt,
            max_steps=self.max_steps,
            options=self.model_options,
            session_id=session_id,
            agent=self.name,
            loop=loop,
        )

        def begin_record() -> Recorder | None:
            if memory is None or session_id is None:
                return None
            return memory.begin(session_id, real_time=self.real_time_reasoning)

        return RecordedRun(Run(plan), begin_record, self.logger)

    async def _abegin(self, input_text: str, session_id: str | None) -> RecordedRun:
        loop = asyncio.get_running_loop()
        return await asyncio.to_thread(self._begin, input_text, session_id, loop)

    @contextmanager
    def _tracked(self, recorded: RecordedRun) -> Iterator[None]:
        self._running.add(recorded.run.cancel)
        try:
            yield
        finally:
            self._running.discard(recorded.run.cancel)

    def _streamed(self, recorded: RecordedRun) -> Iterator[Event]:
        with self._tracked(recorded):
            yield from recorded.events()

    def _in_thread(self, recorded: RecordedRun, **options: Any) -> Any:
        return in_thread(self._streamed(recorded), recorded.run.cancel, **options)

    def _view(self, given: View | None) -> View:
        shown = given or (default_view() if self.show_reasoning else None)
        return shown or LogView(self.logger)

    def _result(self, recorded: RecordedRun) -> RunResult:
        reasoning = recorded.reasoning
        if reasoning.status == "stopped":
            stopped = RunStoppedError(_STOPPED)
            stopped.reasoning = reasoning
            raise stopped
        return RunResult(
            response=reasoning.final_response or "",
            reasoning=reasoning,
            messages=list(recorded.run.messages),
        )


def _own_logger(name: str, level: int) -> logging.Logger:
    """A logger that no other agent shares: setting its level changes nobody else's."""
    logger = logging.Logger(f"minimalagent_nb.{name}", level)
    logger.parent = logging.getLogger("minimalagent_nb")
    if level < logging.WARNING and not logger.hasHandlers():
        # Whoever asks for more than warnings wants to see it without setting up logging.
        logger.addHandler(logging.StreamHandler())
    return logger


def _open_model(model: Model | str | None, model_id: str, region: str) -> Model:
    if model is None:
        from minimalagent_nb.models import Bedrock

        return Bedrock(model_id=model_id, region=region)
    from minimalagent_nb.models import find_model

    return find_model(model, region=region)


def _open_memory(
    memory: str | ItemStore | None, table_name: str, region: str, ttl: int | None
) -> SessionLog | None:
    if memory is None:
        return None
    from minimalagent_nb.sessions import SessionLog, open_store

    store = open_store(memory, table_name=table_name, region=region)
    return SessionLog(store, ttl=ttl) if store is not None else None
