"""One browser and one JupyterLab for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import LAB, NOTEBOOK_7, Desk, jupyter_lab
from tests.chromium import chromium

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
