"""``minimalagent-nb export``: a session as JSON lines, a page, Markdown or a notebook.

Imports sessions and the notebook's forms of a session.
"""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minimalagent_nb.cli.output import escape_controls
from minimalagent_nb.cli.stores import no_session, told
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.portable import writable
from minimalagent_nb.widgets.figures import clean, count, size_text

if TYPE_CHECKING:
    from minimalagent_nb.widgets.session_page import Written

__all__ = ["run_export"]

_FORMS = ("html", "md", "ipynb", "jsonl")


def run_export(options: argparse.Namespace, log: SessionLog) -> int:
    """Write the session; 0.

    Raises:
        AgentError: there is no such session, or the file cannot be written.
    """
    form = options.form or _by_name(options.output) or "jsonl"
    target = options.output
    if form != "jsonl" and target is None:
        target = f"{options.session}.{form}"
    elif target == "-":
        target = None
    if target is None and options.json:
        options.wrong_call("--json tells what was written: name the file with -o")
    if form == "jsonl":
        return _write_lines(options, log, target)
    return _write_page(options, log, form, target)


def _by_name(output: str | None) -> str | None:
    ending = Path(output or "").suffix.removeprefix(".").lower()
    return ending if ending in _FORMS else None


def _write_lines(options: argparse.Namespace, log: SessionLog, target: str | None) -> int:
    try:
        return _lines_written(options, log, target)
    except ConfigurationError:
        if log.session(options.session) is None and not log.interaction_ids(options.session):
            raise no_session(options.session, log) from None
        raise


def _lines_written(options: argparse.Namespace, log: SessionLog, target: str | None) -> int:
    if target is None:
        stream: Any = _Screen() if sys.stdout.isatty() else sys.stdout.buffer
        log.export_to(options.session, stream)
        return 0
    items = log.export_to(options.session, target)
    about = {"format": "jsonl", "bytes": Path(target).stat().st_size, "items": items}
    done = {"session_id": options.session, "file": target, **about}
    return told(options, done, f"{options.session}: {count(items, 'item')} written to {target}")


class _Screen:
    """Standard output as a terminal: what it would obey is written as JSON's escapes."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        """Write some lines of JSON."""
        sys.stdout.write(escape_controls(text))


def _write_page(options: argparse.Namespace, log: SessionLog, form: str, target: str | None) -> int:
    in_the_way = target is not None and options.output is None and Path(target).exists()
    if in_the_way and not options.force:
        raise ConfigurationError(
            f"{target} is there already. --force writes over it, and so does -o {target}."
        )
    if target is None:
        write = _screen() if sys.stdout.isatty() else sys.stdout.buffer.write
        _written(options, log, form, write)
        return 0
    with writable(target) as file:
        written = _written(options, log, form, file.write)
    size, left_out = Path(target).stat().st_size, written.left_out
    about = {"format": form, "bytes": size, "interactions": written.interactions}
    number = count(written.interactions, "interaction")
    said = f"{number} written to {target} ({size_text(size)})"
    if left_out:
        said += (
            f"; of {left_out:,} of them, the oldest, only question and answer: the page was full"
        )
    done = {"session_id": options.session, "file": target, **about, "left_out": left_out}
    return told(options, done, f"{options.session}: {said}")


def _written(
    options: argparse.Namespace, log: SessionLog, form: str, write: Callable[[bytes], object]
) -> Written:
    from minimalagent_nb.notebook.export import write_session

    session_id: str = options.session
    written = write_session(
        form,
        session_id,
        lambda newest_first: log.history(session_id, newest_first=newest_first),
        write,
    )
    if not written.interactions:
        raise no_session(session_id, log)
    return written


def _screen() -> Callable[[bytes], object]:
    """Writes to the terminal, without what it would obey."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    return lambda piece: sys.stdout.write(clean(decode(piece)))
