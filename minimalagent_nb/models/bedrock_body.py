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
import copy
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    every other handler of the client's events sees. Whoever looks into it gets copies: what
    is changed there is sent, and the conversation stays as it is.

    Attributes:
        messages_json: the messages, as the body has them.
        members_json: the name of each other member with its JSON, as the body has it.
        members: these as values of this call alone.
        raw: the raw response, once there is one.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        messages_json: bytes,
        members_json: Mapping[str, bytes],
    ) -> None:
        super().__init__(messages)
        self.messages_json = messages_json
        self.members_json = members_json
        self.members = {name: json.loads(value) for name, value in members_json.items()}
        self.raw: Any = None
        self._messages = list(messages)
        self._lent = False

    @property
    def changed(self) -> bool:
        """Whether these are other messages by now than those of the JSON."""
        return not list.__eq__(self, self._messages)  # fast: copies are made for lookers only

    def unchanged_members(self, params: Mapping[str, Any]) -> set[str]:
        """The names of the members that `params` has as the JSON has them."""
        return {
            name
            for name, value in self.members_json.items()
            if name in params and params[name] == json.loads(value)
        }

    def _lend(self) -> None:
        if not self._lent:
            self._lent = True
            self[:] = copy.deepcopy(self._messages)

    def __iter__(self) -> Iterator[Message]:
        self._lend()
        return super().__iter__()

    def __reversed__(self) -> Iterator[Message]:
        self._lend()
        return super().__reversed__()

    def __getitem__(self, index: Any) -> Any:
        self._lend()
        return super().__getitem__(index)

    def pop(self, index: Any = -1) -> Message:
        """As of any list."""
        self._lend()
        return super().pop(index)

    def copy(self) -> list[Message]:
        """A plain list: its owner may change it, and no JSON goes with it."""
        return list(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """The same for the module ``copy`` and for pickle."""
        return list, (list(self),)


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
        cuts = [self._ends[index] - len(b"]}") for index in sorted(extra)]
        with memoryview(self._json) as view:
            pieces: list[bytes | memoryview] = [b"["]
            for start, cut, index in zip([0, *cuts], cuts, sorted(extra), strict=False):
                pieces += [view[start:cut], b",", extra[index]]
            pieces += [view[cuts[-1] if cuts else 0 :], b"]"]
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
            return Prepared(_with_points(messages, points), messages_json, self._members_json)

    def _take_members(self, members: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
        encoded = {}
        for name, value in cached_members(members, self._family).items():
            _check(value, shapes.get(name), name)
            encoded[name] = _JSON.encode(value).encode()
        # A copy, for the options of a run may be changed in their place between its turns.
        self._given, self._members_json = copy.deepcopy(dict(members)), encoded


def _with_points(messages: Sequence[Message], points: Sequence[int]) -> list[Message]:
    """The messages with the cachePoints that their JSON has."""
    shown = list(messages)
    for index in points:
        content: list[Any] = [*shown[index]["content"], POINT]
        shown[index] = {"role": shown[index]["role"], "content": content}
    return shown


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
        # Last and first, so that a handler of the client's owner sees and may change
        # everything: the messages before this, the whole body after it.
        events.register_last(f"before-parameter-build.{name}", _set_aside, f"{_KEY}-1-{operation}")
        events.register_first(f"before-call.{name}", _put_in, f"{_KEY}-2-{operation}")
        events.register(f"after-call.{name}", _remember, f"{_KEY}-3-{operation}")


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Leave to botocore only what the prepared JSON does not say."""
    prepared = params.get("messages")
    if isinstance(prepared, Prepared):
        ours = prepared.unchanged_members(params)
        pieces = {name: prepared.members_json[name] for name in sorted(ours)}
        if prepared.changed:
            params["messages"] = list(prepared)
        else:
            pieces = {"messages": prepared.messages_json, **pieces}
        for name in pieces:
            del params[name]
        context[_KEY] = (prepared, pieces)


def _put_in(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    _prepared, members = context.get(_KEY, (None, {}))
    if members:
        pieces: list[bytes] = []
        for name, value in members.items():
            pieces += [b",", f'"{name}":'.encode(), value]
        theirs = bytes(params.get("body") or b"").strip()[1:-1]
        pieces += [b",", theirs] if theirs else []
        params["body"] = b"".join([b"{", *pieces[1:], b"}"])
        params["headers"].setdefault("Content-Type", "application/json")


def _remember(http_response: Any, context: dict[str, Any], **_: Any) -> None:
    prepared, _members = context.get(_KEY, (None, {}))
    if prepared is not None:
        prepared.raw = http_response.raw
