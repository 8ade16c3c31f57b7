"""The quickstart tells the truth."""

from __future__ import annotations

from typing import Any

import pytest
from palmerpenguins import load_penguins

from tests.notebooks.conftest import output


@pytest.fixture(scope="module")
def quickstart(executed: Any) -> Any:
    return executed("quickstart")


def test_every_number_in_the_answers_is_true(quickstart: Any) -> None:
    penguins = load_penguins()
    counts = penguins.species.value_counts()
    answer = output(quickstart, "How many penguins", "text/plain")
    assert all(f"{species}**: {n}" in answer for species, n in counts.items())
    answer = output(quickstart, "heaviest penguins?", "text/plain")
    assert "Which are the 3 heaviest penguins?" in answer
    for mass in penguins.body_mass_g.nlargest(3):
        assert str(mass) in answer
    means = penguins.groupby("species").body_mass_g.mean().round(1)
    answer = output(quickstart, "mean body mass", "text/plain")
    assert f"**{means.idxmax()}** penguins are the heaviest, with {means.max()} g" in answer
    assert all(f"{mean} g" in answer for mean in means)
    flippers = penguins.groupby("species").flipper_length_mm.mean().round(1)
    answer = output(quickstart, "flipper length?", "text/plain")
    assert all(f"{mean} mm" in answer for mean in flippers)


def test_the_history_lists_every_interaction_once(quickstart: Any) -> None:
    history = output(quickstart, "%agent history", "text/plain")
    assert "4 interactions" in history
    assert history.count("penguins of each species") == 1
    assert history.index("heaviest penguins") < history.index("flipper length")
