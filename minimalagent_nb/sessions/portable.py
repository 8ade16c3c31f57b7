"""A session as a file: JSON lines that hold its items, exact to the byte.

Imports errors and its siblings. The first line says what the file is::

    {"format": "minimalagent-nb session", "version": 1, "session_id": "demo", ...}

then comes a line for each item with its keys ``pk`` and ``sk`` (in microseconds), its
``attributes`` (bytes as an object with their base64 under ``$bytes``) and ``expires``
(seconds since the epoch, or null), and at the end ``{"end": N}`` with their number.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from minimalagent_nb._version import __version__
from minimalagent_nb.errors import ConfigurationError, SessionReadError
from minimalagent_nb.sessions.codec import dumps, loads
from minimalagent_nb.sessions.directory import newest_entry
from minimalagent_nb.sessions.ids import check_session_id
from minimalagent_nb.sessions.items import Item, ItemStore
from minimalagent_nb.sessions.partitions import (
    belongs,
    exists,
    for_session,
    items_in,
    kept_until,
    partitions_of,
)
from minimalagent_nb.sessions.transfer import is_same, list_copied, put_same, side_by_side

__all__ = ["FORMAT_NAME", "VERSION", "export_session", "import_session", "writable"]

FORMAT_NAME = "minimalagent-nb session"
VERSION = 1
_LONGEST_LINE = 8_000_000
"""Bytes of a line: an item has at most 400 KB, which JSON and base64 make longer."""
_IN_MEMORY = 16_000_000
"""Bytes of a file that are kept in memory while it is checked."""

Target = Any
"""A path, or a file open for text or bytes."""


def export_session(store: ItemStore, session_id: str, target: Target, *, now: float) -> int:
    """Write a session; a path is written whole or not at all, for its owner alone.

    Returns:
        How many items were written.

    Raises:
        ConfigurationError: there is no such session, or the file cannot be written.
        SessionReadError: the store could not be read.
    """
    if not exists(store, session_id):
        raise ConfigurationError(
            f"There is no session {session_id} in {store.description}. A list of the sessions "
            "shows those that there are."
        )
    with writable(target) as file:
        count = 0
        header = {"format": FORMAT_NAME, "version": VERSION, "session_id": session_id}
        _write(file, {**header, "exported": int(now), "by": __version__})
        for item in _items_of(store, session_id, now):
            _write(file, _to_json(item))
            count += 1
        _write(file, {"end": count})
    return count


def import_session(
    store: ItemStore, source: Target, session_id: str | None, *, now: float, ttl: int | None
) -> str:
    """Store a session from a file, which is checked to its end before anything is stored.

    An import that broke off is made whole by making it again.

    Args:
        session_id: the id to store it under, None for that of the file.

    Returns:
        The session's id.

    Raises:
        ConfigurationError: the session is there already, or the file cannot be read.
        SessionReadError: the file is damaged or too new, or the store could not be read.
        SessionWriteError: the store could not be written.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as checked:
        name = _name_of(source)
        with _readable(source) as file:
            old = _check(file, checked, name)
        new = session_id or old
        _check_free(store, new, old, checked)
        for item in _items_in(checked):
            put_same(store, kept_until(for_session(item, old, new), now, ttl), new)
    list_copied(store, new, now=now, ttl=ttl)
    return new


def _items_of(store: ItemStore, session_id: str, now: float) -> Iterator[Item]:
    for pk in partitions_of(store, session_id):
        yield from items_in(store, pk)
    entry = newest_entry(store, session_id, now=now)
    if entry is not None:
        yield entry


def _check_free(store: ItemStore, new: str, old: str, checked: IO[bytes]) -> None:
    """Refuse to touch a session that is there, unless an import has left it half stored."""
    if not exists(store, new):
        return
    missing = other = False
    partitions = partitions_of(store, new)
    wanted = (for_session(one, old, new) for one in _items_in(checked))
    for pk, items in itertools.groupby(wanted, lambda item: item.pk):
        if pk not in partitions:  # also the entry in the list of sessions, which comes last
            missing = missing or any(store.get(item.pk, item.sk) is None for item in items)
            continue
        partitions.remove(pk)
        for item, there in side_by_side(items, items_in(store, pk)):
            missing = missing or there is None
            other = other or (there is not None and (item is None or not is_same(item, there)))
    other = other or any(True for pk in partitions for _ in items_in(store, pk, names=()))
    if other or not missing:
        raise ConfigurationError(
            f"There is a session {new} in {store.description} already, and it was left as it is: "
            "give the import another id."
        )


# -- lines -------------------------------------------------------------------


def _write(file: IO[Any], line: dict[str, Any]) -> None:
    file.write((dumps(line) + "\n").encode("utf-8"))


