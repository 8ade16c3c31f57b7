"""The pure parts of the history browser, by node's own test runner."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

from minimalagent_nb import widgets

ASSETS = pathlib.Path(widgets.__file__).parent / "assets"


def test_differences_pairs_and_times(run_node: Callable[..., str], tmp_path: pathlib.Path) -> None:
    shutil.copytree(ASSETS, tmp_path / "assets")
    (tmp_path / "assets" / "package.json").write_text('{"type": "module"}')
    output = run_node("--test", "history.test.mjs", HISTORY_JS=str(tmp_path / "assets" / "history"))
    assert "# pass 14" in output
