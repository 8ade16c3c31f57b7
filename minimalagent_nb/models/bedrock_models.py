"""What the families of models on Amazon Bedrock can do: data, looked up by the model's id.

Imports nothing of the package. Sources, read in November 2026: windows and output limits
from models.dev; least tokens of a cached prefix from "Prompt caching" of the Bedrock user
guide and of Anthropic's documentation; thinking from "Extended thinking" and "Adaptive
thinking" of the Bedrock user guide, "Extended thinking" of the Nova 2 user guide, and
langchain-aws 1.6.5 (Kimi, gpt-oss) and strands-env (OpenAI) for what the guides leave
open; toolChoice from the API reference and langchain-aws; tools in streams from
"Supported models and model features".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

__all__ = ["BUDGET", "EFFORT", "Family", "Thinking", "family_of", "thinking_families"]

BUDGET: Final = "{budget}"
"""In the fields of a `Thinking`: the number of tokens."""
EFFORT: Final = "{effort}"
"""In the fields of a `Thinking`: low, medium or high."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a family is told to think.

    Attributes:
        fields: what goes into additionalModelRequestFields, with `BUDGET` or `EFFORT`.
        minimum: the least number of tokens.
        within_output: whether the budget is a part of maxTokens and must be less.
        excludes: members of inferenceConfig that do not go with it, unless they are 1.
        excludes_high: the same for high effort alone, whatever their value.
        forced_choice: whether a forced toolChoice goes with it.
    """

    fields: Mapping[str, Any]
    minimum: int = 1
    within_output: bool = False
    excludes: tuple[str, ...] = ()
    excludes_high: tuple[str, ...] = ()
    forced_choice: bool = True


@dataclass(frozen=True, slots=True)
class Family:
    """Models that are spoken to in one way.

    Attributes:
        name: what to call them in a message; empty for unknown models.
        context_window: tokens that can be read and written in one turn, None if unknown.
        output_limit: tokens that can be written in one turn, None if unknown.
        cache_minimum: least tokens of a prefix that is cached, None without prompt caching.
        caches_tools: whether a cachePoint may stand among the tools.
        thinking: how to ask for it, None where a budget means nothing.
        forces: which of ``any`` and ``tool`` are taken as toolChoice.
        streams_tools: whether ConverseStream takes tools.
    """

    name: str = ""
    context_window: int | None = None
    output_limit: int | None = None
    cache_minimum: int | None = None
    caches_tools: bool = False
    thinking: Thinking | None = None
    forces: frozenset[str] = field(default_factory=frozenset)
    streams_tools: bool = True


_SAMPLING = ("temperature", "topP")
_BUDGETED = Thinking(
    {"thinking": {"type": "enabled", "budget_tokens": BUDGET}},
    minimum=1024,
    within_output=True,
    excludes=_SAMPLING,
    forced_choice=False,
)
_ADAPTIVE = Thinking(
    {"thinking": {"type": "adaptive"}, "output_config": {"effort": EFFORT}},
    excludes=_SAMPLING,
    forced_choice=False,
)
# From Opus 4.7 on the text of the thinking is left out unless it is asked for.
_SHOWN = replace(
    _ADAPTIVE,
    fields={**_ADAPTIVE.fields, "thinking": {"type": "adaptive", "display": "summarized"}},
)
# langchain-aws pull request 1141.
_SHOWN_5 = replace(_SHOWN, forced_choice=True)
_NOVA_2 = Thinking(
    {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": EFFORT}},
    excludes_high=("maxTokens", *_SAMPLING),
)
_EFFORT = Thinking({"reasoning_effort": EFFORT})
_OPENAI = Thinking({"reasoning": {"effort": EFFORT}})

_ANY, _ANY_OR_TOOL = frozenset({"any"}), frozenset({"any", "tool"})


def _claude(
    name: str, window: int, output: int | None, cache: int | None, thinking: Thinking | None
) -> Family:
    return Family(f"Claude {name}", window, output, cache, True, thinking, _ANY_OR_TOOL)


def _nova(name: str, window: int, output: int, cache: int | None = 1000) -> Family:
    # "Tools" is no field that Nova caches.
    return Family(f"Nova {name}", window, output, cache, forces=_ANY_OR_TOOL)


def _open(name: str, window: int, **more: Any) -> Family:
    return Family(name, window, **more)


_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"anthropic\.claude-(opus|fable|mythos)-5", _claude("5", 1_000_000, 128_000, 512, _SHOWN_5)),
    (r"anthropic\.claude-sonnet-5", _claude("5", 1_000_000, 128_000, 1024, _SHOWN_5)),
    (r"anthropic\.claude-opus-4-8", _claude("4.8", 1_000_000, 128_000, 1024, _SHOWN_5)),
    (r"anthropic\.claude-opus-4-7", _claude("4.7", 1_000_000, 128_000, 2048, _SHOWN)),
    (r"anthropic\.claude-opus-4-6", _claude("4.6", 1_000_000, 128_000, 4096, _ADAPTIVE)),
    (r"anthropic\.claude-sonnet-4-6", _claude("4.6", 1_000_000, 64_000, 1024, _ADAPTIVE)),
    (r"anthropic\.claude-(opus|haiku)-4-5", _claude("4.5", 200_000, 64_000, 4096, _BUDGETED)),
    (r"anthropic\.claude-sonnet-4-5", _claude("4.5", 200_000, 64_000, 1024, _BUDGETED)),
    (r"anthropic\.claude-opus-4", _claude("4", 200_000, 32_000, 1024, _BUDGETED)),
    (r"anthropic\.claude-sonnet-4", _claude("4", 200_000, 64_000, 1024, _BUDGETED)),
    (r"anthropic\.claude-3-7", _claude("3.7", 200_000, 64_000, 1024, _BUDGETED)),
    (r"anthropic\.claude-3-5-haiku", _claude("3.5 Haiku", 200_000, 8192, 2048, None)),
    (r"anthropic\.claude-3-5", _claude("3.5", 200_000, 8192, None, None)),
    (r"anthropic\.claude-3", _claude("3", 200_000, 4096, None, None)),
    (r"anthropic\.claude-(v|instant)", Family("Claude 2", 100_000, 4096)),
    # One that is newer than this table: the largest minimum, the way of the newest.
    (r"anthropic\.claude", _claude("(new)", 200_000, None, 4096, _ADAPTIVE)),
    (
        r"amazon\.nova-2",
        replace(_nova("2", 1_000_000, 64_000, None), thinking=_NOVA_2),
    ),
    (r"amazon\.nova-premier", _nova("Premier", 1_000_000, 10_000)),
    (r"amazon\.nova-(pro|lite)", _nova("Pro and Lite", 300_000, 10_000)),
    (r"amazon\.nova-micro", _nova("Micro", 128_000, 10_000)),
    (r"meta\.llama4", _open("Llama 4", 1_000_000, streams_tools=False)),
    (r"meta\.llama3-[123]", _open("Llama 3", 128_000, streams_tools=False)),
    (r"meta\.llama", _open("Llama", 8_000, streams_tools=False)),
    (r"mistral\.mistral-large", _open("Mistral", 128_000, forces=_ANY, streams_tools=False)),
    (
        r"mistral\.(pixtral|magistral|ministral|devstral)",
        _open("Mistral", 128_000, streams_tools=False),
    ),
    (r"mistral\.", _open("Mistral", 32_000, streams_tools=False)),
    (r"openai\.gpt-oss", _open("gpt-oss", 128_000, output_limit=16_384, thinking=_EFFORT)),
    (r"openai\.gpt-", _open("OpenAI GPT", 272_000, output_limit=128_000, thinking=_OPENAI)),
    (r"moonshot(ai)?\.kimi-k2", _open("Kimi K2", 256_000, thinking=_EFFORT)),
    (r"deepseek\.r1", _open("DeepSeek R1", 128_000, output_limit=32_768)),
    (r"deepseek\.v3-v1", _open("DeepSeek V3.1", 163_840, output_limit=81_920, forces=_ANY)),
    (r"deepseek\.v3", _open("DeepSeek V3", 163_840, output_limit=81_920, forces=_ANY_OR_TOOL)),
    (r"qwen\.qwen3", _open("Qwen3", 128_000)),
    (r"zai\.glm", _open("GLM", 200_000)),
    (r"minimax\.minimax-m2", _open("MiniMax M2", 196_000)),
    (r"google\.gemma-3", _open("Gemma 3", 128_000)),
    (r"cohere\.command-r", _open("Command R", 128_000)),
    (r"ai21\.jamba-1-5", _open("Jamba 1.5", 256_000)),
    (r"writer\.palmyra-x5", _open("Palmyra X5", 1_000_000)),
)
"""First match counts. A pattern stands at the start of an id or after a dot or a slash, so
that profiles of regions (``us.``, ``eu.``, ``apac.``, ``global.``, ``jp.``, ``au.``,
``us-gov.``) and ARNs are found by the model that they end in."""


@functools.lru_cache(maxsize=64)
def family_of(model_id: str) -> Family:
    """The family of a model id, inference profile id or ARN; an unknown one has only defaults.

    An application inference profile does not say which model it stands for.
    """
    for pattern, family in _FAMILIES:
        if re.search(rf"(?:^|[./]){pattern}", model_id.lower()):
            return family
    return Family()


def thinking_families() -> str:
    """The names of those that can be given a thinking budget, for a message."""
    names = {family.name: None for _, family in _FAMILIES if family.thinking is not None}
    return ", ".join(name for name in names if "(" not in name)
