"""Structured output: an answer of a given type, asked for by a tool that must be called.

The model works with its tools as ever and gives its answer as the arguments of one
more tool. An answer in words is asked for once again in this form, and one that does
not fit may be repaired once. Imports tools and the ground floor.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minimalagent_nb.errors import OutputValidationError
from minimalagent_nb.messages import Message, ToolUse, closing_message, user_message
from minimalagent_nb.models.protocol import ToolSpec
from minimalagent_nb.tools.schema import ArgumentsError
from minimalagent_nb.tools.typed import TypedValue

__all__ = ["OutputForm", "OutputRequest"]

_NAME = "final_answer"
_DESCRIPTION = "Give the final answer, once all that is needed for it is known."
_REPAIRS = 1
_REMINDERS = 1
_TAKEN = "The answer was taken."
_NOT_RUN = "Not run: the final answer was given in the same turn."


@dataclass(frozen=True)
class OutputForm:
    """The type of an answer, and the tool by which a model gives it."""

    value: TypedValue
    spec: ToolSpec

    @classmethod
    def of(cls, output_type: Any, taken: Sequence[str]) -> OutputForm:
        """The form of `output_type`; `taken` are the names that tools have already.

        Raises:
            ConfigurationError: the type has no JSON form.
        """
        value = TypedValue(output_type)
        name = _NAME
        while name in taken:
            name += "_"
        description = " ".join(filter(None, (_DESCRIPTION, value.description)))
        return cls(value, ToolSpec(name, description, value.schema))


class OutputRequest:
    """Whether a run has its output yet, and what is still to be tried.

    Attributes:
        output: the value, once it is there.
        found: whether it is there.
        due: whether the next turn must give it.
    """

    def __init__(self, form: OutputForm) -> None:
        self.form = form
        self.output: Any = None
        self.found = False
        self.due = False
        self._repairs = _REPAIRS
        self._reminders = _REMINDERS
        self._given_up: str | None = None

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.form.spec.name

    def take(self, calls: Sequence[ToolUse], broken: dict[str, str]) -> None:
        """Look for the output among the calls of a turn.

        One that does not fit is added to `broken`, with what is wrong with it.
        """
        for use in calls:
            call_id = use["toolUseId"]
            if use["name"] != self.name or call_id in broken:
                continue
            try:
                self.output = self.form.value.validate(use["input"])
            except ArgumentsError as error:
                broken[call_id] = str(error)
                continue
            self.found = True
            return
        if any(use["name"] == self.name for use in calls):
            self._use_up("_repairs", "; ".join(broken.values()))

    def check(self) -> None:
        """Called when a turn without the output is done with.

        Raises:
            OutputValidationError: nothing is left to be tried.
        """
        if self._given_up is not None:
            raise OutputValidationError(
                "The model gave no answer that fits the output type, also when it was asked "
                f"again ({self._given_up.rstrip('.')}). Make the type simpler, say in the prompt "
                "what its fields mean, or take a stronger model."
            )

    def remind(self, said: str) -> Message:
        """What to tell a model that has answered in words."""
        self._use_up("_reminders", f"it answered in words: {said[:200]}")
        return user_message(f"Give this answer by calling {self.name}.")

    def closing_messages(self, calls: Sequence[ToolUse]) -> list[Message]:
        """What the conversation needs behind the turn that gave the output."""
        results: list[Any] = []
        for use in calls:
            text = _TAKEN if use["name"] == self.name else _NOT_RUN
            results.append(
                {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": text}]}}
            )
        return [{"role": "user", "content": results}, closing_message(self.text())]

    def text(self) -> str:
        """The output as text for readers: its JSON."""
        data = self.form.value.to_json(self.output)
        return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, indent=2)

    def _use_up(self, kind: str, what: str) -> None:
        self.due = True
        left = getattr(self, kind)
        if left:
            setattr(self, kind, left - 1)
        else:
            self._given_up = what
