"""Followers of server-sent events, many in one process, who note what came and when."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.server.site import TOKEN


def request_head(path: str, host: str, token: str, last_id: str = "") -> bytes:
    """A request for a stream of events."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Authorization: token {token}"]
    lines += ["Connection: close"]
    lines += [f"Last-Event-ID: {last_id}"] if last_id else []
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Follower:
    """One follower of the next run of a session.

    Attributes:
        received: for each message its time (seconds since the epoch), and from and up to
            which stored event it leads.
        lost: messages that did not follow upon the one before.
        ops: how many ops came.
        last_id: the place of the last message.
        trouble: what the server said of its store.
    """

    session_id: str
    query: str = ""
    received: list[tuple[float, int, int]] = field(default_factory=list)
    lost: int = 0
    ops: int = 0
    interaction_id: int = 0
    ended: bool = False
    status: int = 0
    last_id: str = ""
    trouble: str = ""
    heartbeats: int = 0
    is_there: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> int:
        """How many stored events were received."""
        return self.received[-1][2] if self.received else 0

    async def follow(self, url: str, token: str = TOKEN) -> None:
        """Follow until the run ends, or the stream."""
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=2**24)
        path = f"{place.path}/minimalagent/api/sessions/{self.session_id}/events{self.query}"
        writer.write(request_head(path, place.netloc, token, self.last_id))
        try:
            await self._read(reader)
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self.status = int((await reader.readline()).split()[1])
        while line := await reader.readline():
            if line.startswith(b"retry:"):
                self.is_there.set()
            elif line.startswith(b"data: "):
                self._take(json.loads(line[6:]), time.time())
            elif line.startswith(b"id: "):
                self.last_id = line[4:].decode().strip()
            elif line.startswith(b"event: end"):
                self.ended = True
                return
            elif line.startswith(b"event: trouble"):
                self.trouble = json.loads((await reader.readline())[6:])["message"]
            elif line.startswith(b": still here"):
                self.heartbeats += 1

    def _take(self, message: dict, at: float) -> None:
        self.lost += message["base"] != self.events
        self.interaction_id = message["interaction_id"]
        self.received.append((at, message["base"], message["rev"]))
        self.ops += len(message["ops"])
