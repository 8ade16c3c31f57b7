"""``%%agent`` and ``%agent``. Imports IPython, the workbench and the commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    magics_class,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Integer, List, Unicode, Union

from minimalagent_nb.config import Settings
from minimalagent_nb.errors import AgentError, ConfigurationError, RunStoppedError
from minimalagent_nb.notebook.commands import Commands, find_command
from minimalagent_nb.notebook.completion import Completion
from minimalagent_nb.notebook.handle import AgentRun, attend
from minimalagent_nb.notebook.interrupts import blocking
from minimalagent_nb.notebook.options import Options, parse_options, usage
from minimalagent_nb.notebook.output import Table
from minimalagent_nb.notebook.prompt import expand
from minimalagent_nb.notebook.sent import blocks_of, gather, page
from minimalagent_nb.notebook.shown import Shown
from minimalagent_nb.notebook.state import Workbench
from minimalagent_nb.notebook.tool_cell import define_tool
from minimalagent_nb.notebook.withheld import Withheld

if TYPE_CHECKING:
    import asyncio

    from minimalagent_nb.engine import Agent, RunResult

__all__ = ["AgentMagics"]

_INTERRUPTED = (
    "The run was interrupted. What was done is kept: %agent reasoning shows it, and the next "
    "prompt goes on from there."
)


@dataclass(frozen=True)
class _Question:
    """What a cell asks, and of whom."""

    agent: Agent
    prompt: str
    session_id: str
    output_type: Any
    context: list[Any]
    options: Options
    quiet: bool


def _setting(trait: Any, about: str) -> Any:
    """A setting that is not set until the user sets it: other sources stand behind it."""
    return trait(None, allow_none=True, help=about).tag(config=True)


@magics_class
class AgentMagics(Magics):
    """The magics; its traits are the settings of ``%config AgentMagics``."""

    model = _setting(Unicode, "Model id, or a variable that holds a model.")
    bedrock_region = _setting(Unicode, "AWS region of the models.")
    memory = _setting(
        Unicode,
        'Where sessions are kept: "sqlite", "sqlite:///path", "dynamodb", \
"none".',
    )
    memory_region = _setting(Unicode, "AWS region of the session table.")
    session_table_name = _setting(Unicode, "DynamoDB table; stands for memory dynamodb as well.")
    session_ttl = _setting(Integer, "Seconds until what is stored expires.")
    max_steps = _setting(Integer, "Model turns with tool calls before an answer is asked for.")
    real_time_reasoning = _setting(Bool, "Store what the agent does while it does it.")
    show_reasoning = _setting(Bool, "Show the tree; False shows the answer only.")
    system_prompt = _setting(Unicode, "Instructions that go with every request.")
    log_level = _setting(Unicode, "DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    context_budget = _setting(
        Integer, "Characters that one {name} in a prompt, or --use and --cells, may take."
    )
    otel = _setting(Unicode, 'OpenTelemetry: "on", "off", or "content" for what was said as well.')
    redact = Union(
        [Unicode(), List(Unicode())],
        default_value=None,
        allow_none=True,
        help="Regular expressions, one or a list; what they match is not stored. \
%config wants braces doubled: 'x{{3}}'.",
    ).tag(config=True)

    # Not a setting of files and environment: a policy that allows stands where its notebook's
    # reader sees it.
    approver = _setting(
        Unicode,
        'Who allows calls that ask: "always", "never", or a variable that holds a function \
(minimalagent_nb.approval). Not set: you are asked.',
    )

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.bench = Workbench(shell.user_ns)
        self.shown = Shown(shell)
        # The input transformer, what takes the completion back, and what was called so before,
        # by kind and name of magic: unloading takes the ones out and puts the other back.
        self.mender: Any = None
        self.end_completion: Any = None
        # The newest error that was not the agent's own.
        self.last_error: BaseException | None = None
        self.found: dict[tuple[str, str], Any] = {}
        self._offered = False
        self.commands = Commands(
            shell, self.bench, self._settings, self._choose_model, lambda name: getattr(self, name)
        )
        self.completion = Completion(self.bench, self._settings)

    @no_var_expand
    @line_cell_magic
    def agent(self, line: str, cell: str | None = None) -> None:
        """Ask the agent, or command it; ``%agent help`` lists what there is."""
        question = self._read(line, cell)
        if question is None:
            return
        memory, options = question.agent.memory, question.options
        self.bench.runs.make_way(memory, question.session_id)
        with self._kept():
            if options.background:
                run = self._started(question, None)
                run.wait_for_beginning()
                self._hand_out(run, options)
                return
            result = question.agent.run(
                question.prompt,
                session_id=question.session_id,
                output_type=question.output_type,
                context=question.context,
                view=self._view(question),
            )
            self._keep(result, options)

    async def awaited(self, line: str, cell: str | None = None) -> None:
        """Like `agent`, with the kernel free: what the input transformer makes of a cell."""
        import asyncio

        with blocking():
            question = self._read(line, cell)
        if question is None:
            return
        memory, options = question.agent.memory, question.options
        await self.bench.runs.amake_way(memory, question.session_id)
        with self._kept():
            run = self._started(question, asyncio.get_running_loop())
            await attend(run, begun=options.background)
            if options.background:
                run.raise_if_not_begun()
                self._hand_out(run, options)
            else:
                self._keep(run.outcome(), options)

    @no_var_expand
    @cell_magic
    def tool(self, line: str, cell: str) -> None:
        """Make the cell a tool: its first line is the signature, its last value the result."""
        define_tool(self.shell, line, cell)

    def _command(self, name: str, words: list[str]) -> None:
        shown = self.commands.run(name, words)
        if shown is not None:
            display(shown)

    def _read(self, line: str, cell: str | None) -> _Question | None:
        """What is asked; None for a command, a page of help or a preview, which is answered."""
        error = getattr(sys, "last_value", None)
        if not isinstance(error, AgentError):
            self.last_error = error
        if cell is None:
            first, _, rest = line.strip().partition(" ")
            if first == "ask":
                line = rest
            elif not line.startswith("-") and (command := find_command(line)) is not None:
                self._command(*command)
                return None
        options, rest = parse_options(line)
        if options.help:
            print(usage())  # noqa: T201 - the user asked for it
            return None
        # What stands behind the options belongs to the prompt.
        prompt = "\n".join(part for part in (rest, cell) if part)
        return self._question(prompt.strip("\n"), options)

    def _question(self, prompt: str, options: Options) -> _Question | None:
        settings = self._settings(options)
        withheld = Withheld(settings.redact)
        if not options.raw:
            prompt = expand(
                prompt,
                self.shell.user_ns,
                hidden=self.shell.user_ns_hidden,
                budget=settings.context_budget,
                withhold=withheld.text,
            )
        agent = self.bench.agent(settings, options, self.approver)
        if options.dry_run:
            pass  # a look leaves the notebook in its conversation
        elif options.session is None and options.agent is None:
            self._offer_to_resume(settings)
        elif options.agent is None and not options.background:
            # One in the background leaves the notebook in its own conversation.
            self.bench.start_session(options.session)
        session = options.session or self.bench.session_id
        parts = gather(self.shell, options, settings.context_budget, withheld)
        context, wanted = blocks_of(parts), self._type(options.type)
        if options.dry_run:
            recorded = agent.begin(prompt, session, context=context, output_type=wanted)
            print(page(recorded.run.preview(), parts, agent.model.name, withheld))  # noqa: T201 - asked for
            return None
        quiet = options.quiet or not settings.show_reasoning
        return _Question(agent, prompt, session, wanted, context, options, quiet)

    def _started(self, question: _Question, loop: asyncio.AbstractEventLoop | None) -> AgentRun:
        """The run, in a thread of its own.

        Args:
            loop: where async tools and those for the main thread run.

        Raises:
            ConfigurationError: it has tools for the main thread, and there is no loop.
        """
        agent = question.agent
        bound = [tool.name for tool in agent.tools if tool.main_thread or (loop and tool.is_async)]
        if bound and loop is None:
            raise ConfigurationError(
                f"--background needs a Jupyter kernel for {', '.join(bound)}, which must run on "
                "the main thread. Leave --background out, or choose tools with --tools."
            )
        run = AgentRun(
            agent,
            lambda: agent.begin(
                question.prompt, question.session_id, loop, question.output_type, question.context
            ),
            self._view(question, in_kernel=loop is not None),
            session_id=question.session_id,
            question=question.prompt,
            needs_loop=bound,
            background=question.options.background,
        )
        self.bench.runs.start(run, agent.memory)
        return run

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """What was done is kept when it fails, and an interrupt says one line like any failure."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            self.bench.last_reasoning = getattr(interrupt, "reasoning", None)
            stopped = RunStoppedError(_INTERRUPTED)
            stopped.reasoning = self.bench.last_reasoning
            raise stopped from None
        except AgentError as error:
            self.bench.last_reasoning = error.reasoning or self.bench.last_reasoning
            raise

    def _keep(self, result: RunResult, options: Options) -> None:
        self.bench.last_reasoning = result.reasoning
        self.shell.user_ns["_agent"] = result
        if options.output is not None:
            self.shell.user_ns[options.output] = result

    def _hand_out(self, run: AgentRun, options: Options) -> None:
        self.bench.last_reasoning = run.reasoning
        self.shell.user_ns["_background"] = run
        if options.output is not None:
            self.shell.user_ns[options.output] = run

    def _type(self, expression: str | None) -> Any:
        """The type that an expression of the user's names, in the notebook's namespace.

        Raises:
            ConfigurationError: there is none.
        """
        if expression is None:
            return None
        try:
            return eval(expression, self.shell.user_ns)  # noqa: S307 - typed by the user, as any cell
        except Exception as error:
            raise ConfigurationError(
                f"--type {expression!r} is no type here ({type(error).__name__}: {error}). Name a "
                'pydantic model or a dataclass of this notebook, or write "list[float]".'
            ) from error

    def _offer_to_resume(self, settings: Settings) -> None:
        """Before the first run of a kernel: name the notebook's last session, if there is one."""
        if self._offered:
            return
        self._offered = True
        earlier = self.bench.earlier_session(settings)
        if earlier is not None:
            note = f"A new session begins. To go on with this notebook's last one instead: \
%agent session {earlier}"
            display(Table("", (), (), note))

    def _view(self, question: _Question, *, in_kernel: bool = True) -> Any:
        from minimalagent_nb.widgets import AnswerView, make_view

        background = question.options.background
        if background and not in_kernel:
            # A terminal has no place for what comes while something else is typed.
            return AnswerView(shown=False)
        if question.quiet:
            return AnswerView(later=background)
        variable = question.options.output or ("_background" if background else "_agent")
        return make_view(later=background, name=f"{variable}.reasoning")

    def _settings(self, options: Options | None = None) -> Settings:
        names = [field.name for field in fields(Settings) if field.name != "sources"]
        return self.bench.settings({name: getattr(self, name) for name in names}, options)

    def _choose_model(self, model_id: str) -> None:
        before, self.model = self.model, model_id
        try:
            self.bench.model(self._settings())
        except AgentError:
            self.model = before
            raise

    def close(self) -> None:
        """Let go of what was opened, when the extension is unloaded."""
        self.shown.end()
        self.bench.close()
