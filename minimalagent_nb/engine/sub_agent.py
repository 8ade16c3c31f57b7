"""An agent as a tool of another one. Imports tools and the ground floor; the agent for its type."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from minimalagent_nb.engine.output import OutputForm
from minimalagent_nb.engine.scope import current_call
from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.events import MessageAdded, SubAgentEvent
from minimalagent_nb.tools import Tool, ToolContext

if TYPE_CHECKING:
    from minimalagent_nb.engine.agent import Agent

__all__ = ["as_tool"]

_DEEPEST = 8
"""Agents within agents; more are taken for ones that ask each other for ever."""

_depth: contextvars.ContextVar[int] = contextvars.ContextVar("minimalagent_depth", default=0)


def as_tool(agent: Agent, name: str | None, description: str | None, output_type: Any) -> Tool:
    """A tool that asks `agent` and returns its answer; see `Agent.as_tool`.

    Raises:
        ConfigurationError: the name is none that a tool may have, or the type has no JSON form.
    """
    if output_type is not None:
        OutputForm.of(output_type, ())

    def ask(request: str, context: ToolContext) -> Any:
        """Ask the agent; its events become those of the call."""
        depth = _depth.get()
        if depth >= _DEEPEST:
            raise AgentError(f"Agents may ask each other {_DEEPEST} deep; answer without asking.")
        token = _depth.set(depth + 1)
        try:
            return _answer(agent, request, context, output_type)
        finally:
            _depth.reset(token)

    about = description or f"Ask {agent.name}, an agent with tools of its own."
    try:
        return Tool.from_function(
            ask,
            name=name or agent.name,
            description=about,
            param_descriptions={
                "request": "What it should find out or do, with all that it needs to know: it "
                "does not see this conversation."
            },
        )
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} (as_tool takes name=.)") from error


def _answer(agent: Agent, request: str, context: ToolContext, output_type: Any) -> Any:
    scope = current_call.get()
    loop, outer = (scope.caller, scope.main_thread) if scope is not None else (None, None)
    recorded = agent.begin(request, None, loop, output_type, outer=outer)
    # The run ends with this call (see `nested_run`), and when its own agent is stopped.
    for event in agent.events(recorded):
        if not isinstance(event, MessageAdded):
            context.emit(
                SubAgentEvent(at=event.at, step=context.step, call_id=context.call_id, event=event)
            )
    result = agent.result(recorded)
    return result.response if output_type is None else result.output
