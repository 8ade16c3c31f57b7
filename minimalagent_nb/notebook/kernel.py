"""What the kernel knows: the notebook's name, its variables, the tools among them.

Imports tools, late.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

__all__ = ["is_session_of", "new_session_id", "notebook_slug", "tools_in"]


def notebook_slug(namespace: Mapping[str, Any]) -> str:
    """A short name for the notebook, of letters, digits, dashes and underscores.

    Jupyter Server tells the kernel its notebook in ``JPY_SESSION_NAME``, VS Code in a
    variable; elsewhere it has no name, which is the empty one.
    """
    path = os.environ.get("JPY_SESSION_NAME") or namespace.get("__vsc_ipynb_file__") or ""
    stem = PurePath(str(path)).name
    stem = stem.removesuffix(".ipynb")
    return re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-")[:60]


def new_session_id(slug: str) -> str:
    """A session id that begins with the notebook's name and is used by nobody else."""
    return f"{slug}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def is_session_of(slug: str, session_id: str) -> bool:
    """Whether `new_session_id` made this id for the notebook of this name, or it is a copy's."""
    made = rf"{re.escape(slug)}-\d{{8}}-\d{{6}}-[0-9a-f]{{4}}(-.*)?"
    return re.fullmatch(made, session_id) is not None


def tools_in(namespace: Mapping[str, Any]) -> list[Any]:
    """The tools among a notebook's variables, in the order of their definition.

    These are decorated functions, agents made into tools, and servers of tools. Names
    with a leading underscore are passed over: IPython keeps old outputs there.
    """
    from minimalagent_nb.tools import Tool
    from minimalagent_nb.tools.definition import ToolSource
    from minimalagent_nb.tools.toolbox import tool_of

    mine = [value for name, value in namespace.items() if not name.startswith("_")]
    return [v for v in mine if isinstance(v, (Tool, ToolSource)) or tool_of(v) is not None]
