"""``minimalagent-nb demo``: a real model calls the quickstart's tools, and its answers are true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from palmerpenguins import load_penguins

from minimalagent_nb.cli import main
from minimalagent_nb.sessions import SessionLog, SQLiteStore


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_weights: Path) -> Any:
    """The folder that the demo wrote, what it printed, and its exit code."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("demo") / "new"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main(["demo", "--to", str(folder)])
    return folder, printed.getvalue(), code


def answers(folder: Path) -> list[Any]:
    store = SQLiteStore(folder / "sessions.sqlite3")
    log = SessionLog(store)
    (session,) = log.sessions()
    runs = list(log.history(session.session_id))
    log.close()
    return runs


def test_every_answer_is_true_to_the_data(demo: Any) -> None:
    folder, _, code = demo
    assert code == 0
    counts, heaviest, masses, flippers = answers(folder)
    penguins = load_penguins()
    assert counts.steps[0].tools[0].inputs == {"by": "species"}
    assert all(str(n) in counts.final_response for n in penguins.species.value_counts())
    assert heaviest.steps[0].tools[0].inputs == {"n": 3}
    assert all(str(mass) in heaviest.final_response for mass in penguins.body_mass_g.nlargest(3))
    for run, column in ((masses, "body_mass_g"), (flippers, "flipper_length_mm")):
        assert run.steps[0].tools[0].inputs == {"measurement": column, "by": "species"}
        means = penguins.groupby("species")[column].mean().round(1)
        assert all(str(mean) in run.final_response for mean in means)


def test_the_demo_prints_what_happens_and_where_the_notebook_is(demo: Any) -> None:
    folder, printed, _ = demo
    assert "How many penguins of each species were measured?" in printed
    assert 'count_penguins(by="species")' in printed
    assert "a demonstration" in printed
    assert str(folder / "quickstart.ipynb") in printed.replace("\n", "")


def test_the_executed_notebook_holds_the_outputs(demo: Any) -> None:
    folder, _, _ = demo
    notebook = nbformat.read(folder / "quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    asked = [cell for cell in notebook.cells if cell.source.startswith("%%agent")]
    assert len(asked) == 4
    for cell in asked:
        assert "demonstration" in cell.outputs[-1].data["text/html"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: Any, demo_weights: Path) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--to", str(tmp_path / "file" / "below")]) == 1
    assert "--to" in capsys.readouterr().err
