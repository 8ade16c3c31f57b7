"""``minimalagent-nb doctor``: what is here, what would be used and why, what to do next.

Imports config, models and sessions; rich for the page.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from minimalagent_nb._version import __version__
from minimalagent_nb.cli.output import page, print_json
from minimalagent_nb.config import Settings, resolve_settings
from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.secrets import without_secrets

__all__ = ["Finding", "examine", "print_findings", "run_doctor"]

State = Literal["ok", "note", "problem"]

_INDENT = 19
"""Columns before a finding's text."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` is what to do next, a way to a line."""

    topic: str
    state: State
    text: str
    advice: str = ""


def run_doctor(*, ask: bool = False, as_json: bool = False) -> int:
    """Print the findings; 1 where one of them is a problem, else 0."""
    findings = examine(ask=ask)
    if as_json:
        print_json("doctor", findings=[dataclasses.asdict(finding) for finding in findings])
    else:
        print_findings(findings)
    return 1 if any(finding.state == "problem" for finding in findings) else 0


def print_findings(findings: Sequence[Any]) -> None:
    """Print findings, this room's or those about a table, each with its advice."""
    from rich.text import Text

    from minimalagent_nb.widgets.figures import clean

    console = page()
    styles = {"ok": "green", "note": "yellow", "problem": "red"}
    for finding in findings:
        line = Text.assemble(
            (f"{finding.state:<8}", styles[finding.state]), (f"{finding.topic:<11}", "bold")
        )
        text = Text(clean(finding.text))
        # In a pipe a finding stays one line.
        room = console.width - _INDENT if console.is_terminal else len(text) + 1
        first, *rest = text.wrap(console, max(room, 20)) or [text]
        console.print(line.append(first), soft_wrap=True)
        for part in rest:
            console.print(Text(" " * _INDENT).append(part), soft_wrap=True)
        for way in clean(finding.advice).splitlines():
            console.print(Text(f"{'':<{_INDENT}}→ {way}", style="dim"), soft_wrap=True)


def examine(*, ask: bool = False) -> list[Finding]:
    """All findings, in the order in which they are read.

    Args:
        ask: also have the model answer one short request.
    """
    findings = [_package(), *_front_end(), _server_extension()]
    try:
        settings = resolve_settings()
    except ConfigurationError as error:
        return [*findings, Finding("settings", "problem", str(error)), _demo()]
    findings += [_settings(settings), *_model(settings, ask), _memory(settings), _demo()]
    return findings


def _package() -> Finding:
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("package", "ok", f"minimalagent-nb {__version__}, {python}")


def _front_end() -> list[Finding]:
    """The kernel's side has to be in this environment, the page's may be in another one."""
    kernel = _versions("ipython", "ipykernel", "ipywidgets", "anywidget")
    findings = [Finding("kernel", "ok", kernel)]
    if _version("ipykernel") is None:
        advice = "pip install ipykernel"
        findings = [Finding("kernel", "note", f"{kernel}; no ipykernel: terminal only", advice)]
    page = _versions("jupyterlab", "notebook", "jupyterlab-widgets")
    if _version("jupyterlab") is None and _version("notebook") is None:
        text = "no JupyterLab or Notebook in this environment; one in another may use its kernel"
        return [*findings, Finding("page", "note", text, "pip install jupyterlab")]
    return [*findings, Finding("page", "ok", page)]


def _server_extension() -> Finding:
    if importlib.util.find_spec("jupyter_server") is None:
        return Finding("server", "note", "no Jupyter Server in this environment")
    from jupyter_core.paths import jupyter_config_path

    name = Path("jupyter_server_config.d") / "minimalagent_nb.json"
    if any((Path(folder) / name).is_file() for folder in jupyter_config_path()):
        return Finding("server", "ok", "the server extension is enabled")
    advice = "install the package in the environment of Jupyter Server, not only in the kernel's"
    return Finding("server", "note", "the server extension is not enabled here", advice)


def _settings(settings: Settings) -> Finding:
    chosen = {name: place for name, place in settings.sources.items() if place != "default"}
    if not chosen:
        return Finding("settings", "ok", "all at their defaults")
    shown = [
        f"{name} = {_shown(name, getattr(settings, name))} ({place})"
        for name, place in chosen.items()
    ]
    return Finding("settings", "ok", "; ".join(shown))


def _shown(name: str, value: Any) -> str:
    """A value on a line. It may be a long prompt, and the page is one that people post."""
    from minimalagent_nb.widgets.figures import count

    # What nobody should read may stand in the rules themselves.
    text = count(len(value), "rule") if name == "redact" else without_secrets(str(value))
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:60] + " …"


def _model(settings: Settings, ask: bool) -> list[Finding]:
    from minimalagent_nb.models import describe_choice, find_model

    try:
        model = find_model(settings.model, region=settings.bedrock_region)
    except AgentError as error:
        first, *ways = str(error).splitlines()
        return [Finding("model", "problem", first, "\n".join(way.strip() for way in ways))]
    text = describe_choice(settings.model, region=settings.bedrock_region)
    if ask:
        return [Finding("model", "ok", text), _answer(model)]
    advice = "minimalagent-nb doctor --ask   has it answer: credentials, permissions and network"
    return [Finding("model", "ok", text, advice)]


def _answer(model: Any) -> Finding:
    """Whether the model answers: credentials, permissions and network in one."""
    from minimalagent_nb.engine import Agent

    try:
        result = Agent(model=model, show_reasoning=False).run("Answer with one word: ready?")
    except AgentError as error:
        return Finding("answer", "problem", str(error))
    return Finding("answer", "ok", f"{model.name} answers ({result.usage.total_tokens} tokens)")


def _memory(settings: Settings) -> Finding:
    from minimalagent_nb.sessions import open_log

    log = open_log(settings)
    if log is None:
        return Finding("memory", "note", "none: conversations end with the kernel")
    try:
        log.sessions(limit=1)
    except AgentError as error:
        return Finding("memory", "problem", str(error))
    finally:
        log.close()
    return Finding("memory", "ok", f"{log.description} can be read")


def _demo() -> Finding:
    from minimalagent_nb.models.local_engine import check_installed
    from minimalagent_nb.models.weights import DEMO_WEIGHTS, weights_path

    try:
        check_installed()
    except ConfigurationError as error:
        text = "the demonstration model, which needs no account, cannot be run"
        return Finding("demo", "note", text, str(error))
    size = f"{DEMO_WEIGHTS.wheel_size / 1e6:.0f} MB"
    there = "are there" if weights_path().is_file() else f"({size}) will be fetched then"
    text = f"the demonstration model can be run, its weights {there}: minimalagent-nb demo"
    return Finding("demo", "ok", text)


def _versions(*names: str) -> str:
    found = [(name, _version(name)) for name in names]
    return ", ".join(f"{name} {version}" for name, version in found if version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
