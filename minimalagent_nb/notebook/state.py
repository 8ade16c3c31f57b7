"""What lives as long as the kernel: the session, the opened models and store, the last run.

Imports config, engine, models and sessions, the last three late.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb.config import Settings, resolve_settings
from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.notebook.fix import SYSTEM
from minimalagent_nb.notebook.kernel import is_session_of, new_session_id, notebook_slug, tools_in
from minimalagent_nb.notebook.options import Options
from minimalagent_nb.notebook.runs import Runs
from minimalagent_nb.notebook.sent import Unasked

if TYPE_CHECKING:
    from minimalagent_nb.engine import Agent
    from minimalagent_nb.models import Model
    from minimalagent_nb.reasoning import Reasoning
    from minimalagent_nb.sessions import SessionLog
    from minimalagent_nb.tools import Toolbox

__all__ = ["MODEL_WORDS", "POLICIES", "Workbench"]

POLICIES = ("always", "never")
"""Policies for calls that must be allowed; any other word is a variable."""

MODEL_WORDS = frozenset({"demo"})
"""Models that are chosen by one plain word; any other plain word is a variable."""


class Workbench:
    """Makes the agent of each run from the settings, the notebook's tools and the options.

    Attributes:
        namespace: the notebook's variables.
        session_id: the conversation that runs go on with.
        last_reasoning: of the newest run in this kernel, failed and stopped ones too.
        notebook_tools: tools over the notebook itself, empty until they are asked for.
        runs: those under way beside the kernel's own thread.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.notebook_tools: list[Any] = []
        self.slug = notebook_slug(namespace)
        self.session_id = new_session_id(self.slug or "notebook")
        self.last_reasoning: Reasoning | None = None
        self.runs = Runs()
        self._models: dict[tuple[str, str], Model] = {}
        self._logs: dict[tuple[Any, ...], SessionLog | None] = {}

    def settings(self, config: Mapping[str, Any], options: Options | None = None) -> Settings:
        """The settings with the options of a cell as call arguments."""
        given: dict[str, Any] = {}
        if options is not None:
            given = {
                "max_steps": options.max_steps,
                "system_prompt": options.system,
                "model": options.model,
            }
        return resolve_settings(given, config)

    def tools(self, patterns: tuple[str, ...] | None = None) -> Toolbox:
        """The notebook's tools, or those of them that match."""
        from minimalagent_nb.tools import Toolbox

        # The user's own go before those of the same name.
        toolbox = Toolbox([*self.notebook_tools, *tools_in(self.namespace)])
        return toolbox if patterns is None else toolbox.select(patterns)

    def agent(self, settings: Settings, options: Options, policy: str | None = None) -> Agent:
        """The agent for one run.

        Args:
            policy: who decides on calls that must be allowed; None for the user.

        Raises:
            ConfigurationError: the options or settings do not go together.
        """
        if options.agent is not None:
            return self._own_agent(options)
        return self._agent(
            settings,
            self._model_of_a_look(settings) if options.dry_run else self.model(settings),
            tools=self.tools(options.tools),
            max_steps=settings.max_steps,
            system_prompt=settings.system_prompt,
            real_time_reasoning=settings.real_time_reasoning,
            memory=self.log(settings),
            approver=self.approver(policy),
        )

    def mender(self, settings: Settings) -> Agent:
        """The agent that mends cells: it has no tools, and remembers nothing."""
        return self._agent(settings, self.model(settings), name="fix", system_prompt=SYSTEM)

    def _agent(
        self, settings: Settings, model: Model, memory: SessionLog | None = None, **more: Any
    ) -> Agent:
        from minimalagent_nb.engine import Agent

        return Agent(
            model=model,
            memory=memory,
            # What must not be stored is not traced either, also where nothing is stored.
            redact=None if memory else settings.redact,
            log_level=settings.log_level,
            bedrock_region=settings.bedrock_region,
            on_event=_tracing(settings.otel),
            **more,
        )

    def model(self, settings: Settings) -> Model:
        """The model that the settings name; one object a kernel, so that it is opened once."""
        from minimalagent_nb.models import find_model

        found = self.variable_model(settings.model)
        if found is not None:
            return found
        key = (settings.model, settings.bedrock_region)
        if key not in self._models:
            self._models[key] = find_model(settings.model, region=settings.bedrock_region)
        return self._models[key]

    def variable_model(self, name: str) -> Model | None:
        """The model in the variable of this name; None for what is no such name, but a model id.

        Raises:
            ConfigurationError: it can only be a variable, and holds no model.
        """
        from minimalagent_nb.models.protocol import is_model

        value = self.namespace.get(name)
        if is_model(value):
            return value
        if not name.isidentifier() or name in MODEL_WORDS:
            return None
        what = f"holds {type(value).__name__}" if value is not None else "is not defined"
        raise ConfigurationError(
            f"{name!r} is no model id, and a variable of that name {what}. Name a model id such as "
            "us.amazon.nova-pro-v1:0, scripted:PATH, local:PATH or demo; in a notebook, or run the "
            "cell that makes the model."
        )

    def _model_of_a_look(self, settings: Settings) -> Model:
        """The model, or what says why there is none: a look sends nothing, and needs none."""
        try:
            return self.model(settings)
        except AgentError as error:
            return Unasked.because(error)

    def approver(self, policy: str | None) -> Any:
        """What decides on calls that must be allowed: a word, or the function of that name.

        Raises:
            ConfigurationError: it is neither.
        """
        if not policy or policy in POLICIES:
            return policy or None
        value = self.namespace.get(policy)
        if not callable(value):
            what = f"holds {type(value).__name__}" if value is not None else "is not defined"
            raise ConfigurationError(
                f"%config AgentMagics.approver = {policy!r} is neither 'always' nor 'never', and "
                f"a variable of that name {what}. Name a function of a request and a stop flag "
                "that returns an Approval (see minimalagent_nb.approval)."
            )
        return value

    def log(self, settings: Settings) -> SessionLog | None:
        """The session log that the settings name, opened once a kernel; None for no memory."""
        from minimalagent_nb.sessions import open_log

        key = (
            settings.memory,
            settings.session_table_name,
            settings.memory_region or settings.bedrock_region,
            settings.session_ttl,
            settings.redact,
        )
        if key not in self._logs:
            self._logs[key] = open_log(settings)
        return self._logs[key]

    def earlier_session(self, settings: Settings) -> str | None:
        """The newest session of this notebook from an earlier kernel; None where it has no name."""
        log = self.log(settings)
        if log is None or not self.slug:
            return None
        for info in log.sessions(limit=50):
            if is_session_of(self.slug, info.session_id) and info.session_id != self.session_id:
                return str(info.session_id)
        return None

    def start_session(self, session_id: str | None = None) -> str:
        """Go on with this session, or begin a new one."""
        if session_id is not None:
            from minimalagent_nb.sessions import check_session_id

            check_session_id(session_id)
        self.session_id = session_id or new_session_id(self.slug or "notebook")
        self.last_reasoning = None
        return self.session_id

    def close(self) -> None:
        """Stop the runs, and close the session logs that were opened here."""
        self.runs.end()
        following = sys.modules.get("minimalagent_nb.widgets.stored_run")
        if following is not None:
            following.stop_following()
        for log in self._logs.values():
            if log is not None:
                log.close()
        self._logs.clear()

    def _own_agent(self, options: Options) -> Agent:
        from minimalagent_nb.engine import Agent

        clashing = {
            "--model": options.model,
            "--tools": options.tools,
            "--max-steps": options.max_steps,
            "--system": options.system,
        }
        given = [flag for flag, value in clashing.items() if value is not None]
        if given:
            raise ConfigurationError(
                f"--agent takes the agent as it is: leave out {', '.join(given)}, or set it on "
                "the agent."
            )
        agent = self.namespace.get(str(options.agent))
        if not isinstance(agent, Agent):
            known = [n for n, v in self.namespace.items() if isinstance(v, Agent) and n[0] != "_"]
            raise ConfigurationError(
                f"{options.agent!r} is no variable that holds an Agent. Make one with "
                f"{options.agent} = Agent(...). Agents here: {', '.join(known) or 'none'}."
            )
        return agent


@functools.cache
def _tracing(otel: str) -> tuple[Any, ...]:
    """The hook for OpenTelemetry, where the setting `otel` switches it on; one for all runs."""
    if otel == "off":
        return ()
    from minimalagent_nb.tracing import OpenTelemetry

    # Where only `on` is said, the variable of OpenTelemetry's own may say more.
    content = {"content": "spans", "events": "events"}.get(otel)
    return (OpenTelemetry(content=content),)
