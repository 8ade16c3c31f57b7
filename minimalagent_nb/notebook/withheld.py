"""Takes secrets, and what the setting `redact` names, out of what a model gets of the notebook.

Variables, cells, tracebacks and what the tools over the notebook see pass through here.
A prompt as it was typed and the results of the user's own tools do not: they are what the
user means to send. Imports the rules of the sessions, late.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["Withheld", "taken_out_of"]

_MARK = re.compile(r"\[redacted(?:: ([^\]\n]{1,200}))?\]")
_BY_RULE = "what your redact setting matches"


class Withheld:
    """Takes out of texts and values what a model is not to see of the notebook.

    The same as what is never stored (`redaction`), with the same marks in its place.

    Args:
        rules: the setting `redact`.
    """

    def __init__(self, rules: Sequence[str] = ()) -> None:
        from minimalagent_nb.redaction import Redactor

        self._redactor = Redactor(list(rules))

    def text(self, text: str) -> str:
        """The text with a mark in the place of each secret."""
        return str(self._redactor.value(text))

    def value(self, value: Any) -> Any:
        """A tool's result; the very object where nothing has to be taken out of it.

        Else its JSON form, as the model reads it, with the marks.
        """
        from minimalagent_nb.tools.results import to_json

        data = to_json(value)
        clean = self._redactor.value(data)
        return value if clean == data else clean

    def put_back(self, text: str, original: str) -> str:
        """The text with the secrets of `original` where their marks stand.

        For what stays with the user: code that a model gave back.
        """
        from minimalagent_nb.secrets import known_secrets

        for name, secret in known_secrets():
            if secret in original:
                text = text.replace(f"[redacted: {name}]", secret)
        return text

    def left_in(self, text: str) -> str:
        """What would be taken out of the text, by name; empty for nothing."""
        return _told(_marks_in(self.text(text)) - _marks_in(text))


def taken_out_of(text: str) -> str:
    """What was taken out of the text, by name: ``MY_TOKEN, MY_KEY (3 times)``."""
    return _told(_marks_in(text))


def _marks_in(text: str) -> Counter[str]:
    return Counter(match[1] or _BY_RULE for match in _MARK.finditer(text))


def _told(marks: Counter[str]) -> str:
    named = [name if times == 1 else f"{name} ({times} times)" for name, times in marks.items()]
    return ", ".join(named)
