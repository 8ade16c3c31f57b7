"""A run standing still: HTML, Markdown and text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets import (
    HistoryView,
    run_bundle,
    static_html,
    static_markdown,
    static_text,
)
from minimalagent_nb.widgets.static_page import MAX_BYTES
from tests.widgets import sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_failure, hostile_run

TAGS = {
    *("a", "blockquote", "br", "code", "del", "details", "div", "em", "h3", "h4", "h5", "h6", "hr"),
    *(
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "span",
        "strong",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
    ),
    *("time", "tr", "ul"),
}
ATTRIBUTES = {
    *("alt", "class", "data-lm-suppress-shortcuts", "datetime", "height", "href", "open", "rel"),
    *("src", "start", "style", "target", "width"),
}
VOID = {"br", "hr", "img"}
IMAGE = r"data:image/(png|jpeg);base64,[A-Za-z0-9+/]+=*"


class Reader(HTMLParser):
    """Reads HTML as a page would: elements that are open, what was found, the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.offences: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        if self.open:
            self.offences.append(f"left open: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in TAGS:
            self.offences.append(f"<{tag}>")
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.offences.append(f"<{tag} {name}={value!r}>")
            if name == "src" and not re.fullmatch(IMAGE, value or ""):
                self.offences.append(f"image {value!r}")
            if name == "href":
                self.links.append(value or "")
            if name == "style" and re.search(r"url|expression|import|@", value or ""):
                self.offences.append(f"style {value!r}")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return  # written as <br />
        if not self.open or self.open.pop() != tag:
            self.offences.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.offences.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.offences.append(f"declaration {decl!r}")

    def unknown_decl(self, data: str) -> None:
        self.offences.append(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        self.offences.append(f"instruction {data!r}")


class TrustingMarkdown(MarkdownIt):
    """The most trusting renderer there is: HTML and every link pass as they stand."""

    def validateLink(self, url: str) -> bool:
        return True


def assert_harmless(html: str) -> None:
    reader = Reader(html)
    assert reader.offences == []
    assert [link for link in reader.links if not re.match(r"(https?|mailto):", link)] == []


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("make", [hostile_run, hostile_failure, hostile_calls])
def test_a_payload_stays_text_in_html(payload: str, make: Any) -> None:
    run = fold(make(payload))
    assert_harmless(static_html(run))
    assert_harmless(HistoryView([run], title=payload).html())


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("make", [hostile_run, hostile_failure, hostile_calls])
def test_a_payload_stays_text_in_markdown_that_is_shown_as_html(payload: str, make: Any) -> None:
    run = fold(make(payload))
    for source in (static_markdown(run), HistoryView([run], title=payload).markdown()):
        tags = set(re.findall(r"<[^>]{0,10}", source))
        assert tags <= {"<pre", "<code", "</code", "</pre", "<br"}
        assert_harmless(
            TrustingMarkdown("commonmark", {"html": True}).enable("table").render(source)
        )


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("make", [hostile_run, hostile_calls])
def test_plain_text_holds_no_control_characters(payload: str, make: Any) -> None:
    run = fold(make(payload))
    for text in (static_text(run), HistoryView([run], title=payload).text(), static_markdown(run)):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)


def test_the_structure_of_the_html() -> None:
    reader = Reader(static_html(fold(sample_run.finished_run())))
    assert reader.offences == []
    assert reader.tags.count("details") == 3 + 5 + 1  # steps, calls, the answer's thinking
    assert reader.tags.count("details") == reader.tags.count("summary")
    for words in (
        sample_run.QUERY,
        "Completed · 3 steps · 5 tool calls · 7,445 tokens, 4,858 from cache · 5.0 s",
        "Step 1",
        'describe_data(table="penguins")',
        '"missing": {"sex": 11, "body_mass_g": 2}',
        "BinderException",
        "Gentoo penguins are the heaviest",
        "The session is kept in",
    ):
        assert words in reader.text
    assert reader.links == ["https://allisonhorst.github.io/palmerpenguins/"]
    assert "<script" not in static_html(fold(sample_run.finished_run()))


def test_steps_are_open_and_calls_are_closed() -> None:
    html = static_html(fold(sample_run.finished_run()))
    assert html.count("<details open") == 3 + 1
    assert html.count("<details style") == 5


def test_a_failed_run_shows_its_error_and_a_stopped_one_its_status() -> None:
    failed = Reader(static_html(fold(sample_run.failed_run()))).text
    assert "Failed · 1 step" in failed
    assert failed.count("not available (503)") == 1
    assert "Stopped" in Reader(static_html(fold(sample_run.stopped_run()))).text


def test_an_empty_run_is_shown() -> None:
    assert "Completed" in Reader(static_html(Reasoning())).text
    assert static_text(Reasoning()) == "Completed"


def giant(steps: int, tools: int, size: int, letter: str) -> Reasoning:
    def tool() -> ToolData:
        return ToolData(letter * 90, {"sql": letter * size}, {"rows": [letter * size] * 3})

    return Reasoning(
        query=letter * size,
        steps=[
            ReasoningStep(n, 1, letter * size, [tool() for _ in range(tools)], letter * size)
            for n in range(steps)
        ],
        final_thinking=letter * size,
        final_response=letter * size,
        notices=[letter * size] * 50,
    )


@pytest.mark.parametrize("letter", ["x", '"', "🐧", "- a\n", "|a|b\n", "<&>", "["])
@pytest.mark.parametrize(
    ("steps", "tools", "size"), [(1, 1, 100_000), (300, 3, 2_000), (5, 300, 500)]
)
def test_no_run_is_too_large(steps: int, tools: int, size: int, letter: str) -> None:
    bundle = run_bundle(giant(steps, tools, size, letter))
    assert len(bundle["text/html"].encode()) < MAX_BYTES
    assert Reader(bundle["text/html"]).offences == []
    assert len(bundle["text/markdown"]) < 2 * MAX_BYTES
    assert len(bundle["text/plain"]) < 2 * MAX_BYTES
    assert "more" in bundle["text/html"]


def test_a_long_history_is_bounded_and_its_iterator_is_read_no_further() -> None:
    read: list[int] = []

    def runs() -> Any:
        for number in range(1_000):
            read.append(number)
            yield giant(20, 3, 3_000, "x")

    view = HistoryView(runs(), "Session penguins", limit=50)
    assert len(view.html().encode()) < 600_000
    assert len(read) == 51
    assert Reader(view.html()).offences == []
    assert "The first 50 interactions" in view.text()


def test_a_history_lists_when_what_and_how() -> None:
    runs = [fold(sample_run.finished_run()), fold(sample_run.failed_run())]
    bundle = HistoryView(runs, "Session penguins")._repr_mimebundle_()
    reader = Reader(bundle["text/html"])
    assert reader.offences == []
    assert reader.tags.count("time") == 2
    for text in (reader.text, bundle["text/plain"], bundle["text/markdown"]):
        assert "Session penguins" in text
        assert "2 interactions" in text
        assert sample_run.QUERY in text
        assert "Failed · 1 step" in text
        assert "2026-09-2" in text
    assert "No interactions yet" in HistoryView([]).text()


@pytest.mark.parametrize("answer", ['{"rule": "x*y*z", "tag": "<b>1</b>"}', '["a_b_c", "*d*"]\n'])
def test_an_answer_in_json_is_code_and_no_markdown(answer: str) -> None:
    from minimalagent_nb.widgets.markdown import markdown_nodes

    assert markdown_nodes(answer) == [["pre", {}, [["code", {}, [answer.strip()]]]]]


@pytest.mark.parametrize("answer", ["[x*y*z]", "{x*y*z}", "[" * 100_000 + "]", "[1] says *so*"])
def test_what_only_looks_like_json_is_markdown(answer: str) -> None:
    from minimalagent_nb.widgets.markdown import is_json

    assert not is_json(answer)


def test_markdown_of_an_answer_says_the_same_when_it_is_read_again() -> None:
    from minimalagent_nb.widgets.markdown import markdown_html, markdown_nodes, markdown_source

    for text in (
        sample_run.ANSWER,
        "text *em* **strong** ~~no~~ `code`\n\n> quote\n> - a\n>   - b\n\n1. x\n\n   para\n2. y",
        "2026-09-21\n\n2026\\. it was\n\n\\- no item\n\n\\# no heading\n\n\\> no quote\n\n(1) x",
        "3. three\n4. four\n\n***\n\n```\na `b` c\n```",
        "a\\*b 1\\. R&D $5 and $10 #tag + x | y",
        "- [x](https://a.example/b?c=d&e=f) <https://b.example/a_b>",
    ):
        nodes = markdown_nodes(text)
        again = markdown_nodes(markdown_source(nodes))
        assert markdown_html(again) == markdown_html(nodes)
