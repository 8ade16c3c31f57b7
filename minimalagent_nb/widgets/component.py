"""The page's components: modules and style sheets of assets/, each joined into one text.

A widget gets its script and its style as one text each, and cannot load what lies beside
them. The files in assets/ are what a browser or node runs as they stand; joining them
takes only their import lines away. Imports nothing of the package.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["script", "style"]

_ASSETS = Path(__file__).parent / "assets"
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[^"]+)";\n', re.MULTILINE)
_STYLE_IMPORT = re.compile(r'^@import "([^"]+)";\n', re.MULTILINE)


@functools.cache
def script(entry: str) -> str:
    """The module `entry` of assets/ and all that it imports, as one module.

    What any of them exports, the whole exports. Modules that others import come before those.
    """
    return _joined(entry, _IMPORT)


@functools.cache
def style(entry: str) -> str:
    """The style sheet `entry` of assets/ and all that it imports, as one."""
    return _joined(entry, _STYLE_IMPORT)


def _joined(entry: str, imports: re.Pattern[str]) -> str:
    paths = _in_order((_ASSETS / entry).resolve(), imports, set())
    return "\n".join(imports.sub("", path.read_text(encoding="utf-8")) for path in paths)


def _in_order(path: Path, imports: re.Pattern[str], seen: set[Path]) -> Iterator[Path]:
    """The file behind all that it imports, each once."""
    seen.add(path)
    for name in imports.findall(path.read_text(encoding="utf-8")):
        other = (path.parent / name).resolve()
        if other not in seen:
            yield from _in_order(other, imports, seen)
    yield path
