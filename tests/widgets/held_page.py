"""The history browser in a bare page, over a source that answers when the test says so."""

from __future__ import annotations

import json
from typing import Any

from minimalagent_nb.widgets.component import script, style
from tests.widgets.history_page import _PAGE
from tests.widgets.tree_page import snapshot, watched

_SOURCE = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    window.parts = await import(url);
    window.asked = [];
    const ask = (method) => (...args) => new Promise((done, fail) => {
        window.asked.push({method, args, done, fail});
    });
    const tell = (method) => (...args) => {
        const one = {method, args, on: args.at(-1)};
        window.asked.push(one);
        return () => { one.isEnded = true; };
    };
    window.source = {
        forms: ["html"], offline: "", reach: null, linkTo: null, close() {},
        sessions: ask("sessions"), interactions: ask("interactions"),
        interaction: ask("interaction"), whole: ask("whole"), save: ask("save"),
        askAgain: ask("askAgain"), search: tell("search"), follow: tell("follow"),
    };
    window.waiting = (method) =>
        window.asked.filter((one) => one.method === method && !one.isAnswered);
}"""

_ANSWER = """async ([method, at, value, trouble]) => {
    const one = window.waiting(method).at(at);
    one.isAnswered = true;
    if (trouble === null) one.done(value);
    else one.fail(new Error(trouble));
    // Whoever waits for it has gone on, and what they drew is on the screen.
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}"""


def summary(number: int, status: str = "completed", query: str = "") -> dict[str, Any]:
    """One interaction as a list of them has it."""
    return {
        "interaction_id": number,
        "query": query or f"question {number}",
        "status": status,
        "error": None,
        "model": "",
        "agent": "",
        "started": None,
        "duration": None,
        "steps": 0,
        "tool_calls": 0,
        "tokens": 0,
    }


def runs(*numbers: int, older: int | None = None, status: str = "completed") -> dict[str, Any]:
    """A page of interactions."""
    return {"interactions": [summary(number, status) for number in numbers], "next": older}


def sessions(*names: str) -> dict[str, Any]:
    """A list of sessions."""
    listed = [
        {"session_id": name, "title": f"About {name}", "last_used": 1.0, "interactions": 1}
        for name in names
    ]
    return {"store": "a store", "sessions": listed}


class HeldPage:
    """A page whose questions wait for an answer, and a record of all that it must not do."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.offences = watched(page, "blob:")
        page.set_content(_PAGE)
        page.add_style_tag(content=style("history/history.css"))
        page.evaluate(_SOURCE, script("history/widget.js"))

    def open(self, session: str | None = None, page: Any = None, *names: str) -> None:
        """Open the browser with the list of these sessions, and with this page of one of them."""
        first = {"session": session, "sessions": sessions(*names), "history": page}
        self.page.evaluate(
            """(first) => {
                const root = document.getElementById("output");
                window.browser = new window.parts.HistoryBrowser(root, window.source, {first});
            }""",
            first,
        )

    def asked(self, method: str) -> list[Any]:
        """What was asked for by this method and is not answered, without its callbacks."""
        return self.page.evaluate(
            "(method) => window.waiting(method).map(({args}) => JSON.parse(JSON.stringify(args)))",
            method,
        )

    def answer(self, method: str, value: Any = None, at: int = 0) -> None:
        """Answer the question number `at` of those that wait, and wait until it is drawn."""
        self.page.evaluate(_ANSWER, [method, at, value, None])

    def answer_run(self, events: list[Any], at: int = 0) -> None:
        """Answer likewise with all of a run."""
        self.answer("interaction", json.loads(json.dumps(snapshot(events))), at)

    def refuse(self, method: str, message: str, at: int = 0) -> None:
        """Have the question fail."""
        self.page.evaluate(_ANSWER, [method, at, None, message])

    def texts(self, selector: str) -> list[str]:
        return list(self.page.locator(selector).all_text_contents())
