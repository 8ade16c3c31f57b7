"""The events of a ConverseStream as they come over the wire, and how to end a wait for them.

botocore's own reader goes through its service model for every piece of every event, which
costs most of the time that a long answer takes; here the checksums are checked, the JSON
is parsed, and that is all. The format is AWS's ``vnd.amazon.eventstream``: a prelude of
three 32-bit numbers (total length, length of the headers, CRC of these two), headers, a
JSON payload, and a CRC of all. Imports botocore's eventstream, when it is used.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class
from typing import Any
from zlib import crc32

from minimalagent_nb.cancel import CancelToken

__all__ = ["Interrupt", "on_cancel", "read_events"]

_PRELUDE = Struct("!III")
_CRC = Struct("!I")
_LONGEST = 24 * 1024 * 1024
"""Bytes in one message; the format allows no more."""


def read_events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The events of a stream, each a dict of its kind and its JSON payload (blobs in base64).

    Raises:
        botocore's EventStreamError: the service reports a failure in mid-stream.
        ValueError: what came is no event stream, or was damaged on its way.
        whatever reading the chunks raises.
    """
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        start = 0
        while len(buffer) - start >= _PRELUDE.size:
            total, of_headers, crc = _PRELUDE.unpack_from(buffer, start)
            if crc32(buffer[start : start + 8]) != crc or not 16 + of_headers <= total <= _LONGEST:
                raise ValueError("the stream of events is damaged")
            if len(buffer) - start < total:
                break
            yield _event(bytes(buffer[start : start + total]), of_headers)
            start += total
        del buffer[:start]


def _event(message: bytes, of_headers: int) -> dict[str, Any]:
    if crc32(message[:-4]) != _CRC.unpack_from(message, len(message) - 4)[0]:
        raise ValueError("an event of the stream is damaged")
    end = _PRELUDE.size + of_headers
    headers = _headers(message[_PRELUDE.size : end])
    payload = message[end:-4].decode()
    if headers.get(":message-type") != "event":
        raise _failure(headers, payload)
    try:
        return {str(headers.get(":event-type")): json.loads(payload or "{}")}
    except RecursionError:
        raise ValueError("an event of the stream is nested too deeply") from None


@functools.lru_cache(maxsize=64)
def _headers(data: bytes) -> Mapping[str, Any]:
    """The headers of a message; a stream has only a few kinds of them."""
    from botocore.eventstream import EventStreamHeaderParser

    try:
        headers: dict[str, Any] = EventStreamHeaderParser().parse(data)
    except (KeyError, StructError) as error:  # a type that is unknown, a length that is wrong
        raise ValueError("the headers of an event cannot be read") from error
    return headers


def _failure(headers: Mapping[str, Any], payload: str) -> Exception:
    """The error that botocore's own reader would raise."""
    from botocore.exceptions import EventStreamError

    said = headers.get(":error-message", "")
    # What is no JSON object says nothing.
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        said = said or json.loads(payload).get("message", "")
    code = headers.get(":exception-type") or headers.get(":error-code", "")
    return EventStreamError({"Error": {"Code": code, "Message": said}}, "ConverseStream")


class Interrupt:
    """Ends a read that waits for the next event, from another thread.

    Closing would wait for the read to end; ``HTTPResponse.shutdown`` (urllib3 2.3) is
    made for this. With an older urllib3 the read ends with the next event.
    """

    def __init__(self, raw: Any) -> None:
        self._shutdown = getattr(raw, "shutdown", None)

    def __call__(self) -> None:
        """End the read, if there is one."""
        if self._shutdown is None:
            return
        # Each of these says that there is no connection left to read from.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._shutdown()


@contextlib.contextmanager
def on_cancel(cancel: CancelToken, callback: Interrupt) -> Iterator[None]:
    """Have `callback` called when the run is cancelled meanwhile."""
    take_back = cancel.on_cancel(callback)
    try:
        yield
    finally:
        take_back()
