"""What can be read of a request without a model: words, numbers, dates, quoted text.

English only. Imports nothing of the package.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "COMMON",
    "Found",
    "Reading",
    "matches",
    "numbers_in",
    "read",
    "stem",
    "stems_of",
    "words_of_name",
]

_COMMON = """
a about all am an and any are as at be been by can could did do does for from had has have how i if
in into is it its just let many me much my now of on one only or our per please show so some tell
than that the their them there these they this those to up us was we were what when where which
who whom why will with would you your each every give get here again same also too list number
most top out after before"""
COMMON = frozenset(_COMMON.split())
"""Words that say nothing of the matter."""

_SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen"""
_UNITS = {word: value for value, word in enumerate(_SMALL.split())}
_ROUND = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: value for value, word in enumerate(_ROUND.split(), 2)}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
_MONTHS = "january february march april may june july august september october november december"
_MONTH = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
_MONTH |= {name[:3]: number for name, number in _MONTH.items()} | {"sept": 9}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NEAR = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1}

# A number that is longer, or goes on as in 1.5e3 and 2.5.1, is not read: better none than half.
_NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,18})(?:\.\d{1,18})?(?!\w|[.,]\d)"
)
_DIGITS = re.compile(r"(?:(?<!\w)-)?\d+(?:,\d{3})*(?:\.\d+)?")
"""Any digits, in units and identifiers too: what is stated must not slip through."""
_MINUS = re.compile(r".*?\b(minus|negative) $", re.IGNORECASE | re.DOTALL)
_NAME = "|".join(sorted(_MONTH, key=len, reverse=True))
_DATES = (
    re.compile(r"\b(?P<y>\d{4})([-/])(?P<m>\d{1,2})\2(?P<d>\d{1,2})\b"),
    re.compile(r"\b(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})\b"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<name>{_NAME})\.?,?(?: (?P<y>\d{{4}}))?\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<name>{_NAME})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?\b",
        re.IGNORECASE,
    ),
)
_NEAR_DATE = re.compile(
    rf"\b(?:(?P<from>day after|day before|last) )?(?P<near>{'|'.join([*_NEAR, *_WEEKDAYS])})\b"
    r"|\b(?P<count>\d{1,3}|" + "|".join(["an?", *_UNITS]) + r") (?P<unit>day|week)s? ago\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?: ?(?P<half>[ap])\.?m\b)?"
    r"|(?P<hour>0?[1-9]|1[0-2]) ?(?P<of>[ap])\.?m\b)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"([^\"]+)\"|\u201c([^\u201d]+)\u201d|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
# Between numbers; 2007/08 and 10-20 are no operations, so that two signs need their spaces.
_OPERATION = re.compile(r"(?<=\d)(?: ?([+*\u00d7^]|\*\*) ?| ([-\u2212/\u00f7]) )(?=[-+]?\d)")
_OPERATIONS = {
    "+": "add addition plus sum total",
    "-": "subtract subtraction minus difference",
    "\u2212": "subtract subtraction minus difference",
    "*": "multiply multiplication times product",
    "\u00d7": "multiply multiplication times product",
    "/": "divide division quotient ratio",
    "\u00f7": "divide division quotient ratio",
    "^": "power exponent",
    "**": "power exponent",
}
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W\d_]+)?")


@dataclass(frozen=True)
class Found:
    """A value that the text names, and where: `text` is ``text[start:end]``."""

    value: Any
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """A request as it was read.

    Attributes:
        numbers: those outside of dates; of a time, its hour.
        operations: for each sign between two numbers the stems of what it may be called.
    """

    text: str
    words: tuple[Found, ...]
    numbers: tuple[Found, ...]
    dates: tuple[Found, ...]
    quoted: tuple[Found, ...]
    times: tuple[Found, ...] = ()
    operations: tuple[frozenset[str], ...] = ()


def read(text: str, today: datetime.date) -> Reading:
    """Everything that the text names; dates without a year or by name count from `today`."""
    dates = tuple(_dates(text, today))
    quoted = tuple(
        Found(match[match.lastindex or 0], match[0], *match.span())
        for match in _QUOTED.finditer(text)
    )
    times = tuple(_times(text))
    hours = [Found(found.value.hour, found.text, found.start, found.end) for found in times]
    numbers = [found for found in _numbers(text) if not _inside(found, (*dates, *times))]
    return Reading(
        text=text,
        words=tuple(Found(match[0].lower(), match[0], *match.span()) for match in _words(text)),
        numbers=tuple(sorted([*numbers, *hours], key=lambda found: found.start)),
        dates=dates,
        quoted=quoted,
        times=times,
        operations=tuple(_operations(text, dates)),
    )


def numbers_in(text: str) -> set[float]:
    """All numbers that a text states, in digits or in words; ``one`` is an article too often."""
    words = {float(n.value) for n in _numbers(text) if not re.search(r"\d", n.text)}
    digits = {float(match[0].replace(",", "")) for match in _DIGITS.finditer(text)}
    return digits | (words - {1.0})


def stem(word: str) -> str:
    """A word without the commonest endings of English."""
    word = re.sub(r"['\u2019]s?$", "", word.lower())
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:s|x|z|ch|sh)es$", word):
        return word[:-2]
    if word.endswith("s") and not re.search(r"(?:ss|us|is)$", word) and len(word) > 3:
        return word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def matches(one: str, other: str) -> bool:
    """Whether two stems are forms of one word: ``west`` and ``western``."""
    short, long = sorted((one, other), key=len)
    return short == long or (
        len(short) >= 4 and long.startswith(short) and len(long) - 4 <= len(short)
    )


