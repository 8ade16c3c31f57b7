"""Models: the protocol, Bedrock, local ones, the scripted one, and the choice among them.

Names are imported when they are first used; boto3 and llama.cpp come with the first request.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minimalagent_nb.models.bedrock import Bedrock
    from minimalagent_nb.models.choice import describe_choice, find_model
    from minimalagent_nb.models.demo import DemoModel
    from minimalagent_nb.models.local import LocalModel
    from minimalagent_nb.models.protocol import (
        Model,
        ModelReply,
        ModelRequest,
        RetryChunk,
        TextChunk,
        ThinkingChunk,
        ToolSpec,
    )
    from minimalagent_nb.models.scripted import ScriptedModel, call, say

_HOMES = {
    "bedrock": ("Bedrock",),
    "choice": ("describe_choice", "find_model"),
    "demo": ("DemoModel",),
    "local": ("LocalModel",),
    "protocol": (
        "Model",
        "ModelReply",
        "ModelRequest",
        "RetryChunk",
        "TextChunk",
        "ThinkingChunk",
        "ToolSpec",
    ),
    "scripted": ("ScriptedModel", "call", "say"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Bedrock",
    "DemoModel",
    "LocalModel",
    "Model",
    "ModelReply",
    "ModelRequest",
    "RetryChunk",
    "ScriptedModel",
    "TextChunk",
    "ThinkingChunk",
    "ToolSpec",
    "call",
    "describe_choice",
    "find_model",
    "say",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
