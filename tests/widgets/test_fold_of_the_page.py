"""The page's fold: its own tests, and that it agrees with Python's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from minimalagent_nb.events import Event, outcome_of
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.reasoning import Reasoning, ToolData
from minimalagent_nb.widgets.displays import display_form, printed
from minimalagent_nb.widgets.feed import Feed
from minimalagent_nb.widgets.figures import OUTCOME_WORDS, approval_text, duration_text
from tests.widgets import rich_run, sample_run

DURATIONS = [0, 0.004, 0.9994, 0.9996, 1.04, 59.9, 59.96, 61, 119.6, 3599, 3600, 7325.2]


APPROVALS: list[dict[str, Any]] = [
    {"decision": "pending"},
    {"decision": "approved", "by": "policy"},
    {"decision": "edited", "inputs": {"a": 1}, "by": "user", "reason": "two\n  lines"},
    {"decision": "denied", "reason": "no" * 400},
    {"decision": "denied", "by": "u" * 90},
    {"decision": "new"},
]
STOPS = (
    *("end_turn", "max_tokens", "guardrail_intervened", "content_filtered", "max_steps", ""),
    *("model_context_window_exceeded", "stop_sequence"),
)


def test_pure_parts(run_node: Callable[..., str]) -> None:
    durations = json.dumps([(seconds, duration_text(seconds)) for seconds in DURATIONS])
    words = {
        "approvals": [(approval, approval_text(approval)) for approval in APPROVALS],
        "outcomes": [(s, OUTCOME_WORDS.get(outcome_of("completed", s), "")) for s in STOPS],
    }
    output = run_node("--test", "tree.test.mjs", DURATIONS=durations, WORDS=json.dumps(words))
    assert "# pass 13" in output


def expected(run: Reasoning) -> dict[str, Any]:
    return {
        "query": run.query,
        "session_id": run.session_id,
        "model": run.model,
        "status": run.status,
        "error": run.error,
        "usage": run.usage.to_dict(),
        "duration": run.duration,
        "stop_reason": run.stop_reason,
        "notices": run.notices,
        "final_response": run.final_response or "",
        "final_thinking": run.final_thinking or "",
        "steps": [
            {
                "step_number": step.step_number,
                "thinking": step.thinking or "",
                "text": step.text or "",
                "usage": step.usage.to_dict(),
                "duration": step.duration,
                "tools": [expected_call(tool) for tool in step.tools],
            }
            for step in run.steps
        ],
    }


def expected_call(tool: ToolData) -> dict[str, Any]:
    return {
        "call_id": tool.call_id,
        "name": tool.name,
        "inputs": tool.inputs,
        "status": tool.status,
        "result": tool.result,
        "error": tool.error,
        "duration": tool.duration,
        "truncated": tool.truncated,
        "left_behind": tool.left_behind,
        "progress": tool.progress,
        "approval": tool.approval,
        "output": [
            [part["kind"], display_form(part["data"]).text]
            if part["kind"] == "display"
            else [part["kind"], printed(part["text"]).replace("\r", "")]
            for part in tool.output
        ],
        "reasoning": expected(tool.reasoning) if tool.reasoning else None,
    }


def streams() -> list[list[Event]]:
    named = [
        sample_run.finished_run(),
        sample_run.running_run(),
        sample_run.answering_run(),
        sample_run.failed_run(),
        sample_run.stopped_run(),
        rich_run.rich_run(),
        *(rich_run.until("sub_agent", number) for number in (0, 3, 20, 40)),
        rich_run.until("approval_requested", 1),
        rich_run.until("tool_call_progress", 2),
    ]
    return named + [sample_run.random_run(seed) for seed in range(60)]


@pytest.mark.parametrize("way", ["batches", "snapshot"])
def test_both_folds_agree(run_node: Callable[..., str], way: str) -> None:
    ops, wanted = [], []
    for events in streams():
        sent: list[dict[str, Any]] = []
        feed = Feed(sent.append)
        feed.close()
        fold = ReasoningFold()
        for number, event in enumerate(events):
            feed.add(event)
            fold.apply(event)
            if number % 7 == 0:
                feed.flush()
        whole = feed.snapshot()["ops"]
        ops.append(whole if way == "snapshot" else [op for msg in sent for op in msg["ops"]])
        wanted.append(expected(fold.reasoning))
    answers = json.loads(run_node("fold.mjs", text=json.dumps(ops)))
    for answer, want in zip(answers, wanted, strict=True):
        assert answer == want
