"""A session as a file: a notebook that runs again, Markdown, a page, or JSON lines.

Imports widgets for what a run looks like, tools and nbformat, all late; and what was run here.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.kernel import tools_in
from minimalagent_nb.notebook.needed import cells_that_make, source_of
from minimalagent_nb.reasoning import Reasoning

if TYPE_CHECKING:
    from minimalagent_nb.notebook.state import Workbench
    from minimalagent_nb.widgets.session_page import Written

__all__ = ["FORMS", "Code", "History", "code_of", "export", "write_session"]

FORMS = ("ipynb", "md", "html")
"""Forms of a session for readers, which are the endings of their files."""

History = Callable[[bool], Iterable[Reasoning]]
"""Gives a session's interactions, the newest first where it is asked to."""

_PIECE = 256_000
"""Bytes that are copied at a time."""
_SETUP = "%load_ext minimalagent_nb\nfrom minimalagent_nb import tool"


@dataclass(frozen=True)
class Code:
    """What a notebook needs to run its prompts again.

    Attributes:
        cells: sources that make the tools and what these use, in their order.
        tools: names of the tools that they make.
        settings: lines that choose the model, and switch on the tools over the notebook.
    """

    cells: Sequence[str] = ()
    tools: Collection[str] = ()
    settings: Sequence[str] = ()


def code_of(shell: Any, bench: Workbench, model: str | None, used: set[str]) -> Code:
    """What this kernel has of the tools of these names, and the model that was chosen in it.

    Args:
        model: what ``%config AgentMagics.model`` holds.
    """
    from minimalagent_nb.tools import Toolbox

    tools: dict[str, set[str]] = {}
    for name, value in list(bench.namespace.items()):
        if tools_in({name: value}) and (found := {t.name for t in Toolbox([value])} & used):
            tools[name] = found
    wanted = {*tools, *({model} & bench.namespace.keys() if model else ())}
    cells, missing = cells_that_make(shell, wanted)
    cells += [source_of(bench.namespace[name]) for name in tools if name in missing]
    settings = [f"%config AgentMagics.model = {model!r}"] if model and model not in missing else []
    of_notebook = {tool.name for tool in Toolbox(bench.notebook_tools)} & used
    if of_notebook:
        settings.append("%agent tools +notebook")
    return Code(list(dict.fromkeys(cells)), of_notebook.union(*tools.values()), settings)


def export(
    path: str,
    session_id: str,
    history: History,
    *,
    code: Callable[[set[str]], Code],
    to_lines: Callable[[Path], object],
) -> Path:
    """Write the session to a file whose ending says how; returns its path.

    Args:
        history: gives the session's interactions.
        code: what a notebook needs to run with tools of these names.
        to_lines: writes everything that is stored, for ``.jsonl``.

    Raises:
        ConfigurationError: there is nothing to write, another ending, or a path that cannot
            be written or is taken.
    """
    from minimalagent_nb.sessions.portable import writable

    file = Path(path).expanduser()
    form = file.suffix.removeprefix(".").lower()
    if form not in (*FORMS, "jsonl"):
        known = ", ".join(f".{one}" for one in (*FORMS, "jsonl"))
        raise ConfigurationError(f"{path}: the ending says what is written; take one of {known}.")
    if next(iter(history(True)), None) is None:
        raise ConfigurationError(f"The session {session_id} has no interactions to export yet.")
    if file.exists():
        raise ConfigurationError(f"{file} is there already. Choose another name, or remove it.")
    if not file.parent.is_dir():
        raise ConfigurationError(
            f"{file} cannot be written: there is no folder {file.parent}. Make it, or choose "
            "another path."
        )
    if form == "jsonl":
        to_lines(file)
        return file
    with writable(file) as target:
        write_session(form, session_id, history, target.write, code)
    return file


