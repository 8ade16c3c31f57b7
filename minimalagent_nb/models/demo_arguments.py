"""The arguments of a call, read from the request; what stays open is for the model to choose.

Numbers, dates and texts can only be ones that the request (or, for a request that goes
on with an earlier one, the call before) names: nothing is invented. Of a parameter with a
fixed set of values the model takes the likeliest where the request names none. Imports
the reading of words and the tool's description.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.models.demo_changes import changed
from minimalagent_nb.models.demo_spans import items_of, overlaps, spans_of
from minimalagent_nb.models.demo_words import (
    COMMON,
    Found,
    Reading,
    matches,
    stem,
    stems_of,
    words_of_name,
)
from minimalagent_nb.models.protocol import ToolSpec

__all__ = ["Arguments", "Choice", "Parameter", "fill", "grammar", "parameters"]

_MOST_NUMBERS = 6
"""Those after them are not given to any parameter."""

_ON = frozenset(("on", "enable", "enabled", "true", "yes"))
_OFF = frozenset(("off", "disable", "disabled", "false", "no"))
_DENIED = frozenset(("no", "not", "without", "don't", "don\u2019t", "disable"))

_ORDINALS = {
    form: number
    for number, forms in enumerate(("first 1st", "second 2nd", "third 3rd", "fourth 4th"), 1)
    for form in forms.split()
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a tool, as far as it matters here.

    `kind` is ``number``, ``integer``, ``text``, ``date``, ``datetime``, ``time``, ``flag``,
    ``choice``, or ``other`` for what cannot be filled.
    """

    name: str
    kind: str
    required: bool
    choices: tuple[Any, ...] = ()
    description: str = ""
    many: bool = False


@dataclass(frozen=True)
class Choice:
    """A parameter whose value the model is to choose from `options`.

    `closed` says that the tool allows these values only; else they are pieces of the request.
    """

    name: str
    options: tuple[Any, ...]
    closed: bool = False


@dataclass
class Arguments:
    """What was found: `values`, what is `open`, and the required ones that are `missing`.

    `named` are those that the request itself names, in one value or several.
    """

    values: dict[str, Any] = field(default_factory=dict)
    open: list[Choice] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    def settle(self, choice: Choice, value: Any) -> None:
        """Take a value for what was open."""
        self.open.remove(choice)
        self.values[choice.name] = value


def parameters(tool: ToolSpec) -> list[Parameter]:
    """The parameters of a tool, required ones first."""
    schema = tool.input_schema
    required = set(schema.get("required") or ())
    found = [
        _parameter(name, node, name in required)
        for name, node in (schema.get("properties") or {}).items()
        if isinstance(node, Mapping)
    ]
    return sorted(found, key=lambda parameter: not parameter.required)


def fill(tool: ToolSpec, reading: Reading, before: Mapping[str, Any] | None = None) -> Arguments:
    """Arguments of a call of the tool.

    Args:
        tool: the tool to call.
        reading: the request.
        before: arguments of the call that the request goes on with, where it does.
    """
    found = Arguments()
    wanted = parameters(tool)
    used: list[Found] = []
    _fill_dates(wanted, reading, found, used)
    _fill_choices(wanted, reading, found, used, before or {})
    quoted = reading.quoted if any(item.kind == "text" for item in wanted) else ()
    free = [item for item in reading.numbers if not overlaps(item, [*used, *quoted])]
    _fill_numbers(wanted, reading, found, used, free, before or {})
    _fill_flags(wanted, reading, found, used)
    _fill_texts(wanted, reading, found, used, tool)
    _fill_rest(wanted, found, before or {})
    return found


def grammar(choices: Sequence[Choice]) -> str:
    """GBNF of the rest of a JSON object whose last key, of the first choice, is written already."""
    parts = []
    for number, choice in enumerate(choices):
        if number:
            parts.append(_literal(f', "{choice.name}": '))
        options = (json.dumps(option, ensure_ascii=False) for option in choice.options)
        parts.append(f"( {' | '.join(map(_literal, options))} )")
    return "root ::= " + " ".join([*parts, _literal("}")])


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _parameter(name: str, node: Mapping[str, Any], required: bool) -> Parameter:
    description = str(node.get("description") or "")
    variants = [v for v in node.get("anyOf") or () if isinstance(v, Mapping)]
    node = next((v for v in variants if v.get("type") != "null"), node)
    many = node.get("type") == "array"
    if many and isinstance(node.get("items"), Mapping):
        node = node["items"]
    choices = tuple(node.get("enum") or ((node["const"],) if "const" in node else ()))
    formats = {"date": "date", "date-time": "datetime", "time": "time"}
    types = {"integer": "integer", "number": "number", "boolean": "flag", "string": "text"}
    kind = formats.get(str(node.get("format"))) or types.get(str(node.get("type")), "other")
    return Parameter(name, "choice" if choices else kind, required, choices, description, many)


# -- dates and choices ---------------------------------------------------------


