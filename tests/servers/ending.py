"""Ends a server's process, and says where it was if it does not end."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

END_SECONDS = 30
SHOWN_CHARACTERS = 20_000


def end(process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask the process to end and wait for it.

    With ``PYTHONFAULTHANDLER=1`` in its environment, one that does not end writes the stacks of
    all its threads into its log first.

    Raises:
        RuntimeError: it had to be killed; with the end of its log.
    """
    process.terminate()
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        try:
            process.wait(timeout=END_SECONDS)
        finally:
            process.kill()
        said = log.read_text(errors="replace")[-SHOWN_CHARACTERS:]
        raise RuntimeError(f"The server did not end in {END_SECONDS} s:\n{said}") from None
