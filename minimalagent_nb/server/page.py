"""The page and its files: nothing in them depends on the request.

Imports jupyter_server and tornado, and from the package the components of the views.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

from minimalagent_nb.widgets.component import script, style

__all__ = ["AssetHandler", "PageHandler"]

_HERE = Path(__file__).parent / "static"
_SCRIPT = "text/javascript; charset=utf-8"
_STYLE = "text/css; charset=utf-8"

ASSETS: dict[str, tuple[Callable[[], str], str]] = {
    "page.js": (lambda: _text("page.js"), _SCRIPT),
    "page.css": (lambda: _text("page.css"), _STYLE),
    "history.js": (lambda: script("page/page.js"), _SCRIPT),
    "history.css": (lambda: style("history/history.css"), _STYLE),
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

    def send(self, text: str, content_type: str) -> None:
        """Send a text of the package."""
        self.set_header("Content-Type", content_type)
        self.finish(text)


class PageHandler(_FileHandler):
    """``GET minimalagent/``: the page."""

    @authenticated
    @authorized
    def get(self) -> None:
        """Send the page."""
        # Made here, its cookie is what the page's own requests are told from others' by.
        _ = self.xsrf_token
        if not self.request.path.endswith("/"):
            # Its files and routes are named relative to the folder.
            self.redirect(f"{self.base_url}minimalagent/")
            return
        self.send(_text("index.html"), "text/html; charset=utf-8")


class AssetHandler(_FileHandler):
    """``GET minimalagent/static/NAME``: one of the files that `ASSETS` lists."""

    @authenticated
    @authorized
    def get(self, name: str) -> None:
        """Send the file."""
        read, content_type = ASSETS[name]
        self.send(read(), content_type)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