def _fill_dates(
    wanted: Iterable[Parameter], reading: Reading, found: Arguments, used: list[Found]
) -> None:
    dates, times = list(reading.dates), list(reading.times)
    for parameter in wanted:
        if parameter.kind == "time" and times and not parameter.many:
            used.append(times[0])
            found.values[parameter.name] = times.pop(0).value.isoformat()
        if parameter.kind in ("date", "datetime") and dates:
            count = len(dates) if parameter.many else 1
            taken, dates = dates[:count], dates[count:]
            used += taken
            values = [date.value.isoformat() for date in taken]
            if parameter.kind == "datetime":
                used += times[: len(values)]
                clocks = [time.value for time in times] + [datetime.time()] * len(values)
                values = [f"{day}T{time}" for day, time in zip(values, clocks, strict=False)]
                times = times[len(values) :]
            found.values[parameter.name] = values if parameter.many else values[0]


def _fill_choices(
    wanted: Sequence[Parameter],
    reading: Reading,
    found: Arguments,
    used: list[Found],
    before: Mapping[str, Any],
) -> None:
    taken: dict[tuple[Any, ...], list[Any]] = {}
    for parameter in wanted:
        if parameter.kind != "choice":
            continue
        named = _named(parameter, reading)
        used += [word for _, word in named]
        best = _best(parameter, named)
        if best:
            found.named.add(parameter.name)
        others = taken.setdefault(parameter.choices, [])
        twins = [p for p in wanted if p.choices == parameter.choices and p is not parameter]
        if twins and not others and len(best) > 1:
            best = _own(parameter, twins, best, named, reading)
        best = [value for value in best if value not in others] or ([] if others else best)
        if parameter.many and best:
            found.values[parameter.name] = best
        elif len(best) == 1:
            found.values[parameter.name] = best[0]
            others.append(best[0])
        elif best:
            found.open.append(Choice(parameter.name, tuple(best), closed=True))
        elif parameter.required and parameter.name not in before:
            rest = tuple(value for value in parameter.choices if value not in others)
            found.open.append(Choice(parameter.name, rest or parameter.choices, closed=True))


def _named(parameter: Parameter, reading: Reading) -> list[tuple[Any, Found]]:
    """Pairs of a choice and a word of the request that names it."""
    pairs = []
    for choice in parameter.choices:
        parts = [word for word in words_of_name(str(choice)) if len(word) > 2 or word == choice]
        if str(choice).isdigit() or len(str(choice)) <= 2:
            parts = [str(choice).lower()]
        for place, word in enumerate(reading.words):
            if any(matches(stem(part), stem(word.value)) for part in parts) or _is_numbered(
                str(choice), reading.words, place
            ):
                pairs.append((choice, word))
    return pairs


def _is_numbered(choice: str, words: Sequence[Found], place: int) -> bool:
    """``first quarter`` for ``Q1``: the initial of the next word, and its number."""
    number = _ORDINALS.get(words[place].value)
    following = words[place + 1].value if place + 1 < len(words) else ""
    return bool(number and following) and choice.lower() == f"{following[0]}{number}"


def _best(parameter: Parameter, named: Sequence[tuple[Any, Found]]) -> list[Any]:
    """The choices that most words name, in the order of the request."""
    counts: dict[Any, set[str]] = {}
    for choice, word in sorted(named, key=lambda pair: pair[1].start):
        counts.setdefault(choice, set()).add(stem(word.value))
    most = max(map(len, counts.values()), default=0)
    return [choice for choice, words in counts.items() if len(words) == most or parameter.many]


def _own(
    parameter: Parameter,
    twins: Sequence[Parameter],
    best: Sequence[Any],
    named: Sequence[tuple[Any, Found]],
    reading: Reading,
) -> list[Any]:
    """Of values for several like parameters those of this one; without a sign, the first."""
    own = [value for value in best if _said_for(parameter, value, named, reading)]
    left = [v for v in best if not any(_said_for(twin, v, named, reading) for twin in twins)]
    return own or (left or list(best))[:1]


def _said_for(
    parameter: Parameter, value: Any, named: Sequence[tuple[Any, Found]], reading: Reading
) -> bool:
    """Whether a preposition or a number says which of two like parameters is meant."""
    first = words_of_name(parameter.name)[0]
    leads = {"from": "from", "source": "from", "to": "to in into", "target": "to in into"}
    places = [word.start for choice, word in named if choice == value]
    for start in places:
        before = reading.text[:start].lower().rstrip(" °").split()
        last = before[-1] if before else ""
        after_number = any(0 <= start - number.end <= 2 for number in reading.numbers)
        if first in ("from", "source") and after_number:
            return True
        if last in leads.get(first, "").split() and not after_number:
            return True
    return False


# -- numbers and flags -----------------------------------------------------------


