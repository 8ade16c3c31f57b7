"""`Agent`: the documented class. Opens what a run needs, and consumes its events.

Imports the loop, the toolbox and the ground floor; models and stores are opened
late, by the factories of their rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.checks import (
    check_callables,
    check_context,
    check_flag,
    check_log_level,
    check_mapping,
    check_positive,
    check_query,
    check_text,
)
from minimalagent_nb.engine.loop import Run
from minimalagent_nb.engine.memory_face import MemoryFace
from minimalagent_nb.engine.offload import in_thread
from minimalagent_nb.engine.opening import open_approver, open_memory, open_model, own_logger
from minimalagent_nb.engine.output import OutputForm
from minimalagent_nb.engine.plan import RunPlan
from minimalagent_nb.engine.recording import GuardedView, LogView, RecordedRun, show
from minimalagent_nb.engine.result import RunResult
from minimalagent_nb.errors import ConfigurationError, RunStoppedError
from minimalagent_nb.events import Event
from minimalagent_nb.messages import ContentBlock
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.tools import Tool, Toolbox
from minimalagent_nb.view import View, default_view

if TYPE_CHECKING:
    from minimalagent_nb.approval import Approver
    from minimalagent_nb.models import Model
    from minimalagent_nb.redaction import Rule
    from minimalagent_nb.sessions import ItemStore, Recorder, SessionLog

__all__ = ["Agent"]

_DEFAULT_TABLE = "minimalagent-session-table"
_STOPPED = (
    "The run was stopped. What was done until then is in this error's .reasoning, and in the "
    "session where the agent has a memory: ask again to go on."
)


class Agent(MemoryFace):
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
        memory: ``"dynamodb"``, ``"sqlite"``, ``"sqlite:///path"``, an ItemStore or a
            SessionLog: where sessions are kept, instead of `use_session_memory`.
        redact: regular expressions, functions from text to text, or a list of these: what
            they take out is not stored or traced, as the secrets never are that this process
            knows. The model and the reader see it all the same.
        name: what to call the agent in trees and logs.
        model_options: settings of the model's service by the service's own names.
        thinking: tokens that the model may think for in each turn, where it can.
        on_event: called with every event of every run, before it is shown; one or several.
            One with a method ``for_run`` gives one for each run by it: see `RecordedRun`.
        context_tokens: tokens that a request may have, by default what the model can
            read. Nearing them, old tool results and then old turns are left out of what
            the model is sent; the session keeps everything.
        summarise_old_turns: have the model summarise the turns that are left out.
        approver: decides on calls of tools that need approval: a function of the request,
            ``"always"`` or ``"never"``; by default the user is asked.

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
        memory: str | ItemStore | SessionLog | None = None,
        name: str = "agent",
        model_options: Mapping[str, Any] | None = None,
        thinking: int | None = None,
        on_event: Callable[[Event], object] | Sequence[Callable[[Event], object]] = (),
        context_tokens: int | None = None,
        summarise_old_turns: bool = False,
        approver: Approver | str | None = None,
        redact: Rule | Sequence[Rule] | None = None,
    ) -> None:
        self.max_steps = check_positive("max_steps", max_steps)
        if session_ttl is not None:
            check_positive("session_ttl", session_ttl)
        self.name = check_text("name", name)
        self.show_reasoning = check_flag("show_reasoning", show_reasoning)
        self.system_prompt = check_text("system_prompt", system_prompt)
        self.real_time_reasoning = check_flag("real_time_reasoning", real_time_reasoning)
        self.model_options = check_mapping("model_options", model_options)
        self.thinking = thinking and check_positive("thinking", thinking)
        self.context_tokens = context_tokens and check_positive("context_tokens", context_tokens)
        self.summarise_old_turns = check_flag("summarise_old_turns", summarise_old_turns)
        self.on_event = check_callables("on_event", on_event)
        self.approver = open_approver(approver)
        check_text("bedrock_region", bedrock_region)
        if memory_region is not None:
            check_text("memory_region", memory_region)
        self.logger = own_logger(name, check_log_level(log_level))
        self.tools = Toolbox()
        if tools is not None:
            self.add_tools(tools)
        self.model = open_model(model, model_id, bedrock_region)
        in_table = check_flag("use_session_memory", use_session_memory)
        if memory is None and (in_table or session_table_name != _DEFAULT_TABLE):
            memory = "dynamodb"
        region = memory_region or bedrock_region
        self.memory = open_memory(memory, session_table_name, region, session_ttl, redact)
        self._redactor = Redactor(redact)
        self._running: set[CancelToken] = set()

    def __repr__(self) -> str:
        tools = ", ".join(tool.name for tool in self.tools)
        return f"Agent({self.name!r}, model={self.model.name!r}, tools=[{tools}])"

    # -- running -------------------------------------------------------------

    def run(
        self,
        input_text: str,
        session_id: str | None = None,
        *,
        output_type: Any = None,
        context: Sequence[str | ContentBlock] = (),
        view: View | None = None,
    ) -> RunResult:
        """Answer `input_text`, and wait for the answer.

        Works in a running event loop as well; async tools then run on a private one.

        Args:
            session_id: 1 to 128 letters, digits, underscores and dashes. With a
                memory, the conversation of this session goes on, and is kept.
            output_type: a pydantic model, a dataclass or another type of plain values
                that the answer must have; it is in the result's `output`.
            context: texts, or content blocks of Converse such as images, that go before
                the prompt in the same message.
            view: shows the run instead of the default one.

        Returns:
            The answer and how it came about: ``response, reasoning = agent.run(...)``.

        Raises:
            AgentError: one of its children; `reasoning` holds what was done, which is
                stored all the same.
        """
        recorded = self.begin(input_text, session_id, output_type=output_type, context=context)
        with self._tracked(recorded):
            show(recorded, self._view(view))
        return self.result(recorded)

    async def arun(
        self,
        input_text: str,
        session_id: str | None = None,
        *,
        output_type: Any = None,
        context: Sequence[str | ContentBlock] = (),
        view: View | None = None,
    ) -> RunResult:
        """Like `run`, without blocking: async tools run on the caller's own event loop."""
        recorded = await self._abegin(input_text, session_id, output_type, context)
        guarded = GuardedView(self._view(view))
        guarded.start()
        try:
            async with aclosing(self._in_thread(recorded, after=guarded.add)) as events:
                async for event in events:
                    guarded.add(event)
        finally:
            guarded.finish()
        return self.result(recorded)

    def stream(
        self,
        input_text: str,
        session_id: str | None = None,
        *,
        output_type: Any = None,
        context: Sequence[str | ContentBlock] = (),
    ) -> Iterator[Event]:
        """The events of a run as they come; nothing is shown.

        The last one is `RunEnded`. Leaving early ends the run; what was done is kept.

        Raises:
            AgentError: before the first event for wrong parameters or an unreadable
                session, after the last one where the run failed.
        """
        recorded = self.begin(input_text, session_id, output_type=output_type, context=context)
        return self.events(recorded)

    async def astream(
        self,
        input_text: str,
        session_id: str | None = None,
        *,
        output_type: Any = None,
        context: Sequence[str | ContentBlock] = (),
    ) -> AsyncIterator[Event]:
        """Like `stream`, without blocking: async tools run on the caller's own event loop."""
        recorded = await self._abegin(input_text, session_id, output_type, context)
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

    def as_tool(
        self,
        name: str | None = None,
        description: str | None = None,
        *,
        output_type: Any = None,
    ) -> Tool:
        """The agent as a tool of another one, whose tree shows its steps as a branch.

        Each call is a run of its own without a session: the agent knows only what the
        request says. Its tokens count as the calling run's too, and its tools run where those
        of the outermost run do: on the thread or the event loop that asked for it.

        Args:
            name: the tool's name, by default the agent's.
            description: when to ask it, for the model that does.
            output_type: what its answers are; by default text.

        Raises:
            ConfigurationError: the name is none that a tool may have, or `output_type` has
                no JSON form.
        """
        from minimalagent_nb.engine.sub_agent import as_tool

        return as_tool(self, name, description, output_type)

    # -- inside --------------------------------------------------------------

    def begin(
        self,
        input_text: str,
        session_id: str | None,
        loop: asyncio.AbstractEventLoop | None = None,
        output_type: Any = None,
        context: Sequence[str | ContentBlock] = (),
        outer: Callable[[Any], None] | None = None,
    ) -> RecordedRun:
        """The run, ready to be consumed: everything that can go wrong before a model is asked.

        For the rooms of this package; `run` and `stream` are the ways for others.

        Args:
            loop: where async tools run, None for a private loop.
            outer: of a sub-agent's run, performs its calls for the main thread.
        """
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
            outer=outer,
            thinking=self.thinking,
            output=self._output_form(output_type),
            context=check_context(context),
            context_tokens=self.context_tokens,
            summarise=self.summarise_old_turns,
            approver=self.approver,
        )

        def begin_record() -> Recorder | None:
            if memory is None or session_id is None:
                return None
            return memory.recorder(session_id, real_time=self.real_time_reasoning)

        redactor = self.memory.redactor if self.memory else self._redactor
        return RecordedRun(Run(plan), begin_record, self.logger, self.on_event, redactor)

    async def _abegin(self, input_text: str, session_id: str | None, *more: Any) -> RecordedRun:
        loop = asyncio.get_running_loop()
        return await asyncio.to_thread(self.begin, input_text, session_id, loop, *more)

    def _output_form(self, output_type: Any) -> OutputForm | None:
        if output_type is None:
            return None
        return OutputForm.of(output_type, [tool.name for tool in self.tools])

    @contextmanager
    def _tracked(self, recorded: RecordedRun) -> Iterator[None]:
        self._running.add(recorded.run.cancel)
        try:
            yield
        finally:
            self._running.discard(recorded.run.cancel)

    def events(self, recorded: RecordedRun) -> Iterator[Event]:
        """The events of a run that was begun; `stop` ends it meanwhile."""
        with self._tracked(recorded):
            yield from recorded.events()

    def _in_thread(self, recorded: RecordedRun, **options: Any) -> Any:
        return in_thread(self.events(recorded), recorded.run.cancel, **options)

    def _view(self, given: View | None) -> View:
        return given or (default_view() if self.show_reasoning else None) or LogView(self.logger)

    def result(self, recorded: RecordedRun) -> RunResult:
        """What a run that was begun and consumed gives back.

        Raises:
            RunStoppedError: it was stopped.
        """
        reasoning = recorded.reasoning
        if reasoning.status == "stopped":
            stopped = RunStoppedError(_STOPPED)
            stopped.reasoning = reasoning
            raise stopped
        return RunResult(
            response=reasoning.final_response or "",
            reasoning=reasoning,
            messages=list(recorded.run.messages),
            output=recorded.run.output,
        )
