"""Checks of what a user hands to the agent. Imports errors only."""

from __future__ import annotations

import logging
from typing import Any

from minimalagent_nb.errors import ConfigurationError

__all__ = ["check_log_level", "check_positive", "check_query"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def check_positive(name: str, value: Any) -> int:
    """`value` as it is, a whole number above zero.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ConfigurationError(f"{name} must be a whole number greater than 0, not {value!r}.")
    return value


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
    if not text.strip():
        raise ConfigurationError("The prompt is empty: write what the agent should do.")
    return text
