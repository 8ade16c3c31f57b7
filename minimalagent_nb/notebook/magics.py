"""``%%agent`` and ``%agent``. Imports IPython, the workbench and the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    magics_class,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Integer, List, TraitError, Unicode, Union, validate
from traitlets.config import Config, LazyConfigValue

from minimalagent_nb.config import Settings
from minimalagent_nb.errors import ConfigurationError, SessionReadError
from minimalagent_nb.notebook.asking import Asking, Question
from minimalagent_nb.notebook.assignments import (
    CONFIG,
    SettingError,
    check_assignment,
    place_of,
    storable,
    why_refused,
)
from minimalagent_nb.notebook.cells import is_own
from minimalagent_nb.notebook.command_line import find_command
from minimalagent_nb.notebook.commands import Commands
from minimalagent_nb.notebook.completion import Completion
from minimalagent_nb.notebook.failed import Failed
from minimalagent_nb.notebook.interrupts import blocking
from minimalagent_nb.notebook.notices import Notices
from minimalagent_nb.notebook.options import Options, parse_options, usage
from minimalagent_nb.notebook.output import Table, visible
from minimalagent_nb.notebook.prompt import expand
from minimalagent_nb.notebook.sent import blocks_of, gather, page
from minimalagent_nb.notebook.shown import Shown
from minimalagent_nb.notebook.state import Workbench
from minimalagent_nb.notebook.tool_cell import define_tool
from minimalagent_nb.notebook.withheld import Withheld

if TYPE_CHECKING:
    from minimalagent_nb.engine import Agent
    from minimalagent_nb.models.protocol import ModelRequest

__all__ = ["AgentMagics"]


_ANEW = "Nothing is asked until it is assigned anew: %config AgentMagics.{name} = ... (None \
leaves it to what is set elsewhere)."

_SETTINGS = tuple(field.name for field in fields(Settings) if field.name != "sources")


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
    otel = _setting(
        Unicode,
        'OpenTelemetry: "on", "off"; "content" traces what was said as well, "events" in events.',
    )
    redact = Union(
        [Unicode(), List(Unicode())],
        default_value=None,
        allow_none=True,
        help="Regular expressions, one or a list; what they match is not stored or traced. \
%config wants braces doubled: 'x{{3}}'.",
    ).tag(config=True)

    # Not a setting of files and environment: a policy that allows stands where its notebook's
    # reader sees it.
    approver = _setting(
        Unicode,
        'Who allows calls that ask: "always", "never", or a variable that holds a function \
(minimalagent_nb.approval). Not set: you are asked.',
    )

    @validate(*_SETTINGS, "approver")
    def _refuse(self, proposal: Any) -> Any:
        """Refuse what cannot be where it is assigned."""
        if proposal["value"] is not None:
            check_assignment(proposal["trait"].name, proposal["value"], self.bench)
        return proposal["value"]

    def __init__(self, shell: Any) -> None:
        # The shell's configuration is taken over at the end, setting by setting: one that cannot
        # be must not keep the others, and the magics, from being there.
        super().__init__(shell, config=Config())
        # By setting, why what it was given last was refused.
        self._refused: dict[str, str] = {}
        self.bench = Workbench(shell.user_ns)
        self.shown = Shown(shell)
        self.failed = Failed(shell)
        # The input transformer, what takes the completion back, and what was called so before,
        # by kind and name of magic: unloading takes the ones out and puts the other back.
        self.mender: Any = None
        self.end_completion: Any = None
        # The newest error that was not the agent's own.
        self.last_error: BaseException | None = None
        self.found: dict[tuple[str, str], Any] = {}
        self._offered = False
        self.commands = Commands(
            shell,
            self.bench,
            self._settings,
            self._choose_model,
            lambda name: getattr(self, name),
            self._refused,
        )
        self.completion = Completion(self.bench, self._settings)
        self.notices = Notices(shell)
        self._asking = Asking(shell, self.bench, self.notices)
        self._take_over(shell.config)

    @no_var_expand
    @line_cell_magic
    def agent(self, line: str, cell: str | None = None) -> None:
        """Ask the agent, or command it; ``%agent help`` lists what there is."""
        question = self._read(line, cell)
        if question is not None:
            self._asking.blocking(question)

    async def awaited(self, line: str, cell: str | None = None) -> None:
        """Like `agent`, with the kernel free: what the input transformer makes of a cell."""
        with blocking():
            question = self._read(line, cell)
        if question is not None:
            await self._asking.awaited(question)

    @no_var_expand
    @cell_magic
    def tool(self, line: str, cell: str) -> None:
        """Make the cell a tool: its first line is the signature, its last value the result."""
        define_tool(self.shell, line, cell)

    def _command(self, name: str, words: list[str]) -> Question | None:
        """Answer a command; of one that asks a model, the question."""
        answer = self.commands.run(name, words)
        if isinstance(answer, Question):
            self._check_refused(answer.options)
            return answer
        if answer is not None:
            display(answer)
        return None

    def _read(self, line: str, cell: str | None) -> Question | None:
        """What is asked; None for a command, a page of help or a preview, which is answered."""
        error = getattr(sys, "last_value", None)
        if not is_own(error):
            self.last_error = error
        if cell is None:
            first, _, rest = line.strip().partition(" ")
            if first == "ask":
                line = rest
            elif not line.startswith("-") and (command := find_command(line)) is not None:
                return self._command(*command)
        options, rest = parse_options(line)
        if options.help:
            print(usage())  # noqa: T201 - the user asked for it
            return None
        # What stands behind the options belongs to the prompt.
        prompt = "\n".join(part for part in (rest, cell) if part)
        return self._question(prompt.strip("\n"), options)

    def _question(self, prompt: str, options: Options) -> Question | None:
        self._check_refused(options)
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
        parts = gather(self.shell, options, settings.context_budget, withheld)
        context, wanted = blocks_of(parts), self._type(options.type)
        # From here on: what cannot be asked leaves the notebook in its conversation.
        if options.dry_run or not prompt.strip():
            pass  # and so does a look
        elif options.session is None and options.agent is None:
            self._offer_to_resume(settings)
        elif options.agent is None and not options.background:
            # One in the background leaves the notebook in its own conversation.
            self.bench.start_session(options.session)
        session = options.session or self.bench.session_id
        if options.dry_run:
            request, unread = _preview(agent, prompt, session, context, wanted)
            told = page(request, parts, agent.model, withheld, unread)
            print(visible(told))  # noqa: T201 - asked for
            return None
        quiet = options.quiet or not settings.show_reasoning
        return Question(agent, prompt, session, wanted, context, options, quiet)

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

    def _settings(self, options: Options | None = None) -> Settings:
        return self.bench.settings(self._given(), options)

    def _given(self) -> dict[str, Any]:
        """What ``%config`` holds, by setting; None for what is set elsewhere."""
        return {name: getattr(self, name) for name in _SETTINGS}

    def update_config(self, config: Any) -> None:
        """Take what ``%config`` was given, and keep in mind what is refused of it.

        Here, as traitlets asks no validator about what is of another type, or stays as it is.

        Raises:
            TraitError: it was refused. IPython logs that, and goes on.
        """
        self._update(config, lambda _: CONFIG)

    def _update(self, config: Any, place: Callable[[str], str]) -> None:
        section = config.get(type(self).__name__, {})
        section.update({name: storable(value) for name, value in section.items()})
        given = dict(self._find_my_config(config))
        for name, value in given.items():
            self._refused.pop(name, None)
            if isinstance(value, LazyConfigValue) and self.has_trait(name):
                # Such as redact.append("..."): traitlets appends to no value but a list.
                value.get_value(getattr(self, name) or [])
        try:
            super().update_config(config)
        except TraitError as error:
            for name, value in given.items():
                self._refused[name] = why_refused(name, value, error, self.bench, place(name))
            raise SettingError(" ".join(self._refused[name] for name in given)) from None

    def _take_over(self, config: Any) -> None:
        """Take what the shell's configuration holds, and say what is refused of it.

        It is what files say, and what ``%config`` was given before the extension was loaded
        anew: the shell keeps that, too, whatever became of it.
        """
        for name, value in self._find_my_config(config).items():
            try:
                self._update(
                    Config({type(self).__name__: {name: value}}),
                    lambda name: place_of(self.shell, name),
                )
            except SettingError as error:
                told = f"minimalagent_nb: {error} {_ANEW.format(name=name)}"
                print(told, file=sys.stderr)  # noqa: T201 - an error would keep all from loading

    def _check_refused(self, options: Options) -> None:
        """No prompt goes by another value than the one that was given last."""
        for name, why in self._refused.items():
            if getattr(options, name, None) is None:
                raise ConfigurationError(
                    f"What AgentMagics.{name} was given last was refused: {why} "
                    + _ANEW.format(name=name)
                )

    def _choose_model(self, model_id: str) -> None:
        # First whether there is one: of a choice that fails nothing stays.
        self.bench.model(self.bench.settings({**self._given(), "model": model_id}))
        # As %config does, so that a reload of the extension goes on with it.
        for configurable in (self, self.shell):
            configurable.update_config(Config({type(self).__name__: {"model": model_id}}))

    def close(self) -> None:
        """Let go of what was opened, when the extension is unloaded."""
        self.shown.end()
        self.failed.end()
        self.bench.close()
        self.notices.end()


def _preview(
    agent: Agent, prompt: str, session: str, context: list[Any], wanted: Any
) -> tuple[ModelRequest, str]:
    """What a run would send, and why its session's earlier messages are not there, if so."""
    unread = ""
    try:
        recorded = agent.begin(prompt, session, context=context, output_type=wanted)
    except SessionReadError as error:
        recorded = agent.begin(prompt, None, context=context, output_type=wanted)
        unread = str(error)
    return recorded.run.preview(), unread
