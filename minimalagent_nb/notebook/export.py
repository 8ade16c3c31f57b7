"""A session as a file: a notebook that runs again, Markdown, a page, or JSON lines.

Imports widgets for what a run looks like, tools and nbformat, all late; and what was run here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.kernel import tools_in
from minimalagent_nb.notebook.needed import cells_that_make, source_of
from minimalagent_nb.reasoning import Reasoning

if TYPE_CHECKING:
    from minimalagent_nb.notebook.state import Workbench

__all__ = ["Code", "code_of", "export", "session_markdown", "session_notebook"]

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
    interactions: Sequence[Reasoning],
    *,
    code: Callable[[set[str]], Code],
    to_lines: Callable[[Path], object],
) -> Path:
    """Write the session to a file whose ending says how; returns its path.

    Args:
        code: what a notebook needs to run with tools of these names.
        to_lines: writes everything that is stored, for ``.jsonl``.

    Raises:
        ConfigurationError: there is nothing to write, another ending, or a path that cannot
            be written or is taken.
    """
    file = Path(path).expanduser()
    writers: dict[str, Callable[[], str]] = {
        ".ipynb": lambda: session_notebook(session_id, interactions, code),
        ".md": lambda: session_markdown(session_id, interactions),
        ".html": lambda: _page(session_id, interactions),
    }
    ending = file.suffix.lower()
    if ending not in (*writers, ".jsonl"):
        known = ", ".join([*writers, ".jsonl"])
        raise ConfigurationError(f"{path}: the ending says what is written; take one of {known}.")
    if not interactions:
        raise ConfigurationError(f"The session {session_id} has no interactions to export yet.")
    if file.exists():
        raise ConfigurationError(f"{file} is there already. Choose another name, or remove it.")
    if not file.parent.is_dir():
        raise ConfigurationError(
            f"{file} cannot be written: there is no folder {file.parent}. Make it, or choose "
            "another path."
        )
    try:
        if ending == ".jsonl":
            to_lines(file)
        else:
            file.write_text(writers[ending](), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}. Choose another path."
        ) from error
    return file


def session_notebook(
    session_id: str,
    interactions: Sequence[Reasoning],
    code: Callable[[set[str]], Code] = lambda _used: Code(),
) -> str:
    """Tools as cells, prompts as ``%%agent`` cells with the trees and answers as their outputs."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    from minimalagent_nb.widgets import run_bundle

    used = {tool.name for run in interactions for step in run.steps for tool in step.tools}
    needs = code(used)
    head = f"# {session_id}\n\n{len(interactions)} interactions, exported from minimalagent_nb."
    if missing := sorted(used - set(needs.tools)):
        named = ", ".join(f"`{name}`" for name in missing)
        head += f"\n\nThese tools were not in the notebook that exported it: {named}."
    cells = [new_markdown_cell(head), new_code_cell(_SETUP), *map(new_code_cell, needs.cells)]
    if needs.settings:
        cells.append(new_code_cell("\n".join(needs.settings)))
    for number, run in enumerate(interactions, 1):
        output = nbformat.v4.new_output("display_data", data=run_bundle(run))
        cells.append(new_code_cell(_prompt_cell(run), execution_count=number, outputs=[output]))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook))


def _prompt_cell(run: Reasoning) -> str:
    """The cell that asks this again; what stands in braces is no variable any more."""
    query = run.query or ""
    return f"%%agent{' --raw' if '{' in query else ''}\n{query}"


def session_markdown(session_id: str, interactions: Sequence[Reasoning]) -> str:
    """The session as Markdown, its interactions numbered."""
    from minimalagent_nb.widgets import static_markdown

    runs = [f"## {number}\n\n{static_markdown(run)}" for number, run in enumerate(interactions, 1)]
    return f"# {session_id}\n\n" + "\n\n".join(runs) + "\n"


def _page(session_id: str, interactions: Sequence[Reasoning]) -> str:
    from minimalagent_nb.widgets.session_page import session_page

    return session_page(session_id, interactions).html
