"""The extension as Jupyter Server loads, configures and stops it.

Imports jupyter_server, and from the package the handlers and the source of sessions.
"""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp

from minimalagent_nb.server.handlers import routes
from minimalagent_nb.server.source import SessionSource

__all__ = ["SessionsApp"]


class SessionsApp(ExtensionApp):
    """Serves the sessions of the store below ``{base_url}minimalagent/``."""

    name = "minimalagent_nb"
    extension_url = "/minimalagent/api/sessions"

    def initialize_settings(self) -> None:
        """Prepare the source of sessions; nothing is opened before the first request."""
        self.source = SessionSource(self.serverapp.root_dir)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(routes(self.source))

    async def stop_extension(self) -> None:
        """Close the store with the server."""
        await self.source.close()
