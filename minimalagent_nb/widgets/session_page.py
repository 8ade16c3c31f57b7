"""A whole session as one page that needs nothing else: trees to open, and a form without script.

Each interaction stands there still, as `static_html` writes it, and beside it lie its data as
JSON; the page's one script draws the tree from them when the interaction is opened. Nothing of
a model or a tool is code there: it is escaped text, or JSON in which no tag can begin, and the
policy in the page's head lets no other script run and nothing be loaded.

Imports reasoning, the JSON of sessions and this room's pure parts.
"""

from __future__ import annotations

import base64
import hashlib
import html
import time
from collections.abc import Sequence
from dataclasses import dataclass

from minimalagent_nb._version import __version__
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.codec import dumps
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.component import script, style
from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes
from minimalagent_nb.widgets.replay import tree_message
from minimalagent_nb.widgets.static_page import static_html, summary_line
from minimalagent_nb.widgets.static_parts import escaped

__all__ = ["SessionPage", "session_page"]

DATA_BYTES = 50_000_000
"""What the data of all interactions may take; the newest come first."""

STATIC_BYTES = 6_000_000
"""What their forms without script may take."""

_QUERY = 300
_ANSWER = 4_000
"""Characters of question and answer where the rest of an interaction has no place."""


@dataclass(frozen=True)
class SessionPage:
    """The page as text, and of how many interactions it holds question and answer only."""

    html: str
    left_out: int


def session_page(
    session_id: str,
    interactions: Sequence[Reasoning],
    *,
    data_bytes: int = DATA_BYTES,
    static_bytes: int = STATIC_BYTES,
) -> SessionPage:
    """The session as an HTML page.

    Args:
        interactions: oldest first.
        data_bytes: what the data of all trees may take, in characters.
        static_bytes: what the forms without script may take.
    """
    entries: list[str] = []
    left_out = 0
    # Where there is no place for all, the newest have it.
    for number, run in reversed(list(enumerate(interactions, 1))):
        data = "" if left_out else _json(run)
        if left_out or len(data) > data_bytes:
            data, left_out = "", left_out + 1
        data_bytes -= len(data)
        still = static_html(run) if data and static_bytes > 0 else ""
        if len(still) > static_bytes:
            still = ""
        static_bytes -= len(still)
        is_open = number == len(interactions)
        entries.append(_entry(number, run, still or _short(run, bool(data)), data, is_open))
    body = _head(session_id, interactions, left_out) + "\n".join(reversed(entries))
    return SessionPage(_document(session_id, body), left_out)


def _document(session_id: str, body: str) -> str:
    code = f"{script('export/session.js')}\nopenSession(document);\n"
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(code)}'",
            # The static forms have style attributes: readers of notebooks drop style sheets.
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            # In Chromium no text can become HTML or a script then, whatever the code says.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escaped(session_id, 200)}</title>\n"
        f"<style>\n{style('export/session.css')}</style>\n</head>\n<body>\n{body}\n"
        f'<script type="module">{code}</script>\n</body>\n</html>\n'
    )


def _digest(code: str) -> str:
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _head(session_id: str, interactions: Sequence[Reasoning], left_out: int) -> str:
    title = _one_line(interactions[0].query) if interactions else ""
    number = figures.count(len(interactions), "interaction")
    exported = time.strftime("%Y-%m-%d %H:%M")
    note = ""
    if left_out:
        note = (
            f'<p class="me-note">This page is full: of the oldest {left_out:,} of '
            f"{len(interactions):,} interactions it holds question and answer only.</p>\n"
        )
    return (
        f'<header class="me-top"><h1>{title or escaped(session_id, 200)}</h1>'
        f'<p class="me-meta"><code>{escaped(session_id, 200)}</code> · {number} · exported '
        f"{exported} by minimalagent-nb {html.escape(__version__)}</p>"
        f'<button class="me-all" type="button" hidden>Open all</button></header>\n{note}'
    )


def _entry(number: int, run: Reasoning, still: str, data: str, is_open: bool) -> str:
    parts = [figures.moment(figures.started_at(run)), *figures.summary_parts(run)[:1]]
    parts.append(figures.duration_text(run.duration))
    facts = " · ".join(html.escape(part) for part in parts if part)
    holder = f'<script type="application/json">{data}</script>' if data else ""
    return (
        f'<details class="me-run" id="run-{number}"{" open" if is_open else ""}>'
        f'<summary><span class="me-number">{number}</span>'
        f'<span class="me-query">{_one_line(run.query)}</span>'
        f'<span class="me-facts">{facts}</span></summary>'
        f'<div class="me-body">{still}</div>{holder}</details>'
    )


def _short(run: Reasoning, has_data: bool) -> str:
    """Question and answer, where there is no place for more without script."""
    said = run.error if run.status == "failed" else run.final_response
    nodes = markdown_nodes(figures.clean((said or "")[:_ANSWER]))
    why = (
        "What was done is drawn by this page's script."
        if has_data
        else "What was done is left out here, because the page is full."
    )
    return (
        f"<p><strong>{escaped(run.query or '', _ANSWER)}</strong></p><p>{summary_line(run)}</p>"
        f"{markdown_html(nodes)}<p><small>{why}</small></p>"
    )


def _json(run: Reasoning) -> str:
    """The tree's data; without ``<`` neither an end tag nor a comment can begin in them."""
    return dumps(tree_message(run)).replace("<", "\\u003c")


def _one_line(text: str | None) -> str:
    return escaped(" ".join((text or "")[: 2 * _QUERY].split()), _QUERY)
