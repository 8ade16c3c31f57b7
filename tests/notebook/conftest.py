"""A shell with the extension loaded, and a kernel's worth of environment."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


def new_shell(config: Config | None = None, parent: Any = None) -> Any:
    """A plain IPython shell that leaves no history behind; `parent` is what began it."""
    config = config or Config(parent.config if parent is not None else {})
    config.merge(Config({"HistoryManager": {"enabled": False}}))
    shell = InteractiveShell(config=config, parent=parent)
    # Else it lives as long as the process, and collects garbage once more when that ends: with
    # hundreds of shells, for minutes.
    atexit.unregister(shell.atexit_operations)
    return shell


@pytest.fixture
def store_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> Path:
    """An embedded store of the test's own, in a folder without a project file."""
    path = tmp_path / "sessions.sqlite3"
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{path}")
    monkeypatch.setenv("JPY_SESSION_NAME", "work/My notebook.ipynb")
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def shell(store_path: Path) -> Iterator[Any]:
    """A plain IPython shell, as in a terminal, with the extension loaded."""
    shell = new_shell()
    shell.run_line_magic("load_ext", "minimalagent_nb")
    yield shell
    shell.run_line_magic("unload_ext", "minimalagent_nb")
