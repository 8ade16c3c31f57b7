"""Tells in a terminal that a run in the background is over, as a shell tells of its jobs.

One line on standard error, once, before or after the user's next cell: nothing is written
while somebody types. A Jupyter kernel needs none of it, as the run's own tree says it there.
Imports the handles of this room, and widgets, late.
"""

from __future__ import annotations

import sys
from typing import Any

from minimalagent_nb.errors import RunStoppedError
from minimalagent_nb.notebook.handle import AgentRun

__all__ = ["Notices"]

_QUESTION = 60
_ERROR = 300
"""Characters that are shown of what was asked, and of what went wrong."""
_EVENTS = ("pre_run_cell", "post_run_cell")


class Notices:
    """Watches the runs in the background of a shell without pages.

    Args:
        shell: where cells are run; nothing is told in a Jupyter kernel.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._watched: dict[AgentRun, str] = {}

    def begin(self) -> None:
        """Look from now on whenever a cell is run."""
        for event in _EVENTS:
            self._shell.events.register(event, self._look)

    def end(self) -> None:
        """Tell of all that are over, also of those that were just told to stop."""
        for event in _EVENTS:
            self._shell.events.unregister(event, self._look)
        self._tell(also_stopped=True)

    def watch(self, run: AgentRun, name: str) -> None:
        """Tell when this run is over; `name` is the variable that holds it."""
        if getattr(self._shell, "kernel", None) is None:
            self._watched[run] = name

    def _look(self, _: Any) -> None:
        self._tell()

    def _tell(self, *, also_stopped: bool = False) -> None:
        for run in [run for run in self._watched if run.done]:
            name = self._watched.pop(run)
            is_known = run.heard or (run.told_to_stop and not also_stopped)
            if not is_known:
                print(self._line(run, name), file=sys.stderr)  # noqa: T201 - a terminal's own way
            run.heard = True

    def _line(self, run: AgentRun, name: str) -> str:
        is_held = self._shell.user_ns.get(name) is run
        stored = f"%agent show --session {run.session_id}"
        error = run.error
        if error is None:
            became = f"is done: {f'{name}.result()' if is_held else stored}"
        else:
            text = f"failed: {type(error).__name__}: {_one_line(str(error), _ERROR)}"
            if isinstance(error, RunStoppedError):
                text = "was stopped."
            became = f"{text} What was done is kept: {f'{name}.reasoning' if is_held else stored}"
        question = _one_line(run.question, _QUESTION)
        return f'The run in the background "{question}" (session {run.session_id}) {became}'


def _one_line(text: str, width: int) -> str:
    """The beginning of a text as one line that a terminal only shows."""
    from minimalagent_nb.widgets.figures import clean

    line = " ".join(clean(text[: 10 * width]).split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
