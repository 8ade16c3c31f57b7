"""Checks of what a user hands to the agent. Imports errors only."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.messages import ContentBlock, is_blank

__all__ = [
    "check_callables",
    "check_context",
    "check_flag",
    "check_log_level",
    "check_mapping",
    "check_positive",
    "check_query",
    "check_text",
]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def check_positive(name: str, value: Any) -> int:
    """`value` as it is, a whole number above zero.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ConfigurationError(f"{name} must be a whole number greater than 0, not {value!r}.")
    return value


def check_flag(name: str, value: Any) -> bool:
    """`value` as a flag.

    Raises:
        ConfigurationError: it is text: "no" would count as yes.
    """
    if isinstance(value, str):
        raise ConfigurationError(f"{name} must be True or False, not {value!r:.100}.")
    return bool(value)


def check_text(name: str, value: Any) -> str:
    """`value` as it is, a text.

    Raises:
        ConfigurationError: for anything else.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be text, not {value!r:.100}.")
    return value


def check_mapping(name: str, value: Any) -> dict[str, Any]:
    """A copy of `value`, a mapping with text as keys; an empty one for None.

    Raises:
        ConfigurationError: for anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigurationError(f"{name} must be a dict with names as keys, not {value!r:.100}.")
    return dict(value)


def check_callables(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    """One callable or several as a tuple of them.

    Raises:
        ConfigurationError: for anything else.
    """
    several = (value,) if callable(value) else value
    if not isinstance(several, (list, tuple)) or not all(map(callable, several)):
        raise ConfigurationError(
            f"{name} must be a function, or a list of functions, not {value!r:.100}."
        )
    if any(map(inspect.iscoroutinefunction, several)):
        raise ConfigurationError(f"{name} is called without waiting: take a plain def, not async.")
    return tuple(several)


def check_context(context: Any) -> list[ContentBlock]:
    """Content blocks of texts and blocks.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(context, (str, Mapping)) or not isinstance(context, Iterable):
        raise ConfigurationError(f"context must be a list of texts, not {type(context).__name__}.")
    blocks: list[ContentBlock] = []
    for part in context:
        if not isinstance(part, (str, Mapping)):
            raise ConfigurationError(
                "context takes texts and content blocks such as "
                f'{{"image": {{"format": "png", "source": {{"bytes": ...}}}}}}, not '
                f"{type(part).__name__}."
            )
        blocks.append({"text": part} if isinstance(part, str) else part)  # type: ignore[arg-type]
    return blocks


def check_log_level(value: Any) -> int:
    """The number of a log level.

    Raises:
        ConfigurationError: for a name that is none.
    """
    if not isinstance(value, str) or value.upper() not in _LEVELS:
        raise ConfigurationError(f"log_level must be one of {', '.join(_LEVELS)}, not {value!r}.")
    return int(getattr(logging, value.upper()))


def check_query(text: Any) -> str:
    """`text` as it is, a prompt with something in it.

    Raises:
        ConfigurationError: for blank text, which no model accepts, and for other types.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"A prompt must be text, not {type(text).__name__}.")
    if is_blank(text):
        raise ConfigurationError("The prompt is empty: write what the agent should do.")
    return text
