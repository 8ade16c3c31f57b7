"""The body of a Converse request, put together from JSON that was made before.

botocore validates and serializes the whole conversation at every turn, in Python, which
is most of what a long run costs. Here each message is validated (by botocore's own
validator) and encoded once, when it is new; a turn then costs its new messages, a copy
and a hash. The body takes the place of botocore's by botocore's own public events, so
that endpoints, signing, retries and every other handler of a client work as ever.

Imports the conversation values, the families of models and their cachePoints; botocore's
validator when there is a client.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minimalagent_nb.messages import Message
from minimalagent_nb.models.bedrock_cache import POINT, cached_members, cached_messages
from minimalagent_nb.models.bedrock_models import Family

__all__ = ["Prepared", "RunBody", "Transcript", "message_json", "watch"]

_KEY = "minimalagent-nb"
_OPERATIONS = ("Converse", "ConverseStream")
_BLOBS = frozenset({"bytes", "redactedContent"})
_DOCUMENTS = frozenset({"input", "json"})
"""Members that hold any JSON: a key of theirs is never one of Converse's."""


class Prepared(list[Message]):
    """The messages of one call, with the JSON of them and of the call's other members.

    It goes into the call in the place of the messages, and as a list of them it is what
    every other handler of the client's events sees.

    Attributes:
        messages_json: the messages, as the body has them.
        members: what else was given to the call, as the same objects.
        members_json: the name of each with its JSON, as the body has it.
        raw: the raw response, once there is one.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        messages_json: bytes,
        members: Mapping[str, Any],
        members_json: Mapping[str, bytes],
    ) -> None:
        super().__init__(messages)
        self.messages_json = messages_json
        self.members = members
        self.members_json = members_json
        self.raw: Any = None


class Transcript:
    """The messages of one run as JSON, each encoded when it comes for the first time.

    A message is known by its identity: once sent it must not be changed. Messages are
    appended, or others take the place of old ones.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._json = bytearray()
        self._ends: list[int] = []

    def update(self, messages: Sequence[Message], encode: Callable[[Message], bytes]) -> None:
        """Take over the messages of the next request.

        Raises:
            whatever `encode` raises; what is known stays known.
        """
        known = 0
        for mine, theirs in zip(self._messages, messages, strict=False):
            if mine is not theirs:
                break
            known += 1
        del self._messages[known:], self._ends[known:]
        del self._json[self._ends[-1] if self._ends else 0 :]
        for message in messages[known:]:
            encoded = encode(message)
            if self._json:
                self._json += b","
            self._json += encoded
            self._messages.append(message)
            self._ends.append(len(self._json))

    def size(self, index: int) -> int:
        """Bytes of JSON up to the end of the message at `index`."""
        return self._ends[index]

    def to_json(self, extra: Mapping[int, bytes]) -> bytes:
        """The messages as a JSON array; `extra` is more content for those at an index."""
        pieces, start = [b"["], 0
        with memoryview(self._json) as view:
            for index in sorted(extra):
                cut = self._ends[index] - len(b"]}")
                pieces += [bytes(view[start:cut]), b",", extra[index]]
                start = cut
            pieces += [bytes(view[start:]), b"]"]
        return b"".join(pieces)


