"""`ask`: the answer alone on standard output, tools from notebooks, approval, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.cli.processes import PATIENCE, finished, in_terminal, started, write_notebook

TOOLS = (
    "%load_ext minimalagent_nb",
    "from minimalagent_nb import tool\nimport math\nprint('from a cell that is not run')\nleft = 3",
    '@tool\ndef add(a: int, b: int) -> int:\n    """Add."""\n    return a + b\n'
    "'a value that is not shown'",
    "%%tool shout(word: str)\n'''Say it loudly.'''\nimport os\nos.system('echo from a shell')\n"
    "print('from python', flush=True)\nword.upper()",
    "open('touched', 'w').close()",
    '@tool(approve=True)\ndef wipe(path: str) -> str:\n    """Wipe."""\n    return f"wiped {path}"',
    "from dataclasses import dataclass\n@dataclass\nclass Sum:\n    value: int\n\n"
    '@tool\ndef total() -> Sum:\n    """The total."""\n    return Sum(42)',
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a notebook of tools, a memory and a model of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    monkeypatch.setenv("MINIMALAGENT_NB_MODEL", f"scripted:{tmp_path / 'script.json'}")
    write_notebook(tmp_path / "tools.ipynb", *TOOLS)
    return tmp_path


def script(*replies: dict[str, Any]) -> None:
    Path("script.json").write_text(json.dumps({"version": 1, "replies": replies}))


def calls(*named: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"calls": [{"name": name, "inputs": inputs} for name, inputs in named]}


def log() -> SessionLog:
    return SessionLog(SQLiteStore(Path("s.sqlite3")))


def only_session() -> str:
    (info,) = log().sessions()
    return info.session_id


def test_the_answer_alone_goes_to_standard_output(place: Path) -> None:
    script(calls(("add", {"a": 17, "b": 25}), ("shout", {"word": "hi"})), {"text": "**42**, HI"})
    done = finished("ask", "What is it?", "--tools", "tools.ipynb", "--yes")
    assert (done.returncode, done.stdout) == (0, "**42**, HI\n")
    for words in (
        "From tools.ipynb, 5 cells run here:",
        "    def add(a: int, b: int) -> int:",
        "├─ Step 1",
        '│  ├─ shout(word="hi")',
        "from a shell",
        "from python",
        "└─ Completed",
        f"To go on: minimalagent-nb ask --session {only_session()}",
    ):
        assert words in done.stderr
    assert "from a cell that is not run" not in done.stderr
    assert "a value that is not shown" not in done.stderr.replace("    'a value", "")
    assert not (place / "touched").exists()


def test_quiet_and_from_standard_input_in_a_session() -> None:
    script({"text": "Fine."})
    done = finished("ask", "-", "-q", "-s", "talk", text="How are\nyou?\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Fine.\n", "")
    finished("ask", "And you?", "-q", "-s", "talk")
    assert [run.query for run in log().history("talk")] == ["How are\nyou?\n", "And you?"]
    assert len(log().load("talk")) == 4, "the second one goes on with the conversation"


def test_what_is_no_text_is_said_in_a_line() -> None:
    script({"text": "Fine."})
    command = started(
        "ask", "-", "-q", stdin=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "utf-8"}
    )
    out, err = command.communicate(b"caf\xe9", PATIENCE)
    assert (command.returncode, out) == (1, b"")
    assert b"is no text in utf-8: convert it first" in err
    assert b"Traceback" not in err


def test_as_json() -> None:
    script(calls(("add", {"a": 1, "b": 2})), {"text": "3 \x1b[2J\x9b31m"})
    done = finished("ask", "?", "-t", "tools.ipynb", "-y", "--json", "--max-steps", "3")
    told = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert not set(done.stdout) & set("\x1b\x9b")
    assert (told["version"], told["command"], told["status"]) == (1, "ask", "completed")
    assert told["outcome"] == "answered"
    assert told["response"] == "3 \x1b[2J\x9b31m"
    assert told["session_id"] == only_session()
    assert told["reasoning"]["steps"][0]["tools"][0]["result"] == 3
    assert told["error"] is None
    assert told["interaction_id"] == next(log().history(told["session_id"])).interaction_id


def test_a_typed_answer() -> None:
    script(calls(("final_answer", {"value": 42})))
    done = finished("ask", "?", "-t", "tools.ipynb", "-y", "-q", "--type", "Sum", "--json")
    told = json.loads(done.stdout)
    assert told["output"] == {"value": 42}, done.stderr
    done = finished("ask", "?", "--type", "list[float", "-q")
    assert done.returncode == 2
    assert "--type 'list[float' is no type here (SyntaxError" in done.stderr


def test_without_a_memory_nothing_is_kept() -> None:
    script({"text": "Fine."})
    done = finished("ask", "?", "--memory", "none", "--json", "-q")
    assert json.loads(done.stdout)["session_id"] is None
    assert not Path("s.sqlite3").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_run_that_fails_says_so_once_and_exits_with_1(as_json: bool) -> None:
    script(calls(("x", {})))  # and then it has run out
    done = finished("ask", "?", "-s", "failed", *(["--json"] if as_json else []))
    assert done.returncode == 1
    error = log().reasoning("failed").error
    assert error
    assert "".join(done.stderr.split()).count("".join(error.split())) == (2 if as_json else 1)
    if as_json:
        told = json.loads(done.stdout)
        assert told["status"] == "failed"
        assert told["error"]["message"] == error
    else:
        assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["?", "-t", "nowhere.ipynb", "-y"], 1, "nowhere.ipynb cannot be read"),
        (["?", "-t", "empty.ipynb", "-y"], 1, "no cell that defines a tool"),
        (["?", "-t", "tools.ipynb"], 1, "Add --yes once you have read them"),
        (["?", "-t", "broken.ipynb", "-y"], 1, "NameError: name 'Group' is not defined. Only"),
        (["?", "-t", "unsigned.ipynb", "-y"], 1, 'with a """docstring""" and the code below.\n'),
        (["?", "-m", "local:/no.gguf"], 1, "/no.gguf cannot be read"),
        (["?", "-s", "a/b"], 1, "no session id"),
        (["  "], 2, "the prompt is empty"),
        (["-"], 2, "the prompt is empty"),
        (["what", "now"], 2, "'now' is one argument too many; quote what has spaces"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], code: int, words: str) -> None:
    script({"text": "Fine."})
    write_notebook(Path("empty.ipynb"), "1 + 1")
    write_notebook(
        Path("broken.ipynb"),
        "from minimalagent_nb import tool",
        "Group = int",
        "@tool\ndef f(x: Group) -> int:\n    '''F.'''\n    return x",
    )
    write_notebook(Path("unsigned.ipynb"), "%%tool\nx")
    done = finished("ask", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_tool_lacks_is_said_beforehand() -> None:
    script({"text": "Fine."})
    write_notebook(
        Path("lacking.ipynb"),
        "from minimalagent_nb import tool",
        "penguins = [1]\ndef mean(x):\n    return sum(x)",
        "@tool\ndef count(by: str) -> int:\n    '''Count.'''\n"
        "    return mean([len(penguins) for _ in range(len(by.upper()))])",
    )
    done = finished("ask", "?", "-t", "lacking.ipynb", "-y")
    assert "Note: count needs mean, penguins, which the cells that were run do not make" in (
        done.stderr
    )


def test_hidden_characters_of_a_notebook_are_shown() -> None:
    script({"text": "Fine."})
    hostile = "from minimalagent_nb import tool\n@tool\ndef f() -> str:\n    '''\x1b[2JF.'''\n"
    write_notebook(Path("hostile.ipynb"), hostile + "    return '\u202egpj.exe\u200b'\n#\x9b31m")
    done = finished("ask", "?", "-t", "hostile.ipynb", "-y")
    assert done.returncode == 0
    assert not set(done.stderr) & set("\x1b\u202e\u200b\x9b")
    for shown in (r"\x1b[2JF.", r"\u202egpj.exe\u200b", r"#\x9b31m"):
        assert shown in done.stderr


HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202ered\r\x08"


def test_a_hostile_model_does_not_command_the_terminal() -> None:
    script(
        {"text": HOSTILE, "thinking": HOSTILE, **calls((f"x{HOSTILE}", {HOSTILE: HOSTILE}))},
        {"text": f"a {HOSTILE} &#x202e;b"},
    )
    with in_terminal("ask", "?", "-s", "hostile") as terminal:
        assert terminal.end() == 0
    assert not set(terminal.screen) & set("\x07\x9b\u202e\x08")
    assert "\x1b]" not in terminal.screen
    assert "\x1b[2J" not in terminal.screen
    done = finished("ask", "?", "-s", "hostile")
    assert not set(done.stdout + done.stderr) & set("\x07\x1b\x9b\u202e\x08\r")


def test_a_tool_that_asks_is_denied_without_a_terminal() -> None:
    script(calls(("wipe", {"path": "/x"})), {"text": "It said: {{result}}"})
    done = finished("ask", "?", "-t", "tools.ipynb", "-y")
    assert "Denied" in done.stderr
    assert "no terminal in which the user could be asked" in done.stdout
    done = finished("ask", "?", "-t", "tools.ipynb", "-y", "--approve", "always")
    assert done.stdout == "It said: wiped /x\n"
    done = finished("ask", "?", "-t", "tools.ipynb", "-y", "--approve", "never")
    assert "wiped" not in done.stdout


def test_in_a_terminal_it_asks_for_cells_and_calls(tmp_path: Path) -> None:
    script(calls(("wipe", {"path": "/x"})), {"text": "It said: **{{result}}**"})
    with in_terminal("ask", "?", "-t", "tools.ipynb") as terminal:
        terminal.wait_for("Run them? [y]es, [n]o: ")
        terminal.type("y\n")
        terminal.wait_for("Allow it?")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert "wiped /x" in terminal.screen
    assert "**wiped" not in terminal.screen, "in a terminal Markdown is rendered"
    with in_terminal("ask", "?", "-t", "tools.ipynb") as terminal:
        terminal.wait_for("Run them? [y]es, [n]o: ")
        terminal.type("\n")
        assert terminal.end() == 1
    assert "Nothing was run." in terminal.screen


def test_questions_do_not_get_into_a_piped_answer(tmp_path: Path) -> None:
    script(calls(("wipe", {"path": "/x"})), {"text": "It said: **{{result}}**"})
    with (
        open(tmp_path / "answer", "wb") as file,
        in_terminal("ask", "?", "-t", "tools.ipynb", "-y", stdout=file) as terminal,
    ):
        terminal.wait_for("Allow it?")
        terminal.type("y\n")
        assert terminal.end() == 0
    assert (tmp_path / "answer").read_text() == "It said: **wiped /x**\n"


WAITING = (
    "from minimalagent_nb import tool\nimport time, pathlib",
    "@tool\ndef wait() -> str:\n    '''Wait.'''\n    pathlib.Path('begun').touch()\n"
    "    while True:\n        time.sleep(0.01)",
)


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_stops_the_run_and_keeps_what_was_done(as_json: bool) -> None:
    script({"text": "I wait.", **calls(("wait", {}))}, {"text": "Done."})
    write_notebook(Path("waiting.ipynb"), *WAITING)
    more = ["--json"] if as_json else []
    process = started("ask", "Go on", "-t", "waiting.ipynb", "-y", "-s", "talk", *more)
    wait_for_file("begun")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"stopped. What was done is kept: minimalagent-nb show talk" in err
    assert b"Traceback" not in err
    kept = log().reasoning("talk")
    assert (kept.status, kept.steps[0].tools[0].status) == ("stopped", "stopped")
    if as_json:
        assert json.loads(out)["status"] == "stopped"
    else:
        assert out == b""
    done = finished("ask", "Go on", "-q", "-s", "talk", "-t", "tools.ipynb", "-y")
    assert done.returncode == 0, "the conversation can go on"


def test_ctrl_c_in_a_terminal_at_a_question() -> None:
    script(calls(("wipe", {"path": "/x"})), {"text": "Done."})
    with in_terminal("ask", "?", "-t", "tools.ipynb", "-y", "-s", "talk") as terminal:
        terminal.wait_for("Allow it?")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert log().reasoning("talk").status == "stopped"


def wait_for_file(name: str) -> None:
    until = time.monotonic() + PATIENCE
    while not Path(name).exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_reader_that_has_enough() -> None:
    script({"text": "x" * 2_000_000})
    process = started("ask", "?", "-q", env={**os.environ})
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) == 1


def test_over_the_service_itself(
    converse_server: Any, monkeypatch: pytest.MonkeyPatch, aws_environment: None
) -> None:
    converse_server.plan("Fine.")
    monkeypatch.delenv("MINIMALAGENT_NB_MODEL")
    done = finished("ask", "?", "--system", "Be brief.", "-m", "us.amazon.nova-lite-v1:0", "-q")
    assert (done.returncode, done.stdout) == (0, "Fine.\n"), done.stderr
    (request,) = converse_server.requests
    assert request["system"][0]["text"] == "Be brief."
