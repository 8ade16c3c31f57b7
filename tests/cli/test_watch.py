"""`watch`: a run in another process, as it goes on; its end, its kernel's death, Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.event_json import event_from_dict
from minimalagent_nb.fold import fold
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.cli.processes import PATIENCE, finished, in_terminal, started, write_notebook
from tests.sessions.conftest import record

STEPS = (
    "from minimalagent_nb import tool\nimport time, pathlib",
    "@tool\ndef wait_for(file: str) -> str:\n    '''Wait for a file.'''\n"
    "    while not pathlib.Path(file).exists():\n        time.sleep(0.01)\n    return file",
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    monkeypatch.setenv("MINIMALAGENT_NB_MODEL", f"scripted:{tmp_path / 'script.json'}")
    write_notebook(tmp_path / "tools.ipynb", *STEPS)
    first, second = ({"name": "wait_for", "inputs": {"file": name}} for name in ("one", "two"))
    replies = [
        {"text": "First.", "thinking": "\x1b[2Jhm", "calls": [first]},
        {"text": "Second.", "calls": [second]},
        {"text": "Both are there."},
    ]
    (tmp_path / "script.json").write_text(json.dumps({"version": 1, "replies": replies}))
    return tmp_path


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """What a test has started, ended with it."""
    mine: list[subprocess.Popen[bytes]] = []
    yield mine
    for process in mine:
        if process.poll() is None:
            process.kill()
        process.communicate()


def log() -> SessionLog:
    return SessionLog(SQLiteStore(Path("s.sqlite3")))


def ask(processes: list[Any], session: str = "talk") -> subprocess.Popen[bytes]:
    """A run of two tools that wait for a file each."""
    process = started("ask", "Go", "-t", "tools.ipynb", "-y", "-q", "-s", session)
    processes.append(process)
    return process


def watch(processes: list[Any], *arguments: str) -> Reader:
    process = started("watch", *arguments)
    processes.append(process)
    return Reader(process)


class Reader:
    """What a process prints, read as it comes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self.lines = process, list[str]()
        self._timer = threading.Timer(PATIENCE, process.kill)
        self._timer.start()

    def until(self, words: str) -> None:
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline().decode()
            assert line, f"it ended without {words!r}: {self.lines}"
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return

    def said(self, words: str) -> None:
        """Wait until it has said this on standard error."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline().decode()):
            assert line, f"it ended without {words!r}"

    def end(self) -> tuple[int, str]:
        """The exit code, and what was on standard error."""
        out, err = self.process.communicate()
        self._timer.cancel()
        self.lines += out.decode().splitlines()
        return self.process.returncode, err.decode()


def test_it_waits_for_the_next_run_and_shows_it_as_it_goes_on(processes: list[Any]) -> None:
    seen = watch(processes, "talk")
    seen.said("session talk, for its first one: there is no such session yet. Ctrl-C ends it.")
    ask(processes)
    seen.until('wait_for(file="one")')
    assert not any("wait_for Done" in line for line in seen.lines), "while the tool waits"
    Path("one").touch()
    seen.until('wait_for(file="two")')
    assert any("wait_for Done" in line for line in seen.lines)
    Path("two").touch()
    seen.until("└─ Completed")
    assert seen.end() == (0, "")
    assert "Both are there." in "\n".join(seen.lines)
    assert not any("\x1b" in line for line in seen.lines)


def test_as_json_each_event_is_a_line(processes: list[Any]) -> None:
    ask(processes)
    seen = watch(processes, "talk", "--json")
    seen.until('"tool_call_started"')
    Path("one").touch()
    Path("two").touch()
    assert seen.end()[0] == 0
    told = [json.loads(line) for line in seen.lines]
    assert {(one["version"], one["command"], one["session_id"]) for one in told} == {
        (1, "watch", "talk")
    }
    stored = log().reasoning("talk")
    assert {one["interaction_id"] for one in told} == {stored.interaction_id}
    events = [event_from_dict(one["event"]) for one in told]
    assert [events[0].type, events[-1].type] == ["run_started", "run_ended"]
    again = fold(events)
    assert again.final_response == stored.final_response
    assert [step.text for step in again.steps] == ["First.", "Second."]
    assert not set("".join(seen.lines)) & set("\x1b\x9b")


def test_a_run_that_is_over_by_its_number(processes: list[Any]) -> None:
    for name in ("one", "two"):
        Path(name).touch()
    assert ask(processes).wait(PATIENCE) == 0
    done = finished("watch", "talk", "--at", "1")
    assert done.returncode == 0
    assert "Both are there." in done.stdout
    done = finished("watch", "talk", "--at", "2")
    assert done.returncode == 1
    assert "no number 2" in done.stderr


def test_a_kernel_that_dies_is_said(processes: list[Any]) -> None:
    asked = ask(processes)
    seen = watch(processes, "talk")
    seen.until('wait_for(file="one")')
    asked.kill()
    asked.wait()
    code, _ = seen.end()
    assert code == 1
    assert any("The kernel that ran this died before it was done." in line for line in seen.lines)


def test_ctrl_c_ends_the_watching_and_not_the_run(processes: list[Any]) -> None:
    asked = ask(processes)
    seen = watch(processes, "talk")
    seen.until('wait_for(file="one")')
    seen.process.send_signal(signal.SIGINT)
    code, err = seen.end()
    assert code == 130
    assert err.endswith("No longer watching: a run that is under way goes on.\n")
    assert "Traceback" not in err
    Path("one").touch()
    Path("two").touch()
    assert asked.wait(PATIENCE) == 0


def test_a_session_that_may_have_been_meant(processes: list[Any]) -> None:
    made = log()
    record(made, "talk")
    made.flush()
    watch(processes, "tak").said("there is no such session yet. Did you mean talk? Ctrl-C ends it.")


def test_ctrl_c_while_it_waits(processes: list[Any]) -> None:
    seen = watch(processes, "talk")
    seen.said("Waiting in SQLite")
    seen.process.send_signal(signal.SIGINT)
    assert seen.end() == (130, "No longer watching: a run that is under way goes on.\n")


def test_forever_goes_on_with_the_next_run(processes: list[Any]) -> None:
    for name in ("one", "two"):
        Path(name).touch()
    seen = watch(processes, "talk", "--forever", "--json")
    seen.said("Waiting in SQLite")
    runs = []
    for _ in range(2):
        ask(processes).wait(PATIENCE)
        seen.until('"run_ended"')
        runs.append(json.loads(seen.lines[-1])["interaction_id"])
        seen.said("for the next run")
    assert len(set(runs)) == 2
    started_runs = [line for line in seen.lines if '"run_started"' in line]
    assert len(started_runs) == 2, "no run comes twice"
    seen.process.send_signal(signal.SIGINT)
    assert seen.end()[0] == 130


def test_a_run_that_was_stopped_exits_with_1(processes: list[Any]) -> None:
    asked = ask(processes)
    seen = watch(processes, "talk")
    seen.until('wait_for(file="one")')
    asked.send_signal(signal.SIGINT)
    assert asked.wait(PATIENCE) == 130
    assert seen.end()[0] == 1
    assert any("Stopped" in line for line in seen.lines)


def test_what_has_no_log_says_so(place: Path) -> None:
    for name in ("one", "two"):
        Path(name).touch()
    project = "[tool.minimalagent_nb]\nreal_time_reasoning = false\n"
    (place / "pyproject.toml").write_text(project)
    assert finished("ask", "Go", "-t", "tools.ipynb", "-y", "-q", "-s", "talk").returncode == 0
    done = finished("watch", "talk", "--at", "1")
    assert done.returncode == 1
    assert "stored without a log" in done.stderr
    assert finished("watch", "a/b").returncode == 1


def test_stop_ends_the_run_of_another_process(processes: list[Any]) -> None:
    asked = ask(processes)
    seen = watch(processes, "talk")
    seen.until('wait_for(file="one")')
    done = finished("stop", "talk", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["command"]) == (0, "taken", "stop")
    assert asked.wait(PATIENCE) == 1
    assert seen.end()[0] == 1
    stored = log().reasoning("talk")
    assert (stored.status, stored.interaction_id) == ("stopped", told["interaction_id"])
    done = finished("stop", "talk")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No run of session talk goes on" in done.stderr
    done = finished("stop", "talk", "--at", "1")
    assert done.returncode == 1
    assert "is over" in done.stderr


ASKED = (
    "from minimalagent_nb import tool\nimport time",
    "@tool(approve=True)\ndef add(a: int, b: int) -> int:\n    '''Add.'''\n    return a + b",
    "@tool\ndef rest() -> str:\n    '''Rest.'''\n    time.sleep(60)\n    return ''",
)


def test_the_runs_of_the_readme(processes: list[Any], place: Path) -> None:
    """Its first block as it stands: asked, watched, answered and stopped from four processes."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = readme.split("### The command line")[1].split("```")[1]
    asks, watches, approves, stops = (
        shlex.split(line)[1:] for line in block.splitlines()[1:] if line
    )
    write_notebook(place / "tools.ipynb", *ASKED)
    calls = [{"name": "add", "inputs": {"a": 17, "b": 25}}], [{"name": "rest", "inputs": {}}]
    script = {"version": 1, "replies": [{"calls": one} for one in calls]}
    (place / "script.json").write_text(json.dumps(script))
    with in_terminal(*asks) as asked:
        asked.wait_for("Run them?")
        asked.type("y\n")
        asked.wait_for("Allow it?")
        seen = watch(processes, *watches[1:])
        seen.until("waits for approval")
        done = finished(*approves)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "add(a=17, b=25) of sums is allowed.\n"
        seen.until("rest()")
        done = finished(*stops)
        assert (done.returncode, done.stderr) == (0, "")
        # Who was stopped from elsewhere has failed.
        assert asked.end() == 1
    assert seen.end()[0] == 1
    assert log().reasoning("sums").steps[0].tools[0].result == 42
