"""A Jupyter Server in a process of its own, with runs to look at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.servers.dynamodb_local import free_port
from tests.servers.ending import end

TOKEN = "a-token-for-tests"
START_SECONDS = 60


@contextlib.contextmanager
def jupyter_server(
    folder: Path, *, more: Iterable[str] = (), **environment: str
) -> Iterator[tuple[str, int]]:
    """A running server with nothing but the extension, and `more`; its URL and process id."""
    port = free_port()
    home = folder / ".jupyter-home"
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}"]
    extensions = dict.fromkeys(("minimalagent_nb.server", *more), True)
    command += [f"--ServerApp.jpserver_extensions={extensions}"]
    env = {
        **os.environ,
        "PYTHONFAULTHANDLER": "1",  # see end()
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_NO_CONFIG": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **environment,
    }
    log = folder / "jupyter.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        yield url, process.pid
    finally:
        end(process, log)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"The server did not start:\n{log.read_text()[-2000:]}"
                ) from None
            time.sleep(0.1)


def log_of(database: Path) -> SessionLog:
    """A session log over the file, as a kernel has one."""
    return SessionLog(SQLiteStore(database))


def keep(log: SessionLog, session_id: str, events: Iterable[Event], *, real_time: bool) -> int:
    """Store a run; its interaction's id."""
    recorder = log.begin(session_id, real_time=real_time)
    for event in events:
        recorder.add(event)
    recorder.finish()
    assert recorder.interaction_id is not None
    return recorder.interaction_id


async def become(condition: Callable[[], Any]) -> None:
    """Wait for it; a test that fails takes a minute."""

    async def look() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), 60)
