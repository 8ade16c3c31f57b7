"""Each notebook of the project, executed once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.execute import execute
from tests.servers.dynamodb_local import UnavailableError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="package")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The notebook of a name, executed."""
    done: dict[str, Any] = {}

    def run(name: str) -> Any:
        if name not in done:
            try:
                done[name] = execute(NOTEBOOKS / f"{name}.ipynb", tmp_path_factory.mktemp(name))
            except UnavailableError as reason:
                if os.environ.get("CI"):
                    pytest.fail(str(reason))
                pytest.skip(str(reason))
        return done[name]

    return run


def output(notebook: Any, source: str, kind: str = "text/plain") -> str:
    """What the last cell that holds `source` shows, of one MIME type; what it prints as text."""
    cell = [c for c in notebook.cells if source in c.source and c.get("outputs")][-1]
    shown = []
    for out in cell.outputs:
        printed = out.get("text", "") if kind == "text/plain" else ""
        shown.append(out.get("data", {}).get(kind, printed))
    return "".join(shown)
