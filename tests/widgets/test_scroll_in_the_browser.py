"""The tree follows its run, and lets go of it for the reader, in a real page."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb.events import Event
from tests.widgets import sample_run
from tests.widgets.tree_page import Source, TreePage

PLACES = {"page": "", "panel": "panel", "output": "output"}
"""What scrolls: the page, a notebook's panel, an output of limited height within it."""


class Reading:
    """A run that grows in a page, and a reader."""

    def __init__(self, tree_page: TreePage, place: str) -> None:
        self.tree_page = tree_page
        self.page = tree_page.page
        self.teller = sample_run.Teller()
        self.source = Source([self.teller.begin()])
        tree_page.mount(self.source.feed.snapshot())
        self.page.evaluate(
            """(place) => {
                const root = document.getElementById("tree");
                const above = document.createElement("div");
                above.style.height = "300px";
                const panel = document.createElement("div");
                panel.append(above, root);
                document.body.append(panel);
                if (place === "page") return;
                panel.style.cssText = "height: 500px; overflow: auto; border: 1px solid";
                if (place === "panel") return;
                const output = document.createElement("div");
                output.style.cssText = "height: 180px; overflow-y: auto";
                root.before(output);
                output.append(root);
            }""",
            place,
        )

    def turns(self, number: int = 1) -> None:
        events: list[Event] = []
        for _ in range(number):
            events += self.teller.turn("I look again.\nAnd again.\nAnd again.", calls=1)
            call = self.teller.call("look", {"at": self.teller.calls})
            events += [call, self.teller.returned(call.call_id, "seen")]
        self.tree_page.receive(*self.source.add(events))

    def finish(self) -> None:
        events = [*self.teller.turn("", sample_run.ANSWER), self.teller.end(sample_run.ANSWER)]
        self.tree_page.receive(*self.source.add(events))

    @property
    def is_at_end(self) -> bool:
        return self.page.evaluate(
            """() => {
                const end = document.querySelector(".ma-end").getBoundingClientRect().bottom;
                let bottom = window.innerHeight;
                for (let at = document.querySelector(".ma-run").parentElement; at !== document.body;
                    at = at.parentElement) {
                    if (getComputedStyle(at).overflowY !== "auto") continue;
                    bottom = Math.min(bottom, at.getBoundingClientRect().bottom);
                }
                return end <= bottom + 1;
            }"""
        )

    @property
    def tops(self) -> list[float]:
        return self.page.evaluate(
            """() => {
                const tops = [document.scrollingElement.scrollTop];
                for (let at = document.querySelector(".ma-run"); at; at = at.parentElement) {
                    tops.push(at.scrollTop);
                }
                return tops;
            }"""
        )

    def wheel(self, pixels: int) -> None:
        """Turn the wheel over the tree, and wait until the page has moved."""
        before = self.tops
        self.page.locator(".ma-query").first.evaluate("() => {}")
        self.page.mouse.move(200, 400)
        self.page.mouse.wheel(0, pixels)
        self.page.wait_for_function(
            """(before) => {
                const tops = [document.scrollingElement.scrollTop];
                for (let at = document.querySelector(".ma-run"); at; at = at.parentElement) {
                    tops.push(at.scrollTop);
                }
                return tops.some((top, index) => top !== before[index]);
            }""",
            arg=before,
        )
        self.page.evaluate(
            """async () => {
                const top = () => JSON.stringify([document.scrollingElement.scrollTop,
                    ...[...document.querySelectorAll("div")].map((el) => el.scrollTop)]);
                const frame = () => new Promise((done) => requestAnimationFrame(done));
                for (let before = null; before !== top(); await frame()) {
                    before = top();
                    await frame();
                    await frame();
                }
            }"""
        )


@pytest.fixture(params=list(PLACES))
def reading(request: Any, tree_page: TreePage) -> Reading:
    return Reading(tree_page, request.param)


