"""The widget and the cell's output, in a real kernel and without a page."""

from __future__ import annotations

import json
import pathlib
import threading
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from minimalagent_nb.fold import fold
from minimalagent_nb.widgets import LiveTree, run_bundle
from minimalagent_nb.widgets.component import script
from tests.widgets import sample_run

ROOT = pathlib.Path(__file__).parents[2]


class RecordingTree(LiveTree):
    """Keeps what it sends."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__()

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)


def test_the_tree_folds_and_sends() -> None:
    tree = RecordingTree()
    for event in sample_run.finished_run():
        tree.add(event)
    tree.flush()
    assert tree.reasoning == fold(sample_run.finished_run())
    assert [message["base"] for message in tree.sent] == list(range(len(tree.sent)))
    tree.close()


def test_the_state_is_built_when_it_is_asked_for() -> None:
    tree = RecordingTree()
    assert tree.get_state("snap")["snap"]["rev"] == 0
    tree.add(sample_run.finished_run()[0])
    snap = tree.get_state("snap")["snap"]
    assert [op["type"] for op in snap["ops"]] == ["run_started"]
    json.dumps(snap, allow_nan=False)
    tree.close()


def test_a_page_that_missed_something_is_sent_the_whole() -> None:
    tree = RecordingTree()
    for event in sample_run.finished_run():
        tree.add(event)
    tree.flush()
    tree._handle_custom_msg({"type": "resync", "have": 0}, [])
    assert tree.sent[-1] == tree.feed.snapshot()
    count = len(tree.sent)
    for nonsense in (None, "resync", [], {"type": "unknown"}):
        tree._handle_custom_msg(nonsense, [])
    assert len(tree.sent) == count
    tree.close()


def test_a_snapshot_goes_before_what_comes_later() -> None:
    """A page that got the last message first would stay without it for good."""

    class Slow(RecordingTree):
        """While a snapshot is on its way, the run ends."""

        def send(self, content: Any, buffers: Any = None) -> None:
            if content.get("base") == 0 and self.sent:
                ending.start()
                ending.join(0.2)  # it waits, where it must not overtake
            super().send(content, buffers)

    *begun, last = sample_run.finished_run()
    tree = Slow()
    for event in begun:
        tree.feed.add(event)
    tree.flush()
    tree.feed.close()
    ending = threading.Thread(target=lambda: [tree.feed.add(last), tree.flush()])
    tree._handle_custom_msg({"type": "resync", "have": 0}, [])
    ending.join()
    revisions = [message["rev"] for message in tree.sent]
    assert revisions == sorted(revisions)
    assert "run_ended" in [op["type"] for op in tree.sent[-1]["ops"]]
    tree.close()


def test_a_page_that_begins_with_less_than_there_is_gets_the_rest() -> None:
    """Between its first snapshot and its own beginning messages find nobody there."""
    tree = RecordingTree()
    for event in sample_run.finished_run():
        tree.add(event)
    tree.flush()
    count, rev = len(tree.sent), tree.feed.snapshot()["rev"]
    tree._handle_custom_msg({"type": "here", "have": rev}, [])
    assert [message["type"] for message in tree.sent[count:]] == ["asking"]
    tree._handle_custom_msg({"type": "here", "have": rev - 1}, [])
    assert tree.sent[-1] == tree.feed.snapshot()
    tree.close()


def test_closing_ends_the_thread_and_twice_is_no_error() -> None:
    before = threading.active_count()
    tree = RecordingTree()
    tree.add(sample_run.finished_run()[0])
    tree.close()
    tree.close()
    assert threading.active_count() == before
    assert tree.comm is None


def test_the_component_is_one_small_text_without_any_way_to_html() -> None:
    source = script("tree/widget.js")
    # Every widget brings it along: so many characters are loaded in a fraction of the two
    # seconds after which anywidget gives up.
    assert len(source) < 200_000
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert way not in source


def execute(*sources: str) -> Any:
    """The notebook of these cells, executed as nbconvert and papermill do it."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    resources = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, kernel_name="python3", timeout=120, resources=resources).execute()
    return notebook


@pytest.fixture(scope="module")
def notebook() -> Any:
    return execute(
        """
        import threading
        from tests.widgets import sample_run
        from minimalagent_nb.widgets import HistoryView, RunDisplay
        threads = threading.active_count()
        display_one = RunDisplay()
        display_one.start()
        for event in sample_run.finished_run():
            display_one.add(event)
        """.replace("\n        ", "\n"),
        "display_one.finish()\ndisplay_one.finish()",
        "HistoryView([display_one.reasoning])",
        "with RunDisplay() as shown:\n"
        "    [shown.add(event) for event in sample_run.failed_run()]\n"
        "print([t.name for t in threading.enumerate() if t.name == 'minimalagent-tree'])",
    )


def test_without_a_page_the_file_holds_the_static_forms_alone(notebook: Any) -> None:
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert dict(output.data) == run_bundle(fold(sample_run.finished_run()))
    assert notebook.cells[1].outputs == []
    failed, printed = notebook.cells[3].outputs
    assert dict(failed.data) == run_bundle(fold(sample_run.failed_run()))
    assert printed.text.strip() == "[]"


def test_a_history_is_its_own_output(notebook: Any) -> None:
    (output,) = notebook.cells[2].outputs
    assert set(output.data) == {"text/html", "text/markdown", "text/plain"}


def test_what_a_runner_keeps_of_the_widget_is_small(notebook: Any) -> None:
    assert len(json.dumps(notebook.metadata.get("widgets", {}))) < 10_000


def test_the_notebook_is_valid_and_converts_to_a_page(notebook: Any) -> None:
    from nbconvert import HTMLExporter

    nbformat.validate(notebook)
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert "Gentoo" in page
    assert "<details open" in page
    assert "widget-view" not in page
