"""What goes wrong around a command: one clear line, the exit code, and never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from minimalagent_nb.cli import main
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions import sqlite as sqlite_room
from minimalagent_nb.sessions.ids import InteractionIds
from minimalagent_nb.sessions.interaction import Interaction
from minimalagent_nb.sessions.requests import requests_key
from tests.cli.processes import COMMAND, PATIENCE, finished, started
from tests.sessions.conftest import record, wait_for


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, aws_environment):
    """A memory of the test's own, with one session."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    record(log, "words", "漢字", "y" * 300_000)
    log.flush()
    log.close()
    return tmp_path


def one_line(err, words):
    assert err.count("\n") == 1, err
    assert err.startswith("minimalagent-nb")
    assert words in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("command", ["sessions", "show words --json", "export words --html -o -"])
def test_an_output_that_cannot_be_written(command):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *command.split()], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    one_line(done.stderr.decode(), "The output could not be written (No space left on device)")


@pytest.mark.parametrize("form", ["--html", "--md", "--ipynb", "--jsonl"])
def test_a_reader_who_has_enough_is_no_error(form):
    process = started("export", "words", form, "-o", "-")
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    # What fits into the pipe is written all the same.
    assert process.wait(PATIENCE) in ((0, 1) if form == "--md" else (1,))


@pytest.mark.parametrize("number", [1, 2])
def test_a_closed_stream_is_no_crash(number):
    code = f"import os; os.close({number}); os.execv({sys.executable!r}, {[*COMMAND, 'sessions']})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("words" in done.stdout) == (number == 2)


def test_a_mistyped_store_is_not_made(capsys, place):
    for command in ("sessions", "history words", "show words", "export words", "delete words -y"):
        words = [*command.split(), "--memory", "sqlite:///typo.sqlite3"]
        assert main([*words, "--json", *(["-o", "f"] if command[0] == "e" else [])]) == 1
        printed = capsys.readouterr()
        one_line(printed.err, "There is no file typo.sqlite3")
        assert json.loads(printed.out)["error"]["type"] == "ConfigurationError"
    assert not (place / "typo.sqlite3").exists()


def test_a_session_to_move_that_may_have_been_meant(capsys, place):
    assert main(["move", "wrds", "--to", "sqlite:///other.sqlite3"]) == 1
    one_line(capsys.readouterr().err, "Did you mean words?")
    assert not (place / "other.sqlite3").exists()


def test_arguments_that_are_no_text(capfd, monkeypatch):
    done = finished(
        *("approve", "words", "--inputs", "-"),
        text="\udcff",
        errors="surrogateescape",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 2
    one_line(done.stderr, "argument --inputs: 'utf-8' codec can't decode")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_ctrl_c_while_a_service_does_not_answer(arguments, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        process = started("sessions", "--memory", "dynamodb", *arguments)
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, b"minimalagent-nb: stopped\n")
    told = {"version": 1, "command": "sessions"}
    error = {"type": "StoppedError", "message": "stopped"}
    assert (json.loads(out) if arguments else out) == (
        {**told, "error": error} if arguments else b""
    )


def test_ctrl_c_while_a_kernel_does_not_answer_is_no_stop(place):
    store = SQLiteStore(place / "s.sqlite3")
    mute = Interaction(
        store, "mute", ids=InteractionIds(), ttl=None, clock=time.time, extent=None, lease=600
    )
    mute.open(Reasoning(query="q", status="running"))
    process = started("stop", "mute", "--json")
    wait_for(lambda: list(store.query(requests_key("mute", mute.id))))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    one_line(err.decode(), "no longer waiting. What was asked is not taken back")
    assert json.loads(out)["error"]["type"] == "StoppedError"
    store.close()


def test_a_service_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    assert main(["history", "words", "--memory", "dynamodb", "--json"]) == 1
    printed = capsys.readouterr()
    one_line(printed.err, "Check the network")
    assert json.loads(printed.out)["error"]["type"] == "SessionReadError"


def test_a_locked_store_is_waited_for_once(place, capsys, monkeypatch):
    monkeypatch.setattr(sqlite_room, "_BUSY_SECONDS", 0.05)
    tries = []
    prepared = sqlite_room._prepared
    monkeypatch.setattr(
        sqlite_room, "_prepared", lambda *given: tries.append(given) or prepared(*given)
    )
    with contextlib.closing(sqlite3.connect(place / "s.sqlite3", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert main(["sessions"]) == 1
    one_line(capsys.readouterr().err, "Another process keeps it locked")
    assert len(tries) == 1


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_locale_without_utf_8(locale):
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for command in ("sessions", "history words", "show words"):
        done = finished(*command.split(), env=environment)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "??" in done.stdout
    told = json.loads(finished("show", "words", "--json", env=environment).stdout)
    assert told["reasoning"]["query"] == "漢字"
    done = finished("export", "words", "--md", "-o", "-", env={**environment, "LANG": ""})
    assert done.returncode == 0
    assert "> 漢字" in done.stdout
