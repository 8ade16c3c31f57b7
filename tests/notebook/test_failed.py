"""Which cells failed, where IPython does not keep it, and which one raised an error."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from minimalagent_nb.notebook.failed import Failed, raised_in


def ended(number: int | None, error: Exception | None = None, *, stored: bool = True) -> Any:
    """What a shell tells of a cell that has ended."""
    info = SimpleNamespace(store_history=stored)
    return SimpleNamespace(
        info=info, execution_count=number, error_before_exec=None, error_in_exec=error
    )


def test_a_cell_counts_as_failed_until_another_has_its_number() -> None:
    told: list[Any] = []
    events = SimpleNamespace(register=lambda _, function: told.append(function))
    shell = SimpleNamespace(history_manager=SimpleNamespace(), events=events)
    failed = Failed(shell)
    failed.begin()
    (note,) = told
    note(ended(1, ValueError("no")))
    note(ended(2))
    note(ended(None, ValueError("of a request without a number")))
    note(ended(2, ValueError("of a cell within it"), stored=False))
    assert failed.kept == {1: {"ename": "ValueError", "evalue": "no"}}
    note(ended(1))
    assert failed.kept == {}, "a shell that is reset counts anew"


class Counted(list[str]):
    """Cells that count how often they are looked at."""

    looks = 0

    def __getitem__(self, place: Any) -> Any:
        self.looks += 1
        return super().__getitem__(place)


def test_a_recursion_without_an_end_costs_no_more_than_any_error(tmp_path: Path) -> None:
    module = tmp_path / "endless.py"
    module.write_text("def again():\n    again()\n", encoding="utf-8")
    made: dict[str, Any] = {}
    exec(compile(module.read_text(encoding="utf-8"), str(module), "exec"), made)
    cells = Counted(["", *(f"x = {number}" for number in range(50))])
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_parsed=cells))
    with pytest.raises(RecursionError) as raised:
        made["again"]()
    assert raised_in(shell, raised.value) is None
    assert cells.looks <= 4 * len(cells), "this file and the other, not each frame"
