"""What a notebook keeps, nothing of secrets, and shows, nothing that a terminal would obey."""

from __future__ import annotations

import pytest

from minimalagent_nb.config import resolve_settings
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell


def test_the_setting_of_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    monkeypatch.setenv("MY_API_KEY", "q9w8e7r6t5")
    shell = new_shell()
    shell.run_line_magic("load_ext", "minimalagent_nb")
    shell.user_ns["model"] = model = ScriptedModel(["One.", "Two."])
    shell.run_line_magic("config", 'AgentMagics.model = "model"')
    shell.run_cell("%%agent -s s --quiet\nq9w8e7r6t5 and 1234")
    # IPython itself takes {4} for an expression in a line like this.
    shell.run_line_magic("config", r'AgentMagics.redact = ["\\d{{4}}"]')
    shell.run_cell("%%agent -s s --quiet\nq9w8e7r6t5 and 5678")
    shell.run_line_magic("unload_ext", "minimalagent_nb")
    assert model.requests[-1].messages[-1]["content"] == [{"text": "q9w8e7r6t5 and 5678"}]
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    assert [run.query for run in log.history("s")] == [
        "[redacted: MY_API_KEY] and 1234",
        "[redacted: MY_API_KEY] and [redacted]",
    ]


def test_what_commands_print_and_settings_refuse(tmp_path, monkeypatch, capsys):
    """It stays in the cell's output, and so in the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    monkeypatch.setenv("MINIMALAGENT_NB_SYSTEM_PROMPT", "Use q9w8e7r6t5.")
    monkeypatch.setenv("MY_API_KEY", "q9w8e7r6t5")
    shell = new_shell()
    shell.run_line_magic("load_ext", "minimalagent_nb")
    shell.user_ns["model"] = ScriptedModel(["It is q9w8e7r6t5."])
    shell.run_line_magic("config", 'AgentMagics.model = "model"')
    shell.run_cell("%%agent --quiet\nWhich key?")
    capsys.readouterr()
    for command in ("config", "reasoning", "status"):
        assert shell.run_cell(f"%agent {command}").success
    told = capsys.readouterr().out
    assert "q9w8e7r6t5" not in told
    assert "It is [redacted: MY_API_KEY]." in told
    assert "Use [redacted: MY_API_KEY]." in told
    shell.run_line_magic("unload_ext", "minimalagent_nb")


def test_a_setting_that_is_refused_is_told_without_its_password(monkeypatch):
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", "postgres://ann:q9w8e7r6t5@example.com/db")
    with pytest.raises(ConfigurationError, match="Setting memory cannot be") as refused:
        resolve_settings()
    assert "q9w8e7r6t5" not in str(refused.value)
    assert "postgres://ann:[redacted" in str(refused.value)


def test_what_is_shown_of_others_words_hides_nothing(shell, capsys):
    prepare(shell, "['Sly \\x1b[2J and \\u202e turned.']")
    run(shell, '@tool(description="Sly \\x1b]0;x\\x07 tool.")\ndef sly(): ...')
    run(shell, "%%agent --quiet\nGo.")
    for command in ("%%agent --dry-run\nAgain.", "%agent tools sly"):
        capsys.readouterr()
        run(shell, command)
        shown = capsys.readouterr().out
        assert "\\x1b" in shown
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
