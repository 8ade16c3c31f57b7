"""Completion of the magics, asked for as a front end asks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core import completer
from IPython.core.completer import provisionalcompleter

from minimalagent_nb.notebook.completion import Completion
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell
from tests.sessions.conftest import FaultyStore, record, wait_for


def offered(shell: Any, line: str) -> list[str]:
    """What is offered behind this line."""
    symbol = re.split(r"[ \t,=]", line)[-1]
    _, matches = shell.complete(symbol, line, len(line))
    return list(matches)


@pytest.fixture
def ready(shell: Any) -> Any:
    prepare(shell, "['ok', 'ok']")
    run(shell, "import math\nfigures = [1, 2]\nhelper = Agent(model=model)\nclass Shape: ...")
    return shell


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%agent sess", ["session", "sessions"]),
        ("%agent hel", ["help"]),
        ("%agent --to", ["--tools"]),
        ("%agent tools a", ["add"]),
        ("%agent tools --f", ["--from"]),
        ("%%agent --us", ["--use"]),
        ("%%agent --tools ", ["add"]),
        ("%%agent --tools a", ["add"]),
        ("%%agent -t a", ["add"]),
        ("%%agent --use fig", ["figures"]),
        ("%%agent --use helper,fig", ["figures"]),
        ("%%agent --use=fig", ["figures"]),
        ("%%agent --agent h", ["helper"]),
        ("%%agent --model mo", ["model"]),
        ("%agent model us.", ["us.amazon.nova-lite-v1:0", "us.amazon.nova-pro-v1:0"]),
        ("%%agent --quiet --se", ["--session"]),
    ],
)
def test_what_is_offered(ready: Any, line: str, expected: list[str]) -> None:
    assert offered(ready, line) == expected


def test_sessions_are_those_of_the_memory(ready: Any) -> None:
    run(ready, "%%agent --session mine\nGo.")
    assert offered(ready, "%agent session mi") == ["mine"]
    assert offered(ready, "%agent history mi") == ["mine"]
    assert offered(ready, "%%agent --session mi") == ["mine"]


def test_a_memory_that_hangs_keeps_nobody_from_typing(store_path: Path) -> None:
    """A table may be far away, and a network may be gone."""

    class Far(FaultyStore):
        def query(self, pk: str, **options: Any) -> Any:
            self.held.set()
            assert self.open.wait(30)
            return self.inner.query(pk, **options)

    store = Far(SQLiteStore(store_path))
    log = SessionLog(store)
    record(log, "mine")
    completion = Completion(SimpleNamespace(log=lambda _: log, session_id="now"), lambda: None)
    store.open.clear()
    assert completion.offered("%agent session ") == ("", ["now"])
    assert store.held.is_set()
    store.open.set()
    wait_for(lambda: completion.offered("%agent session m") == ("m", ["mine"]))
    store.open.clear()
    assert completion.offered("%agent session m") == ("m", ["mine"]), "what is known stays"
    store.open.set()
    log.close()


def test_a_memory_that_fails_does_not_disturb_who_types(ready: Any, tmp_path: Any) -> None:
    (tmp_path / "broken").write_text("no database")
    run(ready, f'%config AgentMagics.memory = "sqlite:///{tmp_path}/broken"')
    assert offered(ready, "%agent session xyzzy") == []


def test_modules_and_ipythons_own_names_are_no_variables_to_send(ready: Any) -> None:
    names = offered(ready, "%%agent --use ")
    assert "figures" in names
    assert not {"math", "In", "Out", "get_ipython", "exit"} & set(names)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%agent tools +n", ["+notebook"]),
        ("%agent tools --from ot", ["other.ipynb"]),
        ("%agent tools --from other.ipynb ", ["--yes"]),
        ("%agent model us.amazon.nova-pro-v1:", ["us.amazon.nova-pro-v1:0"]),
        ("%%agent --max", ["--max-steps"]),
        ("%%agent --session mine --qui", ["--quiet"]),
        ("  %agent histo", ["history"]),
        ("%agent history --", ["--live"]),
        ("%agent show --", ["--live", "--session"]),
        ("%agent show 3 --l", ["--live"]),
        ("%agent tools --from other.ipynb --", ["--yes"]),
        ("%agent export se", ["session.html", "session.ipynb", "session.jsonl", "session.md"]),
        ("%agent export ke", [f"kept{os.sep}"]),
        ("%agent ask --qui", ["--quiet"]),
        ("%%agent --output fig", ["figures"]),
        ("%%agent --type Sh", ["Shape"]),
        ("%%agent --type flo", ["float"]),
        ("%%agent --max-steps ", ["20"]),
        ("%%agent --cells 1,", ["1", "2"]),
        ("%%tool --ap", ["--approve"]),
        ("%%tool --approve --m", ["--main-thread"]),
    ],
)
def test_nothing_else_is_offered_beside_it(
    ready: Any, tmp_path: Any, line: str, expected: list[str]
) -> None:
    (tmp_path / "other.ipynb").touch()
    (tmp_path / "other.txt").touch()
    (tmp_path / "kept").mkdir()
    ready.user_ns["In"] = ["", "x = 1", "y = 2"]
    if not hasattr(completer, "context_matcher"):
        pytest.skip("IPython before 8.6 offers Python's names as well")
    with provisionalcompleter():
        found = list(ready.Completer.completions(line, len(line)))
    assert sorted(line[: one.start] + one.text for one in found) == [
        re.sub(r"[^\s,=]*$", "", line) + text for text in expected
    ]


def test_a_type_is_completed_within_brackets(ready: Any) -> None:
    line = '%%agent --type "dict[str, Sh'
    if not hasattr(completer, "context_matcher"):
        pytest.skip("IPython before 8.6 breaks words elsewhere")
    with provisionalcompleter():
        (one,) = ready.Completer.completions(line, len(line))
    assert line[: one.start] + one.text == '%%agent --type "dict[str, Shape'


@pytest.mark.parametrize("line", ["%agent what is fig", "%%agent -q why fig", "x = fig", "%agen"])
def test_elsewhere_ipython_completes_as_ever(ready: Any, line: str) -> None:
    plain = new_shell()
    plain.user_ns.update(ready.user_ns)
    plain.magics_manager.magics = ready.magics_manager.magics
    assert offered(ready, line) == offered(plain, line)


def test_unloading_takes_it_back() -> None:
    shell = new_shell()

    def hooks() -> list[Any]:
        table = dict(shell.strdispatchers["complete_command"].regexs)
        return [table, list(getattr(shell.Completer, "custom_matchers", []))]

    before = hooks()
    shell.run_line_magic("load_ext", "minimalagent_nb")
    assert hooks() != before
    shell.run_line_magic("unload_ext", "minimalagent_nb")
    assert hooks() == before
