"""Values in a real page: tables, JSON and Markdown in texts, and the whole of what was cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minimalagent_nb.events import Event
from minimalagent_nb.widgets.wholes import whole_messages
from tests.widgets import rich_run, sample_run
from tests.widgets.payloads import PAYLOADS
from tests.widgets.tree_page import Source, TreePage, offending_elements, snapshot

ROWS = [
    {"species": "Gentoo", "mean_g": 5092.4, "n": 124, "note": None},
    {"species": "Adelie", "mean_g": 3706.2, "n": 152, "note": "two\nlines"},
    {"species": "Chinstrap", "mean_g": 3733.1, "n": 68},
]


def result(what: Any, **more: Any) -> list[Event]:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("tool", {})]
    return [*events, teller.returned("call-1", what, **more), teller.end()]


def shown(tree_page: TreePage, events: list[Event]) -> Any:
    """The item of the only call's result, open."""
    tree_page.connect(snapshot(events))
    tree_page.page.locator(".ma-tool > .ma-row").click()
    item = tree_page.page.locator(".ma-tool > .ma-body > div:last-child > .ma-value").first
    if item.get_attribute("aria-expanded") == "false":
        item.locator("> .ma-row").click()
    return item


def choose(tree_page: TreePage, item: Any, mode: str) -> None:
    item.locator("> .ma-row").hover()
    tree_page.page.get_by_role("button", name="Copy and view", exact=True).click()
    tree_page.page.get_by_role("menuitemradio", name=mode).click()


def column(item: Any, number: int) -> list[str]:
    texts: list[str] = item.locator(f"tbody td:nth-child({number + 2})").all_text_contents()
    return texts


def test_records_are_a_table_that_can_be_sorted(tree_page: TreePage) -> None:
    item = shown(tree_page, result(ROWS))
    assert item.locator("> .ma-row > .ma-note").inner_text() == "3 rows, 4 columns"
    assert item.locator("thead th .ma-column").all_inner_texts() == [
        *("species", "mean_g", "n", "note"),
    ]
    assert column(item, 0) == ["Gentoo", "Adelie", "Chinstrap"]
    assert column(item, 3) == ["null", "two\nlines", ""]
    assert (
        item.locator("tbody td").nth(1).evaluate("el => getComputedStyle(el).textAlign") == "right"
    )
    by_mass = item.get_by_role("button", name="mean_g")
    by_mass.click()
    assert column(item, 2) == ["152", "68", "124"]
    head = item.locator("thead th").nth(2)
    assert head.get_attribute("aria-sort") == "ascending"
    by_mass.click()
    assert column(item, 2) == ["124", "68", "152"]
    by_mass.click()
    assert column(item, 0) == ["Gentoo", "Adelie", "Chinstrap"]
    by_mass.click()
    tree_page.page.evaluate("window.show()")
    second = tree_page.page.locator(".ma-run").last.locator(".ma-value").last
    assert column(second, 2) == ["152", "68", "124"], "remembered"


def test_a_table_is_shown_as_json_instead(tree_page: TreePage) -> None:
    item = shown(tree_page, result(ROWS))
    choose(tree_page, item, "Show as JSON")
    assert item.locator("table").count() == 0
    assert item.locator("> .ma-body > .ma-value").count() == 3
    tree_page.page.evaluate("window.show()")
    assert tree_page.page.locator("table").count() == 0, "in a second view, too"
    choose(tree_page, item, "Show as table")
    assert item.locator("tbody tr").count() == 3


def test_a_large_table_is_paged_with_a_head_that_stays(tree_page: TreePage) -> None:
    item = shown(tree_page, result([{"n": n, "square": n * n} for n in range(450)]))
    assert item.locator("tbody tr").count() == 100
    item.get_by_role("button", name="Show more rows (350 left)").click()
    assert item.locator("tbody tr").count() == 200
    box = item.locator(".ma-table-scroll")
    box.evaluate("(el) => { el.scrollTop = 900 }")
    head = item.locator("thead th").nth(1).bounding_box()
    assert head is not None
    assert abs(head["y"] - box.bounding_box()["y"]) < 3


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_is_a_table_with_its_types_and_size(tree_page: TreePage, library: str) -> None:
    from minimalagent_nb.tools.results import render

    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"name": ["a", "b"] * 800, "mass": [1.5, 2.5] * 800})
    item = shown(tree_page, result(render(frame).value, value=frame))
    assert item.locator("> .ma-row > .ma-note").inner_text() == (
        "1,600 rows, 2 columns; the first 1,000 here"
    )
    types = item.locator(".ma-dtype").all_inner_texts()
    assert len(types) == 2
    assert types[1].lower() == "float64"


