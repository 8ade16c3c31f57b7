"""``minimalagent-nb demo``: the quickstart with a real model, and no account.

Imports the notebook's headless execution, the demo model's weights and the printer.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Event, RunStarted
from minimalagent_nb.notebook.headless import execute_notebook, read_notebook
from minimalagent_nb.widgets import TerminalPrinter

__all__ = ["run_demo"]

_NEEDED = ("xllamacpp", "nbclient", "ipykernel", "pandas", "palmerpenguins")
_INSTALL = 'pip install "minimalagent-nb[demo]"'


def run_demo(to: str, *, open_lab: bool) -> int:
    """Execute the quickstart with the demo model into the folder `to`.

    Raises:
        ConfigurationError: something is missing; it says what to do.
        AgentError: the weights could not be fetched, or a cell failed.
    """
    console = Console()
    _check_installed([*_NEEDED, *(["jupyterlab"] if open_lab else [])])
    _fetch_weights(console)
    folder = Path(to).resolve()
    target = folder / "quickstart.ipynb"
    notebook = read_notebook(_quickstart())
    environment = {
        "MINIMALAGENT_NB_MODEL": "demo",
        "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {to} cannot be made: {error.strerror}. Name another one with --to."
        ) from error
    console.print(f"Executing the quickstart ({_count(notebook)} cells) …", style="dim")
    follower = _Follower(console)
    try:
        execute_notebook(notebook, folder, environment=environment, on_event=follower.add)
    finally:
        _write(notebook, target)
    _say_where(console, target)
    if open_lab:
        return _open_lab(target, environment)
    return 0


class _Follower:
    """Prints the runs of a notebook, one after another."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printer = TerminalPrinter(console)

    def add(self, event: Event) -> None:
        """Print the event; with a new run a new tree begins."""
        if isinstance(event, RunStarted):
            self._printer = TerminalPrinter(self._console)
            self._console.print()
        self._printer.add(event)


def _check_installed(names: list[str]) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(f"The demo needs {', '.join(missing)}: {_INSTALL}")


def _fetch_weights(console: Console) -> None:
    """The model's weights, with a bar where they have to be fetched."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from minimalagent_nb.models.weights import fetch_weights

    columns = (TextColumn("Fetching the demo model"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bars:
        task = bars.add_task("", total=None, visible=False)

        def progress(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total, visible=True)

        fetch_weights(progress=progress)


def _quickstart() -> Path:
    """The notebook: beside the package in a clone, in it where it was installed."""
    package = Path(__file__).parents[1]
    places = (package.parent / "notebooks", package / "notebooks")
    found = [place / "quickstart.ipynb" for place in places]
    for path in found:
        if path.is_file():
            return path
    raise ConfigurationError(
        "The quickstart notebook is missing from this installation. Install the package again."
    )


def _count(notebook: Any) -> int:
    return sum(cell.cell_type == "code" for cell in notebook.cells)


def _write(notebook: Any, target: Path) -> None:
    import nbformat

    nbformat.write(notebook, target)


def _say_where(console: Console, target: Path) -> None:
    console.print()
    console.print("The answers are those of a very small model: a demonstration.", style="dim")
    console.print("The executed notebook, with its outputs:")
    console.print(f"  {target}", soft_wrap=True, highlight=False)
    console.print("Open it in JupyterLab:")
    console.print(f"  jupyter lab {target}", soft_wrap=True, highlight=False)
    console.print("To ask on there, choose the same model first:")
    console.print('  %config AgentMagics.model = "demo"', highlight=False)


def _open_lab(target: Path, environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "jupyterlab", str(target)]
    # Our own interpreter and a path that the user named: nothing else comes in.
    done = subprocess.run(command, env={**os.environ, **environment}, check=False)  # noqa: S603
    return done.returncode
