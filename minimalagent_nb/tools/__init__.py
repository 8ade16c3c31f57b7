"""Tools: the decorator, the schema, the toolbox, and the results.

May import pydantic and docstring_parser, late, and the files of MCP the package mcp; of
this package the ground floor only.
"""

from __future__ import annotations

from minimalagent_nb.tools.context import ToolContext
from minimalagent_nb.tools.decorator import tool
from minimalagent_nb.tools.definition import Tool
from minimalagent_nb.tools.mcp import MCPServer
from minimalagent_nb.tools.results import ToolOutput, render
from minimalagent_nb.tools.toolbox import Toolbox

__all__ = ["MCPServer", "Tool", "ToolContext", "ToolOutput", "Toolbox", "render", "tool"]