class RunBody:
    """What one run has sent, as JSON.

    Args:
        client: the ``bedrock-runtime`` client that the run goes through.
        family: what the model can do; cachePoints are placed where it has prompt caching.
    """

    def __init__(self, client: Any, family: Family) -> None:
        self._client = client
        self._family = family
        self._transcript = Transcript()
        self._given: dict[str, Any] | None = None
        self._members: dict[str, Any] = {}
        self._members_json: dict[str, bytes] = {}
        # Sub-agents may share the token of their run, and with it this.
        self._lock = threading.Lock()

    def prepare(
        self, operation: str, messages: Sequence[Message], members: Mapping[str, Any]
    ) -> Prepared:
        """The messages for the call that sends them with `members`.

        Raises:
            botocore's ParamValidationError: a message or a member is not well formed.
        """
        shapes = self._client.meta.service_model.operation_model(operation).input_shape.members

        def encode(message: Message) -> bytes:
            _check(message, shapes["messages"].member, "messages[...]")
            return message_json(message)

        with self._lock:
            if members != self._given:
                self._take_members(members, shapes)
            self._transcript.update(messages, encode)
            before = sum(map(len, self._members_json.values()))
            points = cached_messages(
                messages, lambda index: before + self._transcript.size(index), self._family
            )
            messages_json = self._transcript.to_json(dict.fromkeys(points, _POINT))
            return Prepared(messages, messages_json, self._members, self._members_json)

    def _take_members(self, members: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
        with_points = cached_members(members, self._family)
        encoded = {}
        for name, value in with_points.items():
            _check(value, shapes.get(name), name)
            encoded[name] = f'"{name}":{_JSON.encode(value)}'.encode()
        self._given, self._members, self._members_json = dict(members), with_points, encoded


def _check(value: Any, shape: Any, name: str) -> None:
    """Have botocore's own validator look at a value; the shape is None for an unknown name."""
    from botocore.exceptions import ParamValidationError
    from botocore.validate import ParamValidator

    if shape is None:
        raise ParamValidationError(
            report=f"this version of botocore does not know {name}; upgrade boto3"
        )
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        raise ParamValidationError(report=f"in {name}: {report.generate_report()}")


def message_json(message: Message) -> bytes:
    """The JSON of a message, its content last, blobs in base64."""
    whole = {"role": message["role"], "content": _with_blobs(message["content"])}
    return _JSON.encode(whole).encode()


def _with_blobs(value: Any) -> Any:
    """A copy with every blob in base64; what only looks like one, in a tool's data, stays."""
    if isinstance(value, dict):
        return {
            key: inner
            if key in _DOCUMENTS
            else _blob(inner)
            if key in _BLOBS
            else _with_blobs(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_with_blobs(item) for item in value]
    return value


def _blob(value: Any) -> str:
    data = value.encode() if isinstance(value, str) else value
    return base64.b64encode(data).decode("ascii")


_JSON = json.JSONEncoder(separators=(",", ":"))
_POINT = _JSON.encode(POINT).encode()


def watch(client: Any) -> None:
    """Have the client's events put prepared bodies in, and tell which response came.

    Calls that do not come from here pass untouched. Registering twice is registering once.
    """
    events = client.meta.events
    for operation in _OPERATIONS:
        name = f"bedrock-runtime.{operation}"
        # Last, so that a handler of the client's owner sees and may change everything.
        events.register_last(f"before-parameter-build.{name}", _set_aside, f"{_KEY}-1-{operation}")
        events.register(f"before-call.{name}", _put_in, f"{_KEY}-2-{operation}")
        events.register(f"after-call.{name}", _remember, f"{_KEY}-3-{operation}")


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Leave to botocore only what the prepared JSON does not say."""
    prepared = params.get("messages")
    if isinstance(prepared, Prepared):
        ours = {name for name, value in prepared.members.items() if params.get(name) is value}
        for name in ("messages", *ours):
            del params[name]
        context[_KEY] = (prepared, ours)


def _put_in(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    prepared, ours = context.get(_KEY, (None, ()))
    if prepared is not None:
        theirs = bytes(params.get("body") or b"").strip()[1:-1]
        pieces = [b'{"messages":', prepared.messages_json]
        for piece in (*(prepared.members_json[name] for name in sorted(ours)), theirs):
            if piece:
                pieces += [b",", piece]
        params["body"] = b"".join([*pieces, b"}"])
        params["headers"].setdefault("Content-Type", "application/json")


def _remember(http_response: Any, context: dict[str, Any], **_: Any) -> None:
    prepared, _ours = context.get(_KEY, (None, ()))
    if prepared is not None:
        prepared.raw = http_response.raw
