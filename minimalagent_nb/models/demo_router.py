"""Which tool a request asks for, weighed by a small model.

A noisy channel: not "which tool would you call?", which a model of this size cannot
answer, but "how likely is this request, given the description of that tool?", which any
language model can. Beside the tools stand an unknown tool and small talk. To the
log-likelihoods (in nats) comes what can be seen without a model: shared words, numbers
and dates that a tool needs, and the call that a short request goes on with. Imports the
reading of words and arguments, and the tool's description.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.models.demo_arguments import Arguments, Choice, parameters
from minimalagent_nb.models.demo_words import Reading, matches, stem, stems_of, words_of_name
from minimalagent_nb.models.protocol import ToolSpec

__all__ = [
    "Weighed",
    "candidate_prompts",
    "described",
    "goes_on",
    "option_prompts",
    "shortlist",
    "weigh",
]

_EXAMPLES = """Each request of a user is answered by one tool.

Tool: get_weather. Weather forecast for a city. (city; day)
Request: Will it rain in Paris tomorrow?

Tool: send_email. Send a message to somebody. (to; text)
Request: Write to Anna that I am late.

Tool: list_files. Show the files of a folder. (folder; order: name, size, date)
Request: Which are the largest files in downloads?

"""
_UNKNOWN = "unknown."
_SMALL_TALK = "none. Greetings, thanks and small talk."

# In nats, set on the tuning half of tests/benchmarks/demo_model.
_NO_TOOL = 2.5
_SMALL_TALK_BIAS = 1.0
_SHARED_WORD = 1.0
_KNOWN_WORD = 0.5
_DATE = 1.5
_UNUSED_NUMBER = -1.0
_UNUSED_DATE = -2.0
_CHANGES_SOMETHING = -1.5
_NAMED = 1.0
_UNNAMED = -3.0
_MISSING = -3.0
_GOES_ON = 6.0
_CHATTY = 0.7
"""Nats a token by which small talk must be likelier than an unknown tool to be answered so."""

_CHANGE_LIST = """
add cancel create delete insert make move put remove rename save send set store update write"""
_CHANGES = frozenset(_CHANGE_LIST.split())
"""What a tool begins its description with that a question does not ask for."""
_ASKED_TO = frozenset(("can", "could", "would", "will"))

_LONGEST_DESCRIPTION = 300
"""Characters, of the parameters as well; what follows says little more, and costs time."""


@dataclass(frozen=True)
class Weighed:
    """How the candidates came out.

    Attributes:
        tool: the likeliest tool; None where no tool fits.
        small_talk: whether the request is a greeting or the like.
        shares: probabilities, likeliest first; ``no tool`` is among the names.
    """

    tool: ToolSpec | None
    small_talk: bool
    shares: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        shown = [f"{name} {share:.2f}" for name, share in self.shares[:4]]
        return "Weighed: " + ", ".join(shown) + "."


def candidate_prompts(tools: Sequence[ToolSpec]) -> list[str]:
    """What the request may follow upon: the tools in their order, an unknown one, small talk."""
    about = [*(described(tool) for tool in tools), _UNKNOWN, _SMALL_TALK]
    return [_prompt(text) for text in about]


def option_prompts(tool: ToolSpec, known: Mapping[str, Any], choice: Choice) -> list[str]:
    """What the request may follow upon: the tool with each value of one parameter."""
    prompts = []
    for option in choice.options:
        values = {**known, choice.name: option}
        texts = [f"{_spoken(name)}: {_spoken(str(value))[:100]}" for name, value in values.items()]
        # The parameter that is to be chosen stands last: it must not be what is cut.
        about = "; ".join(texts)[-_LONGEST_DESCRIPTION:]
        prompts.append(_prompt(f"{tool.name}. {_description(tool)} ({about})"))
    return prompts


def weigh(
    tools: Sequence[ToolSpec],
    scores: Sequence[float],
    reading: Reading,
    arguments: Sequence[Arguments],
    *,
    tokens: int,
    before: str | None = None,
) -> Weighed:
    """The tool that the request asks for, or none.

    Args:
        tools: those that may be called.
        scores: log-likelihoods of the request in the order of `candidate_prompts`.
        reading: the request.
        arguments: what each tool's arguments would be.
        tokens: how many the request has.
        before: the tool that was called last, where the request may go on with it.
    """
    *of_tools, unknown, small_talk = scores
    small = small_talk - unknown
    totals = {"no tool": max(_NO_TOOL, small + _SMALL_TALK_BIAS)}
    shared = _shared_words(tools, reading)
    for tool, score, words, found in zip(tools, of_tools, shared, arguments, strict=True):
        total = score - unknown + words + _typed(tool, reading, found)
        if tool.name == before:
            total += _GOES_ON
        totals[tool.name] = total
    ranked = sorted(totals, key=lambda name: -totals[name])
    top = totals[ranked[0]]
    whole = sum(math.exp(total - top) for total in totals.values())
    return Weighed(
        tool=next((tool for tool in tools if tool.name == ranked[0]), None),
        small_talk=small > _CHATTY * tokens,
        shares=tuple((name, math.exp(totals[name] - top) / whole) for name in ranked),
    )


def shortlist(tools: Sequence[ToolSpec], reading: Reading, most: int) -> list[ToolSpec]:
    """At most that many tools, in their order: those that share most words with the request."""
    worth = _shared_words(tools, reading)
    places = sorted(range(len(tools)), key=lambda place: -worth[place])[:most]
    return [tools[place] for place in sorted(places)]


def goes_on(reading: Reading) -> bool:
    """Whether the request reads like one that leans on what was asked before it."""
    words = [word.value for word in reading.words]
    text = " ".join(words)
    openings = ("and", "now", "again", "same", "the same", "what about", "how about", "also")
    return any(text == o or text.startswith(o + " ") for o in openings) or "the same" in text


def described(tool: ToolSpec) -> str:
    """Name, description and parameters of a tool on one line."""
    texts = []
    for parameter in parameters(tool):
        choices = ", ".join(_spoken(str(item)) for item in parameter.choices[:8])
        texts.append(_spoken(parameter.name) + (f": {choices}" if choices else ""))
    return f"{tool.name}. {_description(tool)} ({_cut('; '.join(texts))})"


def _description(tool: ToolSpec) -> str:
    return _cut(" ".join(tool.description.split()))


def _cut(text: str) -> str:
    return text[:_LONGEST_DESCRIPTION]


def _spoken(name: str) -> str:
    return " ".join(words_of_name(name))


def _prompt(text: str) -> str:
    return f"{_EXAMPLES}Tool: {text}\nRequest:"


def _shared_words(tools: Sequence[ToolSpec], reading: Reading) -> list[float]:
    """For each tool what its words in the request are worth; rare ones most."""
    known = [_vocabulary(tool) for tool in tools]
    said = {stem(word.value) for word in reading.words} & stems_of([reading.text])
    asked = [*(frozenset((word,)) for word in said), *reading.operations]
    worth = [0.0] * len(tools)
    for names in asked:
        holders = [any(matches(n, item) for n in names for item in words) for words in known]
        for place, holds in enumerate(holders):
            if holds:
                worth[place] += _KNOWN_WORD + _SHARED_WORD / sum(holders)
    return worth


def _vocabulary(tool: ToolSpec) -> set[str]:
    wanted = parameters(tool)
    texts = [tool.name, tool.description, *(item.name for item in wanted)]
    return stems_of([*texts, *(str(choice) for item in wanted for choice in item.choices)])


def _typed(tool: ToolSpec, reading: Reading, found: Arguments) -> float:
    """What numbers, dates and the question mark say for or against a tool."""
    kinds = {parameter.kind for parameter in parameters(tool)}
    total = _MISSING * len(found.missing)
    for parameter in parameters(tool):
        if parameter.kind == "choice" and parameter.name in found.named:
            total += _NAMED
        elif parameter.kind == "choice" and parameter.name not in found.values:
            total += _UNNAMED if parameter.required else 0.0
    if reading.dates:
        total += _DATE if kinds & {"date", "datetime"} else _UNUSED_DATE
    if reading.numbers and not reading.quoted and not kinds & {"number", "integer"}:
        total += _UNUSED_NUMBER
    first = set(words_of_name(tool.description)[:1])
    if _CHANGES & first and _is_question(reading) and not first & _named(reading):
        total += _CHANGES_SOMETHING
    return total


def _named(reading: Reading) -> frozenset[str]:
    """What signs between numbers are called: to add two numbers changes nothing."""
    return frozenset().union(*reading.operations)


def _is_question(reading: Reading) -> bool:
    """A question, and not a wish in the form of one such as ``Can you add it?``."""
    begin = reading.words[0].value if reading.words else ""
    return reading.text.rstrip().endswith("?") and begin not in _ASKED_TO
