"""A session as one page: its trees and static forms, what is cut, and what it cannot do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.events import Event
from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets.session_page import session_page
from tests.servers.axe import serious_findings
from tests.widgets import rich_run, sample_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_failure, hostile_run

DATA = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


def folded(*runs: list[Event]) -> list[Reasoning]:
    return [fold(events) for events in runs]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:
    """Opens a page from a file, and fails where it did anything but show itself."""
    offences: list[str] = []
    contexts: list[Any] = []

    def open_page(html: str, *, scripted: bool = True, watched: bool = True, **options: Any) -> Any:
        file = tmp_path / "page.html"
        file.write_bytes(html.encode("utf-8", "replace"))
        context = browser.new_context(java_script_enabled=scripted, **options)
        contexts.append(context)
        page = context.new_page()
        if watched:
            watch(page)
        page.goto(file.as_uri())
        return page

    def watch(page: Any) -> None:
        page.on("pageerror", lambda error: offences.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (offences.append("dialog"), dialog.dismiss()))
        # What Chromium tells of its own rendering is "verbose", which no script can write.
        page.on(
            "console",
            lambda message: (
                message.type == "verbose" or offences.append(f"console: {message.text}")
            ),
        )
        page.on("framenavigated", lambda frame: asked_for(frame.url))
        page.on("request", lambda request: asked_for(request.url))
        page.on("popup", lambda popup: offences.append(f"popup: {popup.url}"))

    def asked_for(url: str) -> None:
        own = (tmp_path / "page.html").as_uri()
        if url.partition("#")[0] != own and not url.startswith("data:image/"):
            offences.append(url)

    yield open_page
    for context in contexts:
        context.close()
    assert offences == []


def open_all(page: Any) -> None:
    page.get_by_role("button", name="Open all").click()
    page.wait_for_function("() => !document.querySelector('details.me-run > script')")


def test_the_newest_is_open_as_the_tree_and_the_others_open_lazily(opened: Callable) -> None:
    runs = folded(sample_run.finished_run(), rich_run.rich_run(), sample_run.failed_run())
    page = opened(session_page("penguins", runs).html)
    assert page.title() == "penguins"
    entries = page.locator("details.me-run")
    assert entries.evaluate_all("all => all.map((one) => one.open)") == [False, False, True]
    assert page.locator(".ma-run").count() == 1, "the data of the others were not read yet"
    assert page.locator("details.me-run > script").count() == 2
    entries.nth(0).locator("summary").first.click()
    tree = entries.nth(0).get_by_role("tree")
    tree.wait_for()
    assert page.locator(".ma-run").count() == 2
    step = tree.get_by_role("treeitem", name="Step 1").first
    assert step.get_attribute("aria-expanded") == "true"
    tree.get_by_role("treeitem", name="describe_data").locator("[class*=row]").first.click()
    assert "344" in tree.inner_text()


def test_all_open_and_close_and_an_address_opens_one(opened: Callable) -> None:
    runs = folded(*[sample_run.finished_run()] * 3)
    page = opened(session_page("penguins", runs).html)
    open_all(page)
    assert page.get_by_role("tree").count() == 3
    page.get_by_role("button", name="Close all").click()
    assert page.locator("details.me-run[open]").count() == 0
    page.evaluate("location.hash = '#run-2'")
    page.locator("#run-2[open]").wait_for()
    assert page.locator("details.me-run[open]").count() == 1


def test_without_script_it_can_be_read(opened: Callable) -> None:
    runs = folded(sample_run.finished_run(), rich_run.rich_run())
    page = opened(session_page("penguins", runs).html, scripted=False)
    assert page.locator("details.me-run").count() == 2
    text = page.locator("#run-2").inner_text()
    assert "ask_biologist" in text
    assert "Chinstrap" in text
    page.locator("#run-1 > summary").click()
    assert "describe_data" in page.locator("#run-1").inner_text()
    assert page.get_by_role("button").count() == 0, "what needs the script is not offered"


def hostile_session() -> list[Reasoning]:
    runs: list[Reasoning] = []
    for payload in PAYLOADS:
        runs += folded(hostile_run(payload), hostile_calls(payload), hostile_failure(payload))
    return runs


@pytest.mark.parametrize("scripted", [True, False], ids=["trees", "static"])
def test_hostile_text_can_do_nothing(opened: Callable, scripted: bool) -> None:
    runs = hostile_session()
    assert len(PAYLOADS) >= 100
    made = session_page("s", runs)
    assert made.left_out == 0
    page = opened(made.html, scripted=scripted)
    if scripted:
        open_all(page)
        # What is further in is built when it is opened.
        before = page.locator("*").count()
        page.get_by_role("button", name="Expand all").evaluate_all(
            "all => all.forEach((button) => button.click())"
        )
        assert page.locator("*").count() > before + 10_000, "all of it is drawn"
        shown = page.locator("#run-1").inner_text()
        assert PAYLOADS[0] in shown
    else:
        page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert page.evaluate("document.scripts.length") == (1 if scripted else 1 + len(runs))
    foreign = "iframe, object, embed, base, link, form, svg, math, video, audio, template"
    assert page.locator(foreign).count() == 0
    sources = page.locator("img").evaluate_all("all => all.map((one) => one.src)")
    assert all(re.match(r"data:image/(png|jpeg);base64,", source) for source in sources)
    links = page.locator("a").evaluate_all("all => all.map((one) => one.protocol)")
    assert set(links) <= {"http:", "https:", "mailto:"}
    handlers = page.evaluate(
        """() => [...document.querySelectorAll("*")].flatMap((one) =>
            one.getAttributeNames().filter((name) => name.startsWith("on")))"""
    )
    assert handlers == []


@pytest.mark.parametrize("payload", ["</script>", "<!--<script>", "</ScRiPt >", "]]>", "\u2028<"])
def test_no_tag_begins_in_the_data(payload: str) -> None:
    run = fold(hostile_run(payload))
    html = session_page(payload, [run]).html
    (data,) = DATA.findall(html)
    assert "<" not in data
    assert payload in json.dumps(json.loads(data), ensure_ascii=False)
    assert html.count("<script") == html.count("</script>") == 2


def test_the_policy_lets_the_one_script_run_and_nothing_else(opened: Callable) -> None:
    html = session_page("s", folded(sample_run.finished_run())).html
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]
    (code,) = re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert html.index("Content-Security-Policy") < html.index("<style")
    # The same with a script that somebody has put in: it does not run.
    foreign = html.replace("</header>", "</header><script>document.title = 'ran'</script>")
    page = opened(foreign, watched=False)
    page.get_by_role("tree").wait_for()
    assert page.title() == "s"
    as_html = """() => {
        try { document.body.innerHTML = "<img>"; return "written"; } catch { return "refused"; }
    }"""
    assert page.evaluate(as_html) == "refused"


def test_where_there_is_no_place_the_newest_have_it_and_the_page_says_so(opened: Callable) -> None:
    runs = folded(*[sample_run.finished_run()] * 6)
    one = len(DATA.findall(session_page("s", runs[:1]).html)[0])
    made = session_page("s", runs, data_bytes=2 * one + 10, static_bytes=0)
    assert made.left_out == 4
    page = opened(made.html)
    assert "of the oldest 4 of 6 interactions it holds question and answer only" in (
        page.locator(".me-note").inner_text()
    )
    page.locator("#run-1 > summary").click()
    text = page.locator("#run-1").inner_text()
    assert "What was done is left out here" in text
    assert "Gentoo penguins are the heaviest" in text
    assert len(DATA.findall(made.html)) == 2
    page.locator("#run-5 > summary").click()
    page.locator("#run-5").get_by_role("tree").wait_for()


def test_forms_without_script_have_a_bound_of_their_own() -> None:
    runs = folded(*[sample_run.finished_run()] * 6)
    made = session_page("s", runs, static_bytes=60_000)
    assert made.left_out == 0
    assert 0 < made.html.count("is drawn by this page's script") < 6
    assert len(DATA.findall(made.html)) == 6


def test_no_request_is_in_the_page() -> None:
    html = session_page("s", folded(sample_run.finished_run())).html
    assert not re.search(
        r"<link|@import|url\(|<base|<iframe|await import\(|\bfetch\(|src=\"http", html
    )


def test_a_session_without_interactions_and_one_under_way(opened: Callable) -> None:
    assert "0 interactions" in session_page("s", []).html
    page = opened(session_page("s", folded(sample_run.running_run())).html)
    assert "Running" in page.locator("#run-1").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 600])
def test_axe_finds_nothing_serious(opened: Callable, scheme: str, width: int) -> None:
    runs = folded(sample_run.finished_run(), rich_run.rich_run(), sample_run.failed_run())
    made = session_page("penguins", runs, data_bytes=80_000)
    size = {"width": width, "height": 800}
    page = opened(made.html, color_scheme=scheme, viewport=size)
    open_all(page)
    assert serious_findings(page, "body") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_has_no_place_is_not_made() -> None:
    class Told:
        times = 0

        def __str__(self) -> str:
            Told.times += 1
            return "told"

    runs = folded(*[sample_run.finished_run() for _ in range(3)])
    runs[0].steps[0].tools[0].result = Told()
    assert session_page("s", runs, data_bytes=10).left_out == 3
    assert Told.times == 0
    assert session_page("s", runs).left_out == 0
    assert Told.times > 0
