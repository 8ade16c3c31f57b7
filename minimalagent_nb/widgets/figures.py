"""Words and figures that every view of a run uses: status, counts, times, previews.

Everything here is pure and knows no HTML. Imports reasoning and nothing else of
the package.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from minimalagent_nb.events import Usage
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.widgets.bounds import bounded, bounded_text

__all__ = [
    "LEFT_BEHIND",
    "LINE_WIDTH",
    "OUTCOME_WORDS",
    "RUN_WORDS",
    "SHORTENED",
    "TOOL_WORDS",
    "agent_word",
    "answer_usage",
    "approval_text",
    "call_preview",
    "clean",
    "count",
    "duration_text",
    "edited_inputs",
    "json_text",
    "moment",
    "progress_text",
    "size_text",
    "started_at",
    "step_parts",
    "summary_parts",
    "token_text",
    "tool_word",
]

RUN_WORDS = {
    "running": "Running",
    "completed": "Completed",
    "stopped": "Stopped",
    "failed": "Failed",
}
"""Status of a run, in words."""

TOOL_WORDS = {
    "running": "Running",
    "success": "Done",
    "error": "Failed",
    "stopped": "Stopped",
    "denied": "Denied",
}
"""Status of a tool call, in words."""

SHORTENED = "The stored reasoning was shortened to fit into the session table."

OUTCOME_WORDS = {
    "cut_off": "Cut off at the limit of output tokens",
    "guardrail": "A guardrail stepped in",
    "filtered": "A content filter stepped in",
    "context_full": "Cut off: the context window is full",
    "step_limit": "Answered at the step limit",
}
"""Outcomes of a run that a reader of its answer should know of, in words."""

LEFT_BEHIND = "Left behind: it could not be ended and may still run."

LINE_WIDTH = 88
"""Characters of a JSON value that are shown on one line."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# C0 and C1 controls but tab and line feed, and the characters that turn the
# direction of writing: a terminal or a reader takes them for commands.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text without escape sequences, control characters and lone surrogates."""
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode("utf-8")


def duration_text(seconds: float | None) -> str:
    """A duration of so many seconds for reading, empty where it is not known."""
    if seconds is None:
        return ""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count(number: int, noun: str) -> str:
    """``1 step``, ``1,234 steps``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def token_text(usage: Usage) -> str:
    """The tokens of a call or run, empty where none were counted."""
    if not usage.total_tokens:
        return ""
    text = count(usage.total_tokens, "token")
    cached = usage.cache_read_tokens
    return f"{text}, {cached:,} from cache" if cached else text


def size_text(size: int) -> str:
    """So many bytes for reading, in powers of ten."""
    if size < 1_000:
        return count(size, "byte")
    return f"{size / 1_000:.0f} KB" if size < 999_500 else f"{size / 1_000_000:.1f} MB"


def tool_word(tool: ToolData) -> str:
    """Status of a call in words; one that runs may be waiting."""
    approval = tool.approval if isinstance(tool.approval, Mapping) else {}
    if tool.status == "running" and approval.get("decision") == "pending":
        return "Waits for approval"
    return TOOL_WORDS.get(str(tool.status), clean(str(tool.status))[:40])


def agent_word(tool: ToolData, run: Reasoning) -> str:
    """Status of a sub-agent's run in words; of one whose call is over nothing more comes."""
    if run.status == "running" and tool.status != "running":
        return "Not finished"
    return RUN_WORDS.get(run.status, clean(str(run.status))[:40])


def edited_inputs(tool: ToolData) -> Any:
    """The arguments that a call ran with, where somebody changed them, else None."""
    approval = tool.approval if isinstance(tool.approval, Mapping) else {}
    return approval.get("inputs") if approval.get("decision") == "edited" else None


def approval_text(approval: Any) -> str:
    """What was decided on a call, by whom and why, on one line; empty where nothing was."""
    given = approval if isinstance(approval, Mapping) else {}
    words = {"edited": "Arguments edited", "denied": "Denied", "approved": "Approved"}
    word = words.get(str(given.get("decision")), "")
    by, reason = str(given.get("by") or "")[:40], str(given.get("reason") or "")[:500]
    if not word:
        return ""
    text = f"{word} by {by}" if by else word
    return " ".join(clean(f"{text}: {reason}" if reason else text).split())


