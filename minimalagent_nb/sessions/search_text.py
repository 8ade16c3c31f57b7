"""The texts of an interaction that are searched, as they were written and as they are shown.

Imports reasoning.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.reasoning import Reasoning, ToolData

__all__ = ["Query", "Text", "texts_of", "without_marks"]

_DEEPEST = 40

# Each mark is tried where it begins only: a run of a million costs no more than its length.
_MARKS = re.compile(
    r"""
    ^[ ]{0,3}(?P<fence>`{3,}(?!`)|~{3,}(?!~))[^\n]*\n
        (?P<block>(?:(?![ ]{0,3}(?P=fence))[^\n]*\n)*)
        [ ]{0,3}(?:(?P=fence)[`~]*[ ]*$)?             # a block of code, as it is
    | (?<!`)(?P<tick>`+)(?P<code>[^`]{1,1000})(?P=tick)(?!`)
    | !?\[(?P<label>[^][\n]{0,500})\]\([^()\s]{0,2000}(?:[ ]+"[^"\n]{0,200}")?\)
    | \\(?P<escaped>[!-/:-@[-`{-~])
    | ^[ ]*(?:[-+*]|\d{1,9}[.)]|\#{1,6}|>+)[ ]+      # of an item, a heading, a quotation
    | (?<![*~])[*~]+(?=[^\s*~]) | (?<=[^\s*~])[*~]+   # before a word, or after it
    | (?<!\w)_+(?=[^\s_]) | (?<=[^\s_])_+(?!\w)
    | (?P<edge>[|])                                   # between the cells of a table
    """,
    re.MULTILINE | re.VERBOSE,
)
_LINK_END = re.compile(r'\]\([^()\s]{0,2000}(?: +"[^"\n]{0,200}")?\)')
_WITHIN_WORDS = str.maketrans("", "", "*_~`|\\![]")
_MAY_HAVE_MARKS = re.compile(r"[*_`~|\\\[>\#&]|^ *(?:[-+]|\d{1,9}[.)]) ", re.MULTILINE)


@dataclass(frozen=True)
class Text:
    """A text of an interaction.

    Attributes:
        written: it, as a model, a tool or a person wrote it.
        is_markdown: whether a page may show it as Markdown.
    """

    written: str
    is_markdown: bool = False

    def shown(self) -> str | None:
        """What is shown of it, None where that is no other text."""
        if not self.is_markdown or not _MAY_HAVE_MARKS.search(self.written):
            return None
        return without_marks(self.written)


class Query:
    """What is searched for, whatever its case; any space in it stands for any other."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self._pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
        self._bare = [_bare(word) for word in words]

    def find(self, text: Text) -> re.Match[str] | None:
        """Where it stands in what is shown of a text, or else in what was written."""
        shown = text.shown() if self._may_be_in(text) else None
        found = None if shown is None else self._pattern.search(shown)
        return found or self._pattern.search(text.written)

    def _may_be_in(self, text: Text) -> bool:
        """Whether it can be in what is shown, which costs more to find out."""
        if not text.is_markdown:
            return False
        bare = _bare(html.unescape(_LINK_END.sub("", text.written)))
        return all(word in bare for word in self._bare)


def _bare(text: str) -> str:
    """Without all that may be a mark within a word, and in one case."""
    return text.translate(_WITHIN_WORDS).casefold()


def without_marks(text: str) -> str:
    """A text in Markdown nearly as a reader sees it: without its marks, links by their labels.

    For searching: in linear time, and so without the last of the rules of CommonMark.
    """
    return html.unescape(_MARKS.sub(_unmarked, text))


def _unmarked(match: re.Match[str]) -> str:
    """What stays of a mark."""
    found = match.groupdict()
    if found["label"] is not None:
        return _MARKS.sub(_unmarked, found["label"])
    kept = (found[name] for name in ("block", "code", "escaped"))
    return next((text for text in kept if text is not None), " " if found["edge"] else "")


def texts_of(run: Reasoning) -> Iterator[tuple[str, Text]]:
    """All that was said and done in an interaction, each with what it is."""
    yield "query", Text(run.query or "")
    answer = Text(run.final_response or run.error or "", is_markdown=run.status != "failed")
    yield ("error" if run.status == "failed" else "answer"), answer
    for step in run.steps:
        yield "thinking", Text(step.thinking or "")
        yield "said", Text(step.text or "", is_markdown=True)
        for call in step.tools:
            yield from _texts_of_call(call)
    yield "thinking", Text(run.final_thinking or "")


def _texts_of_call(call: ToolData) -> Iterator[tuple[str, Text]]:
    yield "tool", Text(call.name)
    yield f"{call.name}: inputs", Text(_flat(call.inputs))
    yield f"{call.name}: result", Text(_flat(call.result), isinstance(call.result, str))
    yield f"{call.name}: error", Text(call.error or "")
    for part in call.output:
        yield f"{call.name}: output", Text(str(part.get("text") or ""))
    if call.reasoning is not None:
        for where, text in texts_of(call.reasoning):
            yield f"{call.name}: {where}", text


def _flat(value: Any, depth: int = 0) -> str:
    """A value as one readable text, its strings as they are."""
    if isinstance(value, str):
        return value
    if value is None or depth > _DEEPEST:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_flat(item, depth + 1)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_flat(item, depth + 1) for item in value)
    return "" if isinstance(value, bytes) else str(value)
