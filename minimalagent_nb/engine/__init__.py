"""The engine: the agent, its loop, and the execution of tool calls.

Knows the protocols of models, sessions and tools, not their inhabitants.
"""

from __future__ import annotations

from minimalagent_nb.engine.agent import Agent
from minimalagent_nb.engine.result import RunResult

__all__ = ["Agent", "RunResult"]
