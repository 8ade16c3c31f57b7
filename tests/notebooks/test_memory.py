"""The notebook on memory tells the truth: of the field notes, and of what is kept of the talk."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from palmerpenguins import load_penguins_raw

from tests.notebooks.conftest import output


@pytest.fixture(scope="module")
def memory(executed: Any) -> Any:
    return executed("memory")


@pytest.fixture(scope="module")
def notes() -> pd.DataFrame:
    return load_penguins_raw()


def test_the_notes_are_counted_right(memory: Any, notes: pd.DataFrame) -> None:
    answer = output(memory, "How many records has each season")
    incomplete = notes["Clutch Completion"] == "No"
    counts = {}
    for study, group in notes.groupby("studyName"):
        season = {"PAL0708": "2007/08", "PAL0809": "2008/09", "PAL0910": "2009/10"}[study]
        counts[season] = int(incomplete[group.index].sum())
        row = f'"season": "{season}", "records": {len(group)}, "incomplete": {counts[season]}'
        assert row in answer
        assert f"**{season}**: {len(group)}" in answer
    worst = output(memory, "Which season was the worst?")
    assert "2007/08: in 16 of its 110 records" in worst
    assert counts == {"2007/08": 16, "2008/09": 10, "2009/10": 10}
    assert "tool call" not in worst, "known from the conversation"


def test_the_remarks_are_summed_up_right(memory: Any, notes: pd.DataFrame) -> None:
    remarks = notes.Comments[notes.Sex.isna()]
    counts = [
        remarks.str.contains(words).sum()
        for words in ("primers did not amplify", "No blood sample", "Adult not sampled")
    ]
    assert (counts, len(remarks)) == ([5, 4, 2], 11)
    answer = output(memory, "Why were some birds not sexed?").rsplit("\n\n", 1)[-1]
    assert all(word in answer for word in ("in five cases", "in four", "two adults"))


def test_the_fork_leaves_the_session_alone(memory: Any, notes: pd.DataFrame) -> None:
    isotopes = notes[["Delta 15 N (o/oo)", "Delta 13 C (o/oo)"]].notna().all(axis=1)
    left = (isotopes & (notes["Clutch Completion"] == "Yes")).sum()
    assert f"**{left}** birds" in output(memory, "Leave out the nests")
    assert "Leave out" not in output(memory, "for message in worst.messages")


def test_what_is_seen_from_outside(memory: Any) -> None:
    history = output(memory, "!minimalagent-nb history")
    assert history.count("completed") == 2
    assert "DynamoDB table penguin-diary" in output(memory, "delete what-if")
    sessions = output(memory, "!minimalagent-nb sessions").split("penguin-diary", 1)[1]
    assert "field-notes" in sessions
    assert "what-if" not in sessions
    lifetimes = output(memory, "days to live")
    assert [line.split()[-2:] for line in lifetimes.splitlines()[1:]] == [["4", "120"]] * 2


def test_the_key_is_not_in_the_table(memory: Any) -> None:
    assert "adelie-2007-k3y" in output(memory, "photographs of 2009?")
    stored = output(memory, "!minimalagent-nb show")
    assert stored.count("[redacted: ARCHIVE_API_KEY]") == 2
    assert "adelie-2007-k3y" not in stored
