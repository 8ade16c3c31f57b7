"""`RunResult`: what a run gives back. Imports the values of the ground floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.events import Outcome, Usage
from minimalagent_nb.messages import Message
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.representation import mimebundle

__all__ = ["RunResult"]


@dataclass(frozen=True)
class RunResult:
    """The answer of a run, and how it came about.

    Prints as the answer, and unpacks as documented:
    ``response, reasoning = agent.run(...)``.

    Attributes:
        response: the answer.
        reasoning: what the agent did, step by step.
        messages: the whole conversation, this run's messages at its end, in
            Converse's own shape.
        output: the structured output where one was asked for, else None.
    """

    response: str
    reasoning: Reasoning
    messages: list[Message] = field(default_factory=list, repr=False)
    output: Any = None

    @property
    def outcome(self) -> Outcome:
        """How the run came out, such as ``answered`` or ``cut_off``; see `Reasoning.outcome`."""
        return self.reasoning.outcome

    @property
    def usage(self) -> Usage:
        """Tokens of the whole run."""
        return self.reasoning.usage

    def __iter__(self) -> Iterator[Any]:
        return iter((self.response, self.reasoning))

    def __getitem__(self, index: int) -> Any:
        return (self.response, self.reasoning)[index]

    def __len__(self) -> int:
        return 2

    def __str__(self) -> str:
        return self.response

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any] | None:
        return mimebundle(self)

    def show(self, *, live: bool = False) -> None:
        """Show the run as the tree in the cell's output; see `Reasoning.show`."""
        self.reasoning.show(live=live)

    def __repr__(self) -> str:
        shown = self.response if len(self.response) <= 80 else self.response[:79] + "…"
        return (
            f"RunResult({shown!r}, steps={self.reasoning.total_steps}, "
            f"tokens={self.usage.total_tokens:,})"
        )
