"""What the tests of the views share: node, Chromium, and a page that holds the tree."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.widgets.component import script
from tests.chromium import chromium, program
from tests.sessions.conftest import FaultyStore
from tests.widgets.history_page import HistoryPage
from tests.widgets.tree_page import TreePage

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="session")
def run_node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs node on a file of js/; where the tree is, as a page gets it, its environment says."""
    # Under this name any node takes it for a module.
    copy = tmp_path_factory.mktemp("tree") / "tree.mjs"
    copy.write_text(script("tree/widget.js"), encoding="utf-8")
    node = program("node" if shutil.which("node") else "nodejs")

    def run(*arguments: str, text: str = "", **environment: str) -> str:
        done = subprocess.run(
            [node, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=HERE / "js",
            env={**os.environ, "TREE_JS": str(copy), **environment},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of this folder."""
    with chromium() as made:
        yield made


@pytest.fixture
def tree_page(browser: Any) -> Iterator[TreePage]:
    """A page for one test, which fails where the page did what it must not do."""
    page = browser.new_page(viewport={"width": 900, "height": 700})
    tree = TreePage(page)
    yield tree
    page.close()
    assert tree.offences == []


@pytest.fixture
def store(tmp_path: pathlib.Path) -> FaultyStore:
    """A store in a file, ``s.sqlite3`` in the test's folder, that can be made to fail."""
    return FaultyStore(SQLiteStore(tmp_path / "s.sqlite3"))


@pytest.fixture
def log(store: FaultyStore) -> Iterator[SessionLog]:
    """The sessions in it."""
    made = SessionLog(store)
    yield made
    made.close()


@pytest.fixture
def history(browser: Any) -> Iterator[HistoryPage]:
    """A page for the history browser, which fails the test likewise."""
    made = HistoryPage(browser.new_page(viewport={"width": 1000, "height": 760}))
    yield made
    made.close()
    assert made.offences == []
