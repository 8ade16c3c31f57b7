"""What was run in this kernel: cells, their outputs, the last error.

Imports errors and what is known of failed cells; tools, late.

IPython keeps the source of every cell and the value of its last expression; since
IPython 9 also what it printed, and in a terminal what it displayed.
"""

from __future__ import annotations

import base64
import contextlib
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.errors import AgentError, ConfigurationError, ToolDefinitionError
from minimalagent_nb.notebook.failed import failed_cells, raised_in

__all__ = [
    "Cell",
    "Failure",
    "cells_of",
    "is_own",
    "is_prompt",
    "last_cell",
    "last_failure",
    "parse_ranges",
]

_OWN = re.compile(r"\s*(%%time\s+)?%%?agent\b|get_ipython\(\)\.run_(cell|line)_magic\('agent'")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Cell:
    """One executed cell: its number as in ``In [n]``, its source, what came out.

    Attributes:
        output: as text.
        images: PNG and JPEG files that it displayed.
    """

    number: int
    source: str
    output: str = ""
    images: tuple[bytes, ...] = ()

    def text(self) -> str:
        """The cell as a model reads it."""
        out = f"\nOutput:\n{self.output}" if self.output else ""
        return f"In [{self.number}]:\n{self.source.rstrip()}{out}"

    def blocks(self) -> list[dict[str, Any]]:
        """The images as content blocks for a model."""
        from minimalagent_nb.tools import render

        content = [block for image in self.images for block in render(image).content]
        return [block for block in content if "image" in block]


def parse_ranges(text: str) -> list[tuple[int, int]]:
    """``3-7,9``, as the options have checked it, as pairs of first and last number.

    Raises:
        ConfigurationError: a range runs backwards.
    """
    ranges = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        ranges.append((int(first), int(last or first)))
        if ranges[-1][1] < ranges[-1][0]:
            raise ConfigurationError(f"--cells {part}: {first} comes after {last}. Turn it round.")
    return ranges


def cells_of(shell: Any, ranges: Iterable[tuple[int, int]]) -> list[Cell]:
    """The cells of these numbers that were run in this kernel, in order.

    Raises:
        ConfigurationError: a range holds none.
    """
    found: dict[int, Cell] = {}
    newest = _newest(shell)
    for first, last in ranges:
        numbers = range(max(first, 1), min(last, newest) + 1)
        here = [_cell(shell, n) for n in numbers]
        here = [cell for cell in here if cell.source.strip()]
        if not here:
            which = "No cell " if first == last else f"No cell between In [{first}] and "
            raise ConfigurationError(
                f"{which}In [{last}] was run in this kernel; the newest is In [{newest}]."
            )
        found.update((cell.number, cell) for cell in here)
    return [found[number] for number in sorted(found)]


def last_cell(shell: Any) -> Cell:
    """The newest cell that was no prompt.

    Raises:
        ConfigurationError: there is none.
    """
    for number in range(_newest(shell), 0, -1):
        source = _raw(shell, number)
        if source.strip() and not is_prompt(source):
            return _cell(shell, number)
    raise ConfigurationError("--last: no other cell was run in this kernel yet.")


@dataclass(frozen=True)
class Failure:
    """The newest exception that reached a cell: its traceback, and that cell where it is known."""

    traceback: str
    cell: Cell | None

    def text(self) -> str:
        """Both as a model reads them."""
        return (f"{self.cell.text()}\n\n" if self.cell else "") + self.traceback


def is_prompt(source: str) -> bool:
    """Whether a cell asks the agent or commands it, and is none of the notebook's code."""
    return _OWN.match(source) is not None


def is_own(error: BaseException | None) -> bool:
    """Whether an error is the agent's own, not one of the notebook's code.

    The code of a tool is the notebook's: a mistake in it can be mended like any other.
    """
    return isinstance(error, AgentError) and not isinstance(error, ToolDefinitionError)


def last_failure(shell: Any) -> Failure:
    """The newest exception that reached a cell.

    Raises:
        ConfigurationError: there was none.
    """
    error = getattr(sys, "last_value", None)
    if is_own(error):
        # An error of the agent itself came after it, such as an option that there is not.
        magics = shell.magics_manager.registry.get("AgentMagics")
        error = magics.last_error if magics is not None else None
    if error is None:
        raise ConfigurationError("No cell of this kernel has failed yet.")
    # The frames of IPython around the cell say nothing about the error.
    frames = error.__traceback__
    while frames is not None and "IPython" in frames.tb_frame.f_code.co_filename:
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return Failure("".join(lines).rstrip(), _failed_cell(shell, error))


def _failed_cell(shell: Any, error: BaseException) -> Cell | None:
    """The cell that raised, where its code or its failing is known; else the newest one."""
    raised = raised_in(shell, error)
    if raised is not None:
        return _cell(shell, raised)
    for number in sorted(failed_cells(shell), reverse=True):
        source = _raw(shell, number)
        if source.strip() and not is_prompt(source):
            return _cell(shell, number)
    try:
        return last_cell(shell)
    except ConfigurationError:
        return None


def _newest(shell: Any) -> int:
    """The number of the newest cell before the one that asks.

    By what was typed: IPython counts a cell at its end, newer versions at its beginning.
    """
    number = len(shell.history_manager.input_hist_raw) - 1
    return number - 1 if is_prompt(_raw(shell, number)) else number


def _cell(shell: Any, number: int) -> Cell:
    return Cell(number, _raw(shell, number), _output(shell, number), _images(shell, number))


def _raw(shell: Any, number: int) -> str:
    """The cell as it was typed, magics and all."""
    raw = shell.history_manager.input_hist_raw
    return str(raw[number]) if 0 <= number < len(raw) else ""


def _output(shell: Any, number: int) -> str:
    """What a cell printed and displayed, as text, and how it failed."""
    kept = _bundles(shell, number)
    parts = [_joined(bundle.get("stream", bundle.get("text/plain", ""))) for bundle in kept]
    failed = failed_cells(shell).get(number)
    if failed:
        parts.append(f"{failed.get('ename')}: {failed.get('evalue')}")
    return _ANSI.sub("", "\n".join(part.rstrip() for part in parts if part)).strip()


def _images(shell: Any, number: int) -> tuple[bytes, ...]:
    """The pictures that a cell displayed."""
    found: list[bytes] = []
    for bundle in _bundles(shell, number):
        data = bundle.get("image/png") or bundle.get("image/jpeg")
        with contextlib.suppress(ValueError, TypeError):  # whatever was displayed as a picture
            if data:
                found.append(data if isinstance(data, bytes) else base64.b64decode(_joined(data)))
    return tuple(found)


def _bundles(shell: Any, number: int) -> list[Mapping[str, Any]]:
    """What came out of a cell: what IPython has kept, and in a kernel what we have seen."""
    outputs = getattr(shell.history_manager, "outputs", None)
    if outputs is None:
        value = shell.user_ns.get("Out", {}).get(number)
        kept: list[Mapping[str, Any]] = [] if value is None else [{"text/plain": repr(value)}]
        displayed = False
    else:
        kept = [output.bundle for output in outputs.get(number, ())]
        displayed = any(o.output_type == "display_data" for o in outputs.get(number, ()))
    magics = shell.magics_manager.registry.get("AgentMagics")
    return kept if displayed or magics is None else [*kept, *magics.shown.by(number)]


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)