def write_session(
    form: str,
    session_id: str,
    history: History,
    write: Callable[[bytes], object],
    code: Callable[[set[str]], Code] = lambda _used: Code(),
) -> Written:
    """Write the session in a form for readers, piece by piece, in UTF-8.

    One interaction at a time is in memory; what must wait for those behind it does so in a
    file. Of a session without interactions nothing is written.

    Args:
        form: one of `FORMS`.
        history: gives the session's interactions.
        code: what a notebook needs to run with tools of these names.
    """
    from minimalagent_nb.widgets.session_page import write_session_page

    runs = iter(history(form == "html"))
    first = next(runs, None)
    if first is None:
        return _written(0)
    runs = itertools.chain([first], runs)
    del first
    if form == "html":
        return write_session_page(write, session_id, runs)
    write_form = _write_markdown if form == "md" else _write_notebook
    return write_form(write, session_id, runs, code)


def _written(interactions: int) -> Written:
    from minimalagent_nb.widgets.session_page import Written

    return Written(interactions)


def _write_markdown(
    write: Callable[[bytes], object],
    session_id: str,
    runs: Iterable[Reasoning],
    _code: Callable[[set[str]], Code],
) -> Written:
    """Markdown, the interactions numbered."""
    from minimalagent_nb.widgets import static_markdown

    write(f"# {session_id}\n".encode())
    number = 0
    for number, run in enumerate(runs, 1):
        write(f"\n## {number}\n\n{static_markdown(run)}\n".encode("utf-8", "replace"))
    return _written(number)


def _write_notebook(
    write: Callable[[bytes], object],
    session_id: str,
    runs: Iterable[Reasoning],
    code: Callable[[set[str]], Code],
) -> Written:
    """Tools as cells, prompts as ``%%agent`` cells with the trees and answers as their outputs.

    The cells that come first tell of the tools of all: the others wait for them in a file.
    """
    number, used = 0, set[str]()
    with tempfile.TemporaryFile() as scratch:
        for number, run in enumerate(runs, 1):
            used.update(tool.name for step in run.steps for tool in step.tools)
            _, cell, end = _parts([_prompt_cell(number, run)])
            scratch.write(b",\n" + cell)
        begin, cells, end = _parts(_first_cells(session_id, number, used, code(used)))
        write(begin + cells)
        scratch.seek(0)
        while piece := scratch.read(_PIECE):
            write(piece)
        write(end)
    return _written(number)


def _parts(cells: list[Any]) -> tuple[bytes, bytes, bytes]:
    """These cells as they stand in a notebook's file, and what stands before and behind them."""
    import nbformat
    from nbformat.v4 import new_notebook

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.validate(notebook)
    text = str(nbformat.writes(notebook))
    # No text of a cell can look like this: in JSON its line ends are escapes.
    begin, end = text.index("\n  {"), text.rindex('\n ],\n "metadata"')
    parts = (text[: begin + 1], text[begin + 1 : end], f"{text[end:]}\n")
    first, middle, last = (part.encode("utf-8", "replace") for part in parts)
    return first, middle, last


def _first_cells(session_id: str, number: int, used: set[str], needs: Code) -> list[Any]:
    from nbformat.v4 import new_code_cell, new_markdown_cell

    from minimalagent_nb.widgets.figures import count

    head = f"# {session_id}\n\n{count(number, 'interaction')}, exported from minimalagent_nb."
    if missing := sorted(used - set(needs.tools)):
        named = ", ".join(f"`{name}`" for name in missing)
        head += f"\n\nThese tools were not in the notebook that exported it: {named}."
    cells = [new_markdown_cell(head), new_code_cell(_SETUP), *map(new_code_cell, needs.cells)]
    if needs.settings:
        cells.append(new_code_cell("\n".join(needs.settings)))
    return cells


def _prompt_cell(number: int, run: Reasoning) -> Any:
    """The cell that asks this again; what stands in braces is no variable any more."""
    from nbformat.v4 import new_code_cell, new_output

    from minimalagent_nb.widgets import run_bundle

    query = run.query or ""
    source = f"%%agent{' --raw' if '{' in query else ''}\n{query}"
    output = new_output("display_data", data=run_bundle(run))
    # An id that no other cell has: those of nbformat are short and drawn at random.
    return new_code_cell(
        source, id=f"interaction-{number}", execution_count=number, outputs=[output]
    )
