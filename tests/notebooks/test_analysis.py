"""The analysis tells the truth: every number in it is what pandas says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from palmerpenguins import load_penguins

from tests.notebooks.conftest import NOTEBOOKS, output

MEASURED = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


@pytest.fixture(scope="module")
def analysis(executed: Any) -> Any:
    return executed("analysis")


@pytest.fixture(scope="module")
def penguins() -> pd.DataFrame:
    return load_penguins()


def chance_of_male(bird: pd.Series, known: pd.DataFrame) -> float:
    """By the normal densities of both sexes with one covariance: another way to the same number."""
    groups = {sex: known.loc[known.sex == sex, MEASURED] for sex in ("male", "female")}
    within = sum(group.cov() * (len(group) - 1) for group in groups.values()) / (len(known) - 2)
    inverse = np.linalg.inv(within)
    away = {sex: (bird[MEASURED] - group.mean()).astype(float) for sex, group in groups.items()}
    density = {sex: np.exp(-0.5 * far @ inverse @ far) for sex, far in away.items()}
    return float(density["male"] / sum(density.values()))


def test_what_is_missing(analysis: Any, penguins: pd.DataFrame) -> None:
    answer = output(analysis, "Which data is in this notebook").rsplit("\n\n", 1)[-1]
    unsexed = penguins[penguins.sex.isna()]
    assert f"DataFrame {len(penguins)} x {len(penguins.columns)}" in answer
    assert f"The sex of {len(unsexed)} birds is missing" in answer
    assert (unsexed[MEASURED].isna().all(axis=1).sum(), len(unsexed[MEASURED].dropna())) == (2, 9)
    assert "Two of these have no measurements either; the other nine do." in answer


def test_how_far_the_measurements_carry(analysis: Any, penguins: pd.DataFrame) -> None:
    answer = output(analysis, "How well can the sex be told")
    known = penguins.dropna()
    for species, group in known.groupby("species"):
        right = [
            (chance_of_male(bird, group.drop(row)) > 0.5) == (bird.sex == "male")
            for row, bird in group.iterrows()
        ]
        assert f"**{100 * np.mean(right):.1f} %** of the {species}" in answer
    assert "True)" in output(analysis, "is right"), "the very object that the code made"


def test_the_nine(analysis: Any, penguins: pd.DataFrame) -> None:
    known = penguins.dropna()
    unknown = penguins[penguins.sex.isna() & penguins.body_mass_g.notna()]
    chances = {
        row: chance_of_male(bird, known[known.species == bird.species])
        for row, bird in unknown.iterrows()
    }
    table = output(analysis, "guessed")  # the last one: the sentence of the report
    assert f"measurements: {sum(chance > 0.8 for chance in chances.values())}" in table
    answer = output(analysis, "Tell the sex of those")
    told = {
        "male": [row for row, chance in chances.items() if chance > 0.8],
        "female": [row for row, chance in chances.items() if chance < 0.2],
        "unclear": [row for row, chance in chances.items() if 0.2 <= chance <= 0.8],
    }
    assert f'"value": {json.dumps(told)}' in answer
    assert (told["male"], told["unclear"], len(told["female"])) == ([9], [268], 7)
    assert "bird 9 is a male and seven are females" in answer
    assert "Bird 268, a Gentoo, lies just between" in answer
    assert "data:image/png;base64," in output(analysis, "Tell the sex of those", "text/html")
    again = output(analysis, "Which of these birds would you want").rsplit("\n\n", 1)[-1]
    assert f"A probability of {chances[268]:.2f}" in again
    assert f"Bird 11, with {chances[11]:.2f}" in again
    assert sorted(chances, key=lambda row: abs(chances[row] - 0.5))[:2] == [268, 11]


def test_what_the_policy_refuses_did_not_happen(analysis: Any) -> None:
    answer = output(analysis, "Save the guesses")
    assert "Denied by policy: Files are for the user to write." in answer
    assert "add_cell_below" in answer
    assert not (NOTEBOOKS / "guessed.csv").exists()


def test_a_dry_run_sends_what_it_says(analysis: Any) -> None:
    cell = next(cell for cell in analysis.cells if "%%agent --session guesses" in cell.source)
    shown = cell.outputs[0].text
    assert "the variable guessed (DataFrame 9 x 7)" in shown
    assert "earlier" not in shown, "a conversation of its own"
    assert "268  Gentoo" in shown
    answer = output(analysis, "Which of these birds would you want")
    assert "0 step" not in answer
    assert "tool call" not in answer
