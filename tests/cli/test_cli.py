"""The command line: the doctor, the exit codes, and a notebook that is followed headless."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from minimalagent_nb.cli import main
from minimalagent_nb.cli.doctor import examine
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.fold import fold
from minimalagent_nb.models.weights import weights_path
from minimalagent_nb.notebook.headless import CellFailedError, execute_notebook, read_notebook
from tests.notebooks.execute import HERE
from tests.sessions.conftest import broken_file

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> None:
    """No settings and no memory but the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 'sessions.sqlite3'}")


def finding(topic: str, **options: Any) -> Any:
    return next(found for found in examine(**options) if found.topic == topic)


def test_the_doctor_finds_all_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "us.amazon.nova-pro-v1:0 on Amazon Bedrock in us-west-2" in printed
    assert "ipykernel" in printed
    assert "can be read" in printed


def test_the_doctor_says_what_to_do_without_a_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "no AWS credentials were found" in printed
    assert "→ aws configure" in printed


def test_the_doctor_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "xoxb-1234567890-secret")
    monkeypatch.setenv("MINIMALAGENT_NB_SYSTEM_PROMPT", "The key is xoxb-1234567890-secret.")
    monkeypatch.setenv("MINIMALAGENT_NB_REDACT", "Project Mercury\nProject Venus")
    told = finding("settings").text
    assert "xoxb" not in told
    assert "Mercury" not in told
    assert "The key is [redacted: SERVICE_API_KEY]." in told
    assert "redact = 2 rules" in told


def test_the_doctor_names_wrong_settings_and_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIMALAGENT_NB_MAX_STEPS", "many")
    found = finding("settings")
    assert found.state == "problem"
    assert "MINIMALAGENT_NB_MAX_STEPS" in found.text


def test_a_broken_project_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.minimalagent_nb")
    found = finding("settings")
    assert found.state == "problem"
    assert "is not valid TOML" in found.text
    assert finding("demo").state == "ok"


def test_a_long_setting_is_shown_on_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIMALAGENT_NB_SYSTEM_PROMPT", "Be brief.\n" + "x " * 500 + "secret")
    text = finding("settings").text
    assert "system_prompt = Be brief. x x" in text
    assert "\n" not in text
    assert "secret" not in text


def test_secrets_are_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWHATIKNOW")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "top-secret")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "credentials were found: env" in printed
    assert "AKIA" not in printed
    assert "top-secret" not in printed


def test_the_doctor_says_whether_the_weights_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "will be fetched" in finding("demo").text
    weights = weights_path()
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"GGUF")
    assert "are there" in finding("demo").text


def test_the_doctor_reads_the_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken_file(tmp_path / "sessions.sqlite3")
    assert finding("memory").state == "problem"
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", "none")
    assert finding("memory").state == "note"


def test_the_doctor_asks_only_when_told_to(converse_server: Any) -> None:
    converse_server.plan("Ready.")
    assert "doctor --ask" in finding("model").advice
    assert converse_server.requests == []
    assert finding("answer", ask=True).state == "ok"


def test_the_doctor_tells_why_a_model_does_not_answer(converse_server: Any) -> None:
    from tests.servers.converse import Fault

    converse_server.plan(Fault(403, "AccessDeniedException", "no"))
    found = finding("answer", ask=True)
    assert found.state == "problem"
    assert "bedrock:InvokeModel" in found.text


def test_exit_codes_and_help() -> None:
    command = [sys.executable, "-m", "minimalagent_nb.cli"]
    wrong = subprocess.run([*command, "dance"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert helped.returncode == 0
    assert "doctor" in helped.stdout


def test_an_encoding_without_arrows_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    monkeypatch.setenv("MINIMALAGENT_NB_MODEL", "local:/no/such.gguf")
    command = [sys.executable, "-m", "minimalagent_nb.cli", "doctor"]
    done = subprocess.run(command, capture_output=True, encoding="cp1252", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "/no/such.gguf cannot be read" in done.stdout


def test_a_notebook_is_followed_while_it_runs(tmp_path: Path) -> None:
    notebook = read_notebook(QUICKSTART)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    events: list[Any] = []
    execute_notebook(
        notebook,
        tmp_path,
        environment={"MINIMALAGENT_NB_MODEL": f"scripted:{HERE / 'quickstart.json'}"},
        on_event=events.append,
    )
    starts = [n for n, event in enumerate(events) if event.type == "run_started"]
    runs = [
        fold(events[first:last])
        for first, last in zip(starts, [*starts[1:], len(events)], strict=True)
    ]
    assert len(runs) == 4
    assert all(run.status == "completed" for run in runs)
    assert "152" in str(runs[0].final_response)
    assert any(cell.get("outputs") for cell in notebook.cells)


def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(CellFailedError, match="ZeroDivisionError"):
        execute_notebook(notebook, tmp_path, environment={}, on_event=lambda event: None)
    assert notebook.cells[0].outputs[0].ename == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("kernel", "code", "words"),
    [("nope", "1", "No such kernel"), ("python3", "import os; os._exit(3)", "Kernel died")],
)
def test_a_kernel_that_fails_is_said_in_words(
    tmp_path: Path, kernel: str, code: str, words: str
) -> None:
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel}}
    cells = [nbformat.v4.new_code_cell(code)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    with pytest.raises(CellFailedError, match=f"{words}.*doctor"):
        execute_notebook(notebook, tmp_path, environment={}, on_event=lambda event: None)


EXECUTE = """
import os, sys
from pathlib import Path
import nbformat
from minimalagent_nb.notebook.headless import execute_notebook
cell = nbformat.v4.new_code_cell(sys.argv[1].replace("PARENT", str(os.getpid())))
notebook = nbformat.v4.new_notebook(cells=[cell])
environment = dict(item.split("=") for item in sys.argv[2:])
try:
    execute_notebook(notebook, Path("."), environment=environment, on_event=print)
except BaseException as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1", "PYTHONHOME=/nowhere"], "CellFailedError .* died before replying"),
        # The cell interrupts the process that executes the notebook.
        (
            ["import os, signal, time; os.kill(PARENT, signal.SIGINT); time.sleep(600)"],
            "KeyboardInterrupt",
        ),
    ],
    ids=["cannot start", "interrupted"],
)
def test_a_kernel_that_ends_early_ends_the_execution(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert re.match(words, done.stdout), done


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"cells": 3, "nbformat": 4}'])
def test_a_file_that_is_no_notebook(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(content)
    with pytest.raises(ConfigurationError):
        read_notebook(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_notebook(tmp_path / "missing.ipynb")


def test_the_doctor_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIMALAGENT_NB_MODEL", "local:/no/such.gguf")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["command"]) == (1, "doctor")
    found = {one["topic"]: one for one in told["findings"]}
    assert set(found["model"]) == {"topic", "state", "text", "advice"}
    assert found["model"]["state"] == "problem"
    assert found["memory"]["state"] == "ok"


def test_a_demo_that_cannot_be_run_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert main(["demo", "--json", "--to", "taken"]) == 1
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["error"]["type"] == "ConfigurationError"
    assert "taken cannot be made" in told["error"]["message"]
    assert "taken cannot be made" in printed.err


def test_a_hostile_setting_does_not_command_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIMALAGENT_NB_SYSTEM_PROMPT", "\x1b[2J\x9b31m\x07")
    main(["doctor"])
    main(["doctor", "--json"])
    assert not set(capsys.readouterr().out) & set("\x1b\x9b\x07")
