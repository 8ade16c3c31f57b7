"""A server extension that tells what the server itself costs: its memory, its reads of the store.

``GET /meter`` answers ``{"rss", "queries", "reads", "channels"}``: resident bytes, how often
each partition was queried and each item read, and how many things are followed. Loaded
beside the extension of the package, never in its place.
"""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated


class CountingStore:
    """A store that counts what is read; everything else is the inner one's."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.queries: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def query(self, pk: str, **options: Any) -> Any:
        self.queries[pk] += 1
        return self.inner.query(pk, **options)

    def get(self, pk: str, sk: int) -> Any:
        self.reads[pk] += 1
        return self.inner.get(pk, sk)


def rss() -> int:
    """Resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


class MeterHandler(APIHandler):
    """The figures; the first request begins to count."""

    def initialize(self, app: Any) -> None:
        """Take the package's application."""
        self.app = app

    @authenticated
    async def get(self) -> None:
        """Tell them."""

        def counted(log: Any) -> CountingStore:
            if not isinstance(log._store, CountingStore):
                log._store = CountingStore(log._store)
            return log._store

        store = await self.app.source.read(counted)
        gc.collect()
        channels = len(self.app.hub.channels)
        figures = {"queries": store.queries, "reads": store.reads, "channels": channels}
        self.finish({"rss": rss(), **figures})


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "tests.benchmarks.server.meter"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the route, with the package's own application."""

    class Late(MeterHandler):
        """Finds the application at the first request: it may be loaded after this."""

        def initialize(self) -> None:  # type: ignore[override]
            (app,) = server.extension_manager.extension_apps["minimalagent_nb.server"]
            super().initialize(app)

    server.web_app.add_handlers(".*$", [(f"{server.base_url}meter", Late)])
