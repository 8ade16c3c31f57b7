"""The page and its files: nothing in them depends on the request.

Imports jupyter_server and tornado.
"""

from __future__ import annotations

from pathlib import Path

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

__all__ = ["AssetHandler", "PageHandler"]

_HERE = Path(__file__).parent / "static"
_VIEWS = Path(__file__).parents[1] / "widgets" / "assets"

ASSETS = {
    "page.js": (_HERE / "page.js", "text/javascript; charset=utf-8"),
    "page.css": (_HERE / "page.css", "text/css; charset=utf-8"),
    "tree.js": (_VIEWS / "tree.js", "text/javascript; charset=utf-8"),
    "tree.css": (_VIEWS / "tree.css", "text/css; charset=utf-8"),
}

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data: 'self'",
        "connect-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        # In Chromium no text can become HTML or a script then, whatever the code says.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)


class _FileHandler(JupyterHandler):
    """A file of the package for whoever is logged in and permitted."""

    auth_resource = "minimalagent"

    @property
    def content_security_policy(self) -> str:
        """What the page may load and do; it needs no more than this."""
        return POLICY

    def set_default_headers(self) -> None:
        """Beside the policy: asked for anew each time, and no addresses to other sites."""
        super().set_default_headers()
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-cache")

    def send(self, path: Path, content_type: str) -> None:
        """Send a file of a few kilobytes."""
        self.set_header("Content-Type", content_type)
        self.finish(path.read_bytes())


class PageHandler(_FileHandler):
    """``GET minimalagent/``: the page."""

    @authenticated
    @authorized
    def get(self) -> None:
        """Send the page."""
        if not self.request.path.endswith("/"):
            # Its files and routes are named relative to the folder.
            self.redirect(f"{self.base_url}minimalagent/")
            return
        self.send(_HERE / "index.html", "text/html; charset=utf-8")


class AssetHandler(_FileHandler):
    """``GET minimalagent/static/NAME``: one of the files that `ASSETS` lists."""

    @authenticated
    @authorized
    def get(self, name: str) -> None:
        """Send the file."""
        self.send(*ASSETS[name])
