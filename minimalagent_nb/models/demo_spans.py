"""Pieces of a request that may be a name, a title or a text.

Imports the reading of words and the tool's description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from minimalagent_nb.models.demo_words import COMMON, Found, Reading, stem, stems_of
from minimalagent_nb.models.protocol import ToolSpec

__all__ = ["items_of", "overlaps", "spans_of"]

_MOST_SPANS = 24
_LONGEST_SPAN = 100
"""Characters of a name or a title; longer texts are quoted or stand after a colon."""

_VERB_LIST = """
add book buy call cancel change check clear convert count create cut delete describe display drop
enter erase explain fetch find go look make mark move need open order plan please print put remind
remove rename run save schedule search see send set start stop take throw want write named called
titled entitled anything something left"""
_VERBS = frozenset(_VERB_LIST.split())
"""What requests begin with; a name rarely does."""
_BRIDGES = frozenset(("and", "at", "for", "in", "of", "on", "the", "to", "with", "a", "an"))
"""Words that may stand inside a name or title, but not at its ends."""


def spans_of(reading: Reading, used: Sequence[Found], tool: ToolSpec) -> list[str]:
    """Pieces of the request that may be a name or a text, longest first."""
    after_colon = re.search(r":\s+(\S.*?)[.?!]?$", reading.text, re.DOTALL)
    if after_colon:
        return [after_colon[1].strip()]
    spans = []
    for chunk in _chunks(reading, used, tool):
        spans += _within(chunk, reading.text)
        spans += _names(chunk, reading.text)
    return sorted(dict.fromkeys(spans), key=len, reverse=True)[:_MOST_SPANS]


def items_of(reading: Reading, used: Sequence[Found], tool: ToolSpec) -> list[str]:
    """What the request lists: ``eggs, spinach and cheese``."""
    items: list[str] = []
    for chunk in _chunks(reading, used, tool):
        part: list[Found] = []
        for word in [*chunk, None]:
            if word is not None and word.value not in _BRIDGES:
                part.append(word)
                continue
            if part and (word is None or word.value == "and"):
                items.append(reading.text[part[0].start : part[-1].end])
            part = []  # what stands before a preposition is not what is listed
    return items


def _chunks(reading: Reading, used: Sequence[Found], tool: ToolSpec) -> list[list[Found]]:
    """The words between punctuation, verbs and what is common or known of the tool."""
    known = stems_of([tool.name, tool.description])
    chunks: list[list[Found]] = [[]]
    last_end = 0
    for word in reading.words:
        breaks = re.search(r"[,.;:!?]", reading.text[last_end : word.start])
        if breaks or _is_border(word, used, known):
            chunks.append([])
        if not _is_border(word, used, known):
            chunks[-1].append(word)
        last_end = word.end
    return chunks


def _is_border(word: Found, used: Sequence[Found], known: set[str]) -> bool:
    if overlaps(word, used):
        return True
    if word.value in _BRIDGES:
        return False
    if word.value in COMMON or word.value in _VERBS:
        return True
    # A capital inside a sentence marks a name, whatever the word means otherwise.
    return stem(word.value) in known and not (word.text[0].isupper() and word.start)


def _within(chunk: Sequence[Found], text: str) -> list[str]:
    """The pieces of a chunk that bridging words end, and several of them with what lies between."""
    pieces: list[list[Found]] = [[]]
    for word in chunk:
        if word.value in _BRIDGES:
            pieces.append([])
        else:
            pieces[-1].append(word)
    pieces = [piece for piece in pieces if piece]
    found = []
    for number, first in enumerate(pieces):
        for last in pieces[number:]:
            if last[-1].end - first[0].start > _LONGEST_SPAN:
                break
            found.append(text[first[0].start : last[-1].end])
    return found


def _names(chunk: Sequence[Found], text: str) -> list[str]:
    """Words with capitals that stand together, such as ``Maria Lopez`` before ``live``."""
    runs: list[list[Found]] = [[]]
    for word in chunk:
        if word.text[0].isupper() and word.start:
            runs[-1].append(word)
        else:
            runs.append([])
    return [text[run[0].start : run[-1].end] for run in runs if run]


def overlaps(found: Found, places: Iterable[Found]) -> bool:
    """Whether it shares a character with one of the places."""
    return any(place.start < found.end and found.start < place.end for place in places)
