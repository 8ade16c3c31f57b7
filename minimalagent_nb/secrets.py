"""The secrets that this process knows, so that nothing that is kept repeats them.

Imports nothing of the package. Nothing is looked up: credentials count once boto3 has
resolved them, and what would need a file, a request or a refresh is left alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import weakref
from functools import lru_cache
from typing import Any

__all__ = ["known_secrets", "remember_client"]

SHORTEST = 8
"""Characters that a value has at least to count as a secret."""

_NAMES = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL"
    r"|(?:KEY|TOKEN|PASS|PWD|AUTH)S?(?=_|\d|$)",
    re.IGNORECASE,
)
_NUMBERS_COUNT = re.compile("SECRET|PASS|PWD", re.IGNORECASE)
"""Names whose values count though they are numbers: the others may be limits."""
_URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@", re.IGNORECASE)
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

_clients: weakref.WeakSet[Any] = weakref.WeakSet()


def remember_client(client: Any) -> None:
    """Count the credentials of this boto3 client, as they are at any time, among the secrets."""
    with contextlib.suppress(TypeError):  # a stand-in that cannot be referred to weakly
        _clients.add(client)


def known_secrets() -> tuple[tuple[str, str], ...]:
    """Name and value of each secret: of the environment, then of boto3's credentials.

    Of the environment these are values of at least 8 characters under names that
    speak of keys, tokens, secrets, passwords or credentials, and passwords in URLs;
    paths that exist, plain numbers and a few common words are none.
    """
    found: dict[str, str] = {}
    for name, value in os.environ.items():
        for secret in _secrets_in(name, value):
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
    inside = tuple(v for v in _URL_PASSWORD.findall(value) if _counts(v))
    return (*inside, value) if _NAMES.search(name) and _is_secret(name, value) else inside


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
    for client in list(_clients):
        found.append(getattr(getattr(client, "_request_signer", None), "_credentials", None))
    return [credentials for credentials in found if hasattr(credentials, "__dict__")]
