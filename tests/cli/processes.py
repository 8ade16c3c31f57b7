"""The command line in processes of its own: with pipes, with a terminal, interrupted."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

COMMAND = [sys.executable, "-m", "minimalagent_nb.cli"]
PATIENCE = 60
"""Seconds after which a process that should have said something is given up."""


def write_notebook(path: Path, *cells: str) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    return path


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """The command in a process, without a terminal."""
    options = {"stdin": subprocess.DEVNULL, "start_new_session": True, **options}
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def finished(*arguments: str, text: str | None = None, **options: Any) -> Any:
    """The command to its end: exit code, output and errors as text."""
    given: dict[str, Any] = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        start_new_session=True,
        check=False,
        **given,
        **options,
    )


class Terminal:
    """A terminal in which a command runs; `screen` is all that it was sent."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.master, self.process, self.screen = master, process, ""

    def wait_for(self, words: str) -> None:
        while words not in self.screen:
            assert self._read(), f"it ended without {words!r}:\n{self.screen}"

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        """The exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], PATIENCE)
        assert ready, f"nothing came for {PATIENCE} s:\n{self.screen}"
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.screen += data.decode("utf-8", "replace")
        return bool(data)


@contextlib.contextmanager
def in_terminal(
    *arguments: str, stdout: Any = None, columns: int = 80, term: str = "", **options: Any
) -> Iterator[Terminal]:
    """The command in a terminal; its standard output may go elsewhere."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    environment.update(TERM=term or "xterm-256color")

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=slave,
        stdout=stdout or slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=take_terminal,
        env=environment,
        **options,
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
