"""Cells that the tests of this room run, and running them."""

from __future__ import annotations

from typing import Any

SETUP = """
from minimalagent_nb import Agent, tool
from minimalagent_nb.models import ScriptedModel, call, say
model = ScriptedModel({script})
%config AgentMagics.model = "model"
"""

ADD = '''
@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
'''


def run(shell: Any, code: str, *, fails: str | None = None) -> Any:
    """Run a cell; it must succeed, or fail with an error that says `fails`."""
    result = shell.run_cell(code)
    error = result.error_before_exec or result.error_in_exec
    if fails is None:
        assert error is None, error
    else:
        assert fails in str(error)
    return result.result if fails is None else error


def prepare(shell: Any, script: str) -> Any:
    run(shell, SETUP.format(script=script) + ADD)
    return shell.user_ns["model"]