def test_the_end_stays_in_view_while_the_reader_is_there(reading: Reading) -> None:
    for _ in range(12):
        reading.turns()
        assert reading.is_at_end
    assert max(reading.tops) > 0, "it had to scroll"
    assert not reading.page.locator(".ma-latest").is_visible()
    reading.finish()
    assert reading.is_at_end, "also the answer, which comes with the end"


def test_it_lets_go_when_the_reader_scrolls_up_and_comes_back_at_the_end(
    reading: Reading,
) -> None:
    reading.turns(14)
    assert reading.is_at_end
    reading.wheel(-60)
    was = reading.tops
    reading.turns(3)
    assert reading.tops == was, "the reader reads"
    button = reading.page.get_by_role("button", name="Latest")
    assert button.is_visible()
    reading.wheel(5_000)
    assert not button.is_visible()
    reading.turns(3)
    assert reading.is_at_end


def test_a_small_step_up_is_enough(reading: Reading) -> None:
    reading.turns(14)
    reading.wheel(-10)
    was = reading.tops
    reading.turns(2)
    assert reading.tops == was


def test_the_button_leads_to_the_newest(reading: Reading) -> None:
    reading.turns(14)
    reading.wheel(-100)
    reading.turns(2)
    reading.page.get_by_role("button", name="Latest").click()
    assert reading.is_at_end
    assert not reading.page.locator(".ma-latest").is_visible()
    reading.turns(2)
    assert reading.is_at_end, "it follows again"


def test_the_end_of_a_run_moves_nothing_for_who_reads_above(reading: Reading) -> None:
    reading.turns(14)
    reading.wheel(-100)
    reading.turns(2)
    was = reading.tops
    reading.finish()
    assert reading.tops == was
    assert not reading.page.locator(".ma-latest").is_visible(), "a run that is over has no newest"


def test_a_tree_that_is_out_of_sight_scrolls_nothing(tree_page: TreePage) -> None:
    reading = Reading(tree_page, "panel")
    reading.turns(2)
    tree_page.page.evaluate(
        """() => {
            const below = document.createElement("div");
            below.style.height = "3000px";
            const panel = document.querySelector(".ma-run").parentElement;
            panel.append(below);
            panel.scrollTop = 2000;
        }"""
    )
    was = reading.tops
    reading.turns(10)
    assert not reading.page.locator(".ma-latest").is_visible()
    # Scroll anchoring is the browser's own: it holds what the reader looks at where it is.
    below = "document.querySelector('.ma-run').parentElement.lastElementChild"
    top = f"{below}.getBoundingClientRect().top"
    seen = tree_page.page.evaluate(top)
    reading.turns(3)
    assert tree_page.page.evaluate(top) == pytest.approx(seen, abs=1)
    assert was[0] == reading.tops[0]


def test_who_marks_a_text_or_writes_above_is_left_alone(tree_page: TreePage) -> None:
    reading = Reading(tree_page, "page")
    reading.turns(8)
    tree_page.page.evaluate(
        """() => document.getSelection().selectAllChildren(document.querySelector(".ma-query"))"""
    )
    was = reading.tops
    reading.turns(3)
    assert reading.tops == was
    tree_page.page.evaluate("() => document.getSelection().removeAllRanges()")
    tree_page.page.get_by_role("button", name="Latest").click()
    tree_page.page.evaluate(
        """() => {
            const editor = document.createElement("textarea");
            document.body.prepend(editor);
            editor.focus({preventScroll: true});
        }"""
    )
    was = reading.tops
    reading.turns(3)
    assert reading.tops == was


def test_keys_upward_let_go(tree_page: TreePage) -> None:
    reading = Reading(tree_page, "page")
    reading.turns(14)
    page = tree_page.page
    page.locator(".ma-turn").last.focus()
    page.keyboard.press("ArrowUp")
    was = reading.tops
    reading.turns(3)
    assert reading.tops == was
