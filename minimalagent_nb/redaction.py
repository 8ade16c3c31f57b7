"""What is never stored or traced: secrets that this process knows, and what the user's rules find.

Imports errors, events, messages and secrets.

The events of a run pass through here before anything is made of them for the store,
so that turns, reasoning, titles and batches are redacted alike; spans are made of what has
passed here, too. The model and the reader of the run see the original.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Union

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import Event
from minimalagent_nb.secrets import finder_of, known_secrets

__all__ = ["REDACTED", "UNCHECKED", "Redactor", "Rule"]

Rule = Union[str, "re.Pattern[str]", Callable[[str], str]]
"""A regular expression, or a function that gives back the text as it may be stored."""

REDACTED = "[redacted]"
"""What stands where a pattern of the user's matched."""
UNCHECKED = "[redacted: could not be checked]"
"""What stands for a text that a rule failed on, or for a value that is nested too deeply."""

_LONGEST_LINE = 4_000
"""Characters of a line beyond which its end is not waited for."""

_WIRE_WORDS = frozenset(
    ("role", "toolUseId", "status", "format", "type", "signature", "redactedContent", "mediaType")
)
"""Keys of messages whose values are the wire's own words, no text of anybody's."""
_EVENT_WORDS = frozenset(
    (
        "run_id",
        "session_id",
        "model",
        "agent",
        "tools",
        "call_id",
        "name",
        "stop_reason",
        "status",
        "kind",
        "by",
        "decision",
    )
)
"""Fields of events that hold names and ids."""
_BINARY = re.compile(r"(image/(?!svg)|audio/|video/|application/pdf)")
"""MIME types whose values are base64."""


class Redactor:
    """Takes out of texts what may not be stored.

    Two kinds of things: the secrets of `secrets.known_secrets`, always, each replaced
    by ``[redacted: NAME]``; and what the rules find.

    Args:
        rules: one rule or several; a string is a regular expression.
        secrets: names and values of the secrets as they are now.

    Raises:
        ConfigurationError: a rule is no pattern and no function, or matches the empty text.
    """

    def __init__(
        self,
        rules: Rule | Sequence[Rule] | None = None,
        *,
        secrets: Callable[[], Iterable[tuple[str, str]]] = known_secrets,
    ) -> None:
        several = rules if isinstance(rules, (list, tuple)) else [] if rules is None else [rules]
        self._rules = [_as_function(rule) for rule in several]
        self._secrets = secrets
        self._seen: dict[str, str] = {}
        self._lock = threading.Lock()
        self._finder = finder_of(())
        self._warned = False

    def within(self, outer: Redactor | None) -> Redactor:
        """With the rules of `outer` before its own: for what is done on behalf of another."""
        if outer is None or outer is self or not outer._rules:
            return self
        both = Redactor(secrets=self._secrets)
        both._rules = [*outer._rules, *self._rules]
        return both

    def value(self, value: Any) -> Any:
        """Any JSON value, redacted: its strings, its keys, and secrets in its bytes.

        What needs no change is given back as it is; nothing is ever changed in place.
        """
        self._refresh()
        return self._guarded(self._data, value)

    def message(self, message: Any) -> Any:
        """A message of a conversation, redacted but for the words of the wire itself.

        Reasoning that the model's service has signed is left as it is; where something
        has to be taken out of it, its signature is void, and the block is left out.
        """
        self._refresh()
        return self._guarded(self._message, message)

    def event(self, event: Event) -> Event:
        """An event as it may be stored. Never raises: what cannot be checked is replaced."""
        self._refresh()
        return self._event(event)

    def secrets_known(self) -> int:
        """How many secrets there are, or were while this goes on."""
        self._refresh()
        return len(self._seen)

    def settled(self, text: str) -> int:
        """How many characters of a text that goes on can be judged by now.

        The others may be the beginning of a secret or, where there are rules, are a line that
        is not complete.
        """
        self._refresh()
        end = self._finder.settled(text)
        if self._rules:
            line = max(text.rfind("\n"), text.rfind("\r")) + 1
            if len(text) - line <= _LONGEST_LINE:
                end = min(end, line)
        return end

    def secrets_out_of(self, value: Any) -> Any:
        """Any JSON value without secrets; the rules are not applied."""
        self._refresh()
        return self._guarded(self._words, value)

    def _event(self, event: Any) -> Any:
        changed = {}
        for item in dataclasses.fields(event):
            old = getattr(event, item.name)
            if item.name == "event":
                new = self._event(old)
            elif item.name == "value" or not isinstance(old, (str, tuple, list, Mapping)):
                continue
            elif item.name == "message":
                new = self._guarded(self._message, old)
            elif item.name in _EVENT_WORDS:
                new = self._guarded(self._words, old)
            else:
                new = self._guarded(self._data, old)
            if new is not old:
                changed[item.name] = new
        return dataclasses.replace(event, **changed) if changed else event

    def _refresh(self) -> None:
        """Know the secrets of this moment and of those before: a tool may set one, or renew it."""
        with self._lock:
            self._seen.update((secret, name) for name, secret in self._secrets())
            self._finder = finder_of(tuple(self._seen.items()))

    def _guarded(self, redact: Callable[[Any], Any], value: Any) -> Any:
        try:
            return redact(value)
        except Exception as error:  # noqa: BLE001 - deep nesting, objects that have no text:
            # storing must not fail a run, and nothing unchecked is stored.
            self._warn(error)
            if redact == self._message:
                return {"role": value.get("role", "user"), "content": [{"text": UNCHECKED}]}
            return {"redacted": UNCHECKED} if isinstance(value, Mapping) else UNCHECKED

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Something of this run could not be checked for what must not be stored "
                f"({type(error).__name__}): {UNCHECKED!r} is stored in its place. Where you gave "
                "a function as `redact`, have it take any text.",
                RuntimeWarning,
                stacklevel=2,
            )

    # -- walking -------------------------------------------------------------

    def _text(self, text: str) -> str:
        """A text of somebody's: secrets first, then the rules."""
        text = self._finder.text(text)
        for rule in self._rules:
            try:
                text = rule(text)
            except Exception as error:  # noqa: BLE001 - a rule is the user's own code
                self._warn(error)
                return UNCHECKED
            if not isinstance(text, str):
                self._warn(TypeError())
                return UNCHECKED
        return text

    def _words(self, value: Any) -> Any:
        """Names and ids: secrets alone are taken out."""
        return _mapped(value, self._finder.text, self._finder.data, self._words)

    def _data(self, value: Any) -> Any:
        """JSON of somebody's own shape: values and keys."""
        if isinstance(value, Mapping):
            return _mapped_pairs(value, self._text, self._pair)
        return _mapped(value, self._text, self._finder.data, self._data)

    def _pair(self, key: Any, value: Any) -> Any:
        if isinstance(value, str) and _BINARY.match(str(key)):
            return self._words(value)
        return self._data(value)

    def _message(self, value: Any) -> Any:
        content = value.get("content")
        message = self._wire_pairs({**value, "content": []})
        if isinstance(content, (list, tuple)):
            blocks = [new for block in content for new in self._block(block)]
            same = len(blocks) == len(content) and all(map(_is, blocks, content))
            if same and message == {**value, "content": []}:
                return value
            content = blocks or [{"text": REDACTED}]
        return {**message, "content": content}

    def _block(self, block: Any) -> list[Any]:
        """The block redacted; none where a signed one had to be changed."""
        new = self._wire(block)
        reasoning = block.get("reasoningContent") if isinstance(block, Mapping) else None
        if new is not block and isinstance(reasoning, Mapping):
            inner = reasoning.get("reasoningText")
            if not isinstance(inner, Mapping) or inner.get("signature"):
                return []
        return [new]

    def _wire(self, value: Any, key: str = "") -> Any:
        """A part of a message; `key` is where it stands."""
        if isinstance(value, Mapping):
            return self._wire_pairs(value)
        text = self._finder.text if key in _WIRE_WORDS else self._text
        return _mapped(value, text, self._finder.data, lambda item: self._wire(item, key))

    def _wire_pairs(self, value: Mapping[Any, Any]) -> Any:
        def part(key: Any, item: Any) -> Any:
            if key in ("input", "json"):
                return self._data(item)
            # The name of a tool is a name; that of a document is somebody's text.
            return self._wire(item, "toolUseId" if key == "name" and is_call else key)

        is_call = "toolUseId" in value

        return _mapped_pairs(value, self._finder.text, part)


