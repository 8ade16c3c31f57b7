"""How good the demonstration model is: ``python -m tests.benchmarks.demo_model``.

Prints a Markdown table over the three parts of requests.json. ``tune`` and ``held-out``
are halves of a set that was written before the model was tuned, on the first of them
alone; ``fresh`` was written after that, over tools that nothing was tuned on. (At first
sight 21 of its 24 arguments were exact; lists of texts were read wrongly and were mended.)
``--misses PART`` lists what went wrong in one of them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.messages import Message, user_message
from minimalagent_nb.models import ModelReply, ModelRequest
from minimalagent_nb.models.demo import DemoModel
from tests.benchmarks.demo_model.toolsets import specs

PARTS = ["tune", "held-out", "fresh"]
REQUESTS = Path(__file__).with_name("requests.json")


@dataclass(frozen=True)
class Outcome:
    """What became of one request: the call (None for no call), the text, the time."""

    item: dict[str, Any]
    tool: str | None
    arguments: dict[str, Any]
    text: str
    seconds: float

    @property
    def tool_right(self) -> bool:
        return self.tool == self.item["tool"]

    @property
    def all_right(self) -> bool:
        return self.tool_right and self.arguments == self.item.get("arguments", {})


def conversation(item: dict[str, Any]) -> list[Message]:
    """The request, after the one before it where it goes on with one."""
    messages: list[Message] = []
    if before := item.get("before"):
        use = {"toolUseId": "call-1", "name": before["tool"], "input": before["arguments"]}
        result = {"toolUseId": "call-1", "content": [{"text": "1"}], "status": "success"}
        messages = [
            user_message(before["request"]),
            {"role": "assistant", "content": [{"toolUse": use}]},
            {"role": "user", "content": [{"toolResult": result}]},
            {"role": "assistant", "content": [{"text": "It is done."}]},
        ]
    return [*messages, user_message(item["request"])]


def ask(model: DemoModel, item: dict[str, Any]) -> Outcome:
    request = ModelRequest(conversation(item), tools=specs(item["set"]))
    begun = time.perf_counter()
    reply = list(model.stream(request, CancelToken()))[-1]
    seconds = time.perf_counter() - begun
    assert isinstance(reply, ModelReply)
    content = reply.message["content"]
    use: Any = next((block["toolUse"] for block in content if "toolUse" in block), None)
    text = "".join(block.get("text", "") for block in content)
    return Outcome(item, use["name"] if use else None, use["input"] if use else {}, text, seconds)


def row(label: str, outcomes: Sequence[Outcome]) -> str:
    """One line of the table."""
    inside = [outcome for outcome in outcomes if outcome.item["tool"]]
    leaning = [outcome for outcome in inside if "before" in outcome.item]
    outside = [outcome for outcome in outcomes if not outcome.item["tool"]]
    cells = [
        label,
        f"{sum(o.tool_right for o in inside)} of {len(inside)}",
        f"{sum(o.all_right for o in inside)} of {len(inside)}",
        f"{sum(o.all_right for o in leaning)} of {len(leaning)}",
        f"{sum(o.tool_right for o in outside)} of {len(outside)}",
        f"{statistics.median(o.seconds for o in outcomes):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.demo_model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--misses", choices=PARTS)
    options = parser.parse_args()
    data = json.loads(REQUESTS.read_text(encoding="utf-8"))
    today = datetime.date.fromisoformat(data["today"])
    model = DemoModel(threads=options.threads, today=lambda: today)
    parts = [options.part] if options.part else PARTS
    print("| part | tool right | arguments exact | of follow-ups | no tool right | median s |")
    print("|---|---|---|---|---|---|")
    outcomes = []
    for part in parts:
        found = [ask(model, item) for item in data["requests"] if item["part"] == part]
        outcomes += found
        print(row(part, found), flush=True)
    for outcome in outcomes:
        if outcome.item["part"] == options.misses and not outcome.all_right:
            got = (outcome.tool, outcome.arguments, outcome.text)
            print(outcome.item["request"], "->", got)
    model.close()


if __name__ == "__main__":
    main()
