"""Hostile text in a notebook's whole life: live, saved, opened again, converted, shown again.

Each of some hundred payloads stands in every place where a model or a tool can write. A page
that shows it must not ask, load, go anywhere or run anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.browser.lab import ROOT, Desk, Lab
from tests.widgets.payloads import PAYLOADS

CHUNK = 10
"""Runs of a cell: JupyterLab shows at most fifty outputs of one, and a run is two."""

SETUP = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from minimalagent_nb.fold import fold
from minimalagent_nb.sessions import SessionLog, open_store
from minimalagent_nb.widgets import RunDisplay, display, show_run
from tests.widgets.payloads import PAYLOADS, hostile_calls, hostile_failure, hostile_run
display.MAX_TREES = 1_000
"""

LIVE = """
for payload in PAYLOADS[FIRST:LAST]:
    with RunDisplay() as shown:
        for event in MAKER(payload):
            shown.add(event)
"""

SHOWN = """
for payload in PAYLOADS[FIRST:LAST]:
    show_run(fold(hostile_calls(payload)))
"""

TITLES = """
log = SessionLog(open_store("sqlite:///hostile.sqlite3", table_name="t", region="us-west-2"))
for number, payload in enumerate(PAYLOADS):
    recorder = log.begin(f"s{number}", real_time=False)
    for event in hostile_run(payload):
        recorder.add(event)
    recorder.finish()
log.close()
%load_ext minimalagent_nb
%config AgentMagics.memory = "sqlite:///hostile.sqlite3"
%agent sessions
"""

SHOW_STORED = """
for number in range(0, len(PAYLOADS), 9):
    get_ipython().run_line_magic("agent", f"show --session s{number}")
"""
STORED = len(range(0, len(PAYLOADS), 9))

END = "print('it is', 'all there')"

DANGEROUS = """(root) => {
    const found = [];
    const outputs = document.querySelectorAll(root);
    for (const el of [...outputs].flatMap((output) => [...output.querySelectorAll("*")])) {
        const name = el.localName;
        const isOwn = el.closest(".jp-OutputPrompt, .jp-OutputArea-promptOverlay");
        if (isOwn) continue;
        if (["script", "iframe", "object", "embed", "form", "base", "link", "meta", "video",
             "audio", "marquee", "math", "template", "plaintext", "xmp"].includes(name)) {
            found.push(el.outerHTML.slice(0, 200));
        }
        for (const { name, value } of el.attributes) {
            const scheme = value.trim().toLowerCase().replace(/[\\u0000-\\u0020]/g, "");
            const isAddress = ["href", "src", "action", "formaction", "xlink:href"].includes(name);
            const isBad = /^(javascript|vbscript|file|data:text|data:image.svg)/.test(scheme);
            const isLoaded = name === "src" && !/^(data:image.(png|jpeg)|blob:)/.test(scheme);
            if (name.startsWith("on") || name === "srcdoc" || name.startsWith("data-command") ||
                (isAddress && isBad) || isLoaded) {
                found.push(el.outerHTML.slice(0, 200));
            }
        }
    }
    return found;
}"""

