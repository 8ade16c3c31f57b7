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
import io
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO

from minimalagent_nb._version import __version__
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.codec import dumps
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.component import script, style
from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes
from minimalagent_nb.widgets.replay import tree_message
from minimalagent_nb.widgets.static_page import static_html, summary_line
from minimalagent_nb.widgets.static_parts import escaped

__all__ = ["SessionPage", "Written", "session_page", "write_session_page"]

DATA_BYTES = 50_000_000
"""What the data of all interactions may take; the newest come first."""

STATIC_BYTES = 6_000_000
"""What their forms without script may take."""

_PIECE = 256_000
"""Bytes that are copied at a time."""
_QUERY = 300
_ANSWER = 4_000
"""Characters of question and answer where the rest of an interaction has no place."""


@dataclass(frozen=True)
class SessionPage:
    """The page as text, and of how many interactions it holds question and answer only."""

    html: str
    left_out: int


@dataclass(frozen=True)
class Written:
    """What was written: so many interactions, of some of them question and answer only."""

    interactions: int
    left_out: int = 0


def session_page(
    session_id: str,
    interactions: Sequence[Reasoning],
    *,
    data_bytes: int = DATA_BYTES,
    static_bytes: int = STATIC_BYTES,
) -> SessionPage:
    """The session as an HTML page in memory; see `write_session_page`.

    Args:
        interactions: oldest first.
    """
    page = io.BytesIO()
    written = write_session_page(
        page.write,
        session_id,
        reversed(interactions),
        data_bytes=data_bytes,
        static_bytes=static_bytes,
    )
    return SessionPage(page.getvalue().decode("utf-8"), written.left_out)


def write_session_page(
    write: Callable[[bytes], object],
    session_id: str,
    newest_first: Iterable[Reasoning],
    *,
    data_bytes: int = DATA_BYTES,
    static_bytes: int = STATIC_BYTES,
) -> Written:
    """Write the session as an HTML page, piece by piece, in UTF-8.

    One interaction at a time is in memory. The newest come first, as they have the room where
    there is none for all, and wait in a file for the head, which tells what became of all.

    Args:
        newest_first: the interactions.
        data_bytes: what the data of all trees may take, in characters.
        static_bytes: what the forms without script may take.
    """
    left_out, oldest = 0, None
    ends = [0]
    with tempfile.TemporaryFile() as scratch:
        for run in newest_first:
            data = "" if left_out else _json(run)
            if left_out or len(data) > data_bytes:
                data, left_out = "", left_out + 1
            data_bytes -= len(data)
            still = static_html(run) if data and static_bytes > 0 else ""
            if len(still) > static_bytes:
                still = ""
            static_bytes -= len(still)
            scratch.write(_encoded(_entry(run, still or _short(run, bool(data)), data)))
            ends.append(scratch.tell())
            oldest = run
        total = len(ends) - 1
        begin, end = _document(session_id)
        write(_encoded(begin + _head(session_id, oldest, total, left_out)))
        for number in range(1, total + 1):
            write(_encoded(_opening(number, is_open=number == total)))
            scratch.seek(ends[total - number])
            _copy(scratch, write, ends[total - number + 1] - ends[total - number])
        write(_encoded(end))
    return Written(total, left_out)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _copy(source: IO[bytes], write: Callable[[bytes], object], size: int) -> None:
    while size > 0:
        piece = source.read(min(size, _PIECE))
        write(piece)
        size -= len(piece)


def _document(session_id: str) -> tuple[str, str]:
    """What stands before and behind the body's content."""
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
    begin = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escaped(session_id, 200)}</title>\n"
        f"<style>\n{style('export/session.css')}</style>\n</head>\n<body>\n"
    )
    return begin, f'<script type="module">{code}</script>\n</body>\n</html>\n'


def _digest(code: str) -> str:
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _head(session_id: str, oldest: Reasoning | None, total: int, left_out: int) -> str:
    title = _one_line(oldest.query) if oldest is not None else ""
    number = figures.count(total, "interaction")
    exported = time.strftime("%Y-%m-%d %H:%M")
    note = ""
    if left_out:
        note = (
            f'<p class="me-note">This page is full: of the oldest {left_out:,} of '
            f"{total:,} interactions it holds question and answer only.</p>\n"
        )
    return (
        f'<header class="me-top"><h1>{title or escaped(session_id, 200)}</h1>'
        f'<p class="me-meta"><code>{escaped(session_id, 200)}</code> · {number} · exported '
        f"{exported} by minimalagent-nb {html.escape(__version__)}</p>"
        f'<button class="me-all" type="button" hidden>Open all</button></header>\n{note}'
    )


def _opening(number: int, *, is_open: bool) -> str:
    return (
        f'<details class="me-run" id="run-{number}"{" open" if is_open else ""}>'
        f'<summary><span class="me-number">{number}</span>'
    )


def _entry(run: Reasoning, still: str, data: str) -> str:
    """The interaction behind its `_opening`: how many were before it is not known yet."""
    parts = [figures.moment(figures.started_at(run)), *figures.summary_parts(run)[:1]]
    parts.append(figures.duration_text(run.duration))
    facts = " · ".join(html.escape(part) for part in parts if part)
    holder = f'<script type="application/json">{data}</script>' if data else ""
    return (
        f'<span class="me-query">{_one_line(run.query)}</span>'
        f'<span class="me-facts">{facts}</span></summary>'
        f'<div class="me-body">{still}</div>{holder}</details>\n'
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