def test_json_in_a_text_is_parsed_on_demand(tree_page: TreePage) -> None:
    item = shown(tree_page, result(json.dumps({"deep": {"list": [1, 2]}, "x": "y" * 200})))
    assert item.locator(".ma-value").count() == 0
    choose(tree_page, item, "Show the JSON in it")
    assert "deep" in item.inner_text()
    assert item.locator("> .ma-body > pre").count() == 0
    tree_page.page.evaluate(
        """() => { Object.defineProperty(navigator, "clipboard",
            {value: {writeText: async (text) => { window.copied = text; }}}); }"""
    )
    item.locator(".ma-value .ma-row", has_text="list").last.hover()
    tree_page.page.get_by_role("button", name="Copy and view", exact=True).click()
    tree_page.page.get_by_role("menuitem", name="Copy Python path").click()
    tree_page.page.wait_for_function("window.copied")
    path = "json.loads(reasoning.steps[0].tools[0].result)"
    assert tree_page.page.evaluate("window.copied").startswith(path)


def test_a_result_in_markdown_is_rendered_on_demand(tree_page: TreePage) -> None:
    text = "# Findings\n\n- **one**\n- two\n\n<b>not this</b>"
    item = shown(tree_page, result(text))
    assert item.locator("pre").text_content() == text
    choose(tree_page, item, "Show rendered")
    assert item.locator("strong").all_inner_texts() == ["one"]
    assert item.locator("b").count() == 0
    item = shown(tree_page, result("a plain text"))
    item.locator("> .ma-row").hover()
    tree_page.page.get_by_role("button", name="Copy and view", exact=True).click()
    assert tree_page.page.get_by_role("menuitemradio").count() == 0


BIG = {"rows": [{"id": n, "text": "x" * 80} for n in range(9_000)], "last": "the end"}


def asked(tree_page: TreePage) -> dict[str, Any]:
    [message] = [message for message in tree_page.sent if message["type"] == "whole"]
    return message


def test_a_value_of_a_megabyte_is_cut_and_shown_whole_on_demand(tree_page: TreePage) -> None:
    source = Source(result(BIG))
    assert len(json.dumps(BIG)) > 900_000
    assert len(json.dumps(source.feed.snapshot())) < 200_000
    tree_page.connect(source.feed.snapshot())
    page = tree_page.page
    page.locator(".ma-tool > .ma-row").click()
    assert tree_page.texts(".ma-whole-words") == ["Cut for display."]
    page.get_by_role("button", name="Show whole").dblclick()
    assert "Asking" in tree_page.texts(".ma-whole-words")[0]
    message = asked(tree_page)
    assert (message["calls"], message["name"]) == ([[1, "call-1"]], "result")
    answers = list(whole_messages(source.feed.reasoning, message))
    assert len(answers) > 2
    tree_page.tell({**answers[0], "id": "of another page"}, *reversed(answers))
    page.locator(".ma-whole").wait_for(state="hidden")
    item = page.locator(".ma-tool > .ma-body > div:last-child > .ma-value")
    assert "last" in item.inner_text()
    page.evaluate("window.show()")
    second = page.locator(".ma-run").last
    assert second.locator(".ma-whole:visible").count() == 0, "fetched once for all views"
    page.get_by_role("button", name="Search", exact=True).first.click()
    page.get_by_role("textbox", name="Search this run").fill("the end")
    page.locator(".ma-count", has_text="1 of 1").wait_for()


def test_what_no_page_could_hold_is_not_said_to_be_whole(tree_page: TreePage) -> None:
    source = Source(result(BIG))
    tree_page.connect(source.feed.snapshot())
    page = tree_page.page
    page.locator(".ma-tool > .ma-row").click()
    page.get_by_role("button", name="Show whole").click()
    answers = whole_messages(source.feed.reasoning, asked(tree_page))
    tree_page.tell(*({**answer, "cut": True} for answer in answers))
    page.locator(".ma-whole-words", has_text="no page could hold all of it").wait_for()
    assert page.get_by_role("button", name="Show whole").count() == 0
    page.locator(".ma-tool > .ma-body > div:last-child > .ma-value > .ma-row").hover()
    page.get_by_role("button", name="Copy and view", exact=True).click()
    page.get_by_role("menuitem", name="Copy as JSON as far as it is here").wait_for()


