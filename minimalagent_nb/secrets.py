"""The secrets that this process knows, so that nothing that is kept repeats them.

Imports nothing of the package. Nothing is looked up: credentials count once boto3 has
resolved them, and what would need a file, a request or a refresh is left alone.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import sys
import threading
import urllib.parse
import weakref
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

__all__ = [
    "SecretFinder",
    "finder_of",
    "known_secrets",
    "remember_client",
    "secret_remover",
    "without_secrets",
]

SHORTEST = 8
"""Characters that a value has at least to count as a secret."""

_HALVES_FROM = 24
"""Length from which half a secret counts: where a text was cut, or printed in two pieces."""

_NAMES = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL"
    r"|(?:KEY|TOKEN|PASS|PWD|AUTH)S?(?=_|\d|$)",
    re.IGNORECASE,
)
_NUMBERS_COUNT = re.compile("SECRET|PASS|PWD", re.IGNORECASE)
"""Names whose values count though they are numbers: the others may be limits."""
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@", re.IGNORECASE)
_AFTER_WORD = re.compile(
    r"(?:password|passwd|pwd|accountkey|sharedaccess(?:key|signature)|api[-_]?key|secret|token"
    r"|authorization)\s*=\s*((?:(?:basic|bearer)\s+)?[^;,&\s\"']+)",
    re.IGNORECASE,
)
"""A secret in a connection string, in headers as of OTEL_EXPORTER_OTLP_HEADERS, in options."""
_SCHEME = re.compile(r"(?:basic|bearer)\s+", re.IGNORECASE)
_WORDS = frozenset(
    (
        "anonymous",
        "changeme",
        "database",
        "development",
        "disabled",
        "enabled",
        "environment",
        "external",
        "internal",
        "keychain",
        "localhost",
        "optional",
        "password",
        "postgres",
        "preferred",
        "production",
        "required",
        "undefined",
        "username",
    )
)
_PARTS = (
    ("access_key", "AWS access key id"),
    ("secret_key", "AWS secret access key"),
    ("token", "AWS session token"),
)

_clients_lock = threading.Lock()
_clients: weakref.WeakSet[Any] = weakref.WeakSet()


def remember_client(client: Any) -> None:
    """Count the credentials of this boto3 client, as they are at any time, among the secrets."""
    # A stand-in may be one that cannot be referred to weakly.
    with contextlib.suppress(TypeError), _clients_lock:
        _clients.add(client)


def known_secrets() -> tuple[tuple[str, str], ...]:
    """Name and value of each secret: of the environment, then of boto3's credentials.

    Of the environment these are values of at least 8 characters under names that
    speak of keys, tokens, secrets, passwords or credentials, and under any name passwords
    in URLs and what stands behind such a word, as in connection strings and headers;
    paths that exist, plain numbers and a few common words are none.
    """
    found: dict[str, str] = {}
    for name in list(os.environ):
        # Other threads may take a variable away in the meantime.
        for secret in _secrets_in(name, os.environ.get(name, "")):
            found.setdefault(secret, name)
    for credentials in _resolved_credentials():
        for attribute, title in _PARTS:
            # Read as it stands: the properties of refreshable credentials go to the network.
            state = vars(credentials)
            value = state.get(attribute) or state.get(f"_{attribute}")
            if isinstance(value, str) and len(value) >= SHORTEST:
                found.setdefault(value, title)
    return tuple((name, value) for value, name in found.items())


@lru_cache(maxsize=1024)
def _secrets_in(name: str, value: str) -> tuple[str, ...]:
    """The secrets in one environment variable."""
    value = value.strip()
    found = [*_URL_PASSWORD.findall(value), *map(_bare, _AFTER_WORD.findall(value))]
    inside = tuple(one for one in found if _counts(one))
    return (*inside, value) if _NAMES.search(name) and _is_secret(name, value) else inside


def _bare(value: str) -> str:
    """What a header of this value authorises by, without its scheme and encoding."""
    return _SCHEME.sub("", urllib.parse.unquote(value), count=1)


def _is_secret(name: str, value: str) -> bool:
    if not _counts(value) or (value.isdecimal() and not _NUMBERS_COUNT.search(name)):
        return False
    try:
        return not os.path.exists(os.path.expanduser(value))
    except ValueError:
        return True


def _counts(value: str) -> bool:
    return len(value) >= SHORTEST and value.lower() not in _WORDS


def _resolved_credentials() -> list[Any]:
    """Credentials of boto3's default session and of our clients, where they are there."""
    session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    found = [getattr(getattr(session, "_session", None), "_credentials", None)]
    with _clients_lock:
        clients = list(_clients)
    for client in clients:
        found.append(getattr(getattr(client, "_request_signer", None), "_credentials", None))
    return [credentials for credentials in found if hasattr(credentials, "__dict__")]


