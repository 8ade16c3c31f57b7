"""Jupyter Server extension: the stored sessions, for whoever is logged in.

Enabled on install by ``jupyter-config/``. This file imports nothing heavy; app.py and
handlers.py import jupyter_server and tornado.
"""

from __future__ import annotations

from typing import Any

from minimalagent_nb._version import __version__

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter Server finds the extension."""
    from minimalagent_nb.server.app import SessionsApp

    return [{"module": "minimalagent_nb.server", "app": SessionsApp}]
