"""Runs and results as the formats that a notebook's file keeps, which holds no known secret.

Imports reasoning, secrets and the static forms.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.secrets import secret_remover
from minimalagent_nb.widgets.static_page import static_html, summary_line
from minimalagent_nb.widgets.static_plain import static_markdown, static_text

__all__ = ["representation", "run_bundle"]


def run_bundle(reasoning: Reasoning) -> dict[str, str]:
    """MIME type to text, in the three forms that can be read without a kernel."""
    kept = _Kept()
    reasoning = kept.of(reasoning)
    return {
        "text/html": kept.clean(static_html(reasoning)),
        "text/markdown": kept.clean(static_markdown(reasoning)),
        "text/plain": kept.clean(static_text(reasoning)),
    }


def representation(value: Any) -> dict[str, str] | None:
    """A reasoning as its tree; a result as one line that opens to it; None for anything else.

    A result is often the last expression below the live tree of the very same run, so
    it does not show that again unasked.
    """
    if isinstance(value, Reasoning):
        # An empty one was never run: its fields say more.
        return run_bundle(value) if value.query is not None else None
    reasoning = getattr(value, "reasoning", None)
    if not isinstance(reasoning, Reasoning):
        return None
    kept = _Kept()
    reasoning = kept.of(reasoning)
    head = f"<summary>RunResult {summary_line(reasoning)}</summary>"
    return {
        "text/html": kept.clean(f"<details>{head}{static_html(reasoning)}</details>"),
        "text/plain": kept.clean(repr(value)),
    }


_VALUES = 2_000_000
"""Characters of arguments and results of one run that are looked through before it is written."""

_TEXTS = ("query", "final_thinking", "final_response", "thinking", "text", "error", "notices")
"""Fields of reasonings, steps and calls that hold what is written as Markdown, or in full."""

_SHAPED = ("inputs", "result", "output", "progress", "approval")
"""Those that hold values of any size."""


class _Kept:
    """Makes a run one that may be kept: notebooks are given to others, and under version control.

    Secrets are taken out before it is written, for Markdown may leave pieces of them that nobody
    finds; of very large values, of which little is written, only behind that. A sub-agent's run
    that is part of several is made once.
    """

    def __init__(self) -> None:
        self.clean = secret_remover()
        self._made: dict[int, Any] = {}
        self._room = _VALUES

    def of(self, part: Any) -> Any:
        """A reasoning, step or call without secrets."""
        made = self._made.get(id(part))
        if made is None:
            made = self._made[id(part)] = copy.copy(part)
            for name, value in vars(part).items():
                if name in ("steps", "tools"):
                    setattr(made, name, [self.of(one) for one in value])
                elif name == "reasoning" and value is not None:
                    made.reasoning = self.of(value)
                elif name in _TEXTS or (name in _SHAPED and self._takes(value)):
                    setattr(made, name, self.clean(value))
        return made

    def _takes(self, value: Any) -> bool:
        """Whether a value is no larger than what there is room for, which it takes then."""
        open_values = [value]
        while open_values and self._room > 0:
            one = open_values.pop()
            self._room -= len(one) if isinstance(one, str) else 1
            if isinstance(one, Mapping):
                open_values += [*one.keys(), *one.values()]
            elif isinstance(one, (list, tuple)):
                open_values += one
        return self._room > 0
