"""Answers over a tool's result: shown as it is, and a model's sentence only where it is true.

What a small model says of a result is often wrong. A sentence of its is kept only if
code can see that it says nothing but what the result and the request say. Imports the
reading of words.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.messages import ToolResult, ToolUse
from minimalagent_nb.models.demo_words import COMMON, matches, numbers_in, stem, words_of_name

__all__ = [
    "Facts",
    "call_text",
    "facts_of",
    "is_true",
    "result_value",
    "sentence_grammar",
    "verbatim",
]

_MOST_FACTS = 6
_MOST_ROWS = 50
_LONGEST = 6_000  # characters
_LONGEST_LABEL = 60
_LARGEST = 10**15
"""Beyond it a float, by which sentences are compared, cannot tell whole numbers apart."""

_MOST = """
best biggest deepest fastest greatest heaviest highest largest latest longest maximum most newest
richest tallest top widest"""
_LEAST = """
cheapest earliest fewest least lightest lowest minimum narrowest shortest slowest smallest thinnest
worst youngest"""
_HIGH, _LOW = frozenset(_MOST.split()), frozenset(_LEAST.split())

_SAID_ANYWAY = """
amount average become becomes contain contains count equal equals gives individual respectively
result total value worth"""
_HARMLESS = frozenset(_SAID_ANYWAY.split())
"""Words that a sentence may bring in: they claim nothing that its number does not."""
_TWISTS = """
above almost before after below bigger but cheaper except exceed exceeds exactly false fewer greater
heavier higher larger least less lighter longer lower more nearly neither never no nor not only or
over same shorter smaller than true under unless until without yes"""
_TURNS = frozenset(_TWISTS.split())
"""Words that make a sentence claim more than its numbers, or the contrary."""

_LINK = "( (are|at|for|from|has|have|in|is|of|on|was|were|with))"
"""What may stand between a label and its number, as a regular expression."""

_UNIT_FAMILIES = (
    "mm millimeter millimetre",
    "cm centimeter centimetre",
    "km kilometer kilometre",
    "g gram",
    "kg kilogram kilo",
    "mi mile",
    "lb pound",
    "percent percentage",
    "dollar usd",
    "euro eur",
    "celsius centigrade",
)
_UNITS = {word: family.split()[0] for family in _UNIT_FAMILIES for word in family.split()}
_SIGNS = {"%": " percent ", "$": " dollars ", "€": " euros "}


@dataclass(frozen=True)
class Facts:
    """A small result as labels and numbers; a single value has the label ``""``."""

    pairs: tuple[tuple[str, float | int], ...]

    def __str__(self) -> str:
        return ", ".join(
            f"{label}: {value}" if label else str(value) for label, value in self.pairs
        )

    def asked_for(self, request: str) -> Facts:
        """The one with the largest or smallest number, where the request asks for it."""
        words = set(words_of_name(request))
        if len(self.pairs) < 2 or bool(words & _HIGH) == bool(words & _LOW):
            return self
        extreme = (max if words & _HIGH else min)(value for _, value in self.pairs)
        chosen = tuple(pair for pair in self.pairs if pair[1] == extreme)
        return Facts(chosen) if len(chosen) == 1 else self


def result_value(result: ToolResult) -> Any:
    """The value that a tool returned: its JSON, or its text; of other blocks what they are."""
    blocks: list[Mapping[str, Any]] = [*result["content"]]
    block = next((block for block in blocks if "json" in block or "text" in block), {})
    if "json" in block:
        return block["json"]
    if not str(block.get("text", "")).strip():
        kinds = ", ".join(kind for other in blocks for kind in other if kind != "text")
        return f"({kinds}: see the tree)" if kinds else "(nothing)"
    text = str(block["text"])
    try:
        return json.loads(text)
    except ValueError:
        return text


def facts_of(value: Any) -> Facts | None:
    """The facts of a result that is small and plain enough for a sentence; else None."""
    if _is_number(value):
        return Facts((("", value),))
    pairs: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, list):
        for row in value:
            cells = list(row.values()) if isinstance(row, Mapping) else []
            labels = [cell for cell in cells if isinstance(cell, str)]
            numbers = [cell for cell in cells if _is_number(cell)]
            if len(cells) != 2 or len(labels) != 1 or len(numbers) != 1:
                return None
            pairs.append((labels[0], numbers[0]))
    plain = all(_is_label(label) and _is_number(number) for label, number in pairs)
    distinct = len({label.lower() for label, _ in pairs}) == len(pairs)
    return Facts(tuple(pairs)) if plain and distinct and 0 < len(pairs) <= _MOST_FACTS else None


def sentence_grammar(facts: Facts) -> str | None:
    """A grammar of sentences that state all of several facts, each beside its label.

    One regular expression, as llguidance reads it. None for one fact: that is said
    better without.
    """
    if len(facts.pairs) < 2:
        return None
    pairs = [(_escaped(label), _escaped(json.dumps(number))) for label, number in facts.pairs]
    between = r"( [a-z]{1,14})?(,|,? and) "
    labels_first = between.join(f"{label}{_LINK} {n}" for label, n in pairs)
    numbers_first = between.join(f"{n}{_LINK}? {label}" for label, n in pairs)
    begin = "[A-Z][A-Za-z']{0,13}( [A-Za-z']{1,14}){0,9}"
    rule = rf"{begin} (({labels_first})|({numbers_first}))( [a-z]{{1,14}})?\."
    return "%llguidance {}\nstart: /" + rule + "/"


def is_true(sentence: str, facts: Facts, request: str, call: str, told: Facts) -> bool:
    """Whether a sentence says nothing that the result and the request do not say.

    Each number stands in the result or the request, each number of the result beside
    its own label, each other word in what was asked and called, and none compares or
    denies. `told` are the facts
    that the sentence must hold; a superlative is true of one that `Facts.asked_for`
    chose, and of no other.

    Args:
        sentence: what the model says.
        facts: the whole result.
        request: what the user asked.
        call: the tool's name, description and arguments as text.
        told: those of the facts that were asked for.
    """
    stated, known = numbers_in(sentence), {float(value) for _, value in facts.pairs}
    if not stated <= known | numbers_in(request):
        return False
    words = set(words_of_name(sentence))
    if words & _TURNS or re.search(r"n['\u2019]t\b", sentence):
        return False
    if words & (_HIGH | _LOW) and (len(told.pairs) != 1 or told == facts):
        return False
    labels = " ".join(label for label, _ in facts.pairs)
    if _new_words(sentence, f"{request} {call} {labels}"):
        return False
    if facts.pairs[0][0] == "":
        return known <= stated
    return _pairs_in(sentence, facts) == set(told.pairs)


def verbatim(value: Any) -> str:
    """The value as Markdown: a list, a table, or a block of text. Its text stays text."""
    shown = _markdown(value)
    if len(shown) > 3 * _LONGEST:
        shown = _block(json.dumps(value, ensure_ascii=False, indent=1))
    return shown


def _markdown(value: Any) -> str:
    if isinstance(value, str):
        shown = _block(value) if "\n" in value.strip() else _plain(value)
    elif isinstance(value, Mapping) and value and all(map(_is_scalar, value.values())):
        pairs = list(value.items())
        lines = (f"- {_plain(key)}: {_plain(cell)}" for key, cell in pairs[:_MOST_ROWS])
        shown = "\n".join(lines) + _more(pairs)
    elif isinstance(value, list) and value and all(map(_is_scalar, value)):
        shown = "\n".join(f"- {_plain(cell)}" for cell in value[:_MOST_ROWS]) + _more(value)
    elif _is_table(value):
        shown = _table(value)
    elif _is_scalar(value):
        shown = _plain(value)
    else:
        shown = _block(json.dumps(value, ensure_ascii=False, indent=1))
    return shown


def call_text(use: ToolUse) -> str:
    """The call as one would write it: ``name(a=1, b="x")``."""
    inputs = (
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in use["input"].items()
    )
    return f"{use['name']}({', '.join(inputs)})"


def _escaped(text: str) -> str:
    """Text as a regular expression between slashes that matches nothing else."""
    return re.sub(r"([.*+?()\[\]{}|\\/^$-])", r"\\\1", " ".join(text.split()))


def _is_number(value: Any) -> bool:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return plain and -_LARGEST < value < _LARGEST


def _is_label(text: str) -> bool:
    """Whether a sentence can name it; what the model takes for its own marks it cannot."""
    return 0 < len(text.strip()) <= _LONGEST_LABEL and "<|" not in text


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _new_words(sentence: str, known: str) -> set[str]:
    """Words of the sentence that neither the question nor the result brought in."""
    said, given = _meanings(sentence), _meanings(known)
    return {word for word in said if not any(matches(word, other) for other in given)}


def _meanings(text: str) -> set[str]:
    """Stems of the words that claim something; units under one name."""
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    words = words_of_name(re.sub(r"(?<=\d)(?=[^\W\d])", " ", text))
    telling = [word for word in words if word not in COMMON | _HARMLESS and not word.isdigit()]
    return {_UNITS.get(stem(word), stem(word)) for word in telling}


def _pairs_in(sentence: str, facts: Facts) -> set[tuple[str, float | int]] | None:
    """The facts that a sentence states; None where a number stands beside another label.

    Labels and numbers must alternate, all in the same order: ``A 1, B 2`` or ``1 A, 2 B``.
    Pairs are listed, and in each of several stands no word that says anything.
    """
    places: list[tuple[re.Match[str], str, float | None]] = []
    for label, _ in facts.pairs:
        pattern = rf"(?<!\w){re.escape(label)}(?!\w)"
        found = re.finditer(pattern, sentence, re.IGNORECASE)
        places += [(match, label, None) for match in found]
    values = {float(value) for _, value in facts.pairs}
    for match in re.finditer(r"-?\d+(?:,\d{3})*(?:\.\d+)?", sentence):
        number = float(match[0].replace(",", ""))
        if number in values:
            places.append((match, "", number))
    places.sort(key=lambda place: place[0].start())
    gaps = [sentence[a.end() : b.start()] for (a, *_), (b, *_) in itertools.pairwise(places)]
    links = [COMMON.issuperset(words_of_name(gap)) or len(places) == 2 for gap in gaps[::2]]
    listed = [re.search(r"(?:,|\band) *$", gap) for gap in gaps[1::2]]
    if len(places) % 2 or not all((*links, *listed)):
        return None
    stated = set()
    for first, second in zip(places[::2], places[1::2], strict=True):
        named, counted = (first, second) if places[0][2] is None else (second, first)
        pairs = [p for p in facts.pairs if p[0] == named[1] and float(p[1]) == counted[2]]
        if not pairs:
            return None
        stated.add(pairs[0])
    return stated


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, Mapping) and row.keys() == value[0].keys() for row in value)
        and bool(value[0])
        and all(_is_scalar(cell) for row in value for cell in row.values())
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names)]
    lines += [[row[name] for name in names] for row in rows[:_MOST_ROWS]]
    cells = [
        " | ".join(_plain(cell) if cell != "---" else "---" for cell in line) for line in lines
    ]
    return "\n".join(f"| {line} |" for line in cells) + _more(rows)


def _more(rows: Sequence[Any]) -> str:
    left = len(rows) - _MOST_ROWS
    return f"\n\n({left} more are in the tree.)" if left > 0 else ""


def _plain(value: Any) -> str:
    """One value on one line, with nothing in it that Markdown would take for its own."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " … (cut)"
    return re.sub(r"([\\`*\[\]<>|#!])", r"\\\1", text)


def _block(text: str) -> str:
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "\n… (cut; the whole is in the tree)"
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"
