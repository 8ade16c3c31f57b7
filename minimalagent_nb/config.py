"""The settings: one frozen value, and where each part of it came from.

Imports errors and secrets; a TOML reader only where there is a project file. Nearest first:

1. the call's own argument,
2. ``%config AgentMagics``,
3. the environment: ``MINIMALAGENT_NB_`` and the setting's name in capitals,
4. ``[tool.minimalagent_nb]`` of the nearest ``pyproject.toml``,
5. the default.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.secrets import without_secrets

__all__ = [
    "ENVIRONMENT_PREFIX",
    "PROJECT_TABLE",
    "Settings",
    "check_setting",
    "resolve_settings",
]

ENVIRONMENT_PREFIX = "MINIMALAGENT_NB_"
PROJECT_TABLE = "minimalagent_nb"


@dataclass(frozen=True)
class Settings:
    """What a notebook, the server and the command line go by.

    Attributes:
        model: model id; empty to choose by the credentials that are found.
        bedrock_region: AWS region of the models.
        memory_region: AWS region of the session table; None for `bedrock_region`.
        memory: ``sqlite`` (a file in the user's data directory), ``sqlite:///PATH``,
            ``dynamodb`` or ``none``.
        session_table_name: DynamoDB table. Chosen without `memory`, it stands for
            the memory ``dynamodb`` as well.
        session_ttl: seconds until what is stored expires; None for no expiry.
        max_steps: turns of the model in one run.
        real_time_reasoning: store what the agent does while it does it.
        show_reasoning: show the tree, or print it in a terminal.
        system_prompt: instructions that go with every request.
        log_level: one of Python's own level names.
        context_budget: characters that one ``{name}`` in a prompt may take.
        redact: regular expressions; what they match is not stored or traced.
        otel: ``on`` for spans and metrics of every run (see `tracing`), ``content`` for what
            was said in them as well, ``events`` for that in events of the logs signal instead,
            ``off`` for none.
        sources: for each setting, where its value came from.
    """

    model: str = ""
    bedrock_region: str = "us-west-2"
    memory_region: str | None = None
    memory: str = "sqlite"
    session_table_name: str = "minimalagent-session-table"
    session_ttl: int | None = None
    max_steps: int = 20
    real_time_reasoning: bool = True
    show_reasoning: bool = True
    system_prompt: str = ""
    log_level: str = "WARNING"
    context_budget: int = 20_000
    redact: tuple[str, ...] = ()
    otel: str = "off"
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def resolve_settings(
    call: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Settings:
    """Gather the settings from all their sources; setting by setting the nearest one wins.

    A value of None counts as not given, as an empty environment variable does. The
    text ``none`` stands for the value None where a setting allows it.

    Args:
        call: arguments of the call, by setting.
        config: what ``%config AgentMagics`` holds, by setting.
        environ: environment variables, by default those of the process.
        directory: where the search for ``pyproject.toml`` begins and goes upwards,
            by default the current one.

    Raises:
        ConfigurationError: a setting is unknown or has a value that cannot be used,
            or the project file cannot be read.
    """
    layers = [
        _given(call or {}, "call argument"),
        _given(config or {}, "%config AgentMagics"),
        _from_environment(os.environ if environ is None else environ),
        _from_project(directory),
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(_PARSERS, "default")
    for layer in reversed(layers):
        for name, (value, source) in layer.items():
            values[name] = _parse(name, value, source)
            sources[name] = source
    if sources["memory"] == "default" and sources["session_table_name"] != "default":
        values["memory"] = "dynamodb"
        sources["memory"] = f"session_table_name, from {sources['session_table_name']}"
    return Settings(**values, sources=sources)


def check_setting(name: str, value: Any, source: str) -> None:
    """Refuse a value that the setting `name` cannot have.

    Raises:
        ConfigurationError: it names `source`, and what the setting accepts.
    """
    _parse(name, value, source)


_Layer = dict[str, tuple[Any, str]]


def _given(values: Mapping[str, Any], source: str) -> _Layer:
    for name in values:
        if name not in _PARSERS:
            raise ConfigurationError(_unknown(name, source))
    return {name: (value, source) for name, value in values.items() if value is not None}


def _unknown(name: str, source: str) -> str:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), _PARSERS, n=1)
    advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(_PARSERS)}."
    return f"Unknown setting {_shown(name)} ({source}). {advice}"


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    variables = {name: ENVIRONMENT_PREFIX + name.upper() for name in _PARSERS}
    for variable in environ.keys() - variables.values():
        if variable.startswith(ENVIRONMENT_PREFIX):
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            raise ConfigurationError(_unknown(name, f"environment variable {variable}"))
    return {
        name: (environ[variable], f"environment variable {variable}")
        for name, variable in variables.items()
        if environ.get(variable, "").strip()
    }


def _from_project(directory: str | os.PathLike[str] | None) -> _Layer:
    path = _project_file(directory)
    if path is None:
        return {}
    place = f"pyproject.toml (directory {path.parent.name or path.parent.anchor!r})"
    tool = _read_toml(path, place).get("tool")
    table = tool.get(PROJECT_TABLE, {}) if isinstance(tool, Mapping) else {}
    if not isinstance(table, Mapping):
        raise ConfigurationError(
            f"tool.{PROJECT_TABLE} in {place} is not a table. "
            f"Write [tool.{PROJECT_TABLE}] on a line of its own, the settings below it."
        )
    layer = _given(table, f"[tool.{PROJECT_TABLE}] in {place}")
    if "memory" in layer:
        value, source = layer["memory"]
        layer["memory"] = (_beside(path, value), source)
    return layer


def _project_file(directory: str | os.PathLike[str] | None) -> Path | None:
    try:
        start = Path(directory or os.curdir).resolve()
        folders = [start, *start.parents]
        return next((f for folder in folders if (f := folder / "pyproject.toml").is_file()), None)
    except (FileNotFoundError, PermissionError):
        # The current directory was removed, or may not be looked into: no project is there.
        return None


def _read_toml(path: Path, place: str) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(
            f"{place} cannot be read: {error.strerror}. Make it readable, or move it away."
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"{place} is not valid TOML: {error}. Correct it.") from error


def _beside(project_file: Path, memory: Any) -> Any:
    """Make the relative path of a SQLite memory absolute.

    A project's notebooks lie in several folders and are to share one store.
    """
    prefix = "sqlite:///"
    if not isinstance(memory, str) or not memory.startswith(prefix):
        return memory
    path = memory[len(prefix) :]
    if not path or path.startswith("~") or Path(path).is_absolute():
        return memory
    return prefix + (project_file.parent / path).as_posix()


def _parse(name: str, value: Any, source: str) -> Any:
    parser, accepted = _PARSERS[name]
    try:
        return parser(value)
    except ValueError:
        raise ConfigurationError(
            f"Setting {name} cannot be {_shown(value)} ({source}). Accepted: {accepted}."
        ) from None


def _shown(value: Any) -> str:
    # Before it is cut: of half a secret nobody would know that it is one.
    text = str(without_secrets(repr(value)))
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = _text(value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError


def _positive(value: Any) -> int:
    number = int(value) if isinstance(value, str) else value
    # True is an int in Python, and never meant as a number of anything.
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ValueError
    return number


def _optional(parser: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() == "none" else parser(value)

    return parse


def _matching(pattern: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        text = _text(value).strip()
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return parse


def _memory(value: Any) -> str:
    text = _text(value).strip()
    if text.lower() in ("sqlite", "dynamodb", "none"):
        return text.lower()
    return _matching(r"sqlite:///[^\x00]+")(text)


def _patterns(value: Any) -> tuple[str, ...]:
    """Regular expressions, one on each line of a text, or a list of them."""
    several = value.splitlines() if isinstance(value, str) else value
    if not isinstance(several, (list, tuple)):
        raise ValueError
    patterns = tuple(_text(pattern) for pattern in several if _text(pattern).strip())
    try:
        # What matches the empty text would match everywhere.
        if any(re.match(pattern, "") for pattern in patterns):
            raise ValueError
    except re.error as error:
        raise ValueError from error
    return patterns


def _tracing(value: Any) -> str:
    if isinstance(value, str) and value.strip().lower() in ("content", "events"):
        return value.strip().lower()
    return "on" if _flag(value) else "off"


def _log_level(value: Any) -> str:
    return _matching("DEBUG|INFO|WARNING|ERROR|CRITICAL")(_text(value).upper())


_REGION = _matching(r"[A-Za-z0-9-]{1,63}")
_REGION_WORDS = "the name of an AWS region, such as us-west-2"
_POSITIVE_WORDS = "a whole number above 0"
_FLAG_WORDS = "true or false (1, yes, on; 0, no, off)"

# For each setting, what makes its value of what was given (a ValueError refuses it), and
# what it accepts, in words.
_PARSERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "model": (lambda value: _text(value).strip(), "a model id, or nothing"),
    "bedrock_region": (_REGION, _REGION_WORDS),
    "memory_region": (_optional(_REGION), f"{_REGION_WORDS}, or none for that of the models"),
    "memory": (_memory, "sqlite, sqlite:///PATH, dynamodb, none"),
    # The characters and the length that DynamoDB's CreateTable allows.
    "session_table_name": (
        _matching(r"[a-zA-Z0-9_.-]{3,255}"),
        "3 to 255 letters, digits, dots, underscores and dashes",
    ),
    "session_ttl": (_optional(_positive), f"seconds, {_POSITIVE_WORDS}, or none for no expiry"),
    "max_steps": (_positive, _POSITIVE_WORDS),
    "real_time_reasoning": (_flag, _FLAG_WORDS),
    "show_reasoning": (_flag, _FLAG_WORDS),
    "system_prompt": (_text, "text"),
    "log_level": (_log_level, "DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    "context_budget": (_positive, f"characters, {_POSITIVE_WORDS}"),
    "redact": (
        _patterns,
        "regular expressions that do not match the empty text, one on each line or in a list",
    ),
    "otel": (_tracing, "on, off, content, or events"),
}