def without_secrets(value: Any) -> Any:
    """A text, or any value with its texts, with ``[redacted: NAME]`` for each secret of now."""
    return secret_remover()(value)


def secret_remover() -> Callable[[Any], Any]:
    """What `without_secrets` does, for many values: the secrets are looked up once."""
    clean = finder_of(tuple((secret, name) for name, secret in known_secrets())).text
    return lambda value: _without(value, clean)


def _without(value: Any, clean: Callable[[str], str]) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {clean(str(key)): _without(item, clean) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without(item, clean) for item in value]
    return clean(str(value))


class SecretFinder:
    """Finds the secrets, pairs of value and name, by one regular expression of all their forms."""

    def __init__(self, secrets: tuple[tuple[str, str], ...]) -> None:
        self._names: dict[str, str] = {}
        for secret, name in secrets:
            for form in _forms(secret):
                self._names.setdefault(form, f"[redacted: {name}]")
        for secret, name in secrets:
            half = len(secret) // 2
            for piece in (secret[:half], secret[half:]) if len(secret) >= _HALVES_FROM else ():
                self._names.setdefault(piece, f"[redacted: {name}]")
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        raw = {form.encode("utf-8", "surrogatepass"): mark for form, mark in self._names.items()}
        self._raw_names = {form: mark.encode() for form, mark in raw.items()}
        raw_pattern = b"|".join(
            re.escape(form.encode("utf-8", "surrogatepass")) for form in longest_first
        )
        self._raw_pattern = re.compile(raw_pattern or b"(?!)")

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(lambda match: self._names[match[0]], text)

    def settled(self, text: str) -> int:
        """The length of the text without an end that may be the beginning of a secret."""
        first = len(text)
        last = first - max(map(len, self._names), default=0)
        spans = (match.span() for match in self._pattern.finditer(text))
        inside = [span for span in spans if span[1] > last]
        for form in self._names:
            at = max(len(text) - len(form) + 1, 0)
            while (at := text.find(form[0], at, first)) >= 0:
                whole = any(start < at < end for start, end in inside)
                if not whole and form.startswith(text[at:]):
                    first = at
                    break
                at += 1
        return first

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        return self._raw_pattern.sub(lambda match: self._raw_names[match[0]], data)


finder_of = lru_cache(maxsize=8)(SecretFinder)
"""Finders by their secrets: those of one moment are mostly those of the last."""


def _forms(secret: str) -> list[str]:
    """The secret as it stands in texts: plain, in JSON, Python's notation, a URL, HTML, a shell.

    JSON and Python's notation also within one another, as in a JSON text in a JSON text.
    """
    escaped = [secret]
    for text in escaped:
        if len(escaped) < _MOST_FORMS:
            new = (form for escape in _ESCAPES for form in escape(text))
            escaped += [form for form in dict.fromkeys(new) if form not in escaped]
    quoted = [urllib.parse.quote(secret, safe=safe, errors="replace") for safe in _URL_SAFE]
    quoted += [urllib.parse.quote(text, safe="") for text in quoted[:1]]
    quoted += [_PERCENT.sub(lambda match: match[0].lower(), text) for text in quoted]
    quoted += [text.replace("%20", "+") for text in quoted]
    tags = html.escape(secret, quote=False)
    marked = [tags.replace('"', double).replace("'", single) for double, single in _HTML_QUOTES]
    # A quote in a shell, and in SQL and YAML.
    return [*escaped, *quoted, *marked, *(secret.replace("'", one) for one in ("'\"'\"'", "''"))]


_MOST_FORMS = 60
"""Escaped forms of one secret; most have one, for there is nothing in them to escape."""

_ESCAPES: tuple[Callable[[str], tuple[str, ...]], ...] = (
    lambda text: (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]),
    # The second is how it stands in a longer text that has quotes of both kinds.
    lambda text: (repr(text)[1:-1], repr(f"'\"{text}")[4:-1]),
    lambda text: (repr(text.encode("utf-8", "surrogatepass"))[2:-1],),
)

_URL_SAFE = ("", "/", "!*'()", "!#$%&'()*+,/:;=?@[]~")
"""What is not encoded: by quote_plus, by quote, by browsers and by requests."""

_PERCENT = re.compile("%[0-9A-F]{2}")

_HTML_QUOTES = (('"', "'"), ("&quot;", "&#x27;"), ("&#34;", "&#39;"), ("&quot;", "'"))
"""Quotes in HTML: within elements, by Python's html, by Jinja, by browsers."""
