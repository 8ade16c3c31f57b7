"""What ``%config AgentMagics`` refuses at the assignment: what no prompt could use.

Only what is known without a network and without heavy imports. A name may be that of a
variable which a later cell makes. Imports config and the workbench; models, late.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from traitlets import TraitError

from minimalagent_nb.config import check_setting
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.state import MODEL_WORDS, POLICIES, Workbench

__all__ = ["SettingError", "check_assignment"]


class SettingError(ConfigurationError, TraitError):
    """A setting cannot have this value; as traitlets' own error, so that the value before stays."""


def check_assignment(name: str, value: Any, bench: Workbench) -> None:
    """Refuse a value of the setting `name` that no prompt could use.

    Raises:
        SettingError: it says what is possible.
    """
    try:
        if name == "approver":
            _check_approver(value, bench)
            return
        check_setting(name, value, "%config AgentMagics")
        if name == "model":
            _check_model(value, bench)
    except ConfigurationError as error:
        raise SettingError(str(error)) from None


def _check_approver(policy: str, bench: Workbench) -> None:
    if bench.namespace.get(policy) is None and policy.isidentifier():
        near = get_close_matches(policy.lower(), POLICIES, n=1, cutoff=0.8)
        if near and policy not in POLICIES:
            raise ConfigurationError(
                f"%config AgentMagics.approver = {policy!r}: there is no variable of that name. "
                f"Did you mean {near[0]!r}?"
            )
        return
    bench.approver(policy)


def _check_model(model: str, bench: Workbench) -> None:
    from minimalagent_nb.models.choice import check_spec

    if bench.namespace.get(model) is not None:
        bench.variable_model(model)
    elif not model.isidentifier() or model in MODEL_WORDS:
        check_spec(model)
