"""``minimalagent-nb demo``: the quickstart with a real model, and no account.

Imports the notebook's headless execution, the demo model's weights and the printer.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console

from minimalagent_nb.cli.output import page, print_json
from minimalagent_nb.cli.parsing import WrongCallError
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Event, RunStarted
from minimalagent_nb.notebook.headless import execute_notebook, read_notebook
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets import TerminalPrinter

__all__ = ["run_demo"]

_NEEDED = ("nbclient", "ipykernel", "pandas", "palmerpenguins")
_MEMORY = "MINIMALAGENT_NB_MEMORY"
_INSTALL = 'pip install "minimalagent-nb[demo]"'


def run_demo(to: str, *, open_lab: bool, as_json: bool = False) -> int:
    """Execute the quickstart with the demo model into the folder `to`.

    Raises:
        ConfigurationError: something is missing; it says what to do.
        AgentError: the weights could not be fetched, or a cell failed.
    """
    if as_json and open_lab:
        raise WrongCallError("minimalagent-nb demo: --json and --lab do not go together.")
    console = page(stderr=as_json)
    _check_installed([*_NEEDED, *(["jupyterlab"] if open_lab else [])])
    folder = _folder(to)
    _fetch_weights(console)
    target = _free_name(folder)
    notebook = read_notebook(_quickstart())
    environment = {
        "MINIMALAGENT_NB_MODEL": "demo",
        _MEMORY: f"sqlite:///{folder / 'sessions.sqlite3'}",
    }
    console.print(f"Executing the quickstart ({_count(notebook)} cells) …", style="dim")
    follower = _Follower(console)
    try:
        execute_notebook(notebook, folder, environment=environment, on_event=follower.add)
    finally:
        _write(notebook, target)
    if as_json:
        runs = [run.to_dict() for run in follower.runs]
        print_json("demo", notebook=str(target), memory=environment[_MEMORY], runs=runs)
        return 0
    _say_where(console, target)
    if open_lab:
        return _open_lab(target, environment)
    _say_how_to_open(console, target)
    return 0


class _Follower:
    """Prints the runs of a notebook, one after another."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printers = [TerminalPrinter(console)]

    @property
    def runs(self) -> list[Reasoning]:
        """What was done in each of them."""
        return [printer.reasoning for printer in self._printers[1:]]

    def add(self, event: Event) -> None:
        """Print the event; with a new run a new tree begins."""
        if isinstance(event, RunStarted):
            self._printers.append(TerminalPrinter(self._console))
            self._console.print()
        self._printers[-1].add(event)


def _folder(to: str) -> Path:
    folder = Path(to).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {to} cannot be made: {error.strerror}. Name another one with --to."
        ) from error
    return folder


def _free_name(folder: Path) -> Path:
    """Where to write: what an earlier demo left may have been worked on since."""
    ends = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    names = (f"quickstart{end}.ipynb" for end in ends)
    return next(folder / name for name in names if not (folder / name).exists())


def _check_installed(names: list[str]) -> None:
    from minimalagent_nb.models.local_engine import check_installed

    check_installed()
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

    try:
        nbformat.write(notebook, target)
    except OSError as error:
        raise ConfigurationError(
            f"The executed notebook cannot be written to {target}: {error.strerror}. Name another "
            "folder with --to."
        ) from error


def _say_where(console: Console, target: Path) -> None:
    console.print()
    console.print("The answers are those of a very small model: a demonstration.", style="dim")
    console.print("The executed notebook, with its outputs:")
    # A path is text: brackets in it are no markup.
    console.print(f"  {target}", markup=False, highlight=False, soft_wrap=True)


def _say_how_to_open(console: Console, target: Path) -> None:
    console.print("Open it in JupyterLab:")
    command = f"  jupyter lab {_quoted(target)}"
    console.print(command, markup=False, highlight=False, soft_wrap=True)
    console.print("To ask on there, choose the same model first:")
    console.print('  %config AgentMagics.model = "demo"', highlight=False)


def _quoted(path: Path) -> str:
    """The path as a shell takes it."""
    return f'"{path}"' if os.name == "nt" else shlex.quote(str(path))


def _open_lab(target: Path, environment: dict[str, str]) -> int:
    """JupyterLab in this process, so that Ctrl-C and signals reach it and its kernels end."""
    from jupyterlab.labapp import LabApp

    os.environ.update(environment)
    LabApp.launch_instance([str(target)])
    return 0
