"""The documented reasoning item, read as strictly as whoever shows it needs.

Any program may have written it, and anything may have become of it since: what is of another
kind than the attributes of `Reasoning` say would break who shows it, and hide what stands
beside it. Imports events, reasoning, items and the codec.
"""

from __future__ import annotations

from typing import Any, get_args

from minimalagent_nb.events import RunStatus, ToolStatus
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.sessions.codec import loads
from minimalagent_nb.sessions.items import Item

__all__ = ["reasoning_in"]

_MOST_SECONDS = 32_503_680_000
"""The year 3000: what goes beyond is no time, and not all systems can show it."""


def reasoning_in(item: Item) -> Reasoning:
    """The reasoning that an item holds.

    Raises:
        ValueError: it holds none, or one that is damaged.
    """
    try:
        run = Reasoning.from_dict(loads(str(item.attributes["reasoning"])))
        sound = _is_sound(run)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError) as error:
        raise ValueError(f"its reasoning is damaged: {error}") from error
    if not sound:
        raise ValueError("its reasoning is damaged: a value is of another kind")
    return run


def _is_sound(run: Reasoning) -> bool:
    return (
        run.status in get_args(RunStatus)
        and _texts(run.stop_reason, run.model, run.agent, *run.notices)
        and _texts_or_none(run.query, run.final_thinking, run.final_response, run.error)
        and _seconds(run.started, run.duration)
        and all(map(_is_sound_step, run.steps))
    )


def _is_sound_step(step: ReasoningStep) -> bool:
    return (
        _texts_or_none(step.thinking, step.text)
        and _seconds(step.timestamp, step.duration)
        and all(map(_is_sound_call, step.tools))
    )


def _is_sound_call(call: ToolData) -> bool:
    return (
        call.status in get_args(ToolStatus)
        and _texts(call.call_id)
        and _texts_or_none(call.error)
        and _seconds(call.started, call.duration)
        and isinstance(call.inputs, dict)
        and (call.progress is None or _is_sound_progress(call.progress))
        and (call.approval is None or _is_sound_approval(call.approval))
        and all(map(_is_sound_output, call.output))
        and (call.reasoning is None or _is_sound(call.reasoning))
    )


def _is_sound_progress(told: Any) -> bool:
    # With a type of its own it would be taken for another event.
    return (
        isinstance(told, dict)
        and "type" not in told
        and _texts(told.get("text", ""))
        and isinstance(told.get("fraction"), int | float | None)
    )


def _is_sound_approval(given: Any) -> bool:
    return (
        isinstance(given, dict)
        and "type" not in given
        and _texts(given.get("decision"), given.get("by", ""), given.get("reason", ""))
        and isinstance(given.get("inputs", {}), dict)
    )


def _is_sound_output(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and isinstance(part.get("kind"), str)
        and isinstance(part.get("text", ""), str)
        and isinstance(part.get("data", {}), dict)
    )


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _texts_or_none(*values: object) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _seconds(*values: Any) -> bool:
    """Whether these are times; NaN is none."""
    return all(
        value is None or (isinstance(value, int | float) and 0 <= value < _MOST_SECONDS)
        for value in values
    )
