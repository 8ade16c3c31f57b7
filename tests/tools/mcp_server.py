"""Servers of tools for the tests, written with the official package; run as a program.

python -m tests.tools.mcp_server stdio
python -m tests.tools.mcp_server http PORT TOKEN
"""

from __future__ import annotations

import asyncio
import base64
import os
import pathlib
import sys
from typing import Any

from mcp import types

try:
    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver import MCPServer as FastMCP
    from mcp.server.mcpserver.exceptions import ToolError
except ImportError:  # mcp 1
    from mcp.server.fastmcp import Context, FastMCP  # type: ignore[no-redef]
    from mcp.server.fastmcp.exceptions import ToolError  # type: ignore[no-redef]

from tests.tools.wire import png

server = FastMCP("birds")


@server.tool()
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def species(island: str) -> list[str]:
    """The species of an island."""
    return ["Adelie", "Gentoo"] if island == "Biscoe" else []


@server.tool()
def measure(name: str) -> dict[str, Any]:
    """Measure a bird."""
    return {"name": name, "mass": 4.5}


@server.tool(name="draw.chart")
def draw() -> list[Any]:
    """Draw a chart."""
    data = base64.b64encode(png()).decode()
    return [
        types.TextContent(type="text", text="The chart:"),
        types.ImageContent(type="image", data=data, mimeType="image/png"),  # type: ignore[call-arg]
    ]


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ToolError(why)


@server.tool(annotations=types.ToolAnnotations(destructiveHint=True))  # type: ignore[call-arg]
def wipe() -> str:
    """Wipe everything."""
    return "wiped"


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Count, and say how far it is."""
    for number in range(to):
        await ctx.report_progress(number + 1, to, f"at {number + 1}")
    return "counted"


@server.tool()
async def wait(begun: str, cancelled: str) -> str:
    """Wait for ever; a file says when it began, another one that it was cancelled."""
    pathlib.Path(begun).touch()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pathlib.Path(cancelled).touch()
        raise
    return "never"


@server.tool()
def environment(name: str) -> str:
    """A variable of the server's environment."""
    return os.environ.get(name, "(not there)")


@server.tool()
def die(words: str) -> str:
    """Die while the call runs."""
    print(words, file=sys.stderr, flush=True)
    os._exit(3)


@server.tool()
def process() -> int:
    """The number of this process."""
    return os.getpid()


def serve_http(port: int, token: str) -> None:
    """Serve on loopback to whoever has the token."""
    import uvicorn

    app = server.streamable_http_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        sent = dict(scope.get("headers") or ()).get(b"authorization", b"").decode()
        if scope["type"] == "http" and sent != f"Bearer {token}":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"no"})
            return
        await app(scope, receive, send)

    uvicorn.run(guarded, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1] == "http":
        serve_http(int(sys.argv[2]), sys.argv[3])
    else:
        server.run("stdio")
