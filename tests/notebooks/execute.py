"""Executes a notebook of the project headless, with a script in the place of the model.

    python -m tests.notebooks.execute notebooks/quickstart.ipynb

writes the outputs into the file that is committed. The tools, the memory and the
numbers are real; only the model's words are prepared. A notebook about DynamoDB is
executed against Amazon's DynamoDB Local.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.servers import dynamodb_local

HERE = Path(__file__).parent
ON_DYNAMODB = {"memory"}


def execute(path: Path, folder: Path) -> Any:
    """The executed notebook; its memory lies in `folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
        dynamodb_local.UnavailableError: it needs DynamoDB Local, which cannot be run here.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        store_widget_state=False,
        coalesce_streams=True,  # what a command prints comes in pieces of any size
        resources={"metadata": {"path": str(path.parent)}},
    )
    with surroundings(path, folder) as environment:
        client.execute(env=environment, cleanup_kc=True)
    return notebook


@contextlib.contextmanager
def surroundings(path: Path, folder: Path) -> Iterator[dict[str, str]]:
    """The environment of its kernel, with what must run beside it."""
    environment = {
        **os.environ,
        # The commands of the environment that executes it.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "MINIMALAGENT_NB_MODEL": f"scripted:{HERE / path.stem}.json",
        "JPY_SESSION_NAME": path.name,
        "COLUMNS": "80",  # commands print for no terminal of the one who executes it
    }
    if path.stem not in ON_DYNAMODB:
        environment["MINIMALAGENT_NB_MEMORY"] = f"sqlite:///{folder / 'sessions.sqlite3'}"
        yield environment
        return
    with contextlib.closing(dynamodb_local.run(folder / "dynamodb.log")) as running:
        yield {**_without_aws(environment), **_to_dynamodb(next(running), folder)}


def _without_aws(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def _to_dynamodb(url: str, folder: Path) -> dict[str, str]:
    """What leads to DynamoDB at this address, as it leads users to theirs."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "XDG_DATA_HOME": str(folder / "data"),
    }


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