def test_a_kernel_that_is_busy_and_one_that_has_it_no_more(tree_page: TreePage) -> None:
    tree_page.connect(Source(result(BIG)).feed.snapshot())
    page = tree_page.page
    page.locator(".ma-tool > .ma-row").click()
    page.get_by_role("button", name="Show whole").click()
    page.locator(".ma-whole-words", has_text="The kernel is busy, or gone").wait_for()
    error = "The kernel does not have this value any more."
    tree_page.tell({"type": "whole", "id": asked(tree_page)["id"], "error": error})
    assert tree_page.texts(".ma-whole-words") == [error]
    assert page.get_by_role("button", name="Show whole").is_visible()


def test_where_nobody_can_give_the_whole_it_is_not_offered(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(result(BIG)))
    tree_page.page.locator(".ma-tool > .ma-row").click()
    assert tree_page.texts(".ma-whole-words") == ["Cut for display."]
    assert tree_page.page.get_by_role("button", name="Show whole").count() == 0


def test_a_text_of_a_megabyte_comes_page_by_page(tree_page: TreePage) -> None:
    source = Source(result("a line of text\n" * 70_000))
    tree_page.connect(source.feed.snapshot())
    page = tree_page.page
    page.locator(".ma-tool > .ma-row").click()
    page.get_by_role("button", name="Show whole").click()
    tree_page.tell(*whole_messages(source.feed.reasoning, asked(tree_page)))
    page.locator(".ma-whole").wait_for(state="hidden")
    page.get_by_role("button", name="Show all (1,050,000 characters)").click()
    block = page.locator(".ma-value pre").last
    assert len(block.text_content()) == 100_001
    page.get_by_role("button", name="Show more (950,000 characters left)").click()
    assert len(block.text_content()) == 200_001


def test_images_of_a_call_are_images(tree_page: TreePage) -> None:
    tree_page.mount(snapshot(rich_run.rich_run()))
    image = tree_page.page.locator("img.ma-image")
    assert image.get_attribute("src").startswith("data:image/png;base64,")
    tree_page.page.wait_for_function("document.querySelector('img.ma-image').naturalWidth === 420")


def test_payloads_do_nothing_in_tables_and_texts(tree_page: TreePage) -> None:
    page = tree_page.page
    for payload in PAYLOADS:
        text = payload.encode("utf-8", "replace").decode()
        teller = sample_run.Teller()
        events: list[Event] = [teller.begin(), *teller.turn(calls=3)]
        events += [teller.call(text, {text: text}) for _ in range(3)]
        row = {text: text, "x": 1}
        events += [teller.returned("call-1", {"rows": [row, row], "total_rows": 9})]
        events += [
            teller.returned("call-2", {"index": [text], "columns": [text], "data": [[text]]})
        ]
        events += [teller.returned("call-3", f"**{text}**\n\n# {text}\n\n{text}")]
        tree_page.mount(snapshot(events))
        page.evaluate(
            """() => {
                const closed = "[aria-expanded=false] > .ma-row";
                for (let times = 0; times < 2; times += 1) {
                    for (const row of document.querySelectorAll(closed)) row.click();
                }
                for (const head of document.querySelectorAll(".ma-column")) head.click();
                for (const item of document.querySelectorAll(".ma-value")) {
                    item.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
                    document.querySelector(".ma-more").click();
                    document.querySelector("[role=menu] button:last-child")?.click();
                }
            }"""
        )
        assert offending_elements(page) == [], payload


