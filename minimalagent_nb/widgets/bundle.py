"""Runs and results as the formats that a notebook's file keeps, which holds no known secret.

Imports reasoning, redaction and the static forms.
"""

from __future__ import annotations

from typing import Any

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.widgets.static_page import static_html, summary_line
from minimalagent_nb.widgets.static_plain import static_markdown, static_text

__all__ = ["representation", "run_bundle"]


def run_bundle(reasoning: Reasoning) -> dict[str, str]:
    """MIME type to text, in the three forms that can be read without a kernel."""
    reasoning = _without_secrets(reasoning)
    return {
        "text/html": static_html(reasoning),
        "text/markdown": static_markdown(reasoning),
        "text/plain": static_text(reasoning),
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
    reasoning = _without_secrets(reasoning)
    head = f"<summary>RunResult {summary_line(reasoning)}</summary>"
    return {
        "text/html": f"<details>{head}{static_html(reasoning)}</details>",
        "text/plain": str(Redactor().secrets_out_of(repr(value))),
    }


def _without_secrets(reasoning: Reasoning) -> Reasoning:
    """The run as it may be kept: notebooks are given to others, and put under version control.

    Before it is written: Markdown and what is cut leave nothing of a secret that can be found.
    """
    data = reasoning.to_dict()
    clean = Redactor().secrets_out_of(data)
    return reasoning if clean is data else Reasoning.from_dict(clean)
