"""The output of a run whose tree stays in the page: what is displayed, and when it goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from minimalagent_nb.widgets import RunDisplay, display, run_bundle
from minimalagent_nb.widgets.saved_outputs import VIEW
from tests.widgets import sample_run
from tests.widgets.test_display import execute

FINISHED = sample_run.finished_run()


class Recorded(RunDisplay):
    """Keeps what it displays, and what its tree tells the page."""

    def __init__(self, **options: Any) -> None:
        self.shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.updated = threading.Condition()
        self.told: list[Any] = []
        super().__init__(stays=True, **options)
        self.tree.send = lambda content, buffers=None: self.told.append(content)

    def _display(self, data: Any, metadata: Any, **place: Any) -> None:
        with self.updated:
            self.shown.append((data, place))
            self.updated.notify_all()

    @property
    def static(self) -> dict[str, Any]:
        """The newest static output."""
        return next(data for data, place in reversed(self.shown) if place)

    @property
    def is_hidden(self) -> bool:
        return VIEW in self.static

    def say(self, **content: Any) -> None:
        self.tree._handle_custom_msg(content, [])


@pytest.fixture
def shown() -> Iterator[Recorded]:
    made = Recorded()
    yield made
    made.tree.close()


def test_the_view_comes_first_and_the_static_forms_follow_the_run(shown: Recorded) -> None:
    shown.start()
    (view, place), (static, static_place) = shown.shown
    assert view[VIEW]["model_id"] == shown.tree.model_id
    assert set(view) == {VIEW}
    assert place == {}
    assert static[VIEW]["model_id"] == ""
    assert static_place == {"display_id": shown.display_id, "update": False}
    for event in FINISHED:
        shown.add(event)
    shown.finish()
    assert shown.is_hidden
    assert {**shown.static, VIEW: 0} == {**run_bundle(shown.reasoning), VIEW: 0}
    assert shown.tree.comm is not None, "the tree stays"


def test_a_notebook_that_is_saved_in_mid_run_says_so(shown: Recorded) -> None:
    shown.start()
    assert shown.static["text/plain"] == display.BEGINNING
    for event in sample_run.running_run():
        shown.add(event)
    with shown.updated:
        done = shown.updated.wait_for(lambda: "Step 1" in shown.static["text/plain"], timeout=30)
    assert done
    for form in ("text/html", "text/markdown", "text/plain"):
        assert "Under way when this was saved" in shown.static[form]
    assert shown.reasoning.notices == []
    assert shown.is_hidden


def test_where_another_saves_the_notebook_the_static_form_takes_the_trees_place(
    shown: Recorded,
) -> None:
    shown.start()
    shown.say(type="shown", saves=False)
    for event in FINISHED:
        shown.add(event)
    assert shown.tree.comm is not None, "until the end it is live"
    shown.finish()
    assert not shown.is_hidden
    assert shown.tree.comm is None


def test_a_page_that_says_so_late_is_heard(shown: Recorded) -> None:
    shown.start()
    for event in FINISHED:
        shown.add(event)
    shown.finish()
    shown.say(type="shown", saves=True)
    assert shown.is_hidden
    shown.say(type="shown", saves=False)
    assert not shown.is_hidden
    assert shown.static == run_bundle(shown.reasoning)


def test_a_page_that_was_loaded_again_is_told_what_its_file_should_hold(shown: Recorded) -> None:
    shown.start()
    shown.say(type="restored")
    (told,) = shown.told
    assert (told["type"], told["instead"]) == ("static", False)
    assert told["output"]["metadata"]["minimalagent_nb"]["view"] == shown.tree.model_id
    for event in FINISHED:
        shown.add(event)
    shown.finish()
    last = [message for message in shown.told if message.get("type") == "static"][-1]
    assert last["output"]["data"] == shown.static
    shown.release()
    assert shown.told[-1]["instead"] is True
    assert shown.told[-1]["output"]["data"] == run_bundle(shown.reasoning)


def test_only_the_newest_trees_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "MAX_TREES", 3)
    display._kept.clear()
    runs = [Recorded() for _ in range(5)]
    for run in runs:
        run.start()
        run.finish()
    assert [run.tree.comm is not None for run in runs] == [False, False, True, True, True]
    assert [run.is_hidden for run in runs] == [False, False, True, True, True]
    for run in runs:
        run.tree.close()
    display._kept.clear()


def test_trees_of_pages_that_were_loaded_again_go_in_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(display, "MAX_TREES", 2)
    display._kept.clear()
    runs = [Recorded() for _ in range(4)]
    for run in runs:
        run.start()
        run.say(type="shown", saves=False)
        run.tree.get_state()  # as for a page that is loaded again
        run.finish()
    assert [run.tree.comm is not None for run in runs] == [False, False, True, True]
    for run in runs:
        run.tree.close()
    display._kept.clear()


def test_in_a_kernel_the_cell_has_both_outputs() -> None:
    notebook = execute(
        "from tests.widgets import sample_run\n"
        "from minimalagent_nb.widgets import RunDisplay\n"
        "with RunDisplay(stays=True) as shown:\n"
        "    [shown.add(event) for event in sample_run.finished_run()]\n"
        "print(shown.tree.model_id, shown.tree.comm is not None)",
    )
    live, static, printed = notebook.cells[0].outputs
    view_id, is_open = printed.text.split()
    assert is_open == "True"
    assert live.data[VIEW]["model_id"] == view_id
    assert "Gentoo" in static.data["text/plain"]
    mark = {"minimalagent_nb": {"version": 1, "view": view_id}}
    assert live.metadata == static.metadata == mark