def _to_json(item: Item) -> dict[str, Any]:
    keys = {"pk": item.pk, "sk": item.sk, "expires": item.expires}
    return {**keys, "attributes": dict(item.attributes)}


def _check(file: IO[Any], checked: IO[bytes], name: str) -> str:
    """Copy a file that holds a session, line by line; the session's id."""
    session_id, number, ended = "", 0, False
    while True:
        line = file.readline(_LONGEST_LINE + 1)
        line = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
        if not line.strip():
            if line:
                continue
            break
        number += 1
        place = f"{name}, line {number}"
        if ended:
            raise SessionReadError(f"{place}: something follows the end of the session. {_AGAIN}")
        data = _parsed(line, place)
        if number == 1:
            session_id = _header(data, place)
        elif "end" in data:
            ended = _checked_end(data, number - 2, place)
            continue
        elif not belongs(_item(data, place), session_id):
            raise SessionReadError(
                f"{place}: this item is none of the session {session_id}, and nothing was "
                "imported. The file was changed or is none of ours."
            )
        else:
            checked.write(line.rstrip(b"\r\n") + b"\n")
    if not ended:
        raise SessionReadError(f"{name} breaks off after line {number}. {_AGAIN}")
    return session_id


_AGAIN = "Nothing was imported: export the session again."


def _parsed(line: bytes, place: str) -> dict[str, Any]:
    if len(line) > _LONGEST_LINE:
        raise SessionReadError(f"{place} is longer than any item of a session. {_AGAIN}")
    try:
        data = loads(line.decode("utf-8"))
    except (RecursionError, TypeError, ValueError) as error:
        raise SessionReadError(f"{place} is no JSON. {_AGAIN}") from error
    if not isinstance(data, dict):
        raise SessionReadError(f"{place} is no JSON object. {_AGAIN}")
    return data


def _header(data: dict[str, Any], place: str) -> str:
    version = data.get("version")
    if data.get("format") != FORMAT_NAME or not isinstance(version, int):
        raise SessionReadError(
            f"{place}: this is no exported session. Give a file that `export` has written."
        )
    if version > VERSION:
        raise SessionReadError(
            f"{place}: the file has version {version}, and this minimalagent-nb reads "
            f"{VERSION}. Upgrade it."
        )
    try:
        return check_session_id(data.get("session_id", ""))
    except ConfigurationError as error:
        raise SessionReadError(f"{place}: {error}") from error


def _checked_end(data: dict[str, Any], items: int, place: str) -> bool:
    if data["end"] != items:
        raise SessionReadError(
            f"{place}: {data['end']} items should come before it, and there are {items}. {_AGAIN}"
        )
    return True


def _item(data: dict[str, Any], place: str) -> Item:
    """The item of a line."""
    sk, attributes, expires = data.get("sk"), data.get("attributes"), data.get("expires")
    is_one = (
        isinstance(data.get("pk"), str)
        and _is_number(sk)
        and isinstance(attributes, dict)
        and all(
            isinstance(value, (str, bytes, int)) and not isinstance(value, bool)
            for value in attributes.values()
        )
        and (expires is None or _is_number(expires))
    )
    if not is_one:
        raise SessionReadError(f"{place} is no item of a session. {_AGAIN}")
    return Item(str(data["pk"]), int(data["sk"]), data["attributes"], expires)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _items_in(checked: IO[bytes]) -> Iterator[Item]:
    """The items of a file that was checked."""
    checked.seek(0)
    for line in checked:
        data = loads(line.decode("utf-8"))
        yield Item(data["pk"], data["sk"], data["attributes"], data["expires"])


# -- files -------------------------------------------------------------------


def _name_of(source: Target) -> str:
    given = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "")
    return str(given) if given else "the file"


@contextlib.contextmanager
def _readable(source: Target) -> Iterator[IO[Any]]:
    if not isinstance(source, (str, os.PathLike)):
        yield source
        return
    try:
        with open(source, "rb") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(
            f"{os.fspath(source)} cannot be read: {error.strerror}. Name another file."
        ) from error


@contextlib.contextmanager
def writable(target: Target) -> Iterator[Any]:
    """A file for bytes; a path is written whole or not at all, for its owner alone.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if not isinstance(target, (str, os.PathLike)):
        yield _AsBytes(target)
        return
    path = Path(target)
    try:
        # Beside it, as only a rename within one folder is whole or not at all; mode 0600.
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            os.replace(scratch, path)
        except BaseException:
            os.unlink(scratch)
            raise
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}. Name another file."
        ) from error


class _AsBytes:
    """A file of the caller's, open for text or bytes, as one for bytes."""

    def __init__(self, file: Any) -> None:
        self._file, self._is_text = file, hasattr(file, "encoding")

    def write(self, data: bytes) -> None:
        """Write a line."""
        self._file.write(data.decode("utf-8") if self._is_text else data)