def progress_text(progress: Any) -> str:
    """How far a call is, ``45 % reading``; empty where it did not say."""
    told = progress if isinstance(progress, Mapping) else {}
    fraction, text = told.get("fraction"), str(told.get("text") or "")[:500]
    parts = [text]
    if isinstance(fraction, (int, float)) and math.isfinite(fraction):
        parts = [f"{min(max(fraction, 0.0), 1.0) * 100:.0f} %", text]
    return " ".join(clean(" ".join(parts)).split())


def answer_usage(run: Reasoning) -> Usage:
    """The tokens of the turn that answered: what steps and sub-agents do not account for."""
    counts = run.usage.to_dict()
    others = [step.usage for step in run.steps]
    others += [t.reasoning.usage for step in run.steps for t in step.tools if t.reasoning]
    for usage in others:
        for name, number in usage.to_dict().items():
            counts[name] = max(counts[name] - number, 0)
    return Usage.from_dict(counts)


def summary_parts(run: Reasoning) -> list[str]:
    """What a run was, in a few words each; the first is its status."""
    calls = sum(len(step.tools) for step in run.steps)
    parts = [
        RUN_WORDS.get(run.status, run.status),
        count(len(run.steps), "step") if run.steps else "",
        count(calls, "tool call") if calls else "",
        token_text(run.usage),
        duration_text(run.duration),
        bounded_text(run.model, 120),
    ]
    return [clean(part) for part in parts if part]


def step_parts(step: ReasoningStep) -> list[str]:
    """Tokens and duration of a step, as far as they are known."""
    return [part for part in (token_text(step.usage), duration_text(step.duration)) if part]


def started_at(run: Reasoning) -> float | None:
    """When the run began, in seconds since the epoch."""
    if run.started is not None:
        return run.started
    return float(run.steps[0].timestamp) if run.steps and run.steps[0].timestamp else None


def moment(seconds: float | None) -> str:
    """A moment as local date and time, empty where it is not known."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return ""  # a stored number that is no moment


def call_preview(inputs: Any, width: int = 80) -> str:
    """The arguments of a call on one line, ``name=value, ...``, cut to `width` characters."""
    given = inputs if isinstance(inputs, Mapping) else {"input": inputs}  # as it was stored
    small, _ = bounded(given, width * 2)
    text = ", ".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in small.items()
    )
    text = " ".join(clean(text).split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def json_text(value: Any, limit: int, width: int = LINE_WIDTH) -> str:
    """A tool's value for reading: text as it stands, anything else as indented JSON.

    What fits on a line of `width` characters stays on one. An object with texts of several
    lines, as code is, is written as ``name: value``, and such texts below their names. It is
    cut to about `limit` characters, with a note where it was.
    """
    small, cut = bounded(value, limit)
    if isinstance(small, str):
        return clean(small)
    if isinstance(small, dict) and any(map(_has_lines, small.values())):
        text = "\n".join(clean(_named(key, item, width)) for key, item in small.items())
    else:
        text = clean(_indented_json(small, "", width))
    return f"{text}\n… cut for display" if cut else text


def _has_lines(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value.strip()


def _named(key: Any, value: Any, width: int) -> str:
    """An entry of an object, a text of several lines indented, so that it cannot pass for one."""
    name = key if re.fullmatch(r"\w+", str(key)) else json.dumps(key, ensure_ascii=False)
    if not _has_lines(value):
        return f"{name}: {_indented_json(value, '', width)}"
    lines = clean(value).strip("\n").split("\n")
    return "\n".join([f"{name}:", *(f"    {line}".rstrip() for line in lines)])


def _indented_json(value: Any, indent: str, width: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(line) + len(indent) <= width:
        return line
    inner = indent + "  "
    if isinstance(value, list):
        parts = [_indented_json(item, inner, width) for item in value]
    else:
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {_indented_json(item, inner, width)}"
            for key, item in value.items()
        ]
    begin, end = "[]" if isinstance(value, list) else "{}"
    return f"{begin}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{end}"
