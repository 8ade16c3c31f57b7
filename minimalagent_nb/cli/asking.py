"""The questions of a run that is watched in a terminal: shown, answered, sent to its kernel.

Imports sessions, and the views' words.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from minimalagent_nb.cli.output import escape_controls, print_line
from minimalagent_nb.cli.requests import arguments_from
from minimalagent_nb.cli.typed import Lines, terminal_lines
from minimalagent_nb.errors import AgentError, RunOverError
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.sessions.waiting import WaitingCall, WaitingCalls
from minimalagent_nb.widgets.asked import asked_arguments

__all__ = ["Asker", "can_ask", "editor_call"]

ANNOUNCE_SECONDS = 30.0
"""So often the run's kernel is told that somebody watches: half of the time that it holds."""
REPLY_SECONDS = 20.0
"""So long a reply is waited for."""
_AGAIN_SECONDS = 1.5
"""After arguments that were refused: where somebody else has decided, that is known by then."""
_ARGUMENTS, _WHOLE = 4_000, 1_000_000
"""Characters of the arguments that are shown unasked, and where they were asked for."""

_QUESTION = "Allow it? [a]llow, [d]eny (and why), [e]dit the arguments: "
_NEW_ARGUMENTS = "New arguments as one line of JSON, or nothing to leave them: "
_NO_MORE = "Nothing is answered here any more; the run is watched on."
_NO_REPLY = (
    "The kernel of the run has not answered yet. It may still do it for about a minute; whether "
    "it has is seen here."
)


