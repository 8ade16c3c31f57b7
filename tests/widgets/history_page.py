"""The history browser in a bare page of a real Chromium, its kernel's half in this process."""

from __future__ import annotations

import base64
import json
import queue
import time
from collections.abc import Callable
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.sessions import SessionLog
from minimalagent_nb.widgets import HistoryBrowser
from minimalagent_nb.widgets.component import script, style
from tests.widgets import sample_run
from tests.widgets.tree_page import watched

PATIENCE = 30

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>
:root { color-scheme: light dark; } body { background: Canvas; color: CanvasText; }
</style></head><body><div id="output"></div></body></html>"""

_CONNECT = """async ([source, traits]) => {
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const heard = new Set();
    window.tell = (messages) => {
        for (const [content, files] of messages) {
            const buffers = files.map((text) =>
                new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
            heard.forEach((listener) => listener(content, buffers));
        }
    };
    window.inserted = [];
    const cells = {cells: [{}, {}], insertCell: (at, cell) => window.inserted.push([at, cell])};
    const model = {
        get: (name) => traits[name],
        send: (content) => { window.toKernel(JSON.stringify(content)); },
        on: (_, listener) => heard.add(listener), off: (_, listener) => heard.delete(listener),
        widget_manager: {context: {model: {sharedModel: cells}}},
    };
    const widget = (await import(url)).default();
    widget.initialize({model});
    window.close_view = widget.render({model, el: document.getElementById("output")});
}"""


def asked(number: int, answer: str = "The mean is 5 kg.") -> list[Event]:
    """A short run whose query tells its number."""
    teller = sample_run.Teller()
    return [
        teller.begin(f"question {number}"),
        *teller.turn("I look.", calls=1),
        teller.call("plot" if number % 2 else "query_data", {"number": number}),
        teller.returned("call-1", {"value": number}),
        *teller.turn(text=answer),
        teller.end(answer),
    ]


class HistoryPage:
    """A page with the browser in it, which keeps a record of all that it must not do.

    Attributes:
        asked: the methods that the page asked for.
        on_ask: called with each method before it is answered.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.offences = watched(page, "blob:")
        self.asked: list[str] = []
        self.on_ask: Callable[[str], object] = lambda method: None
        self.browser: HistoryBrowser | None = None
        self._sent: queue.Queue[tuple[Any, list[str]]] = queue.Queue()
        page.expose_function("toKernel", self._take)
        page.set_content(_PAGE)
        page.add_style_tag(content=style("history/history.css"))

    def show(self, log: SessionLog | None, session_id: str | None = None, **options: Any) -> None:
        """Show the browser, as a notebook does."""
        post = self._post

        class Browser(HistoryBrowser):
            """One whose messages go to this page."""

            def send(self, content: Any, buffers: Any = None) -> None:
                post(content, buffers or [])

            def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
                state = super().get_state(key, drop_defaults)
                opened.update(state)
                return state

        # What the comm is opened with.
        opened: dict[str, Any] = {}
        self.browser = Browser(log, session_id, **options)
        traits = {name: opened[name] for name in ("first", "forms", "view_id")}
        self.page.evaluate(_CONNECT, [script("history/widget.js"), json.loads(json.dumps(traits))])

    def pump(self) -> None:
        """Hand over what the kernel has sent."""
        messages = []
        while not self._sent.empty():
            messages.append(self._sent.get())
        if messages:
            self.page.evaluate("(messages) => window.tell(messages)", messages)

    def wait(self, selector: str, text: str | None = None, *, gone: bool = False) -> Any:
        """Wait until this is seen, or is gone; the first of it."""
        locator = self.page.locator(selector, has_text=text).first
        self.wait_until(lambda: locator.is_visible() is not gone, f"{selector} {text}")
        return locator

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Hand over what the kernel sends until this is so."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, f"{what}: {self.text('.mh-main')[:2000]}"
            self.pump()
            self.page.wait_for_timeout(5)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def texts(self, selector: str) -> list[str]:
        # Also of what is not laid out because it is out of sight.
        return list(self.page.locator(selector).all_text_contents())

    def close(self) -> None:
        if self.browser is not None:
            self.browser.close()
        self.page.close()

    def _take(self, text: str) -> None:
        message = json.loads(text)
        self.asked.append(str(message.get("method", message["type"])))
        self.on_ask(self.asked[-1])
        if self.browser is not None:
            self.browser._on_message(None, message, [])

    def _post(self, content: Any, buffers: list[bytes]) -> None:
        wire = json.loads(json.dumps(content, allow_nan=False))
        self._sent.put((wire, [base64.b64encode(one).decode() for one in buffers]))
