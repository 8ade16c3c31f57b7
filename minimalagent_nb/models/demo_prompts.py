"""What the demonstration model is asked, word for word, and what a conversation asks of it.

Imports the reading of arguments, the conversation values and the tool's description.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.messages import Message, ToolResult, ToolUse
from minimalagent_nb.models.demo_answer import Facts, sentence_grammar
from minimalagent_nb.models.demo_arguments import Arguments, grammar
from minimalagent_nb.models.demo_router import described
from minimalagent_nb.models.demo_words import words_of_name
from minimalagent_nb.models.protocol import ToolSpec

__all__ = [
    "Asked",
    "answer_body",
    "asked",
    "chosen_values",
    "choices_body",
    "score_bodies",
    "talk_body",
]

_STEADY = {"temperature": 0, "seed": 0, "cache_prompt": True}

_LONGEST_TEXT = 1_000
"""Characters of a request or an argument that the model reads: its memory is small."""

_CALLS = """Tool: translate. Translate a text. (text; to language: english, french, german)
Request: How do you say "thank you" in German?
Call: {"to_language": "german", "text": "thank you"}

Tool: order_food. Order a dish. (dish; size: small, medium, large)
Request: I am very hungry, get me a mushroom pizza please
Call: {"dish": "mushroom pizza", "size": "large"}

"""
_ANSWERS = (
    ("How many files are in the folder?", "12", "There are 12 files in the folder."),
    ("Which city is the warmest?", "Rome: 31.5", "The warmest city is Rome with 31.5."),
    (
        "How many cars are there by color?",
        "red: 7, blue: 5",
        "There are 7 red cars and 5 blue cars.",
    ),
    (
        "What is the mean age by town?",
        "Ulm: 40.2, Bern: 38.5, Graz: 37.9",
        "The mean age is 40.2 for Ulm, 38.5 for Bern and 37.9 for Graz.",
    ),
)
_ANSWER_SYSTEM = (
    "You answer the user's question in one short sentence. You use the result and nothing else."
)
_TALK_SYSTEM = (
    "You are a friendly assistant in a notebook. You answer in one short sentence, and ask what "
    "the user would like to know about the data."
)


@dataclass(frozen=True)
class Asked:
    """Where a conversation stands.

    Attributes:
        request: what the user asked last.
        call: the tool call made for it, if any.
        result: what that call gave, if any.
        before: the last call that succeeded for an earlier request.
        earlier: what the user asked before.
    """

    request: str
    call: ToolUse | None = None
    result: ToolResult | None = None
    before: ToolUse | None = None
    earlier: str = ""


def asked(messages: Sequence[Message]) -> Asked:
    """Read the conversation."""
    uses: dict[str, ToolUse] = {}
    request = earlier = ""
    call: ToolUse | None = None
    result: ToolResult | None = None
    before: ToolUse | None = None
    for message in messages:
        for block in message["content"]:
            if "toolUse" in block:
                uses[block["toolUse"]["toolUseId"]] = block["toolUse"]
            elif "toolResult" in block:
                result = block["toolResult"]
                call = uses.get(result["toolUseId"])
            elif "text" in block and message["role"] == "user":
                if call is not None and result is not None and result.get("status") != "error":
                    before = call
                earlier, request = request, block["text"]
                call = result = None
    if call is None:
        result = None
    return Asked(request, call, result, before, earlier)


def score_bodies(
    prompts: Sequence[str], tokens: Sequence[int], *, first_slot: int = 0
) -> list[dict[str, Any]]:
    """Have each prompt go on with exactly these tokens, and tell how likely each was."""
    # This form of grammar is read by llguidance, which costs a third less time than GBNF.
    forced = "%llguidance {}\nstart: " + " ".join(f"<[{token}]>" for token in tokens)
    shared = {**_STEADY, "grammar": forced, "n_probs": 1, "max_tokens": len(tokens)}
    return [
        {**shared, "prompt": prompt, "id_slot": slot}
        for slot, prompt in enumerate(prompts, first_slot)
    ]


def choices_body(
    tool: ToolSpec, request: str, arguments: Arguments, *, slot: int
) -> dict[str, Any]:
    """Have the model choose among what is open; what is known stands there already."""
    known = "".join(
        f"{json.dumps(name)}: {_short(json.dumps(value, ensure_ascii=False))}, "
        for name, value in arguments.values.items()
    )
    begun = f"{{{known}{json.dumps(arguments.open[0].name)}: "
    prompt = f"{_CALLS}Tool: {described(tool)}\nRequest: {_short(request)}\nCall: {begun}"
    # A token is at least one byte of what it says.
    longest = sum(len(json.dumps(choice.name)) + 8 for choice in arguments.open) + sum(
        max(len(json.dumps(option).encode()) for option in choice.options)
        for choice in arguments.open
    )
    rules = grammar(arguments.open)
    return {**_STEADY, "prompt": prompt, "grammar": rules, "max_tokens": longest, "id_slot": slot}


def chosen_values(arguments: Arguments, text: str) -> dict[str, Any]:
    """All arguments: those that were known, and those that `text` completes."""
    chosen = json.loads(f"{{{json.dumps(arguments.open[0].name)}: {text}")
    return {**arguments.values, **chosen}


def answer_body(
    request: str, call: ToolUse, told: Facts, *, slot: int, with_call: bool
) -> dict[str, Any]:
    """Have the model say a result; with the call where the request alone does not name it."""
    question = f"{_short(request)} ({_short(_spoken(call))})" if with_call else _short(request)
    chat = [("system", _ANSWER_SYSTEM)]
    for asked_for, found, said in (*_ANSWERS, (question, str(told), "")):
        chat += [("user", f"Question: {asked_for}\nResult: {found}"), ("assistant", said)]
    body = {**_STEADY, "prompt": _chat(chat), "max_tokens": 80, "stop": ["\n"], "id_slot": slot}
    rules = sentence_grammar(told)
    return body if rules is None else {**body, "grammar": rules}


def talk_body(request: str, *, slot: int) -> dict[str, Any]:
    """Have the model reply to small talk."""
    prompt = _chat([("system", _TALK_SYSTEM), ("user", _short(request)), ("assistant", "")])
    return {**_STEADY, "prompt": prompt, "max_tokens": 40, "stop": ["\n"], "id_slot": slot}


def _short(text: str) -> str:
    """The beginning of a text that may be of any length."""
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + " …"


def _spoken(call: ToolUse) -> str:
    values = [" ".join(words_of_name(str(value))) for value in call["input"].values()]
    return ", ".join([" ".join(words_of_name(call["name"])), *values])


def _chat(turns: Sequence[tuple[str, str]]) -> str:
    """The model's own chat template; the last turn is left open."""
    texts = [f"<|im_start|>{role}\n{_harmless(text)}" for role, text in turns]
    return "<|im_end|>\n".join(texts)


def _harmless(text: str) -> str:
    """Text that cannot end its turn."""
    return text.replace("<|im_", "<|im ")
