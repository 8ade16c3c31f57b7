"""One browser, one JupyterLab and one server with the page for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import LAB, NOTEBOOK_7, Desk, jupyter_lab
from tests.chromium import chromium
from tests.server.site import TOKEN, jupyter_server
from tests.widgets.tree_page import watched

HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of this folder."""
    with chromium() as made:
        yield made


@pytest.fixture(scope="package")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A running JupyterLab; tests put their notebooks into its folder."""
    folder = tmp_path_factory.mktemp("lab")
    environment = {
        "MINIMALAGENT_NB_MODEL": f"scripted:{HERE.parent / 'notebooks' / 'quickstart.json'}",
        "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
    }
    with jupyter_lab(folder, **environment) as url:
        yield Desk(url, folder, browser)


@pytest.fixture(autouse=True)
def nothing_goes_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """The pages and kernels of a test end with it: dozens of them keep both cores busy."""
    yield
    if "browser" in request.fixturenames:
        for context in request.getfixturevalue("browser").contexts:
            context.close()
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").end_kernels()


@pytest.fixture(params=[LAB, NOTEBOOK_7], ids=["lab", "notebook"])
def desk(lab: Desk, request: pytest.FixtureRequest) -> Desk:
    """The same JupyterLab, and Notebook 7 on the same server."""
    return lab.in_app(request.param)


WATCH = "document.addEventListener('securitypolicyviolation', (e) => console.error(e.blockedURI))"


@pytest.fixture(scope="package")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store behind the page; each test has sessions of its own there."""
    return tmp_path_factory.mktemp("page") / "sessions.sqlite3"


@pytest.fixture(scope="package")
def url(database: Path) -> Iterator[str]:
    """A running server with nothing but the extension."""
    memory = f"sqlite:///{database}"
    with jupyter_server(database.parent, MINIMALAGENT_NB_MEMORY=memory) as (url, _):
        yield url


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """The page, which fails the test where it did what it must not do."""
    made = browser.new_page(viewport={"width": 1200, "height": 800})
    offences = watched(made, url, "data:")
    made.add_init_script(WATCH)
    made.goto(f"{url}/minimalagent/?token={TOKEN}")
    yield made
    made.close()
    # Chromium notes answers that are told to the reader, as that nothing is stored yet.
    assert [one for one in offences if "the server responded with a status of 4" not in one] == []
