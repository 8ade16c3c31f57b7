"""Settings of a Converse request by its own names, checked before anything is sent.

Pure; imports the errors and the families of models.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.models.bedrock_models import (
    BUDGET,
    EFFORT,
    Family,
    Thinking,
    thinking_families,
)

__all__ = ["check_options", "is_thinking", "merge_options", "with_thinking"]

INFERENCE_OPTIONS = frozenset({"maxTokens", "temperature", "topP", "stopSequences"})
"""Members of ``inferenceConfig``."""

OPTIONS = frozenset(
    {
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "inferenceConfig",
        "outputConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
        "serviceTier",
        "toolChoice",
    }
)
"""Members of a Converse request that are not the agent's own.

``toolChoice`` goes into toolConfig.
"""

_EFFORTS = ((4_096, "low"), (16_384, "medium"))
"""Tokens below which a budget means this effort; more is high. A convention of this package."""
_ANSWER = 8_192
"""Tokens for the answer beside the thinking, where none are given."""


def check_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options as a new dict, once every name is known to Converse.

    There is one spelling, Converse's own; for another one the error names it.

    Raises:
        ConfigurationError: a name is not a member of a Converse request, or a value
            cannot be one.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ConfigurationError(
            'The options of a model are a dict such as {"inferenceConfig": {"maxTokens": 2000}}, '
            f"not {type(options).__name__}."
        )
    for name in options:
        if name not in OPTIONS:
            raise ConfigurationError(f"Unknown Bedrock option {name!r}. {_suggestion(str(name))}")
    inference = _object(options, "inferenceConfig")
    unknown = sorted(str(name) for name in set(inference) - INFERENCE_OPTIONS)
    if unknown:
        near = _nearest(unknown[0], INFERENCE_OPTIONS)
        advice = f"Did you mean {near!r}?" if near else f"Known: {_listed(INFERENCE_OPTIONS)}."
        raise ConfigurationError(f"Unknown member {unknown[0]!r} of inferenceConfig. {advice}")
    for name in ("additionalModelRequestFields", "guardrailConfig", "performanceConfig"):
        _object(options, name)
    _check_metadata(options)
    return dict(options)


def _object(options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = options.get(name, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"The option {name} is a dict, not {type(value).__name__}.")
    return value


def _check_metadata(options: Mapping[str, Any]) -> None:
    """The limits of ``requestMetadata``, of which botocore knows only some."""
    if "requestMetadata" not in options:
        return
    pairs = _object(options, "requestMetadata")
    fitting = all(
        isinstance(key, str) and isinstance(value, str) and 1 <= len(key) <= 256 >= len(value)
        for key, value in pairs.items()
    )
    if not fitting or not 1 <= len(pairs) <= 16:
        raise ConfigurationError(
            "requestMetadata holds 1 to 16 pairs of text, keys and values of up to 256 characters."
        )


def _suggestion(name: str) -> str:
    inner = _nearest(name, INFERENCE_OPTIONS)
    if inner:
        return f'It belongs into inferenceConfig: {{"inferenceConfig": {{"{inner}": ...}}}}.'
    near = _nearest(name, OPTIONS)
    return f"Did you mean {near!r}?" if near else f"Known options: {_listed(OPTIONS)}."


def _nearest(name: str, known: frozenset[str]) -> str | None:
    folded = {option.lower(): option for option in known}
    near = difflib.get_close_matches(name.replace("_", "").lower(), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near else None


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def merge_options(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options over the defaults; where both have an object, its members are merged."""
    merged = dict(defaults)
    for name, value in options.items():
        below = merged.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping) and name != "toolChoice"
        merged[name] = {**below, **value} if both else value  # type: ignore[dict-item]
    return merged


def is_thinking(options: Mapping[str, Any]) -> bool:
    """Whether the options themselves have a Claude model think."""
    fields = options.get("additionalModelRequestFields", {})
    inner = fields.get("thinking") or fields.get("reasoning_config") or {}
    return isinstance(inner, Mapping) and inner.get("type", "disabled") != "disabled"


def with_thinking(
    options: Mapping[str, Any], budget: int, family: Family, model_id: str
) -> dict[str, Any]:
    """The options with those that have the model think for about `budget` tokens.

    A family that knows no number of tokens is asked for low, medium or high effort.

    Raises:
        ConfigurationError: the model has no thinking budget, or another option does not
            go with it.
    """
    thinking = family.thinking
    if thinking is None:
        raise ConfigurationError(
            f"{model_id} has no thinking budget: leave out thinking=, or use a model that has "
            f"one ({thinking_families()})."
        )
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < thinking.minimum:
        raise ConfigurationError(
            f"The thinking budget of {model_id} is a number of tokens, at least "
            f"{thinking.minimum}, not {budget!r}."
        )
    effort = next((name for below, name in _EFFORTS if budget < below), "high")
    _check_company(options, thinking, effort, model_id)
    fields = _filled(thinking.fields, {BUDGET: budget, EFFORT: effort})
    merged = {**options, "additionalModelRequestFields": _with_fields(options, fields)}
    if thinking.within_output:
        inference = dict(options.get("inferenceConfig", {}))
        inference["maxTokens"] = _most_tokens(inference.get("maxTokens"), budget, family, model_id)
        merged["inferenceConfig"] = inference
    return merged


def _check_company(
    options: Mapping[str, Any], thinking: Thinking, effort: str, model_id: str
) -> None:
    """Refuse what does not go with thinking."""
    inference = options.get("inferenceConfig", {})
    wrong = [name for name in thinking.excludes if inference.get(name, 1) != 1]
    if effort == "high":
        wrong += [name for name in thinking.excludes_high if name in inference]
    if wrong:
        raise ConfigurationError(
            f"{' and '.join(wrong)} cannot be set where {model_id} thinks: leave it out of "
            "inferenceConfig, or leave out thinking=."
        )
    forced = {"any", "tool"} & set(options.get("toolChoice") or ())
    if forced and not thinking.forced_choice:
        raise ConfigurationError(
            f"A forced toolChoice does not go with the thinking of {model_id}: leave out "
            "toolChoice, or leave out thinking=."
        )


def _with_fields(options: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """additionalModelRequestFields with those for thinking."""
    given = options.get("additionalModelRequestFields", {})
    first = next(iter(fields))
    if first in given:
        raise ConfigurationError(
            f"The thinking is given twice: by thinking= and by {first!r} in "
            "additionalModelRequestFields. Leave out one of them."
        )
    return merge_options(fields, given)


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, Mapping):
        return {name: _filled(inner, values) for name, inner in template.items()}
    return values.get(template, template)


def _most_tokens(given: int | None, budget: int, family: Family, model_id: str) -> int:
    """maxTokens for thinking and answer together, more than the budget as the model demands."""
    limit = family.output_limit or budget + _ANSWER
    if budget >= limit:
        raise ConfigurationError(
            f"{model_id} writes at most {limit} tokens, thinking included: a thinking budget of "
            f"{budget} leaves none for the answer. Lower thinking=."
        )
    if given is not None and given > budget:
        return given
    return min(limit, budget + (given or _ANSWER))
