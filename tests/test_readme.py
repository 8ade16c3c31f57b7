"""The code in the README runs as it stands, in one IPython shell from top to bottom."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb import Agent, tool
from minimalagent_nb.config import Settings
from tests.notebook.conftest import new_shell

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SCRIPT = [
    {"calls": [{"name": "mean", "inputs": {"numbers": [3, 5, 10]}}]},
    {"text": "The mean is {{result}}."},
    {"calls": [{"name": "mean", "inputs": {"numbers": [3, 5]}}]},
    {"text": "Then it is {{result}}."},
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_blocks_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    converse_server: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.servers.converse import reply, text, tool_use

    script = tmp_path / "script.json"
    script.write_text(json.dumps({"version": 1, "replies": SCRIPT}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MODEL", f"scripted:{script}")
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", "sqlite:///notebook.sqlite3")
    converse_server.plan(
        reply(tool_use("add", {"a": 17, "b": 25})),
        reply(text("It is 42.")),
        reply(tool_use("final_answer", {"value": 42, "how": "added"})),
    )
    shell = new_shell()
    found = blocks("python")
    assert len(found) >= 5
    for block in found:
        result = shell.run_cell(block)
        assert result.success, f"{block}\n{result.error_before_exec or result.error_in_exec}"
    printed = capsys.readouterr().out
    assert "The mean is 6.0." in printed
    assert "Then it is 4.0." in printed
    assert "add {'a': 17, 'b': 25} 42" in printed
    assert "42 answered" in printed
    shell.run_line_magic("unload_ext", "minimalagent_nb")


def test_the_policies_are_json() -> None:
    policies = [block for block in blocks("json") if '"Statement"' in block]
    assert len(policies) == 2
    for block in policies:
        assert json.loads(block)["Statement"][0]["Effect"] == "Allow"


def test_the_script_file_is_one(tmp_path: Path) -> None:
    (script,) = [block for block in blocks("json") if '"replies"' in block]
    path = tmp_path / "script.json"
    path.write_text(script)

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    agent = Agent(tools=[add], model=f"scripted:{path}", show_reasoning=False)
    assert agent.run("What is 17 + 25?").response == "It is 42."


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", README, flags=re.MULTILINE))
    settings = {f.name: f.default for f in dataclasses.fields(Settings) if f.name != "sources"}
    assert set(settings) <= set(rows)
    for name, default in settings.items():
        if default not in (None, "", ()):
            assert rows[name] == f"`{str(default).lower() if default is True else default}`"


def test_the_pictures_and_links_are_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)|(?:src|srcset)=\"([^\"]+)\"", README)
    for target in {a or b for a, b in targets}:
        assert (Path(__file__).parents[1] / target).is_file(), target
