"""``{name}`` in a prompt: the value of a notebook's variable. Imports nothing."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

__all__ = ["expand"]

_REFERENCE = re.compile(r"\{\{([^\W\d]\w*)\}\}|\{([^\W\d]\w*)\}")


def expand(
    prompt: str, namespace: Mapping[str, Any], *, hidden: Container[str] = (), budget: int = 20_000
) -> str:
    """The prompt with each ``{name}`` of a variable replaced by ``str()`` of its value.

    ``{{name}}`` of a variable gives ``{name}``. Every other brace stays as it is, so
    that JSON, code and templates can be pasted. A value longer than `budget`
    characters is cut, and says so.

    Args:
        hidden: names in the namespace that are not the user's own.
    """

    def value_of(match: re.Match[str]) -> str:
        doubled, single = match.groups()
        name = doubled or single
        if name not in namespace or name in hidden:
            return match.group(0)
        if doubled:
            return "{" + name + "}"
        text = str(namespace[name])
        if len(text) <= budget:
            return text
        return f"{text[:budget]}\n[cut: {budget:,} of {len(text):,} characters of {name}]"

    return _REFERENCE.sub(value_of, prompt)