def _as_function(rule: Any) -> Callable[[str], Any]:
    if isinstance(rule, str):
        try:
            rule = re.compile(rule)
        except re.error as error:
            raise ConfigurationError(
                f"redact: {rule!r:.200} is no regular expression ({error}). Correct it, or give "
                "a function."
            ) from error
    if isinstance(rule, re.Pattern) and isinstance(rule.pattern, str):
        if rule.match(""):
            raise ConfigurationError(
                f"redact: {rule.pattern!r:.200} matches the empty text, and so everywhere. Have "
                "it match one character at least."
            )
        return lambda text: rule.sub(REDACTED, text)
    if callable(rule):
        return rule
    raise ConfigurationError(
        f"redact must be a regular expression, a function from text to text, or a list of these, "
        f"not {rule!r:.200}."
    )


def _is(left: Any, right: Any) -> bool:
    return left is right


def _mapped(
    value: Any,
    text: Callable[[str], str],
    data: Callable[[bytes], bytes],
    inside: Callable[[Any], Any],
) -> Any:
    """The value with `text` and `data` applied to it, or `inside` to what it holds."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    new: Any
    if isinstance(value, str):
        new = text(value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        new = data(bytes(value))
    elif isinstance(value, Mapping):
        return _mapped_pairs(value, text, lambda key, item: inside(item))
    elif isinstance(value, (list, tuple)):
        items = [inside(item) for item in value]
        if all(map(_is, items, value)):
            return value
        return tuple(items) if isinstance(value, tuple) else items
    else:
        # The store would keep the text of any other object.
        return text(str(value))
    return value if new == value else new


def _mapped_pairs(
    value: Mapping[Any, Any],
    text: Callable[[str], str],
    item: Callable[[Any, Any], Any],
) -> Any:
    """The pairs with `text` applied to the keys; none is lost where two become one."""
    pairs: dict[Any, Any] = {}
    same = True
    for key, old in value.items():
        name = text(key if isinstance(key, str) else str(key))
        new = item(key, old)
        same = same and new is old and name == key
        number = 2
        while name in pairs:
            name, number = f"{name} ({number})", number + 1
        pairs[name] = new
    return value if same else pairs
