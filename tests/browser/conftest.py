"""One JupyterLab for all browser tests of the notebook."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import Desk, chromium, jupyter_lab

HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A running JupyterLab; tests put their notebooks into its folder.

    Not for the whole run: Playwright keeps an event loop in the thread while it is open.
    """
    if shutil.which("chromium") is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing")
        pytest.skip("chromium is missing: the notebook is not looked at in a browser")
    folder = tmp_path_factory.mktemp("lab")
    environment = {
        "MINIMALAGENT_NB_MODEL": f"scripted:{HERE.parent / 'notebooks' / 'quickstart.json'}",
        "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
    }
    with jupyter_lab(folder, **environment) as url, chromium() as browser:
        yield Desk(url, folder, browser)
