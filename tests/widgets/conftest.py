"""What the tests of the views share: node, Chromium, and a page that holds the tree."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minimalagent_nb.widgets.component import script, style

HERE = pathlib.Path(__file__).parent

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>
:root { color-scheme: light dark; } body { background: Canvas; color: CanvasText; }
</style></head><body></body></html>"""


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed (Debian: apt install {name})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def run_node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs node on a file of js/; where the tree is, as a page gets it, its environment says."""
    # Under this name any node takes it for a module.
    copy = tmp_path_factory.mktemp("tree") / "tree.mjs"
    copy.write_text(script("tree/widget.js"), encoding="utf-8")
    node = _program("node" if shutil.which("node") else "nodejs")

    def run(*arguments: str, text: str = "", **environment: str) -> str:
        done = subprocess.run(
            [node, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=HERE / "js",
            env={**os.environ, "TREE_JS": str(copy), **environment},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, as the system has it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=_program("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


GREETING = [{"type": "here"}, {"type": "shown", "saves": False}]
"""What a widget says first, in a page without a notebook."""


class TreePage:
    """A bare page with the tree in it, that keeps a record of all it must not do."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.offences: list[str] = []
        page.on("pageerror", lambda error: self.offences.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.offences.append("dialog"), dialog.dismiss()))
        # What Chromium tells of its own rendering is "verbose", which no script can write.
        page.on(
            "console",
            lambda message: (
                message.type == "verbose" or self.offences.append(f"console: {message.text}")
            ),
        )
        page.on("request", self._on_request)
        page.set_content(_PAGE)
        page.add_style_tag(content=style("tree/tree.css"))
        page.evaluate(
            """async (source) => {
                const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
                window.tree = await import(url);
            }""",
            script("tree/widget.js"),
        )

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith("blob:"):
            self.offences.append(f"request: {request.url}")

    def mount(self, message: dict[str, Any]) -> None:
        """Show the run of a snapshot in the page's only tree."""
        self.page.evaluate(
            """(message) => {
                const root = document.createElement("div");
                root.id = "tree";
                document.body.replaceChildren(root);
                const nothing = {rev: 0, state: window.tree.EMPTY_RUN};
                window.feed = window.tree.receive(nothing, message).feed;
                window.view = window.tree.mountTree(root, {state: window.feed.state});
            }""",
            message,
        )

    def connect(self, message: dict[str, Any], **traits: Any) -> None:
        """Show the run of a snapshot as a widget, with a model that keeps what it is sent.

        In the page `sent` holds that, `interrupts` counts those of the kernel, `tell` hands
        the widget a message, and `show` gives one more view.
        """
        self.page.evaluate(
            """([message, traits]) => {
                window.sent = [];
                window.interrupts = 0;
                const heard = new Set();
                window.tell = (content) => heard.forEach((listener) => listener(content));
                const widget = window.tree.default();
                widget.initialize({model: {
                    get: (name) => ({snap: message, ...traits})[name],
                    send: (content) => window.sent.push(structuredClone(content)),
                    on: (name, listener) => name === "msg:custom" && heard.add(listener),
                    off: (_, listener) => heard.delete(listener),
                    widget_manager: {kernel: {interrupt: async () => { window.interrupts += 1; }}},
                }});
                window.show = () => {
                    const el = document.createElement("div");
                    document.body.append(el);
                    widget.render({el});
                };
                document.body.replaceChildren();
                window.show();
            }""",
            [json.loads(json.dumps(message)), traits],
        )

    def tell(self, *messages: dict[str, Any]) -> None:
        """Have the widget's model bring messages, and wait until they are drawn."""
        self.page.evaluate(
            """(messages) => {
                messages.forEach(window.tell);
                const frame = () => new Promise((done) => requestAnimationFrame(done));
                return frame().then(frame).then(() => null);
            }""",
            [json.loads(json.dumps(message)) for message in messages],
        )

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What the widget sent to its model."""
        return self.page.evaluate("window.sent")

    def receive(self, *messages: dict[str, Any]) -> None:
        """Take in messages and wait until they are drawn."""
        self.page.evaluate(
            """(messages) => {
                for (const message of messages) {
                    window.feed = window.tree.receive(window.feed, message).feed;
                }
                window.view.update(window.feed.state);
                const frame = () => new Promise((done) => requestAnimationFrame(done));
                return frame().then(frame).then(() => null);
            }""",
            [json.loads(json.dumps(message)) for message in messages],
        )

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_text_contents()


@pytest.fixture
def tree_page(browser: Any) -> Iterator[TreePage]:
    """A page for one test, which fails where the page did what it must not do."""
    page = browser.new_page(viewport={"width": 900, "height": 700})
    tree = TreePage(page)
    yield tree
    page.close()
    assert tree.offences == []
