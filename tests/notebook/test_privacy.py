"""What a notebook keeps: nothing of secrets, and nothing that ``%config`` names."""

from __future__ import annotations

from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.sessions import SessionLog, SQLiteStore
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
