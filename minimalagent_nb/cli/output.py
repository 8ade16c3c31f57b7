"""What commands print: JSON of one shape, and text that no terminal takes for commands.

With ``--json`` a command prints one line, an object::

    {"version": 1, "command": "sessions", ...}

whose other names its ``--help`` lists; ``watch`` prints one such line for each event. A
command that failed, or was called wrongly, prints::

    {"version": 1, "command": "show", "error": {"type": "ConfigurationError", "message": "..."}}

Imports sessions' JSON and the views' pure parts, late.
"""

from __future__ import annotations

import re
import shutil
import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERSION", "escape_controls", "page", "print_error", "print_json", "print_line"]

VERSION = 1
"""Of the JSON: names are added within a version, none is taken away or changes its meaning."""

# JSON escapes those below 0x20 by itself; a terminal takes these for commands, too.
_CONTROLS = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def print_json(command: str, stream: IO[str] | None = None, /, **fields: Any) -> None:
    """Print the line of a command, as far as the stream's encoding allows readable."""
    from minimalagent_nb.sessions.codec import dumps

    to: Any = stream or sys.stdout
    text = escape_controls(dumps({"version": VERSION, "command": command, **fields}))
    encoding = to.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeError:
        import json

        text = json.dumps(json.loads(text))
    print(text, file=to, flush=True)


def print_line(text: str, file: IO[str] | None = None) -> None:
    """Print a text, whoever wrote it, without anything that a terminal would obey."""
    from minimalagent_nb.widgets.figures import clean

    print(clean(text), file=file or sys.stdout)


def page(*, stderr: bool = False) -> Console:
    """A console of rich's, as wide as the terminal is also where that is a dumb one."""
    from rich.console import Console, ConsoleDimensions

    made = Console(stderr=stderr)
    if made.is_dumb_terminal:
        made.size = ConsoleDimensions(*shutil.get_terminal_size())
    return made


def print_error(command: str, error: Exception, prefix: str, *, as_json: bool) -> None:
    """Say on standard error what failed, and with ``--json`` on standard output as well."""
    if as_json:
        print_json(command, error={"type": type(error).__name__, "message": str(error)})
    print_line(f"{prefix}{error}", sys.stderr)


def escape_controls(text: str) -> str:
    """JSON with escapes for what a terminal would obey; it says the same."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