ALL_CELLS = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.notebookConfig = { ...notebook.notebookConfig, windowingMode: "none" };
}"""
"""Not only those in sight are drawn."""

OPEN_ALL = """async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    for (const details of document.querySelectorAll("details")) details.open = true;
    for (const button of document.querySelectorAll(".ma-run button")) {
        if (button.textContent === "Expand all") button.click();
    }
    for (let turn = 0; turn < 5; turn += 1) await frame();
}"""


class Watch:
    """Records what a page does that no text may make it do.

    Args:
        own: beginnings of addresses that the page itself asks for.
        alone: whether nobody else dismisses its dialogs.
    """

    def __init__(self, page: Any, *, own: tuple[str, ...] = (), alone: bool = True) -> None:
        self.offences: list[str] = []
        self._dismisses = alone
        self._page, self._own = page, own
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)
        page.on("popup", lambda popup: self.offences.append(f"popup: {popup.url}"))
        self._address = ""

    def begin(self) -> None:
        """From here on the page stays where it is."""
        self._address = self._page.url

    def _on_dialog(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":
            self.offences.append(f"dialog: {dialog.message}")
            if self._dismisses:
                dialog.dismiss()

    def _on_request(self, request: Any) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("blob", "data"):
            return
        if not any(request.url.startswith(own) for own in self._own):
            self.offences.append(f"request: {request.url}")

    def check(self, root: str) -> None:
        """Open everything, then see that nothing happened and nothing could."""
        self._page.evaluate(OPEN_ALL)
        assert self._page.evaluate(DANGEROUS, root) == []
        assert self._page.url == self._address
        assert self.offences == []


def own_addresses(desk: Desk) -> tuple[str, ...]:
    """Where JupyterLab asks its own server; a hostile relative address is none of them."""
    places = ("api/", "lab", "doc/", "static/", "nbextensions/", "files/", "custom/", "notebooks/")
    return tuple(f"{desk.url}/{place}" for place in places)


def chunks(template: str, maker: str = "") -> list[str]:
    code = template.replace("MAKER", maker)
    return [
        code.replace("FIRST", str(first)).replace("LAST", str(first + CHUNK))
        for first in range(0, len(PAYLOADS), CHUNK)
    ]


@pytest.fixture(scope="module")
def payload_cells() -> dict[str, list[str]]:
    return {
        "runs": chunks(LIVE, "hostile_run"),
        "calls": chunks(SHOWN) + chunks(LIVE, "hostile_failure"),
        "titles": [TITLES, SHOW_STORED],
    }


def open_watched(desk: Desk, name: str, open_it: Any) -> tuple[Lab, Watch]:
    notebook = open_it()
    watch = Watch(desk.page, own=own_addresses(desk), alone=False)
    watch.begin()
    return notebook, watch


@pytest.mark.parametrize("what", ["runs", "calls", "titles"])
def test_hostile_text_does_nothing_in_a_notebook(
    what: str, lab: Desk, payload_cells: dict[str, list[str]], tmp_path: Path
) -> None:
    assert len(PAYLOADS) >= 100
    name = f"hostile-{what}.ipynb"
    outputs = ".jp-OutputArea-output"
    notebook, live = open_watched(
        lab, name, lambda: lab.new(name, SETUP, *payload_cells[what], END)
    )
    lab.page.evaluate(ALL_CELLS)
    notebook.run_all()
    ended = f"{outputs} >> text=it is all there"
    lab.page.wait_for_selector(ended, timeout=120_000, state="attached")
    runs = {"runs": len(PAYLOADS), "calls": 2 * len(PAYLOADS), "titles": STORED}[what]
    lab.page.wait_for_function(
        "(runs) => document.querySelectorAll('.ma-run').length === runs", arg=runs, timeout=60_000
    )
    live.check(outputs)
    notebook.save()
    saved = lab.saved(name)
    assert "widget-view" not in json.dumps(saved)

    # Opened again without its kernel, trusted: the static forms as they are.
    notebook.restart_kernel()
    notebook.save()
    _, trusted = open_watched(lab, name, lambda: lab.open(name))
    lab.page.wait_for_selector(ended, timeout=60_000, state="attached")
    wait_for_static(lab)
    trusted.check(outputs)

    # And as a stranger's notebook, which nobody has signed.
    saved.metadata["from"] = "a stranger"
    saved.cells[-1].source += "  # not signed"
    nbformat.write(saved, lab.folder / f"strange-{name}")
    _, strange = open_watched(lab, name, lambda: lab.open(f"strange-{name}"))
    lab.page.wait_for_selector(ended, timeout=60_000, state="attached")
    wait_for_static(lab)
    strange.check(outputs)
    assert lab.troubles == []
    check_converted(lab, saved, tmp_path)


def wait_for_static(lab: Desk) -> None:
    """All of the file's runs are in the page, standing still."""
    lab.page.evaluate(ALL_CELLS)
    lab.page.locator("details").first.wait_for(state="attached", timeout=30_000)
    assert lab.page.locator(".ma-run").count() == 0


def test_the_watch_sees_what_it_is_there_for(lab: Desk) -> None:
    page = lab.new_page()
    watch = Watch(page)
    watch.begin()
    page.set_content("<p>harmless</p>")
    watch.check("body")
    for bad in ("<img src=x onerror=alert(1)>", "<a href=' java\tscript:alert(1)'>x</a>"):
        page.set_content(f"<details><p>{bad}</p></details>")
        assert page.evaluate(DANGEROUS, "body")
    page.route("http*://**", lambda route: route.abort())
    with page.expect_request("**/x.png"):
        page.evaluate("() => { new Image().src = 'http://evil.example/x.png'; alert(1); }")
    assert {offence.split(":")[0] for offence in watch.offences} == {"dialog", "request"}
    page.close()


def check_converted(lab: Desk, saved: Any, folder: Path) -> None:
    """Nbconvert's page, as a file in the browser: it loads what an empty one loads, no more."""
    requests: list[set[str]] = []
    for number, notebook in enumerate([nbformat.v4.new_notebook(), saved]):
        body, _ = HTMLExporter().from_notebook_node(notebook)
        path = folder / f"page-{number}.html"
        path.write_text(body, encoding="utf-8")
        page = lab.new_page()
        asked: set[str] = set()
        page.on("request", lambda request, asked=asked: asked.add(request.url))
        page.route("http*://**", lambda route: route.abort())
        watch = Watch(page, own=("http", path.as_uri()))
        page.goto(path.as_uri())
        watch.begin()
        watch.check("body")
        requests.append({url for url in asked if url.startswith("http")})
        page.close()
    assert requests[1] <= requests[0]