def _fill_numbers(
    wanted: Sequence[Parameter],
    reading: Reading,
    found: Arguments,
    used: list[Found],
    free: Sequence[Found],
    before: Mapping[str, Any],
) -> None:
    """Give the numbers to the parameters so that the words around them fit best."""
    slots = [item for item in wanted if item.kind in ("number", "integer") and not item.many]
    for item in wanted:
        if item.kind in ("number", "integer") and item.many and free:
            anew = [number.value for number in free]
            found.values[item.name] = changed(before.get(item.name), free, reading) or anew
            return
    free = ([number for number in free if number.text.lower() != "one"] or free)[:_MOST_NUMBERS]
    for slot, place in _assigned([[_fits(item, n, reading) for n in free] for item in slots]):
        found.values[slots[slot].name] = free[place].value
        used.append(free[place])


def _assigned(fits: Sequence[Sequence[float]]) -> tuple[tuple[int, int], ...]:
    """Pairs of a parameter and a number that suit best; those in order before those that cross.

    The best way to give away each set of numbers, a bit for each, grows by one
    parameter after another.
    """
    best: dict[int, tuple[float, tuple[tuple[int, int], ...]]] = {0: (0.0, ())}
    for slot, row in enumerate(fits):
        for taken, (score, pairs) in list(best.items()):
            for place, fit in enumerate(row):
                if taken >> place & 1:
                    continue
                total = score + fit - 0.001 * (taken >> place).bit_count()
                if total > best.get(taken | 1 << place, (-math.inf,))[0]:
                    best[taken | 1 << place] = (total, (*pairs, (slot, place)))
    return max(best.values(), key=lambda way: way[0])[1]


def _fits(parameter: Parameter, number: Found, reading: Reading) -> float:
    """How well a number suits a parameter, by the words around it; below 0 not at all."""
    if parameter.kind == "integer" and number.value != int(number.value):
        return -10.0
    after = [word.value for word in reading.words if word.start >= number.end][:2]
    before = [word.value for word in reading.words if word.end <= number.start][-2:]
    around = [(word, 1.0) for word in after[:1]] + [(word, 0.5) for word in after[1:]]
    around += [(word, 0.6) for word in before[-1:]] + [(word, 0.4) for word in before[:-1]]
    if reading.text[number.end : number.end + 2].lstrip().startswith("%"):
        around.append(("percent", 1.0))
    names = {stem(word) for word in words_of_name(parameter.name)}
    told = {stem(word) for word in words_of_name(parameter.description) if word not in COMMON}
    score = 1.0 if parameter.required else 0.5
    for word, weight in around:
        if any(matches(stem(word), name) for name in names):
            score += 2 * weight
        elif any(matches(stem(word), name) for name in told):
            score += weight
    return score


def _fill_flags(
    wanted: Iterable[Parameter], reading: Reading, found: Arguments, used: list[Found]
) -> None:
    words = [word.value for word in reading.words]
    on, off = not _ON.isdisjoint(words), not _OFF.isdisjoint(words)
    for parameter in wanted:
        if parameter.kind != "flag":
            continue
        names = stems_of([parameter.name])
        places = [i for i, word in enumerate(words) if any(matches(stem(word), n) for n in names)]
        if places:
            used += [reading.words[place] for place in places]
            denied = _DENIED.intersection(words[max(0, places[0] - 3) : places[0]])
            found.values[parameter.name] = not (denied or _OFF & {*words[places[0] + 1 :][:1]})
        elif parameter.required and on != off:
            found.values[parameter.name] = on
        elif parameter.required:
            found.open.append(Choice(parameter.name, (True, False)))


# -- texts -------------------------------------------------------------------------


def _fill_texts(
    wanted: Iterable[Parameter],
    reading: Reading,
    found: Arguments,
    used: Sequence[Found],
    tool: ToolSpec,
) -> None:
    quoted = [item.value for item in reading.quoted]
    spans = [span for span in spans_of(reading, used, tool) if span not in quoted]
    stems = [stem(word.value) for word in reading.words]
    for parameter in wanted:
        if parameter.kind != "text":
            continue
        named = any(matches(stem(w), s) for w in words_of_name(parameter.name) for s in stems)
        if not (parameter.required or named):
            continue
        if quoted:
            value = quoted if parameter.many else quoted.pop(0)
            found.values[parameter.name] = value
        elif parameter.many:
            items = items_of(reading, used, tool)
            if items:
                found.values[parameter.name] = items
        elif len(spans) == 1:
            found.values[parameter.name] = spans.pop()
        elif spans:
            found.open.append(Choice(parameter.name, tuple(spans)))


def _fill_rest(wanted: Iterable[Parameter], found: Arguments, before: Mapping[str, Any]) -> None:
    """What the request does not name: from the call before, or missing."""
    named = {*found.values, *(choice.name for choice in found.open)}
    for parameter in wanted:
        if parameter.name in named:
            continue
        if parameter.name in before:
            found.values[parameter.name] = before[parameter.name]
        elif parameter.required:
            found.missing.append(parameter.name)
