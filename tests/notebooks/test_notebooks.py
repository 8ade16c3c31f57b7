"""Every notebook runs, its committed outputs are those of a run, and need no kernel."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from palmerpenguins import load_penguins

from tests.notebooks.conftest import NOTEBOOKS, output
from tests.notebooks.execute import lasting

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def shown(notebook: Any) -> list[str]:
    """What all cells show as text, without what differs from run to run."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return [lasting(str(out.get("data", {}).get("text/plain", out.get("text")))) for out in outputs]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_outputs_are_those_of_a_run(executed: Any, name: str) -> None:
    committed = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(committed)
    advice = f"run: python -m tests.notebooks.execute notebooks/{name}.ipynb"
    assert shown(committed) == shown(executed(name)), advice


@pytest.mark.parametrize("name", NAMES)
def test_the_outputs_are_static_and_need_no_kernel(executed: Any, name: str) -> None:
    notebook = executed(name)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            data = out.get("data", {})
            assert "application/vnd.jupyter.widget-view+json" not in data
            if "%%agent" in cell.source and out.output_type == "display_data":
                assert set(data) == {"text/html", "text/markdown", "text/plain"}
                if " step" in data["text/plain"]:
                    assert "<details" in data["text/html"]
                assert "<script" not in data["text/html"]


def test_the_tools_notebook_tells_the_truth(executed: Any) -> None:
    notebook, penguins = executed("tools"), load_penguins()
    answer = output(notebook, "On which islands")
    for (island, species), count in penguins.groupby(["island", "species"]).size().items():
        assert f'"island": "{island}", "species": "{species}", "penguins": {count}' in answer
    masses = penguins[penguins.body_mass_g > 5000]
    answer = output(notebook, "more than five kilograms")
    assert f"{len(masses)} penguins, all of them Gentoo." in answer
    assert set(masses.species) == {"Gentoo"}
    answer = output(notebook, "How sure are we")
    for species in ("Gentoo", "Adelie"):
        mean = penguins[penguins.species == species].body_mass_g.mean()
        assert f"**{species}**: {mean:.1f} g" in answer
    answer = output(notebook, "Forget the penguins")
    assert f"{(penguins.body_mass_g < 2750).sum()} forgotten" in answer
    assert "Denied" in answer
    heaviest = penguins.loc[penguins.body_mass_g.idxmax()]
    shown_value = output(notebook, "heaviest.output")
    assert f"species='{heaviest.species}', island='{heaviest.island}'" in shown_value
    assert f"grams={heaviest.body_mass_g}" in shown_value
    assert "data:image/png;base64," in output(notebook, "Draw flipper length", "text/html")
