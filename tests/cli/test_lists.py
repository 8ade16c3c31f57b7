"""The lists of sessions and interactions: what fits a screen, and how much is read for them."""

from __future__ import annotations

import json
import re
import time

import pytest
from rich.cells import cell_len

from minimalagent_nb.cli import main
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.directory import list_session
from tests.cli.processes import in_terminal
from tests.sessions.conftest import record


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No settings and no memory but the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    monkeypatch.delenv("NO_COLOR", raising=False)


def told(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


class CountedStore(SQLiteStore):
    """Counts the interactions that are read whole, and of which the keys alone."""

    def __init__(self, path):
        super().__init__(path)
        self.whole = self.keys = 0

    def query(self, pk, **options):
        for item in super().query(pk, **options):
            if pk == "reasoning#long":
                self.whole += "reasoning" in item.attributes
                self.keys += "reasoning" not in item.attributes
            yield item

    def get(self, pk, sk):
        self.whole += pk == "reasoning#long"
        return super().get(pk, sk)


@pytest.fixture
def long(tmp_path, monkeypatch):
    """A session of 100 runs, and the store that counts."""
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    for number in range(1, 101):
        record(log, "long", f"question {number}")
    log.flush()
    log.close()
    store = CountedStore(tmp_path / "s.sqlite3")
    monkeypatch.setattr("minimalagent_nb.cli.sessions.opened", lambda _: SessionLog(store))
    return store


@pytest.mark.parametrize(
    ("at", "number", "whole"),
    [("-1", 100, 1), ("-3", 98, 3), ("100", 100, 1), ("2", 2, 1), ("-100", 1, 100)],
)
def test_no_more_is_read_than_a_run_takes(long, capsys, at, number, whole):
    shown = told(capsys, "show", "long", "--at", at)["reasoning"]
    assert (shown["query"], long.whole) == (f"question {number}", whole)


def test_no_more_is_read_than_is_listed(long, capsys):
    listed = told(capsys, "history", "long", "--limit", "2")["interactions"]
    assert [one["number"] for one in listed] == [99, 100]
    assert (long.whole, long.keys) == (2, 100)
    assert main(["show", "long", "--at", "-101"]) == 1


IDS = ("sums", "notebook-analysis-20261126-0630-1f2e", "a" * 120)
TITLES = (
    "漢字の長い質問をここに書きますので、切り詰められるはずです。",
    "\U0001f469\u200d\U0001f467\U0001f389 " * 20,
    "What " * 60,
)


@pytest.fixture
def wide(tmp_path):
    """Sessions with long ids, and wide characters in their titles."""
    log = SessionLog(SQLiteStore(tmp_path / "s.sqlite3"))
    for session_id, title in zip(IDS, TITLES, strict=True):
        record(log, session_id, title, title)
    log.flush()
    log.close()


@pytest.mark.parametrize(
    ("columns", "term", "own_line"),
    [(60, "", 2), (60, "dumb", 2), (80, "", 1), (120, "", 1), (160, "", 0)],
)
def test_ids_are_whole_on_one_line_in_a_terminal(wide, columns, term, own_line):
    with in_terminal("sessions", columns=columns, term=term) as terminal:
        assert terminal.end() == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.screen).splitlines()
    # The header, three sessions, where they are kept.
    assert len(lines) == 5 + own_line
    assert {line.split()[0] for line in lines} >= set(IDS)
    rows = [line for line in lines[:-1] if line not in IDS]
    assert max(map(cell_len, rows)) <= columns
    assert sum("…" in row for row in rows) == (2 if columns == 120 else 3)
    assert len({row.index(" 1 ") for row in rows[1:]}) == 1


def test_in_a_pipe_each_session_is_a_line(wide, capsys):
    assert main(["sessions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert {line.split()[0] for line in lines} >= set(IDS)
    assert lines[-2].startswith("sums ")
    assert "漢字の長い質問" in lines[-2]


def test_entries_of_a_shared_table_that_a_terminal_would_obey(tmp_path, monkeypatch, capsys):
    store = SQLiteStore(tmp_path / "s.sqlite3")
    facts = {"now": time.time(), "expires": None, "run": "r", "title": "\x1b[2Jbegan"}
    for name in ("\x1b]0;mine\x07" + "a" * 100, "sums"):
        list_session(store, name, count=lambda: 1, **facts)
    store.close()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["sessions"]) == 0
    out = capsys.readouterr().out
    assert "sums" in out
    assert "began" in out
    assert "1 entry of the list of sessions is damaged" in out, "no command would take its id"
    assert "\x1b]" not in out
    assert "\x1b[2J" not in out
    assert told(capsys, "sessions")["unreadable"] == 1


@pytest.mark.parametrize("columns", [60, 80])
def test_a_history_fits_the_terminal(wide, columns):
    with in_terminal("history", IDS[1], columns=columns) as terminal:
        assert terminal.end() == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.screen).splitlines()
    assert len(lines) == 3
    assert cell_len(lines[1]) <= columns
    assert lines[1].count("…") == (1 if columns == 60 else 2)
    assert IDS[1] in lines[2]
