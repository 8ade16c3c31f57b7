"""A page with the tree in it, and runs for it: what the tests of the tree in Chromium share."""

from __future__ import annotations

import json
from typing import Any

from minimalagent_nb.events import Event
from minimalagent_nb.widgets.component import script, style
from minimalagent_nb.widgets.feed import Feed
from tests.widgets import sample_run

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><style>
:root { color-scheme: light dark; } body { background: Canvas; color: CanvasText; }
</style></head><body></body></html>"""

GREETING = [{"type": "here"}, {"type": "shown", "saves": False}]
"""What a widget says first, in a page without a notebook."""


def watched(page: Any, *allowed: str) -> list[str]:
    """A record of all that the page does and must not do.

    Args:
        allowed: how the addresses begin that it may ask for.
    """
    offences: list[str] = []

    def on_request(request: Any) -> None:
        if not request.url.startswith(allowed):
            offences.append(f"request: {request.url}")

    def on_console(message: Any) -> None:
        # What Chromium tells of its own rendering is "verbose", which no script can write.
        if message.type != "verbose":
            offences.append(f"console: {message.text}")

    page.on("pageerror", lambda error: offences.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (offences.append("dialog"), dialog.dismiss()))
    page.on("console", on_console)
    page.on("request", on_request)
    return offences


def stand_still(page: Any) -> None:
    """From now on the page's clock goes on when the test says so, at any pace of the machine."""
    page.clock.install(time=0)
    page.clock.pause_at(1_000)


class TreePage:
    """A bare page with the tree in it, that keeps a record of all it must not do."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.offences = watched(page, "blob:")
        page.set_content(_PAGE)
        page.add_style_tag(content=style("tree/tree.css"))
        page.evaluate(
            """async (source) => {
                const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
                window.tree = await import(url);
            }""",
            script("tree/widget.js"),
        )

    def mount(self, message: dict[str, Any]) -> int:
        """Show the run of a snapshot in the page's only tree.

        Returns:
            How many items there were before the first frame.
        """
        return self.page.evaluate(
            """(message) => {
                const root = document.createElement("div");
                root.id = "tree";
                document.body.replaceChildren(root);
                const nothing = {rev: 0, state: window.tree.EMPTY_RUN};
                window.feed = window.tree.receive(nothing, message).feed;
                window.view = window.tree.mountTree(root, {state: window.feed.state});
                return root.querySelectorAll("[role=treeitem]").length;
            }""",
            message,
        )

    def connect(self, message: dict[str, Any], *, again: bool = False, **traits: Any) -> None:
        """Show the run of a snapshot as a widget, with a model that keeps what it is sent.

        What was opened in the page before is remembered only with `again`.

        In the page `sent` holds that, `interrupts` counts those of the kernel, `tell` hands
        the widget a message, `restart` tells it of another kernel, and `show` gives one more view.
        """
        self.page.evaluate(
            """([message, traits, again]) => {
                if (!again) delete window[Symbol.for("minimalagent_nb.memories")];
                window.sent = [];
                window.interrupts = 0;
                const heard = {"msg:custom": new Set(), "comm_live_update": new Set()};
                window.tell = (content) => heard["msg:custom"].forEach((one) => one(content));
                window.restart = () => heard["comm_live_update"].forEach((one) => one());
                const widget = window.tree.default();
                widget.initialize({model: {
                    get: (name) => ({snap: message, ...traits})[name],
                    send: (content) => window.sent.push(structuredClone(content)),
                    on: (name, listener) => heard[name].add(listener),
                    off: (name, listener) => heard[name].delete(listener),
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
            [json.loads(json.dumps(message)), traits, again],
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
        """What the widget sent to its model, without the revisions that it has."""
        sent = self.page.evaluate("window.sent")
        return [{key: one[key] for key in one if key != "have"} for one in sent]

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


class Source:
    """A feed that sends when the test says so, and remembers what it sent."""

    def __init__(self, events: list[Event]) -> None:
        self.messages: list[dict[str, Any]] = []
        self.now = 0.0
        self.feed = Feed(self.messages.append, clock=lambda: self.now)
        self.feed.close()
        self.add(events)

    def add(self, events: list[Event]) -> list[dict[str, Any]]:
        """The messages that these events make."""
        self.messages.clear()
        self.now += 1.0
        for event in events:
            self.feed.add(event)
        self.feed.flush()
        return list(self.messages)


def snapshot(events: list[Event]) -> dict[str, Any]:
    return Source(events).feed.snapshot()


def long_run(turns: int, calls: int = 5) -> tuple[sample_run.Teller, list[Event]]:
    teller = sample_run.Teller()
    events: list[Event] = [teller.begin()]
    for _ in range(turns):
        events += teller.turn("thinking", calls=calls)
        for _ in range(calls):
            call = teller.call("lookup", {"key": teller.calls})
            events += [call, teller.returned(call.call_id, {"value": teller.calls})]
    return teller, events


def scrolling_bare(page: Any, within: str) -> list[str]:
    """What scrolls, which a browser lets have the focus, and would leave its keys to Jupyter."""
    return page.evaluate(
        """(within) => [...document.querySelectorAll(`${within} *`)].filter((el) =>
            /auto|scroll/.test(getComputedStyle(el).overflow) &&
            !el.hasAttribute("data-lm-suppress-shortcuts")
        ).map((el) => el.outerHTML.slice(0, 80))""",
        within,
    )


def offending_elements(page: Any) -> list[str]:
    """Elements and attributes that a text may have made of itself."""
    return page.evaluate(
        """() => [...document.body.querySelectorAll("*")].flatMap((el) => {
            const bad = ["SCRIPT", "IFRAME", "IMG", "STYLE", "OBJECT", "EMBED", "FORM", "LINK",
                "META", "BASE", "SVG", "MATH", "VIDEO", "AUDIO", "INPUT"];
            if (el.matches("input.ma-field")) return [];
            const isImage = el.tagName === "IMG" &&
                /^data:image\\/(png|jpeg);base64,[A-Za-z0-9+\\/]+=*$/.test(el.getAttribute("src"));
            const found = bad.includes(el.tagName.toUpperCase()) && !isImage ? [el.tagName] : [];
            for (const {name, value} of el.attributes) {
                if (name.startsWith("on")) found.push(`${el.tagName} ${name}`);
                if (name === "href" && !/^(https?|mailto):/.test(value)) found.push(value);
            }
            return found;
        })"""
    )
