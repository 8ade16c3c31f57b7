"""Executes a notebook of the project headless, with a script in the place of the model.

    python -m tests.notebooks.execute notebooks/quickstart.ipynb

writes the outputs into the file that is committed. The tools, the memory and the
numbers are real; only the model's words are prepared.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def execute(path: Path, folder: Path) -> Any:
    """The executed notebook; its memory lies in `folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    environment = {
        **os.environ,
        "MINIMALAGENT_NB_MODEL": f"scripted:{HERE / path.stem}.json",
        "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
        "JPY_SESSION_NAME": path.name,
    }
    client = NotebookClient(
        notebook,
        timeout=120,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute(env=environment, cleanup_kc=True)
    return notebook


def tidy(notebook: Any) -> Any:
    """Without what differs from run to run and says nothing to a reader."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("widgets", None)
    return notebook


def lasting(text: str) -> str:
    """`text` without times, durations and session ids, to compare two executions."""
    text = re.sub(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?", "TIME", text)
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "SESSION", text)
    return re.sub(r"\b[\d.]+\s?(ms|s)\b", "DURATION", text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            nbformat.write(tidy(execute(Path(name), Path(scratch))), name)
