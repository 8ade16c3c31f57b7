"""What the cells of a kernel displayed: their tables as text, their figures as pictures.

IPython keeps what a cell displays in a terminal only; in a kernel it goes to the page and
is forgotten. Imports nothing but the shell that it is handed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

__all__ = ["Shown"]

_KINDS = ("image/png", "image/jpeg", "text/plain")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_LARGEST = 3_000_000
"""Characters of one form of a display, pictures in base64."""
_MOST = 30_000_000
"""Characters of all that is kept; the oldest goes first."""


class Shown:
    """Watches what a kernel displays on its main thread, and keeps the newest of it.

    Args:
        shell: one whose displays go elsewhere; of any other there is nothing to keep.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._number: int | None = None
        self._kept: deque[tuple[int, dict[str, str], int]] = deque()
        self._size = 0

    def begin(self) -> None:
        """Watch from now on."""
        if hasattr(self._shell.display_pub, "register_hook"):
            self._shell.display_pub.register_hook(self._take)
            self._shell.events.register("pre_run_cell", self._note_cell)

    def end(self) -> None:
        """Leave the shell as it was."""
        if hasattr(self._shell.display_pub, "register_hook"):
            self._shell.display_pub.unregister_hook(self._take)
            self._shell.events.unregister("pre_run_cell", self._note_cell)

    def by(self, number: int) -> list[dict[str, str]]:
        """What the cell of this number displayed, as far as it is kept: MIME bundles."""
        return [bundle for cell, bundle, _ in self._kept if cell == number]

    def _note_cell(self, info: Any) -> None:
        # The count of executions goes on at the cell's beginning or at its end, as the version
        # of IPython has it; the cell itself is put behind the others right after this.
        if info.store_history:
            self._number = len(self._shell.history_manager.input_hist_raw)

    def _take(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """A hook of ipykernel: the message goes on as it is."""
        data = message["content"].get("data", {})
        # The text beside a widget says nothing of what is seen.
        told = message["header"]["msg_type"] == "display_data" and _WIDGET not in data
        if self._number is not None and told:
            found = {kind: _text(data[kind]) for kind in _KINDS if kind in data}
            bundle = {kind: text for kind, text in found.items() if len(text) <= _LARGEST}
            self._keep(self._number, bundle)
        return message

    def _keep(self, number: int, bundle: dict[str, str]) -> None:
        size = sum(map(len, bundle.values()))
        self._kept.append((number, bundle, size))
        self._size += size
        while self._size > _MOST:
            self._size -= self._kept.popleft()[2]


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)