def can_ask() -> bool:
    """Whether somebody is there who sees the run and can type."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


class Asker:
    """Asks about the calls of one run that wait, one after another, while it goes on.

    What is shown is untrusted; what was answered is checked by the run's kernel, as an answer
    from the page is: that the arguments fit the tool, and that nobody was first.

    Args:
        log: where the run is stored.
        place: its session and interaction.
        lines: who types.
        say: prints a line.
        monotonic: seconds that only grow.
    """

    def __init__(
        self,
        log: SessionLog,
        place: tuple[str, int],
        *,
        lines: Lines | None = None,
        say: Callable[[str], None] = print_line,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._place = log, place
        self._lines: Lines | None = lines or terminal_lines()
        self._say, self._monotonic = say, monotonic
        self._answered: set[tuple[str, str]] = set()
        self._asked: WaitingCall | None = None
        self._is_open = False
        self._edits = False
        self._draft = ""
        self._rest_until = self._announced = float("-inf")
        self._is_mute = False

    def look(self, waiting: WaitingCalls, seconds: float) -> bool:
        """Ask about what waits, and take a line that is typed within so many seconds.

        Returns:
            False where there is nothing to ask: the time is then not over.
        """
        self._announce()
        call = next((one for one in waiting if (one.run, one.call) not in self._answered), None)
        if self._lines is None or call is None or self._monotonic() < self._rest_until:
            return False
        if call != self._asked:
            self._asked, self._edits, self._draft = call, False, ""
            self._lines.forget()
            self._show(call)
        elif not self._is_open:
            self._prompt()
        try:
            line = self._lines.look(seconds)
        except EOFError:
            self._lines = None
            self.interrupt()
            self._say(_NO_MORE)
            return True
        if line is not None:
            self._is_open = False
            self._take(call, line.strip())
        return True

    def interrupt(self) -> None:
        """Something else is about to be printed: a question that is open ends its line."""
        if self._is_open:
            self._is_open = False
            print(flush=True)  # noqa: T201 - a command line prints

    def _announce(self) -> None:
        """Tell the run's kernel that somebody is here: it waits for an answer then."""
        now = self._monotonic()
        if self._lines is None or now - self._announced < ANNOUNCE_SECONDS:
            return
        self._announced = now
        try:
            self._log.announce_watcher(*self._place)
        except AgentError as error:
            # A table that may only be read: said once, and tried again all the same.
            if not self._is_mute:
                self.interrupt()
                self._say(f"The run's kernel is not told that it is watched: {error}")
            self._is_mute = True

    def _show(self, call: WaitingCall) -> None:
        self.interrupt()
        who = f"The agent {call.agent}" if call.agent else "The agent"
        shown, whole = (asked_arguments(call.inputs, most) for most in (_ARGUMENTS, _WHOLE))
        self._say(f"{' '.join(who.split())[:80]} wants to call {call.tool}:\n{shown}")
        if shown != whole:
            self._say("(Not all of the arguments is shown. [s]how them.)")
        self._prompt()

    def _prompt(self) -> None:
        self._is_open = True
        text = _NEW_ARGUMENTS if self._edits else _QUESTION
        print(text, end="", flush=True)  # noqa: T201 - a command line prints

    def _take(self, call: WaitingCall, line: str) -> None:
        if self._edits:
            self._edits = False
            if line:
                self._edited(call, line)
            return
        word, _, rest = line.partition(" ")
        choice = word.lower().strip(",.:;")
        if choice in ("a", "allow", "y", "yes"):
            self._send(call, "approved")
        elif choice in ("d", "deny", "n", "no"):
            self._send(call, "denied", reason=rest.strip())
        elif choice in ("e", "edit"):
            self._edit(call)
        elif choice in ("s", "show"):
            self._say(asked_arguments(call.inputs, _WHOLE))
        else:
            self._say("Please answer a, d or e.")

    def _edit(self, call: WaitingCall) -> None:
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if not editor:
            self._edits = True
            return
        before = self._draft or _as_json(call.inputs)
        try:
            text = _from_editor(editor, before)
        except subprocess.CalledProcessError:
            self._say("The editor ended with an error: the arguments were left as they are.")
            return
        except (OSError, ValueError) as error:
            self._say(f"The editor {editor!r} failed ({error}). Unset EDITOR to type a line.")
            return
        if text.strip() == before.strip() and not self._draft:
            self._say("The arguments were left as they are.")
        else:
            self._draft = text
            self._edited(call, text)

    def _edited(self, call: WaitingCall, text: str) -> None:
        try:
            inputs = arguments_from(text)
        except ValueError as error:
            why = str(error)
            self._say(f"{why[:1].upper()}{why[1:]}.")
            return
        self._send(call, "edited", inputs=inputs)

    def _send(self, call: WaitingCall, decision: str, **more: Any) -> None:
        again = decision == "edited"
        try:
            sent = self._log.answer_call(
                *self._place, run=call.run, call=call.call, decision=decision, **more
            )
            reply = sent.wait(REPLY_SECONDS)
        except RunOverError as error:
            text, again = str(error), False
        except AgentError as error:
            text, again = str(error), True
        else:
            text = _NO_REPLY if reply is None else reply.text
            again = again and reply is not None and reply.state == "refused"
        if text:
            self._say(text)
        if again:
            # Where only the arguments are wrong, the call still waits.
            self._rest_until = self._monotonic() + _AGAIN_SECONDS
        else:
            self._answered.add((call.run, call.call))


def editor_call(
    editor: str, path: str, *, windows: bool = sys.platform == "win32"
) -> str | list[str]:
    """What starts the user's editor on a file; on Windows backslashes are parts of its path."""
    return f'{editor} "{path}"' if windows else [*shlex.split(editor), path]


def _as_json(inputs: Any) -> str:
    import json

    return escape_controls(json.dumps(inputs, indent=2, ensure_ascii=False)) + "\n"


def _from_editor(editor: str, text: str) -> str:
    """What the user's editor makes of a text; the file is for its owner alone, and is removed."""
    with tempfile.TemporaryDirectory(prefix="minimalagent-") as folder:
        path = os.path.join(folder, "arguments.json")
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        # Ctrl-C is the editor's there.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            subprocess.run(editor_call(editor, path), check=True)  # noqa: S603 - the user's own
        finally:
            signal.signal(signal.SIGINT, before)
        with open(path, encoding="utf-8") as file:
            return file.read()
