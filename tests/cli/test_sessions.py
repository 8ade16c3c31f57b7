"""The commands about sessions: what they print, what they do, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.cli import _parser, main
from minimalagent_nb.events import RunEnded
from minimalagent_nb.fold import fold
from minimalagent_nb.models import ScriptedModel, call, say
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog, SQLiteStore
from minimalagent_nb.widgets.replay import replayed
from tests.sessions.conftest import broken_file, conversation, record


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, aws_environment):
    """No settings and no memory but the test's own, on a page of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def log(tmp_path):
    """Two sessions, one of them with real runs."""

    @tool
    def look_up(word: str) -> dict:
        """Look it up."""
        if word == "fail":
            raise ValueError("no such word")
        return {"found": word}

    made = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    replies = [
        [
            say("I look it up.", thinking="hm"),
            call("look_up", word="漢字"),
            call("look_up", word="fail"),
        ],
        say("It is **there**.", thinking="so it is"),
        "Once more.",
    ]
    agent = Agent(tools=[look_up], model=ScriptedModel(replies), memory=made, show_reasoning=False)
    agent.run("Is 漢字 there, [bold]please[/bold]?", session_id="words")
    agent.run("Again?", session_id="words")
    record(made, "other", "x" * 200, "y" * 200)
    made.flush()
    return made


