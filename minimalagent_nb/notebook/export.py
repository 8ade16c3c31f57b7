"""A session as a file: a notebook that runs again, Markdown, a page, or JSON lines.

Imports widgets for what a run looks like, and nbformat; both late.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.reasoning import Reasoning

__all__ = ["export"]

_SETUP = "%load_ext minimalagent_nb\nfrom minimalagent_nb import tool"


def export(
    path: str,
    session_id: str,
    interactions: Sequence[Reasoning],
    *,
    sources: Mapping[str, str],
    to_lines: Callable[[Path], object],
) -> Path:
    """Write the session to a file whose ending says how; returns its path.

    Args:
        sources: the code of the notebook's tools, by the names of the tools.
        to_lines: writes everything that is stored, for ``.jsonl``.

    Raises:
        ConfigurationError: there is nothing to write, another ending, or a path that cannot
            be written or is taken.
    """
    file = Path(path).expanduser()
    writers: dict[str, Callable[[], str]] = {
        ".ipynb": lambda: _notebook(session_id, interactions, sources),
        ".md": lambda: _markdown(session_id, interactions),
        ".html": lambda: _page(session_id, interactions),
    }
    if file.suffix not in (*writers, ".jsonl"):
        known = ", ".join([*writers, ".jsonl"])
        raise ConfigurationError(f"{path}: the ending says what is written; take one of {known}.")
    if not interactions:
        raise ConfigurationError(f"The session {session_id} has no interactions to export yet.")
    if file.exists():
        raise ConfigurationError(f"{file} is there already. Choose another name, or remove it.")
    try:
        if file.suffix == ".jsonl":
            to_lines(file)
        else:
            file.write_text(writers[file.suffix](), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}. Choose another path."
        ) from error
    return file


def _notebook(
    session_id: str, interactions: Sequence[Reasoning], sources: Mapping[str, str]
) -> str:
    """Tools as cells, prompts as ``%%agent`` cells with the trees and answers as their outputs."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    from minimalagent_nb.widgets import run_bundle

    used = _tools_used(interactions)
    missing = sorted(used - set(sources))
    head = f"# {session_id}\n\n{len(interactions)} interactions, exported from minimalagent_nb."
    if missing:
        named = ", ".join(f"`{name}`" for name in missing)
        head += f"\n\nThese tools were not in the notebook that exported it: {named}."
    cells = [new_markdown_cell(head), new_code_cell(_SETUP)]
    # A source may define several tools; it comes once.
    cells += map(new_code_cell, dict.fromkeys(sources[n] for n in sources if n in used))
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


def _tools_used(interactions: Sequence[Reasoning]) -> set[str]:
    return {tool.name for run in interactions for step in run.steps for tool in step.tools}


def _markdown(session_id: str, interactions: Sequence[Reasoning]) -> str:
    from minimalagent_nb.widgets import static_markdown

    runs = [f"## {number}\n\n{static_markdown(run)}" for number, run in enumerate(interactions, 1)]
    return f"# {session_id}\n\n" + "\n\n".join(runs) + "\n"


def _page(session_id: str, interactions: Sequence[Reasoning]) -> str:
    """A page without script that stands alone, in the reader's own light or dark theme."""
    from minimalagent_nb.widgets import static_html

    title = html.escape(session_id)
    runs = "\n".join(f"<article>{static_html(run)}</article>" for run in interactions)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{runs}\n</body>\n</html>\n"
    )


_STYLE = re.sub(
    r"\s+",
    " ",
    """
    :root { color-scheme: light dark }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
           padding: 0 1rem }
    h1 { font-size: 1.3rem; font-weight: 600 }
    article { margin: 2rem 0; padding-top: 1rem; border-top: 1px solid rgba(127,127,127,.3) }
    """,
).strip()
