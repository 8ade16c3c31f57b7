"""What is asked of a run from outside of its process, as items.

Imports errors, approval, items and its siblings.

Two partitions belong to an interaction whose run goes on: ``reasoning#{sid}#{id}#requests``
holds what is asked and was not handled yet, under sort keys that are random numbers, and
with the sort key 0 that somebody watches; ``reasoning#{sid}#{id}#replies`` what the run's
kernel answered, under the same numbers. The kernel deletes what it has handled. Neither is
copied with a session, and both expire.

A request names the run that it is meant for, and the time by the kernel's own clock until
which it holds: no two machines' clocks are compared.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from minimalagent_nb.sessions.codec import FORMAT, dumps, loads
from minimalagent_nb.sessions.conversation import SECOND
from minimalagent_nb.sessions.items import Attribute, Item

__all__ = [
    "Reply",
    "ReplyState",
    "Request",
    "RequestKind",
    "replies_key",
    "requests_key",
    "watching_item",
    "watching_token",
]

RequestKind = Literal["stop", "approval"]
ReplyState = Literal["taken", "refused", "over"]

KEPT_SECONDS = 86_400
"""Life of a request and of a reply in the store: longer than clocks of machines differ."""


def requests_key(session_id: str, interaction_id: int) -> str:
    """Partition of what is asked of a run."""
    return f"reasoning#{session_id}#{interaction_id}#requests"


def replies_key(session_id: str, interaction_id: int) -> str:
    """Partition of what its kernel answered."""
    return f"reasoning#{session_id}#{interaction_id}#replies"


@dataclass(frozen=True, slots=True)
class Request:
    """Something that is asked of a run.

    Attributes:
        run: the run that it is meant for, by the name that its items bear.
        until: seconds since the epoch by the kernel's clock, after which it is void.
        content: ``{run}`` of a stop, ``{run, call, decision, inputs?, reason?}`` of an
            answer; `run` is here the id that the events have.
        id: a random number.
    """

    run: str
    kind: RequestKind
    until: float
    content: Mapping[str, Any] = field(default_factory=dict)
    id: int = field(default_factory=lambda: secrets.randbits(48) + 1)

    def to_item(self, session_id: str, interaction_id: int) -> Item:
        """The item that the kernel reads."""
        attributes: dict[str, Attribute] = {
            "version": FORMAT,
            "run": self.run,
            "kind": self.kind,
            "until": int(self.until * SECOND),
            "content": dumps(dict(self.content)),
        }
        key = requests_key(session_id, interaction_id)
        return Item(key, self.id, attributes, int(self.until) + KEPT_SECONDS)

    @classmethod
    def from_item(cls, item: Item) -> Request:
        """Inverse of `to_item`.

        Raises:
            ValueError: it is no request, or one of a newer version.
        """
        values = item.attributes
        try:
            content = loads(str(values["content"]))
            until = int(values["until"]) / SECOND
            kind: Any = values["kind"]
            if int(values["version"]) > FORMAT or kind not in get_args(RequestKind):
                raise ValueError("a newer version made it")
        except (KeyError, RecursionError, TypeError) as error:
            raise ValueError(f"no request: {error}") from error
        if not isinstance(content, dict):
            raise ValueError("its content is no object")
        return cls(str(values.get("run", "")), kind, until, content, item.sk)


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        state: ``taken`` (it is done, or being done), ``refused``, or ``over`` where the run
            had ended before.
        text: one line for a reader; empty where it was taken.
    """

    state: ReplyState
    text: str = ""

    def to_item(self, session_id: str, interaction_id: int, request_id: int, now: float) -> Item:
        """The item that whoever asked reads."""
        key, expires = replies_key(session_id, interaction_id), int(now) + KEPT_SECONDS
        attributes: dict[str, Attribute] = {"version": FORMAT, "state": self.state}
        attributes["text"] = self.text
        return Item(key, request_id, attributes, expires)

    @classmethod
    def from_item(cls, item: Item) -> Reply:
        """Inverse of `to_item`; what makes no sense is a refusal."""
        state = item.attributes.get("state")
        known: Any = state if state in get_args(ReplyState) else "refused"
        return cls(known, str(item.attributes.get("text", "")))


def watching_item(session_id: str, interaction_id: int, run: str, now: float) -> Item:
    """Says that somebody watches the run who may answer; each one is another than the last."""
    attributes: dict[str, Attribute] = {"version": FORMAT, "run": run}
    attributes["token"] = secrets.token_hex(8)
    return Item(requests_key(session_id, interaction_id), 0, attributes, int(now) + KEPT_SECONDS)


def watching_token(item: Item) -> tuple[str, str]:
    """The run that is watched, and what tells this announcement from the one before."""
    return str(item.attributes.get("run", "")), str(item.attributes.get("token", ""))
