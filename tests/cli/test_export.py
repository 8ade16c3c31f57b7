"""`export` in all its forms: where they go, what they say, and what a terminal is shown."""

from __future__ import annotations

import json
import os
import stat
import tracemalloc
from pathlib import Path

import nbformat
import pytest

from minimalagent_nb.cli import main
from minimalagent_nb.fold import fold
from minimalagent_nb.notebook.export import write_session
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.cli.processes import finished, in_terminal
from tests.widgets import rich_run, sample_run


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A session of two runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    for events in (sample_run.finished_run(), rich_run.rich_run()):
        recorder = log.begin("penguins", real_time=True)
        for event in events:
            recorder.add(event)
        recorder.finish()
    log.flush()
    log.close()
    return tmp_path


FORMS = {"html": "<!doctype html>", "md": "# penguins", "ipynb": "{"}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_for_readers_goes_to_a_file_of_the_sessions_name(form, place, capsys):
    assert main(["export", "penguins", f"--{form}"]) == 0
    file = place / f"penguins.{form}"
    assert file.read_text("utf-8").startswith(FORMS[form])
    assert "2 interactions written to penguins." in capsys.readouterr().out
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert main(["export", "penguins", f"--{form}"]) == 1
    assert "is there already. --force writes over it" in capsys.readouterr().err
    assert file.read_bytes() == before
    file.write_text("of somebody else's")
    assert main(["export", "penguins", f"--{form}", "--force"]) == 0
    assert file.read_text("utf-8").startswith(FORMS[form])
    assert main(["export", "penguins", f"--{form}", "-o", str(file)]) == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_ending_of_the_file_says_the_form(form, place, capsys):
    assert main(["export", "penguins", "-o", f"here.{form}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["file"], told["interactions"]) == (form, f"here.{form}", 2)
    assert told["bytes"] == (place / f"here.{form}").stat().st_size
    assert told["left_out"] == 0


def test_an_exported_notebook_is_one(place):
    assert main(["export", "penguins", "--ipynb"]) == 0
    notebook = nbformat.read(place / "penguins.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells if cell.source.startswith("%%agent")] == [
        f"%%agent\n{sample_run.QUERY}",
        f"%%agent\n{rich_run.QUESTION}",
    ]


@pytest.mark.parametrize("form", FORMS)
def test_to_standard_output(form):
    done = finished("export", "penguins", f"--{form}", "-o", "-")
    assert done.stdout.startswith(FORMS[form])
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"penguins.{form}").exists()


def test_json_lines_stay_the_default(place):
    done = finished("export", "penguins")
    assert json.loads(done.stdout.splitlines()[0])["format"] == "minimalagent-nb session"
    assert main(["export", "penguins", "-o", "any.thing"]) == 0
    assert (place / "any.thing").read_text().splitlines()[0][0] == "{"
    assert main(["import", "any.thing", "--as", "again"]) == 0


def test_what_cannot_be_exported(place, capsys):
    assert main(["export", "penguin", "--html"]) == 1
    assert "Did you mean penguins?" in capsys.readouterr().err
    assert main(["export", "penguins", "--html", "-o", "no/such/folder.html"]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert not list(place.glob(".*"))


HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202ex\r\x08"


@pytest.fixture
def hostile(place):
    """A session with commands for a terminal wherever a model or a tool can write."""
    from tests.widgets.payloads import hostile_calls, hostile_failure, hostile_run

    log = SessionLog(SQLiteStore(place / "s.sqlite3"))
    for make in (hostile_run, hostile_calls, hostile_failure):
        recorder = log.begin("hostile", real_time=True)
        for event in make(HOSTILE):
            recorder.add(event)
        recorder.finish()
    log.flush()
    log.close()


COMMANDS = (
    "sessions",
    "sessions --json",
    "history hostile",
    "history hostile --json",
    "show hostile --at 1",
    "show hostile --at 2",
    "show hostile --at 3",
    "show hostile --at 2 --json",
    "watch hostile --at 2",
    "watch hostile --at 2 --json",
    "export hostile",
    "export hostile --md -o -",
    "export hostile --html -o -",
    "export hostile --ipynb -o -",
    "export hostile -o hostile.jsonl",
    "move hostile --to sqlite:///other.sqlite3 --keep",
    "delete hostile --yes",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_of_a_run_commands_the_terminal(command, hostile):
    with in_terminal(*command.split()) as terminal:
        # Those that watch a run exit with 1 where it failed.
        assert terminal.end() in (0, 1)
    screen = terminal.screen
    assert screen.strip()
    assert not set(screen) & set("\x07\x08\x9b\u202e"), command
    assert "\x1b]" not in screen
    assert "\x1b[2J" not in screen
    assert "\r" not in screen.replace("\r\n", "")


def runs(number):
    """So many runs of some 20 KB, made as they are read."""
    for one in range(number):
        run = fold(sample_run.finished_run())
        run.steps[0].tools[0].result = f"{one} " + "x" * 20_000
        yield run


@pytest.mark.parametrize("form", FORMS)
def test_an_export_takes_no_more_memory_for_a_longer_session(form, tmp_path):
    def peak(number):
        with open(tmp_path / str(number), "wb") as file:
            tracemalloc.start()
            try:
                write_session(form, "s", lambda newest_first: runs(number), file.write)
                return tracemalloc.get_traced_memory()[1], file.tell()
            finally:
                tracemalloc.stop()

    peak(1)
    (one, size), (ten, larger) = peak(5), peak(50)
    assert larger > 3 * size
    assert ten < 1.3 * one
