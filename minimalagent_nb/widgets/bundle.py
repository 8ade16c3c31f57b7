"""A run as the formats that a notebook's file keeps. Imports the static forms."""

from __future__ import annotations

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.static_page import static_html
from minimalagent_nb.widgets.static_plain import static_markdown, static_text

__all__ = ["run_bundle"]


def run_bundle(reasoning: Reasoning) -> dict[str, str]:
    """MIME type to text, in the three forms that can be read without a kernel."""
    return {
        "text/html": static_html(reasoning),
        "text/markdown": static_markdown(reasoning),
        "text/plain": static_text(reasoning),
    }
