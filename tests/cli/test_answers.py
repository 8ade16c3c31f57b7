"""`approve` and `deny`, and the questions of `watch`: a call that waits is answered from here."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.cli import main
from minimalagent_nb.cli.asking import Asker, editor_call
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.outside import OutsideApprover, is_watched
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.waiting import WaitingCall, WaitingCalls
from tests.cli.processes import Terminal, in_terminal, started
from tests.sessions.asked_runs import AskedRun
from tests.sessions.conftest import wait_for

ran: list[str] = []


@tool(approve=True)
def delete(path: str, note: str = "") -> str:
    """Delete a file."""
    ran.append(path + note)
    return f"deleted {path}"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ran.clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


Start = Callable[..., AskedRun]


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Begins a run whose calls wait for an answer from outside; each ends with the test."""
    with contextlib.ExitStack() as stack:

        def begin(*calls: Any, tools: Any = (delete,), **options: Any) -> AskedRun:
            log, other = (
                SessionLog(SQLiteStore(place / "s.sqlite3"), redact=r"key-\d+") for _ in range(2)
            )
            run = AskedRun(log, other, tools, *calls, approver=OutsideApprover(60), **options)
            stack.callback(lambda: (run.agent.stop(), run.end(), log.close(), other.close()))
            run.begin().until("approval_requested")
            return run

        yield begin


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main([*arguments, "--json"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["version"], found["command"]) == (1, arguments[0])
    assert (code == 0) == (printed.err == "")
    return code, found


def test_a_call_is_allowed(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(call("delete", path="a"))
    assert main(["approve", "s"]) == 0
    assert capsys.readouterr().out == 'delete(path="a") of s is allowed.\n'
    given = run.until("approval_given")
    assert (given.decision, given.by) == ("approved", "user elsewhere")
    run.end()
    assert ran == ["a"]


def test_a_call_is_allowed_with_other_arguments(
    start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(call("delete", path="key-17", note="a"))
    code, done = told(capsys, "approve", "s", "--inputs", '{"path": ["x"]}')
    assert code == 1
    assert done["error"]["type"] == "RunOverError"
    assert "do not fit" in done["error"]["message"]
    assert ran == []
    # What was redacted and is left as it is keeps its value.
    code, done = told(capsys, "approve", "s", "--inputs", '{"path": "[redacted]", "note": "!"}')
    assert (code, done["decision"], done["state"]) == (0, "edited", "taken")
    assert (done["tool"], done["call_id"]) == ("delete", run.call)
    assert done["interaction_id"] == run.interaction_id
    run.end()
    assert ran == ["key-17!"]


def test_a_call_is_denied_and_the_model_is_told_why(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(call("delete", path="a"))
    assert main(["deny", "s", "--reason", "Keep it."]) == 0
    assert capsys.readouterr().out == 'delete(path="a") of s is denied.\n'
    run.end()
    assert ran == []
    error = run.result.reasoning.steps[0].tools[0].error
    assert error.endswith("The user did not allow this call, and it did not run. Reason: Keep it.")


def test_who_comes_second_is_told(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(turns=[call("delete", path="a"), call("delete", path="b")])
    first = run.call
    assert main(["deny", "s", "--reason", "no"]) == 0
    run.until("approval_requested")
    capsys.readouterr()
    code, done = told(capsys, "approve", "s", "--call", first)
    assert (code, done["error"]["type"]) == (1, "RunOverError")
    assert (
        f"{first} does not wait any more: Denied by user elsewhere: no."
        in (done["error"]["message"])
    )
    assert main(["approve", "s", "--call", "nope"]) == 1
    assert "No call of the id nope of session s waits" in capsys.readouterr().err
    assert main(["approve", "s", "--call", run.call]) == 0
    run.end()
    assert ran == ["b"]
    assert main(["approve", "s"]) == 1
    assert "No run of session s goes on" in capsys.readouterr().err
    assert main(["deny", "s", "--at", "1"]) == 1
    assert "No call of session s waits for an answer." in capsys.readouterr().err


def test_of_several_calls_one_is_named(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Two sub-agents at work ask at the same time."""

    def cleaner(name: str) -> Any:
        model = ScriptedModel([call("delete", path=name), "Deleted."])
        agent = Agent(
            tools=[delete],
            model=model,
            name=name,
            approver=OutsideApprover(60),
            show_reasoning=False,
        )
        return agent.as_tool(description="Cleans up.")

    run = start(
        call("one", request="x"),
        call("two", request="x"),
        tools=(cleaner("one"), cleaner("two")),
    )
    run.until("approval_requested")
    assert main(["approve", "s"]) == 1
    err = capsys.readouterr().err
    assert "2 calls wait. Name one with --call: " in err
    # Calls of two agents may have the same id.
    first, second = re.findall(r"(\S+/\S+) is delete", err)
    assert main(["approve", "s", "--call", second]) == 0
    run.until("approval_given")
    assert main(["deny", "s"]) == 0
    run.end()
    name = re.search(f'{second} is delete.path="(.*?)"', err)
    assert ran == [name and name[1]]
    assert main(["deny", "s", "--at", "1", "--call", second]) == 1
    assert f"{second} does not wait any more: Approved by" in capsys.readouterr().err
    assert main(["deny", "s", "--at", "1", "--call", first]) == 1
    assert f"{first} does not wait any more: Denied by" in capsys.readouterr().err


def test_of_a_session_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("approve", "deny"):
        code, done = told(capsys, command, "none")
        assert (code, done["error"]["type"]) == (1, "ConfigurationError")
        assert "There is no session none" in done["error"]["message"]


class Typed:
    """Somebody who types these lines, None for a while without any."""

    def __init__(self, *lines: str | None) -> None:
        self.lines = list(lines)

    def look(self, seconds: float) -> str | None:
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)

    def forget(self) -> None:
        """Nothing was typed before."""


class Watching:
    """An `Asker` over a run, and what it said."""

    def __init__(self, run: AskedRun, *lines: str | None) -> None:
        self.said: list[str] = []
        self.waiting = WaitingCalls()
        self.time = 0.0
        self._run, self._events = run, run.other.run_watch("s", run.interaction_id)
        self.asker = Asker(
            run.other,
            ("s", run.interaction_id),
            lines=Typed(*lines),
            say=self.said.append,
            monotonic=lambda: self.time,
        )

    def look(self) -> bool:
        for event in self._events.look():
            self.waiting.add(event)
        self.time += 1
        assert self.time < 100, self.said
        return self.asker.look(self.waiting, 0)


def test_a_question_is_shown_and_answered(start: Start) -> None:
    run = start(call("delete", path="x\x1b[2J"))
    seen = Watching(run, None, "maybe", "d  Keep it.")
    while seen.look():
        pass
    assert seen.said[0] == 'The agent wants to call delete:\n{\n  "path": "x\\u001b[2J"\n}'
    assert seen.said[1] == "Please answer a, d or e."
    given = run.until("approval_given")
    assert (given.decision, given.reason) == ("denied", "Keep it.")
    run.end()
    assert ran == []


def test_arguments_are_edited_on_a_line_and_asked_for_again(start: Start) -> None:
    run = start(call("delete", path="key-17"))
    tries = ("no json", "[1]", "", '{"path": []}')
    lines = [line for one in tries for line in ("e", one)]
    seen = Watching(run, *lines, "e", '{"path": "[redacted]", "note": "!"}')
    while len(seen.said) < 4:
        seen.look()
    assert seen.said[1].startswith("That is no JSON: ")
    assert seen.said[2] == 'It must be an object, such as {"name": "value"}.'
    assert seen.said[3].startswith("The arguments do not fit the tool. ")
    while not ran:
        seen.look()
    run.end()
    assert ran == ["key-17!"]


def test_an_editor_is_called_by_its_path_on_windows_too() -> None:
    call = editor_call(r"C:\tools\vim.exe -n", r"C:\Temp\a b.json", windows=True)
    assert call == r'C:\tools\vim.exe -n "C:\Temp\a b.json"'
    assert editor_call("'my editor' -n", "a b", windows=False) == ["my editor", "-n", "a b"]


def test_an_editor_of_the_users_own(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "editor.py").write_text(
        "import os, pathlib, sys\nfile = pathlib.Path(sys.argv[1])\n"
        "pathlib.Path('mode').write_text(oct(file.stat().st_mode & 0o777))\n"
        "pathlib.Path('name').write_text(str(file))\n"
        "file.write_text(file.read_text().replace('漢字', 'b'))\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} editor.py")
    run = start(call("delete", path="漢字"))
    seen = Watching(run, "e")
    seen.look()
    run.end()
    assert ran == ["b"]
    assert not Path((place / "name").read_text()).exists()
    monkeypatch.setenv("EDITOR", "no-such-editor")
    asker = Asker(run.other, ("s", 1), say=seen.said.append)
    asker._edit(WaitingCall("r", "c", "delete", {}, "c"))
    assert "The editor 'no-such-editor' failed (" in seen.said[-1]
    monkeypatch.setenv("VISUAL", "false")
    asker._edit(WaitingCall("r", "c", "delete", {}, "c"))
    assert "ended with an error: the arguments were left as they are." in seen.said[-1]


def test_an_answer_that_comes_second_is_told_and_not_asked_again(start: Start) -> None:
    run = start(call("delete", path="a"), call("delete", path="b"))
    seen = Watching(run, "a")
    for event in run.other.run_watch("s", run.interaction_id).look():
        seen.waiting.add(event)
    assert main(["deny", "s"]) == 0
    assert seen.asker.look(seen.waiting, 0)
    assert len(seen.said) == 2
    assert "does not wait for an answer any more" in seen.said[1]
    assert ran == []


def test_nobody_is_asked_any_more_after_the_end_of_input(start: Start) -> None:
    seen = Watching(start(call("delete", path="a")))
    assert seen.look()
    assert seen.said[-1] == "Nothing is answered here any more; the run is watched on."
    assert not seen.look()


@pytest.fixture
def terminal(start: Start, request: pytest.FixtureRequest) -> Iterator[tuple[AskedRun, Terminal]]:
    """`watch` in a terminal over a run of two calls, one after another."""
    run = start(turns=[call("delete", path="one"), call("delete", path="two")])
    with in_terminal("watch", "s") as made:
        yield run, made


def test_in_a_terminal_it_asks(terminal: tuple[AskedRun, Terminal]) -> None:
    run, seen = terminal
    seen.wait_for("[e]dit the arguments: ")
    assert 'The agent wants to call delete:\r\n{"path": "one"}' in seen.screen
    assert "Allow it? [a]llow, [d]eny (and why)" in seen.screen
    seen.type("a\n")
    seen.wait_for("delete: Approved by user elsewhere")
    seen.wait_for('{"path": "two"}\r\nAllow it?')
    # Somebody else is first: the question goes, and the run with it.
    seen.type("half a line")
    assert main(["deny", "s", "--reason", "Not this one."]) == 0
    assert seen.end() == 0
    run.end()
    assert ran == ["one"]
    assert "delete: Denied by user elsewhere: Not this one." in seen.screen
    assert seen.screen.count("Allow it?") == 2


def test_ctrl_c_at_the_question_leaves_the_call_waiting(
    terminal: tuple[AskedRun, Terminal],
) -> None:
    _, seen = terminal
    seen.wait_for("[e]dit the arguments: ")
    seen.type("\x03")
    assert seen.end() == 130
    assert "\r\nNo longer watching: a run that is under way goes on." in seen.screen
    assert main(["approve", "s"]) == 0


def test_without_a_terminal_it_only_tells(start: Start) -> None:
    run = start(call("delete", path="a"))
    process = started("watch", "s")
    try:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        expected = f"delete waits: minimalagent-nb approve s --call {run.call} (or deny)\n"
        assert line == expected
        assert main(line.split()[3:7]) == 0
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    assert ran == ["a"]


def test_a_run_that_is_over_asks_nothing(start: Start) -> None:
    run = start(call("delete", path="a"))
    assert main(["approve", "s"]) == 0
    run.end()
    with in_terminal("watch", "s", "--at", "1") as seen:
        assert seen.end() == 0
    assert "waits for approval" in seen.screen
    assert "Allow it?" not in seen.screen


def test_who_sits_at_a_terminal_is_announced(start: Start) -> None:
    run = start(call("delete", path="a"))
    assert not is_watched(run.run)
    Watching(run, None).look()
    wait_for(lambda: is_watched(run.run))
    assert main(["deny", "s"]) == 0
