"""`RunPlan`: everything a run needs to know. Imports protocols and the ground floor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minimalagent_nb.approval import Approver
from minimalagent_nb.engine.output import OutputForm
from minimalagent_nb.messages import ContentBlock, Message
from minimalagent_nb.models.protocol import Model
from minimalagent_nb.tools import Toolbox

__all__ = ["RunPlan"]


@dataclass(frozen=True)
class RunPlan:
    """Everything a run needs to know.

    Attributes:
        history: what was said before, as stored.
        context: content blocks that go before the query, in the same message.
        result_budget: characters of one tool result that the model is shown.
        thinking: tokens that the model may think for in a turn, None for its own way.
        output: the form of a structured answer, None for one in words.
        context_tokens: tokens that a request may have, None for what the model says.
        summarise: whether old turns that are left out are summarised by the model.
        loop: of an async caller, for async tools and those for the main thread.
        outer: of a sub-agent's run, performs its calls for the main thread.
        approver: decides on calls that need approval, None for the default one.
    """

    query: str
    model: Model
    toolbox: Toolbox
    history: Sequence[Message] = ()
    context: Sequence[ContentBlock] = ()
    system: str = ""
    max_steps: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    session_id: str | None = None
    agent: str = ""
    result_budget: int = 20_000
    thinking: int | None = None
    output: OutputForm | None = None
    context_tokens: int | None = None
    summarise: bool = False
    clock: Callable[[], float] = time.time
    loop: asyncio.AbstractEventLoop | None = None
    outer: Callable[[Any], None] | None = None
    approver: Approver | None = None
