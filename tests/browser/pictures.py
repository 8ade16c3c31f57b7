"""Takes the pictures of the README in a real JupyterLab.

python -m tests.browser.pictures notebooks/images
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser.lab import SLOW, Desk, jupyter_lab
from tests.chromium import chromium

QUESTION = "Which species is the heaviest on average, and which are the three heaviest birds?"


def take(place: Desk, name: str, picture: Path, *, dark: bool) -> None:
    """A cell whose agent is at work, one of its calls opened."""
    page = place.write(name, SLOW.replace("SECONDS", "4"), f"%%agent\n{QUESTION}")
    notebook = place.open(page, dark=dark, width=940, height=1200, scale=2)
    notebook.run_all()
    tree = place.page.locator(".ma-run")
    tree.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    tree.locator(".ma-row", has_text="mean_measurement").get_by_text("Done").wait_for()
    tree.locator(".ma-row", has_text="mean_measurement").first.click()
    tree.locator(".ma-row", has_text="Result").first.click()
    place.page.mouse.move(0, 0)
    notebook.cell(QUESTION).screenshot(path=picture)


def main(folder: Path) -> None:
    """Both themes."""
    with tempfile.TemporaryDirectory() as scratch:
        memory = f"sqlite:///{scratch}/sessions.sqlite3"
        with (
            jupyter_lab(Path(scratch), MINIMALAGENT_NB_MEMORY=memory) as url,
            chromium() as browser,
        ):
            place = Desk(url, Path(scratch), browser)
            take(place, "light.ipynb", folder / "tree-light.png", dark=False)
            take(place, "dark.ipynb", folder / "tree-dark.png", dark=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
