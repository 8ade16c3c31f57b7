"""What a run asks its model: one turn at a time, within the model's context window.

Imports the conversation of a run, the form of its output, the protocol of models and
the ground floor.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Generator, Iterator
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.engine.context import Shortening, estimate_tokens
from minimalagent_nb.engine.output import OutputRequest
from minimalagent_nb.engine.plan import RunPlan
from minimalagent_nb.engine.summary import summarise
from minimalagent_nb.engine.talk import Talk
from minimalagent_nb.engine.turn import Turn
from minimalagent_nb.errors import AgentError, ContextWindowError, ModelError
from minimalagent_nb.events import Event, Notice, StepStarted, Usage
from minimalagent_nb.models.protocol import (
    Model,
    ModelChunk,
    ModelReply,
    ModelRequest,
    RetryChunk,
    ToolSpec,
)
from minimalagent_nb.secrets import without_secrets
from minimalagent_nb.tools.jsonable import text_of

__all__ = ["Asking"]

_LIMIT_NOTE = (
    "(The limit of {steps} steps for this question is reached. Answer it now with what you "
    "have found out, and call no more tools.)"
)
_LIMIT_NOTE_OUTPUT = (
    "(The limit of {steps} steps for this question is reached. Give the answer now with what "
    "you have found out, by calling {tool}.)"
)
_TOO_LONG = "the conversation is longer than the model can read"
_TO_SUMMARISE = 0.5
"""Share of the context window that what is to be summarised may fill."""

_MOST_ATTEMPTS = 4
"""How often a request is shortened and sent again, the first time included."""


class Asking:
    """Asks the model of a run.

    Attributes:
        talk: the conversation.
        wanted: the structured output that is looked for, None for an answer in words.
        turn: the model turn that is under way, None between two.
        usage: tokens of summaries, which belong to no turn.
        enter: called with the model and a request, in the context in which the model works.
    """

    def __init__(self, plan: RunPlan, cancel: CancelToken) -> None:
        self._plan = plan
        self._cancel = cancel
        self.wanted = OutputRequest(plan.output) if plan.output else None
        specs = [ToolSpec(tool.name, tool.description, tool.input_schema) for tool in plan.toolbox]
        self._specs = (*specs, plan.output.spec) if plan.output else tuple(specs)
        self.talk = Talk(
            plan.history,
            plan.query,
            context=plan.context,
            limit=plan.context_tokens or getattr(plan.model, "context_window", None),
            overhead=sum(map(estimate_tokens, (plan.system, *map(_spec_json, self._specs)))),
            now=plan.clock,
        )
        self.turn: Turn | None = None
        self.usage = Usage()
        self.enter: Callable[[Model, ModelRequest], None] | None = None

    def ask(self, step: int, last: bool) -> Generator[Event, None, ModelReply | None]:
        """One model turn as it streams; returns its reply, None where it was stopped."""
        window = self.talk.window
        yield from self._tell(window.fit())
        self.turn = Turn(step, self._plan.clock())
        yield StepStarted(at=self.turn.started, step=step)
        attempt = 1
        while True:
            try:
                reply = yield from self._attempt(last)
                break
            except ContextWindowError:
                attempt += 1
                done = window.refused() if attempt <= _MOST_ATTEMPTS else None
                if done is None:
                    raise
                again = RetryChunk(_TOO_LONG, attempt, 0.0)
                yield from self.turn.take_in(again, self._plan.clock())
                yield from self._tell(done)
        if reply is not None:
            window.learn(reply.usage)
        return reply

    def request(self, last: bool = False) -> ModelRequest:
        """What the model is asked next; in the `last` turn with the request for an answer."""
        plan, wanted = self._plan, self.wanted
        forced = wanted.name if wanted and (last or wanted.due) else None
        note = None
        if last:
            note = _LIMIT_NOTE if forced is None else _LIMIT_NOTE_OUTPUT
            note = note.format(steps=plan.max_steps, tool=forced)
        return ModelRequest(
            messages=self.talk.to_send(note),
            system=plan.system,
            tools=self._specs,
            options=plan.options,
            tool_choice=forced,
            thinking=plan.thinking,
        )

    def _attempt(self, last: bool) -> Generator[Event, None, ModelReply | None]:
        """One request and its reply; None where it was stopped."""
        assert self.turn is not None  # noqa: S101 - ask has set it
        plan, request = self._plan, self.request(last)
        within = self._context(request)
        chunks: Iterator[ModelChunk] = iter(())
        try:
            chunks = within(plan.model.stream, request, self._cancel)
            advance = iter(chunks)
            while (chunk := within(next, advance, None)) is not None:
                if isinstance(chunk, ModelReply):
                    return chunk
                yield from self.turn.take_in(chunk, self._plan.clock())
                if self._cancel.cancelled:
                    return None
        except AgentError:
            raise
        except Exception as error:  # a model of the user's own may raise anything
            raise ModelError(
                f"The model {plan.model.name} raised {_told(error)}. This is a "
                "defect of its class: its stream() should raise a ModelError that says what to do."
            ) from error
        finally:
            if isinstance(chunks, Generator):
                within(chunks.close)
        if self._cancel.cancelled:
            return None
        raise ModelError(
            f"The model {plan.model.name} ended its turn without a reply. Its stream() must "
            "yield one ModelReply at the end."
        )

    def _context(self, request: ModelRequest) -> Callable[..., Any]:
        """What calls a function in the context of this request."""
        if self.enter is None:
            return _directly
        context = contextvars.copy_context()
        context.run(self.enter, self._plan.model, request)
        return context.run

    def _tell(self, done: Shortening | None) -> Iterator[Event]:
        """Tell the reader that room was made; put a summary of what went in its place."""
        if done is None:
            return
        text = str(done)
        if self._plan.summarise and done.left_out:
            try:
                room = self.talk.window.room(_TO_SUMMARISE)
                summary, usage = summarise(self._plan.model, done.left_out, self._cancel, room)
            except Exception as error:  # noqa: BLE001 - see _attempt; the run does without
                summary, usage = "", Usage()
                why = error if isinstance(error, AgentError) else f"{_told(error)}."
                text += f" They could not be summarised: {why}"
            self.usage += usage
            if summary:
                self.talk.window.put_summary(summary)
                text += " A summary stands in the place of the old turns."
        yield Notice(at=self._plan.clock(), kind="context", text=text)


def _directly(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _told(error: Exception) -> str:
    # Clients quote the headers of what they sent.
    return str(without_secrets(f"{type(error).__name__}: {text_of(error)}"))


def _spec_json(spec: ToolSpec) -> str:
    return json.dumps([spec.name, spec.description, spec.input_schema], default=str)
