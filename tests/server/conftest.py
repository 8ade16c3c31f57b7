"""A real Jupyter Server with the extension, over a store of the test's own.

The fixtures of pytest-jupyter are imported here rather than loaded as a plugin: as a
plugin their clean-up would start a server for every test of the whole suite.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from traitlets.config import Config

from minimalagent_nb.events import RunEnded, RunStarted
from minimalagent_nb.sessions import SessionLog, open_store
from tests.sessions.conftest import broken_file


@pytest.fixture
def jp_server_config() -> Config:
    return Config({"ServerApp": {"jpserver_extensions": {"minimalagent_nb.server": True}}})


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


@pytest.fixture
def memory(database: Path) -> str:
    """The setting that the server reads; tests override it."""
    return f"sqlite:///{database}"


@pytest.fixture
def broken_memory(database: Path) -> str:
    """The setting where the memory cannot be read."""
    return f"sqlite:///{broken_file(database)}"


@pytest.fixture(autouse=True)
def server_environment(memory: str, monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> None:
    """The server's settings come from the environment."""
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", memory)


@pytest.fixture
def keep_run(database: Path) -> Callable[..., None]:
    """Stores one finished run, as a kernel would."""

    def keep(session_id: str, query: str, *, at: float = 1_700_000_000.0) -> None:
        store = open_store(f"sqlite:///{database}", table_name="unused", region="us-west-2")
        with contextlib.closing(store):
            recorder = SessionLog(store, ttl=None).begin(session_id, real_time=False)
            recorder.add(RunStarted(at=at, run_id="run", query=query, session_id=session_id))
            recorder.add(RunEnded(at=at + 1, status="completed", response="done", duration=1.0))
            recorder.finish()

    return keep


@pytest.fixture
def http_get(jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Asks for a percent-encoded path, redirects not followed; status and body."""

    async def get(path: str, *, authorization: str | None = "") -> tuple[int, bytes]:
        headers = {} if authorization == "" else {"Authorization": authorization or ""}
        options = {"headers": headers, "raise_error": False, "follow_redirects": False}
        response = await jp_fetch(*unquote(path).split("/"), **options)
        return response.code, response.body or b""

    return get


@pytest.fixture
def hub(jp_serverapp: Any) -> Any:
    """What is followed on the server."""
    (app,) = jp_serverapp.extension_manager.extension_apps["minimalagent_nb.server"]
    return app.hub


@pytest.fixture
def address(
    jp_serverapp: Any, http_server: Any, http_server_port: Any, jp_base_url: str
) -> tuple[str, str]:
    """The server's URL and its token."""
    url = f"http://127.0.0.1:{http_server_port[-1]}{jp_base_url.rstrip('/')}"
    return url, jp_serverapp.identity_provider.token
