"""``{name}`` in a prompt: the value of a notebook's variable. Imports errors only."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import Any

from minimalagent_nb.errors import ConfigurationError

__all__ = ["expand"]

_REFERENCE = re.compile(r"\{\{([^\W\d]\w*)\}\}|\{([^\W\d]\w*)\}")


def expand(
    prompt: str,
    namespace: Mapping[str, Any],
    *,
    hidden: Container[str] = (),
    budget: int = 20_000,
    withhold: Callable[[str], str] = str,
) -> str:
    """The prompt with each ``{name}`` of a variable replaced by ``str()`` of its value.

    ``{{name}}`` of a variable gives ``{name}``. Every other brace stays as it is, so
    that JSON, code and templates can be pasted. A value longer than `budget`
    characters is cut, and says so.

    Args:
        hidden: names in the namespace that are not the user's own.
        withhold: takes out of a value what a model is not to see.

    Raises:
        ConfigurationError: a value has no text, because its ``__str__`` raises.
    """

    def value_of(match: re.Match[str]) -> str:
        doubled, single = match.groups()
        name = doubled or single
        if name not in namespace or name in hidden:
            return match.group(0)
        if doubled:
            return "{" + name + "}"
        text = withhold(_text(name, namespace[name]))
        if len(text) <= budget:
            return text
        return f"{text[:budget]}\n[cut: {budget:,} of {len(text):,} characters of {name}]"

    return _REFERENCE.sub(value_of, prompt)


def _text(name: str, value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        raise ConfigurationError(
            f"{{{name}}} cannot be put into the prompt: str({name}) raises "
            f"{type(error).__name__}. Write {{{{{name}}}}} for the word itself, or use --raw."
        ) from error