def run(capsys, *arguments):
    """Exit code, output and errors of a command."""
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def as_json(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    printed = json.loads(out)
    command = " ".join(arguments[: 2 if arguments[0] == "table" else 1])
    assert (printed.pop("version"), printed.pop("command")) == (1, command)
    return printed


def test_the_list_of_sessions(log, capsys):
    code, out, err = run(capsys, "sessions")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[0].split() == ["session", "last", "used", "runs", "began", "with"]
    assert "other" in lines[1]
    assert "words" in lines[2]
    assert "[bold]please" in lines[2], "a prompt is text and no markup"
    assert "2 in SQLite" in lines[-1]
    listed = as_json(capsys, "sessions", "--limit", "1")["sessions"]
    assert [(one["session_id"], one["interactions"]) for one in listed] == [("other", 1)]


def test_no_sessions(capsys):
    assert run(capsys, "sessions")[1].startswith("No sessions in SQLite")
    assert as_json(capsys, "sessions")["sessions"] == []


def test_the_history(log, capsys):
    code, out, _ = run(capsys, "history", "words")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["N", "when", "status", "steps", "query", "answer"]
    assert lines[1].split()[0] == "1"
    assert "completed" in lines[1]
    assert "Again?" in lines[2]
    assert lines[-1] == "minimalagent-nb show words --at N prints one of them"
    out = run(capsys, "history", "words", "--memory", "sqlite:///s.sqlite3")[1]
    hint = out.splitlines()[-1].split(" prints ")[0].replace(" N", " 2").split()
    assert hint[1:] == ["show", "words", "--memory", "sqlite:///s.sqlite3", "--at", "2"]
    assert "Again?" in run(capsys, *hint[1:])[1], "the line can be typed as it stands"
    runs = as_json(capsys, "history", "words")["interactions"]
    assert [one["number"] for one in runs] == [1, 2]
    assert runs[0]["interaction_id"] == next(log.history("words")).interaction_id
    assert runs[0]["final_response"] == "It is **there**."
    [newest] = as_json(capsys, "history", "words", "--limit", "1")["interactions"]
    assert (newest["number"], newest["query"]) == (2, "Again?")


def test_an_interaction_is_shown_as_the_printer_shows_it(log, capsys):
    code, out, _ = run(capsys, "show", "words", "--at", "1")
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 80
    for words in (
        "Is 漢字 there, [bold]please[/bold]?",
        "├─ Step 1",
        "│  hm",
        "│  I look it up.",
        '│  ├─ look_up(word="漢字")',
        "│  │  look_up Done",
        '"found": "漢字"',
        "no such word",
        "└─ Completed",
        "It is there.",
    ):
        assert words in out
    assert "so it is" in out
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_which_interaction_is_shown(log, capsys):
    ids = [one.interaction_id for one in log.history("words")]
    for at, number in (("1", 0), ("2", 1), ("-1", 1), ("-2", 0), (str(ids[0]), 0)):
        shown = as_json(capsys, "show", "words", "--at", at)["reasoning"]
        assert shown["interaction_id"] == ids[number]
        assert Reasoning.from_dict(shown).to_dict() == shown
    assert as_json(capsys, "show", "words")["reasoning"]["interaction_id"] == ids[1]
    for at in ("0", "3", "-3", str(ids[0] + 1)):
        code, _, err = run(capsys, "show", "words", "--at", at)
        assert code == 1
        assert f"has 2 interactions, and no number {at}" in err


def test_a_run_is_replayed_as_it_was(log):
    for stored in log.history("words"):
        again = fold(replayed(stored))
        for run_ in (stored, again):
            run_.session_id = run_.interaction_id = None
            for step in run_.steps:
                for used in step.tools:
                    used.started, used.call_id, used.truncated = None, "", False
        assert again.to_dict() == stored.to_dict()
    running = Reasoning(query="q", status="running")
    assert not any(isinstance(event, RunEnded) for event in replayed(running))


def test_a_run_under_way_and_a_failed_one(log, capsys):
    recorder = log.begin("live", real_time=True)
    while log.reasoning("live").status != "running":
        pass
    assert "Still running." in run(capsys, "show", "live")[1]
    assert "running" in run(capsys, "history", "live")[1]
    recorder.finish()


def test_an_export_and_its_import(log, tmp_path, capsys, monkeypatch):
    code, out, _ = run(capsys, "export", "words", "-o", "words.jsonl")
    assert (code, "words: " in out) == (0, True)
    done = as_json(capsys, "export", "words", "-o", "words.jsonl")
    assert done["items"] == len((tmp_path / "words.jsonl").read_text("utf-8").splitlines()) - 2
    code, out, _ = run(capsys, "import", "words.jsonl", "--as", "copy")
    assert (code, out.split()[0]) == (0, "copy")
    assert log.load("copy") == log.load("words")
    code, _, err = run(capsys, "import", "words.jsonl")
    assert code == 1
    assert "a session words" in err
    done = as_json(
        capsys, "import", "words.jsonl", "--memory", f"sqlite:///{tmp_path / 't.sqlite3'}"
    )
    assert done == {"session_id": "words", "memory": f"SQLite {tmp_path / 't.sqlite3'}"}


def test_pipes(log, tmp_path):
    """Standard output and input as other programs have them."""
    command = [sys.executable, "-m", "minimalagent_nb.cli"]
    exported = subprocess.run([*command, "export", "words"], capture_output=True, check=True)
    assert json.loads(exported.stdout.splitlines()[0])["session_id"] == "words"
    done = subprocess.run(
        [*command, "import", "-", "--as", "piped"], input=exported.stdout, check=False
    )
    assert done.returncode == 0
    assert log.load("piped") == log.load("words")
    listed = subprocess.run(
        [*command, "sessions", "--json"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert "漢字" in json.loads(listed.stdout)["sessions"][2]["title"]


def test_a_reader_that_has_enough(log):
    record(log, "long", "q", "x" * 3_000_000)
    log.flush()
    command = [sys.executable, "-m", "minimalagent_nb.cli", "export", "long"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_moving_to_dynamodb_and_back(log, dynamodb, table_name, tmp_path, capsys):
    said = log.load("words")
    done = as_json(capsys, "move", "words", "--to", "dynamodb", "--table", table_name)
    assert done["sessions"] == ["words"]
    assert done["to"] == f"DynamoDB table {table_name} in us-west-2"
    assert [info.session_id for info in log.sessions()] == ["other"]
    assert SessionLog(DynamoDBStore(table_name)).load("words") == said
    [listed] = as_json(capsys, "sessions", "--table", table_name)["sessions"]
    assert listed["session_id"] == "words"
    code, out, _ = run(capsys, "move", "--to", "dynamodb", "--table", table_name, "--keep")
    assert (code, out) == (0, f"1 session copied to DynamoDB table {table_name} in us-west-2\n")
    back = f"sqlite:///{tmp_path / 'back.sqlite3'}"
    done = as_json(capsys, "move", "--to", back, "--memory", "dynamodb", "--table", table_name)
    assert sorted(done["sessions"]) == ["other", "words"]
    assert SessionLog(SQLiteStore(tmp_path / "back.sqlite3")).load("words") == said
    code, _, err = run(capsys, "move", "--to", f"sqlite:///{tmp_path / 's.sqlite3'}")
    assert code == 1
    assert "one and the same store" in err


def test_a_foreign_table_is_taken_over(log, dynamodb, table_name, capsys):
    foreign = SessionLog(DynamoDBStore(table_name))
    record(foreign, "theirs", "q", "a")
    foreign.flush()
    done = as_json(capsys, "import", "--from-table", table_name)
    assert done["sessions"] == done["new"] == ["theirs"]
    assert log.load("theirs") == conversation("q", "a")
    code, out, _ = run(capsys, "import", "--from-table", table_name)
    assert code == 0
    assert out.startswith("1 session found, 0 of them new in SQLite")
    code, _, err = run(capsys, "import", "--from-table", f"{table_name}-2")
    assert code == 1
    assert "no such table" in err


def test_deleting_asks(log, capsys, monkeypatch):
    code, _, err = run(capsys, "delete", "words")
    assert code == 1
    assert "add --yes" in err

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for answer in ("n\n", "\n", ""):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        code, out, err = run(capsys, "delete", "words")
        assert code == 1
        assert "Delete words from SQLite" in out
        assert "Nothing was deleted." in err
    assert log.load("words")
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert run(capsys, "delete", "words")[0] == 0
    assert log.load("words") == []


def test_deleting_without_being_asked(log, capsys):
    code, _, err = run(capsys, "delete", "words", "none", "--yes")
    assert code == 1
    assert "no session none in" in err
    err = run(capsys, "delete", "none", "word", "--yes")[2]
    assert "no sessions none, word in" in err
    assert log.load("words"), "one that is not there leaves the others"
    done = as_json(capsys, "delete", "words", "other", "-y")
    assert done["sessions"] == ["words", "other"]
    assert as_json(capsys, "sessions")["sessions"] == []


def test_a_damaged_session_can_be_deleted_and_the_others_move(log, tmp_path, capsys):
    store = SQLiteStore(tmp_path / "s.sqlite3")
    store.put(Item("messages#words", 5, {"version": 1, "parts": 1, "messages": "[]"}))
    code, _, err = run(capsys, "move", "--to", f"sqlite:///{tmp_path / 't.sqlite3'}")
    assert code == 1
    assert "1 of 2 sessions were copied." in err
    assert "0 of its 1 parts are there" in err
    assert [one["session_id"] for one in as_json(capsys, "sessions")["sessions"]] == ["words"]
    assert run(capsys, "delete", "words", "--yes")[0] == 0
    assert as_json(capsys, "sessions")["sessions"] == []


@pytest.mark.parametrize("command", ["history", "show", "export"])
def test_a_session_that_is_not_there(log, capsys, command):
    code, out, err = run(capsys, command, "none")
    assert (code, out) == (1, "")
    assert "There is no session none in SQLite" in err
    assert "--memory looks in another store" in err
    for near in ("word", "WOR", "ords"):
        code, _, err = run(capsys, command, near)
        assert (code, "Did you mean words?" in err) == (1, True)
    code, _, err = run(capsys, command, "a/b")
    assert code == 1
    assert "no session id" in err


def test_no_memory(capsys, monkeypatch):
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", "none")
    code, _, err = run(capsys, "sessions")
    assert code == 1
    assert "MINIMALAGENT_NB_MEMORY" in err
    assert "--memory sqlite" in err
    SQLiteStore("here.sqlite3").put(Item("p", 1))
    assert run(capsys, "sessions", "--memory", "sqlite:///here.sqlite3")[0] == 0


def test_a_memory_that_cannot_be_read(tmp_path, capsys):
    broken_file(tmp_path / "s.sqlite3")
    code, _, err = run(capsys, "sessions")
    assert code == 1
    assert "no SQLite database" in err or "not a database" in err


def test_asking_for_help_loads_nothing_heavy(tmp_path):
    script = (
        "import sys\nfrom minimalagent_nb.cli import main\n"
        "try:\n    main(['move', '--help'])\nexcept SystemExit as stopped:\n"
        "    assert stopped.code == 0\n"
        "print(sorted({'rich', 'boto3', 'sqlite3', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes: 0 done, 1 failed" in done.stdout


def test_the_commands_of_the_readme(log, dynamodb, table_name, tmp_path, monkeypatch):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = readme.split("### The command line")[1].split("```")[1:4:2]
    runs, commands = (
        [shlex.split(line)[1:] for line in block.splitlines()[1:]] for block in blocks
    )
    assert [_parser().parse_args(words).command for words in runs] == [
        *("ask", "watch", "approve", "stop"),
    ]
    assert [command[0] for command in commands] == [
        *("sessions", "history", "show", "export", "export", "import", "delete", "move", "table"),
    ]
    record(log, "sums")
    log.flush()
    # The project file of a user's own folder.
    project = f'[tool.minimalagent_nb]\nsession_table_name = "{table_name}"\nmemory = "sqlite"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    for command in commands:
        assert main(command) == 0, command
    moved = SessionLog(DynamoDBStore(table_name)).sessions()
    assert {info.session_id for info in moved} == {"other", "sums", "words"}
    assert log.sessions() == []
