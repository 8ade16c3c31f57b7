"""What ``%config AgentMagics`` and IPython's configuration are refused: what no prompt could use.

Only what is known without a network and without heavy imports. A name may be that of a
variable which a later cell makes. Imports config and the workbench; models, late.
"""

from __future__ import annotations

import copy
from difflib import get_close_matches
from typing import Any

from traitlets import TraitError

from minimalagent_nb.config import check_setting
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.state import MODEL_WORDS, POLICIES, Workbench

__all__ = ["CONFIG", "SettingError", "check_assignment", "place_of", "storable", "why_refused"]

CONFIG = "%config AgentMagics"


class SettingError(ConfigurationError, TraitError):
    """A setting cannot have this value; as traitlets' own error, so that the value before stays."""


def check_assignment(name: str, value: Any, bench: Workbench, place: str = CONFIG) -> None:
    """Refuse a value of the setting `name` that no prompt could use.

    Args:
        place: where it was given.

    Raises:
        SettingError: it says what is possible.
    """
    try:
        if name == "approver":
            _check_approver(value, bench)
            return
        check_setting(name, value, place)
        if name == "model":
            _check_model(value, bench)
    except ConfigurationError as error:
        raise SettingError(str(error)) from None


def why_refused(name: str, value: Any, error: TraitError, bench: Workbench, place: str) -> str:
    """What `error` refused of a setting, told of values of a wrong type as of all others.

    Args:
        place: where it was given, `CONFIG` or what `place_of` found.
    """
    if name in ("approver", "model") and not isinstance(value, str):
        kind = value if isinstance(value, type) else type(value)
        return (
            f"Setting {name} cannot be an object ({kind.__name__}, {place}). Accepted: text; for "
            "what a variable holds, the variable's name in quotes."
        )
    try:
        check_assignment(name, value, bench, place)
    except SettingError as better:
        return str(better)
    return f"{error} ({place})"  # such as a number in quotes: traitlets says what is expected


def storable(value: Any) -> Any:
    """`value`, or its type where it cannot be copied, as traitlets and the shell do with it.

    No setting is such an object; but a model may be given in the place of its variable's name.
    """
    try:
        copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - whatever a class says to being copied
        return type(value)
    return value


def place_of(shell: Any, name: str) -> str:
    """Where the configuration that a shell holds has a value of this setting from."""
    app = shell
    while getattr(app, "parent", None) is not None:
        app = app.parent  # of a kernel's shell the kernel, and of that the application
    begun = app.config.get("AgentMagics", {}) if app is not shell else {}
    if name not in begun or begun[name] != shell.config.AgentMagics.get(name):
        return CONFIG  # before the extension was loaded anew
    files = getattr(app, "loaded_config_files", None) or ["what this IPython was begun with"]
    return f"AgentMagics.{name} in {' or '.join(files)}"


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
