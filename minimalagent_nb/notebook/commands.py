"""What the commands of ``%agent`` do. Imports the workbench and what the commands show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.notebook.asking import Question
from minimalagent_nb.notebook.cells import last_failure
from minimalagent_nb.notebook.command_line import COMMANDS
from minimalagent_nb.notebook.fix import PROMPT, Mended, Repair
from minimalagent_nb.notebook.needed import source_of
from minimalagent_nb.notebook.options import Options, usage
from minimalagent_nb.notebook.output import Table, visible
from minimalagent_nb.notebook.show import memory_of, newest, show
from minimalagent_nb.notebook.state import Workbench
from minimalagent_nb.notebook.withheld import Withheld
from minimalagent_nb.secrets import without_secrets

if TYPE_CHECKING:
    from minimalagent_nb.config import Settings
    from minimalagent_nb.notebook.handle import AgentRun
    from minimalagent_nb.reasoning import Reasoning
    from minimalagent_nb.sessions import SessionLog
    from minimalagent_nb.tools import Tool

__all__ = ["Commands"]

_CONFIG = "%config AgentMagics"


class Commands:
    """Answers the commands: each method gives back what to display, a question to ask, or None."""

    def __init__(
        self,
        shell: Any,
        bench: Workbench,
        settings: Callable[[], Settings],
        choose_model: Callable[[str], None],
        chosen: Callable[[str], str | None],
        refused: Mapping[str, str],
    ) -> None:
        self._refused = refused
        self._chosen = chosen
        self._shell = shell
        self._bench = bench
        self._settings = settings
        self._choose_model = choose_model

    def run(self, name: str, words: list[str]) -> Any:
        """Answer the command `name`, which `find_command` has accepted."""
        return getattr(self, f"_{name}")(*words)

    def _status(self) -> Table:
        bench, settings = self._bench, self._settings()
        tools = ", ".join(tool.name for tool in bench.tools())
        note = ""
        try:
            log = bench.log(settings)
            memory = log.description if log else "none: nothing is kept"
            earlier = bench.earlier_session(settings)
            note = f"Go on with the last session: %agent session {earlier}" if earlier else ""
        except AgentError as error:
            # The page is where a user looks when something is wrong: it shows the rest.
            memory = str(error)
        rows = [
            ["model", self._model_line(settings)],
            ["memory", memory],
            ["session", bench.session_id],
            ["tools", tools or "none yet: put @tool above a function"],
            *([["approval", _policy_line(policy)]] if (policy := self._chosen("approver")) else []),
            *(
                ["stopping" if run.stopping else "running", _run_line(run)]
                for run in bench.runs.active
            ),
            *(["refused", why] for why in self._refused.values()),
        ]
        return Table("minimalagent_nb", ["", ""], rows, note=note)

    def _model_line(self, settings: Settings) -> str:
        from minimalagent_nb.models import describe_choice
        from minimalagent_nb.models.protocol import is_model

        value = self._bench.namespace.get(settings.model)
        if is_model(value):
            return f"{value.name} (the variable {settings.model})"
        if settings.model:
            try:
                self._bench.model(settings)
            except AgentError as error:
                return f"none: {error}"
        return str(describe_choice(settings.model, region=settings.bedrock_region))

    def _tools(self, *words: str) -> Any:
        if words and words[0] == "--from":
            return self._tools_from(list(words[1:]))
        if words in (("+notebook",), ("-notebook",)):
            from minimalagent_nb.notebook.notebook_tools import notebook_tools

            made = notebook_tools(self._shell, self._withhold) if words[0][0] == "+" else []
            self._bench.notebook_tools = made
            words = ()
        if words and words[0][0] in "+-":
            raise ConfigurationError(
                f"{words[0]} is none of --from FILE, +notebook and -notebook: see %agent help."
            )
        if words:
            return self._tool(words[0])
        tools = list(self._bench.tools())
        rows = [
            [tool.name, _signature(tool.input_schema), tool.description.splitlines()[0]]
            for tool in tools
        ]
        note = "One with its schema and source: %agent tools NAME"
        if not rows:
            note = "No tools yet: put @tool above a function and run its cell."
        elif self._bench.notebook_tools and not self._chosen("approver"):
            note += (
                "\nrun_code asks each time, unless %config AgentMagics.approver says who decides."
            )
        columns = ["name", "arguments", "description"]
        return Table("Tools of this notebook", columns, rows, note, more=list(map(_whole, tools)))

    def _withhold(self, value: Any) -> Any:
        return Withheld(self._settings().redact).value(value)

    def _tool(self, name: str) -> None:
        (tool,) = self._bench.tools((name,))
        # A server of tools may have written it.
        print(visible(f"{tool.name}: {tool.description}\n{_whole(tool)}"))  # noqa: T201 - asked for

    def _tools_from(self, words: list[str]) -> Table:
        from minimalagent_nb.notebook.borrow import borrow

        yes = "--yes" in words
        files = [word for word in words if word != "--yes"]
        if len(files) != 1:
            raise ConfigurationError("Name one notebook: %agent tools --from other.ipynb")
        names = borrow(files[0], self._shell, yes=yes)
        return Table("", ["", ""], [["new tools", ", ".join(names) or "none"]])

    def _model(self, model_id: str | None = None) -> Table:
        if model_id is not None:
            self._choose_model(model_id)
        settings = self._settings()
        rows = [["model", self._model_line(settings)], ["set by", settings.sources["model"]]]
        return Table("", ["", ""], rows)

    def _session(self, session_id: str | None = None) -> Table:
        bench, settings = self._bench, self._settings()
        if session_id is not None:
            bench.start_session(session_id)
            return Table("", ["", ""], [["session", session_id]], self._newness(session_id))
        earlier = bench.earlier_session(settings)
        note = f"The last one of this notebook: %agent session {earlier}" if earlier else ""
        return Table("", ["", ""], [["session", bench.session_id]], note)

    def _newness(self, session_id: str) -> str:
        """What to say of a session that nothing is known of, which may be a slip of the pen."""
        log = self._bench.log(self._settings())
        if log is None or log.session(session_id) or next(log.history(session_id, limit=1), None):
            return ""
        return "A new session: it begins with the next prompt. %agent sessions lists the others."

    def _sessions(self) -> Table:
        found = self._log().listing(limit=50)
        rows = [
            [info.session_id, _when(info.last_used), str(info.interactions), info.title]
            for info in found.sessions
        ]
        note = "Go on with one: %agent session NAME" if rows else "No sessions yet."
        note = f"{note} {found.note}".rstrip()
        return Table("Sessions", ["session", "last used", "interactions", "began with"], rows, note)

    def _history(self, *words: str) -> Any:
        from minimalagent_nb.notebook.history import history

        names = [word for word in words if word != "--live"] or [self._bench.session_id]
        return history(self._shell, self._log(), names[0], anywhere="--live" in words)

    def _reasoning(self) -> Any:
        from minimalagent_nb.widgets import run_bundle

        # As the file of the notebook may keep it.
        print(run_bundle(self._newest())["text/plain"])  # noqa: T201 - the command is asked to print

    def _show(self, *words: str) -> None:
        show(words, self._bench, self._bench.log(self._settings()))

    def _export(self, path: str) -> Table:
        from minimalagent_nb.notebook.export import code_of, export

        log, session_id = self._log(), self._bench.session_id
        file = export(
            path,
            session_id,
            lambda newest_first: log.history(session_id, newest_first=newest_first),
            code=lambda used: code_of(self._shell, self._bench, self._chosen("model"), used),
            to_lines=lambda target: log.export_to(session_id, target),
        )
        return Table("", ["", ""], [["written", str(file)]])

    def _fix(self) -> Question:
        settings = self._settings()
        repair = Repair(last_failure(self._shell), Withheld(settings.redact))
        return Question(
            agent=self._bench.mender(settings),
            prompt=PROMPT,
            session_id=self._bench.session_id,
            output_type=Mended,
            context=[repair.context(settings.context_budget)],
            options=Options(),
            # A tree is there for its Stop; in a terminal the mending says it all.
            quiet=not settings.show_reasoning or getattr(self._shell, "kernel", None) is None,
            repair=repair,
        )

    def _stop(self) -> Table:
        stopped = self._bench.runs.stop()
        note = "What was done is kept." if stopped else "No run is under way in the background."
        return Table("", ["", ""], [["stopped", _run_line(run)] for run in stopped], note)

    def _fork(self, name: str | None = None) -> Table:
        before = self._bench.session_id
        copy = self._log().fork(before, to=name)
        self._bench.start_session(copy)
        return Table("", ["", ""], [["session", copy], ["a copy of", before]])

    def _reset(self) -> Table:
        return Table("", ["", ""], [["new session", self._bench.start_session()]])

    def _config(self) -> Table:
        settings = self._settings()
        rows = [
            [field.name, _shown(getattr(settings, field.name)), settings.sources[field.name]]
            for field in fields(settings)
            if field.name in settings.sources
        ]
        policy = self._chosen("approver")
        rows.append(["approver", policy or "not set", _CONFIG if policy else "default"])
        note = "Change one: %config AgentMagics.max_steps = 30, or [tool.minimalagent_nb] in a \
pyproject.toml"
        return Table("Settings", ["setting", "value", "from"], rows, note)

    def _help(self) -> Any:
        rows = [(f"%agent {c.name} {c.argument}".rstrip(), c.about) for c in COMMANDS.values()]
        rows.append(("%agent ask PROMPT", "ask, whatever the words are; other lines ask as well"))
        width = max(len(left) for left, _ in rows)
        indent = "\n" + " " * (width + 4)
        lines = "\n".join(
            f"  {left:<{width}}  " + about.replace("\n", indent) for left, about in rows
        )
        print(f"{usage()}\n\n%agent COMMAND\n{lines}")  # noqa: T201 - the command is asked to print

    def _log(self) -> SessionLog:
        return memory_of(self._bench.log(self._settings()))

    def _newest(self) -> Reasoning:
        return newest(self._bench, self._bench.log(self._settings()))


def _shown(value: Any) -> str:
    # What a cell prints is in the notebook's file.
    return "not set" if value in (None, "", ()) else str(without_secrets(str(value)))


def _policy_line(policy: str) -> str:
    """What becomes of calls that must be allowed."""
    words = {
        "always": "always: no call is asked about",
        "never": "never: calls that ask are denied",
    }
    return words.get(policy, f"decided by your function {policy}")


def _run_line(run: AgentRun) -> str:
    question = " ".join(run.question.split())
    steps = run.reasoning.total_steps if run.reasoning is not None else 0
    return f"{question[:60]} (session {run.session_id}, step {max(steps, 1)})"


def _whole(tool: Tool) -> str:
    """All that there is to know of a tool: its options, its schema, its source."""
    options = [
        text
        for text, is_set in (
            ("asks before it runs", tool.approve),
            ("runs on the main thread", tool.main_thread),
            (f"gives up after {tool.timeout} s", tool.timeout),
        )
        if is_set
    ]
    schema = json.dumps(tool.input_schema, indent=2, ensure_ascii=False)
    return "".join(f"({text})\n" for text in options) + f"\n{schema}\n\n{source_of(tool.function)}"


def _signature(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    return ", ".join(
        name if name in required else f"{name}=…" for name in schema.get("properties", {})
    )


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
