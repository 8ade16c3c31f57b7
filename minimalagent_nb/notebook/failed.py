"""Which cells failed, and in which one an error was raised.

IPython keeps what failed from version 9 on; before that it is watched here. Imports nothing
but the shell that it is handed.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Failed", "failed_cells", "raised_in"]


class Failed:
    """Watches which cells fail, in a shell that does not keep it.

    Attributes:
        kept: name and text of the errors by the numbers of their cells.
    """

    def __init__(self, shell: Any) -> None:
        self.kept: dict[int, dict[str, str]] = {}
        self._shell = shell

    def begin(self) -> None:
        """Watch from now on."""
        if not hasattr(self._shell.history_manager, "exceptions"):
            self._shell.events.register("post_run_cell", self._note)

    def end(self) -> None:
        """Leave the shell as it was."""
        if not hasattr(self._shell.history_manager, "exceptions"):
            self._shell.events.unregister("post_run_cell", self._note)

    def _note(self, result: Any) -> None:
        number = result.execution_count
        if number is None or not result.info.store_history:
            return  # it has no number of its own
        error = result.error_before_exec or result.error_in_exec
        # The numbers begin anew where the shell does.
        self.kept.pop(number, None)
        if error is not None:
            self.kept[number] = {"ename": type(error).__name__, "evalue": str(error)}


def failed_cells(shell: Any) -> Mapping[int, Mapping[str, Any]]:
    """``ename`` and ``evalue`` of the cells that failed, by their numbers."""
    kept: Mapping[int, Mapping[str, Any]] | None
    kept = getattr(shell.history_manager, "exceptions", None)
    if kept is not None:
        return kept
    magics = shell.magics_manager.registry.get("AgentMagics")
    return magics.failed.kept if magics is not None else {}


def raised_in(shell: Any, error: BaseException) -> int | None:
    """The number of the cell whose code was running when an error was raised, or was wrong itself.

    By the code that the traceback names, so that it is known of errors from before the
    extension was loaded, too.
    """
    cells = shell.history_manager.input_hist_parsed
    # Each file once: of a recursion without an end there are thousands of frames.
    for name in dict.fromkeys(_files(error)):
        code = "".join(linecache.getlines(name)).rstrip("\n")
        for number in range(len(cells) - 1, 0, -1):
            if code and cells[number].rstrip("\n") == code:
                return number
    return None


def _files(error: BaseException) -> Iterator[str]:
    frame = error.__traceback__
    while frame is not None:
        yield frame.tb_frame.f_code.co_filename
        frame = frame.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename
