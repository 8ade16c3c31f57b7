"""Opens what an agent needs: its logger, its model, its memory, its approver.

Models and stores are opened late, by the factories of their rooms.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from minimalagent_nb.approval import Approval, ApprovalRequest, Approver
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError

if TYPE_CHECKING:
    from minimalagent_nb.models import Model
    from minimalagent_nb.redaction import Rule
    from minimalagent_nb.sessions import ItemStore, SessionLog

__all__ = ["open_approver", "open_memory", "open_model", "own_logger"]


def own_logger(name: str, level: int) -> logging.Logger:
    """A logger that no other agent shares: setting its level changes nobody else's."""
    logger = logging.Logger(f"minimalagent_nb.{name}", level)
    logger.parent = logging.getLogger("minimalagent_nb")
    if level < logging.WARNING and not logger.hasHandlers():
        # Whoever asks for more than warnings wants to see it without setting up logging.
        logger.addHandler(logging.StreamHandler())
    return logger


def open_model(model: Model | str | None, model_id: str, region: str) -> Model:
    """The model of this object or name; without one, the Bedrock model `model_id`."""
    if model is None:
        from minimalagent_nb.models import Bedrock

        return Bedrock(model_id=model_id, region=region)
    from minimalagent_nb.models import find_model

    return find_model(model, region=region)


def open_memory(
    memory: str | ItemStore | SessionLog | None,
    table_name: str,
    region: str,
    ttl: int | None,
    redact: Rule | Sequence[Rule] | None,
) -> SessionLog | None:
    """The session log over this store, None without one; sessions expire after `ttl` seconds."""
    if memory is None:
        return None
    from minimalagent_nb.sessions import SessionLog, open_store

    if isinstance(memory, SessionLog):
        if redact is not None:
            raise ConfigurationError("redact belongs to the SessionLog where memory is one.")
        return memory
    store = open_store(memory, table_name=table_name, region=region)
    return SessionLog(store, ttl=ttl, redact=redact) if store is not None else None


def open_approver(approver: Approver | str | None) -> Approver | None:
    """The approver for what an agent was given, None for the default one.

    Args:
        approver: called for each decision; ``"always"`` allows and ``"never"`` denies
            every call without asking.

    Raises:
        ConfigurationError: for anything else.
    """
    if approver is None or (callable(approver) and not isinstance(approver, str)):
        return approver
    if isinstance(approver, str) and approver in _POLICIES:
        return _POLICIES[approver]
    raise ConfigurationError(
        "approver must be a function of a request and a stop flag that returns an Approval "
        f"(see minimalagent_nb.approval), 'always' or 'never', not {approver!r:.60}."
    )


def _always(request: ApprovalRequest, cancel: CancelToken) -> Approval:
    return Approval("approved", by="policy")


def _never(request: ApprovalRequest, cancel: CancelToken) -> Approval:
    return Approval("denied", reason="This agent allows no such calls.", by="policy")


_POLICIES: dict[str, Approver] = {"always": _always, "never": _never}