def stems_of(texts: Iterable[str]) -> set[str]:
    """Stems of all words that say something."""
    words = {word for text in texts for word in words_of_name(text)}
    return {stem(word) for word in words if word not in COMMON and not word.isdigit()}


def words_of_name(name: str) -> list[str]:
    """The words of a text or of an identifier: ``body_mass_g``, ``bodyMass``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")
    return [match[0].lower() for match in _words(spaced)]


def _words(text: str) -> list[re.Match[str]]:
    return list(_WORD.finditer(text))


def _numbers(text: str) -> list[Found]:
    """Numbers in digits and in words: ``-3``, ``minus three``, ``two hundred and five``."""
    found: list[Found] = []
    last = ""  # the word that the newest number ends with
    for match in re.finditer(rf"(?P<digits>{_NUMBER.pattern})|{_WORD.pattern}", text):
        word = match[0].lower()
        value: float | int | None = _UNITS.get(word, _TENS.get(word, 0) * 10 or _SCALES.get(word))
        if match["digits"]:
            value = _value(match["digits"])
        if value is None:
            continue
        start, between = match.start(), text[found[-1].end : match.start()] if found else "."
        whole = _joined(found[-1].value, last, word, value) if found else None
        linked = re.fullmatch(r"[ -]", between) or (last in _SCALES and between == " and ")
        if linked and whole is not None:
            start, value = found.pop().start, whole
        else:
            sign = _MINUS.match(text, max(0, start - 9), start)
            # The minus of ten minus two is none.
            if sign and (not found or found[-1].end < sign.start(1) - 1):
                start, value = sign.start(1), -value
        found.append(Found(value, text[start : match.end()], start, match.end()))
        last = word
    return found


def _joined(whole: float | int, last: str, word: str, value: float | int) -> float | int | None:
    """The number that goes on with one more word; None where that begins a new one."""
    if word in _SCALES:
        rest = whole % 1000 if isinstance(whole, int) and word == "hundred" else whole
        scaled = whole - rest + rest * value
        return int(scaled) if scaled == int(scaled) else scaled
    if (last in _TENS and 0 < value < 10) or (last in _SCALES and 0 < value < _SCALES[last]):
        return whole + value
    return None


def _value(digits: str) -> float | int:
    plain = digits.replace(",", "").replace("\u2212", "-")
    return float(plain) if "." in plain else int(plain)


def _inside(found: Found, places: Iterable[Found]) -> bool:
    return any(place.start <= found.start < place.end for place in places)


def _dates(text: str, today: datetime.date) -> list[Found]:
    found: list[Found] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            day = _date(match.groupdict(), today)
            here = Found(day, match[0], *match.span())
            if day is not None and not _inside(here, found):
                found.append(here)
    for match in _NEAR_DATE.finditer(text):
        days = _days_from(match, today)
        found.append(Found(today + datetime.timedelta(days), match[0], *match.span()))
    return sorted(found, key=lambda item: item.start)


def _days_from(match: re.Match[str], today: datetime.date) -> int:
    """How far a day is away that is named from today on."""
    if match["count"]:
        count = match["count"].lower()
        number = int(count) if count.isdigit() else _UNITS.get(count, 1)
        return -number * (7 if match["unit"].lower() == "week" else 1)
    word, begin = match["near"].lower(), (match["from"] or "").lower()
    if word in _NEAR:
        return _NEAR[word] + {"day after": 1, "day before": -1}.get(begin, 0)
    ahead = (_WEEKDAYS.index(word) - today.weekday() - 1) % 7 + 1
    if begin == "last":
        return ahead - 7 or -7
    return ahead + {"day after": 1, "day before": -1}.get(begin, 0)


def _operations(text: str, dates: Iterable[Found]) -> Iterable[frozenset[str]]:
    signs = {
        match[1] or match[2]: None
        for match in _OPERATION.finditer(text)
        if not any(date.start < match.start() < date.end for date in dates)
    }
    return (frozenset(map(stem, _OPERATIONS[sign].split())) for sign in signs)


def _times(text: str) -> list[Found]:
    found = []
    for match in _TIME.finditer(text):
        hour, half = int(match["h"] or match["hour"]), (match["half"] or match["of"] or "").lower()
        if half and hour <= 12:
            hour = hour % 12 + (12 if half == "p" else 0)
        time = datetime.time(hour, int(match["m"] or 0))
        found.append(Found(time, match[0], *match.span()))
    return found


def _date(parts: dict[str, str | None], today: datetime.date) -> datetime.date | None:
    """The date of a match; None where there is no such day."""
    name = parts.get("name")
    month = _MONTH[name.lower()] if name else int(parts.get("m") or 0)
    try:
        return datetime.date(int(parts.get("y") or today.year), month, int(parts.get("d") or 0))
    except ValueError:
        return None
