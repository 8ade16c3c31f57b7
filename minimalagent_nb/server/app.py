"""The extension as Jupyter Server loads, configures and stops it, and its routes.

Imports jupyter_server, and from the package this room's other files.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp

from minimalagent_nb.server.exporting import ExportHandler
from minimalagent_nb.server.following import Hub
from minimalagent_nb.server.handlers import (
    HistoryHandler,
    InteractionHandler,
    SessionHandler,
    SessionListHandler,
    WholeHandler,
)
from minimalagent_nb.server.page import ASSETS, AssetHandler, PageHandler
from minimalagent_nb.server.requests import ApprovalHandler, StopHandler
from minimalagent_nb.server.saving import save_static_forms, withdraw
from minimalagent_nb.server.searching import SearchHandler
from minimalagent_nb.server.source import SessionSource
from minimalagent_nb.server.stream import EventsHandler

__all__ = ["SessionsApp"]


class SessionsApp(ExtensionApp):
    """Serves the sessions of the store below ``{base_url}minimalagent/``."""

    name = "minimalagent_nb"
    extension_url = "/minimalagent/"

    def initialize_settings(self) -> None:
        """Prepare the source of sessions; nothing is opened before the first request."""
        self.source = SessionSource(self.serverapp.root_dir)
        self.hub = Hub(self.source)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(routes(self.source, self.hub))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """When the server runs, with all its extensions: from now on it saves static forms."""
        save_static_forms(serverapp)

    async def stop_extension(self) -> None:
        """End all following, and close the store with the server."""
        withdraw()
        await self.hub.close()
        await self.source.close()


def routes(source: SessionSource, hub: Hub) -> list[tuple[Any, ...]]:
    """Give the patterns below the server's base URL, with their handlers and arguments."""
    of_store = {"source": source}
    of_runs = {**of_store, "hub": hub}
    session = r"/minimalagent/api/sessions/([^/]+)"
    names = "|".join(name.replace(".", r"\.") for name in ASSETS)
    return [
        (r"/minimalagent/?", PageHandler),
        (rf"/minimalagent/static/({names})", AssetHandler),
        (r"/minimalagent/api/search", SearchHandler, of_store),
        (r"/minimalagent/api/sessions", SessionListHandler, of_store),
        (session, SessionHandler, of_store),
        (rf"{session}/history", HistoryHandler, of_store),
        (rf"{session}/interactions/([^/]+)", InteractionHandler, of_store),
        (rf"{session}/interactions/([^/]+)/whole", WholeHandler, of_store),
        (rf"{session}/interactions/([^/]+)/stop", StopHandler, of_runs),
        (rf"{session}/interactions/([^/]+)/approval", ApprovalHandler, of_runs),
        (rf"{session}/events", EventsHandler, of_runs),
        (rf"{session}/export", ExportHandler, of_store),
    ]