def test_what_was_fetched_of_a_sub_agents_run_is_not_shown_of_the_next(tree_page: TreePage) -> None:
    said = tree_page.page.evaluate(
        """async () => {
            const { EMPTY_RUN, mountTree, newMemory, reduce } = window.tree;
            const step = {type: "step_started", step: 1, at: 1};
            const call = {type: "tool_call_started", step: 1, call_id: "c", name: "t", inputs: {}};
            const wrapped = (event) => ({type: "sub_agent", step: 1, call_id: "c", at: 1, event});
            const run = (run_id) => ({type: "run_started", run_id, query: "q", agent: "", at: 1});
            const inner = (id, result, cut) => [run(id), step, call, {
                type: "tool_call_ended", step: 1, call_id: "c", status: "success", result, cut,
                error: null, duration: 1, at: 1,
            }].map(wrapped);
            const first = [run("a"), step, call, ...inner("b", "beginning", true)];
            const state = first.reduce(reduce, EMPTY_RUN);
            const root = document.createElement("div");
            document.body.replaceChildren(root);
            const talk = {whole: async () => ({value: "the whole of the first", isCut: false})};
            const view = mountTree(root, {state, memory: newMemory(), talk});
            const drawn = () => new Promise(
                (done) => requestAnimationFrame(() => setTimeout(done)));
            root.querySelector(".ma-tool .ma-tool > .ma-row").click();
            root.querySelector(".ma-whole button").click();
            await drawn();
            const before = root.textContent;
            view.update(inner("d", "the second", false).reduce(reduce, state));
            await drawn();
            return [before, root.textContent];
        }"""
    )
    assert "the whole of the first" in said[0]
    assert "the whole of the first" not in said[1]
    assert "the second" in said[1]


def test_a_rendered_text_that_is_the_same_is_not_gone_through(tree_page: TreePage) -> None:
    looks = tree_page.page.evaluate(
        """() => {
            let looks = 0;
            const toJSON = () => { looks += 1; return 1; };
            const block = Object.assign(["p", {}, ["x"]], {toJSON});
            const nodes = [block];
            const rendered = new window.tree.RenderedText("");
            for (let frame = 0; frame < 5; frame += 1) rendered.update(nodes, "x");
            return looks;
        }"""
    )
    assert looks == 1


def test_the_focus_does_not_go_with_a_button_that_shows_the_rest(tree_page: TreePage) -> None:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=2)]
    events += [teller.call("list", {}), teller.call("table", {})]
    events += [teller.returned("call-1", [[n] for n in range(130)])]
    events += [teller.returned("call-2", [{"n": n} for n in range(130)]), teller.end("Yes.")]
    tree_page.mount(snapshot(events))
    page = tree_page.page
    page.get_by_role("button", name="Expand all").click()
    page.locator(".ma-part > .ma-row", has_text="[[0], [1]").click()
    page.get_by_role("button", name="Show more (30 left)").press("Enter")
    assert page.evaluate("document.activeElement.textContent").startswith("[100]")
    page.locator(".ma-part > .ma-row", has_text="130 rows").click()
    page.get_by_role("button", name="Show more rows (30 left)").press("Enter")
    assert page.evaluate("document.activeElement.className") == "ma-table-scroll"


def test_a_whole_that_comes_late_is_not_taken_for_that_of_another_run(tree_page: TreePage) -> None:
    teller = rich_run.Storyteller()
    events: list[Event] = [teller.begin(), *teller.turn(calls=1), teller.call("ask", {"a": 1})]
    source = Source(events)
    tree_page.connect(source.feed.snapshot())

    def ask_agent(result: Any) -> None:
        other, begun = teller.colleague("biologist", "How many?")
        inner: list[Event] = [begun, *other.turn(calls=1), other.call("count", {"b": 2})]
        inner += [other.returned("call-1", result)]
        tree_page.tell(*source.add(list(teller.delegated("call-1", inner))))

    page = tree_page.page
    ask_agent(BIG)
    page.locator(".ma-tool", has_text="count").last.locator("> .ma-row").click()
    page.get_by_role("button", name="Show whole").click()
    message = asked(tree_page)
    ask_agent("a newer one")
    part = {"type": "whole", "id": message["id"], "part": 0, "parts": 1, "cut": False}
    tree_page.tell({**part, "text": '"the older one"'})
    page.evaluate("window.show()")
    page.locator(".ma-json", has_text="a newer one").last.wait_for()
    assert page.locator(".ma-json", has_text="the older one").count() == 0


def test_a_whole_that_nobody_can_give_any_more_is_not_waited_for(tree_page: TreePage) -> None:
    tree_page.connect(snapshot(result(BIG)))
    page = tree_page.page
    page.locator(".ma-tool > .ma-row").click()
    page.get_by_role("button", name="Show whole").click()
    page.evaluate("window.restart()")
    page.locator(".ma-whole-words", has_text="The kernel was restarted.").wait_for()
