"""``minimalagent-nb demo``: a real model calls the quickstart's tools, and its answers are true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from palmerpenguins import load_penguins

from minimalagent_nb.cli import main
from minimalagent_nb.cli.demo import _free_name, _write
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions import SessionLog, SQLiteStore


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_weights: Path) -> Any:
    """The folder that the demo wrote, what it printed, and its exit code."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("demo") / "new [/x] one"
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
    assert f"\n  {folder / 'quickstart.ipynb'}\n" in printed
    assert f"jupyter lab '{folder / 'quickstart.ipynb'}'" in printed


def test_the_executed_notebook_holds_the_outputs(demo: Any) -> None:
    folder, _, _ = demo
    notebook = nbformat.read(folder / "quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    asked = [cell for cell in notebook.cells if cell.source.startswith("%%agent")]
    assert len(asked) == 4
    for cell in asked:
        assert "demonstration" in cell.outputs[-1].data["text/html"]


def test_a_notebook_of_an_earlier_demo_is_kept(tmp_path: Path) -> None:
    assert _free_name(tmp_path).name == "quickstart.ipynb"
    (tmp_path / "quickstart.ipynb").write_text("mine")
    assert _free_name(tmp_path).name == "quickstart-2.ipynb"
    (tmp_path / "quickstart-2.ipynb").write_text("mine")
    assert _free_name(tmp_path).name == "quickstart-3.ipynb"


def test_a_folder_that_cannot_be_made_is_known_before_anything_is_fetched(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    assert main(["demo", "--to", str(tmp_path / "file" / "below")]) == 1
    assert "--to" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_a_notebook_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "folder.ipynb").mkdir()
    with pytest.raises(ConfigurationError, match=r"cannot be written .* with --to"):
        _write(nbformat.v4.new_notebook(), tmp_path / "folder.ipynb")


def test_without_llama_cpp_the_platforms_that_have_it_are_named(tmp_path: Path) -> None:
    # A module of that name that cannot be imported stands for one that is not there.
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no wheel')")
    for command, stream in (("demo", "stderr"), ("doctor", "stdout")):
        done = subprocess.run(
            [sys.executable, "-m", "minimalagent_nb.cli", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "there are wheels for Linux" in getattr(done, stream), done
