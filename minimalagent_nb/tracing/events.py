"""Events of the conventions, as log records with a name. Imports opentelemetry late.

``gen_ai.client.inference.operation.details`` holds what one request to a model was about, content
as structured values; ``gen_ai.client.operation.exception`` and ``gen_ai.execute_tool.exception``
say what failed. OpenTelemetry's Python API has them in ``opentelemetry._logs``, whose underscore
says that its names may still change; the separate events API is deprecated in its favour
(open-telemetry/opentelemetry-python#4644).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minimalagent_nb._version import __version__

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.context import Context

__all__ = ["Events", "open_events"]

_DEBUG, _WARN = 5, 13
"""The severities that the conventions ask for."""


class Events:
    """Emits events to a logger of OpenTelemetry's."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def details(self, context: Context, at: int, attributes: Mapping[str, Any]) -> None:
        """One request to a model; `at` is in nanoseconds since the epoch."""
        about = {name: _sendable(value) for name, value in attributes.items()}
        self._emit("gen_ai.client.inference.operation.details", _DEBUG, context, at, about)

    def exception(
        self, name: str, context: Context, at: int, kind: str, message: str | None
    ) -> None:
        """What an operation ended with."""
        about = {"exception.type": kind}
        if message:
            about["exception.message"] = message
        self._emit(name, _WARN, context, at, about)

    def _emit(
        self, name: str, severity: int, context: Context, at: int, attributes: Mapping[str, Any]
    ) -> None:
        from opentelemetry._logs import SeverityNumber

        self._logger.emit(
            timestamp=at,
            context=context,
            severity_number=SeverityNumber(severity),
            attributes=dict(attributes),
            event_name=name,
        )


def _sendable(value: Any) -> Any:
    """The value; lists of several kinds as JSON, of which SDKs before 1.45 make nothing.

    See open-telemetry/opentelemetry-python#4342.
    """
    if isinstance(value, Mapping):
        return {name: _sendable(item) for name, item in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    kinds = {Mapping if isinstance(item, Mapping) else type(item) for item in value}
    if len(kinds) > 1:
        return json.dumps(value, ensure_ascii=False, default=str)
    return [_sendable(item) for item in value]


def open_events(provider: LoggerProvider | None) -> Events | None:
    """Events to this provider, or the one that the process has set.

    None where the installed API cannot name a log record.
    """
    try:
        from opentelemetry._logs import get_logger
    except ImportError:
        return None
    logger = get_logger("minimalagent_nb", __version__, provider)
    names_records = "event_name" in inspect.signature(logger.emit).parameters
    return Events(logger) if names_records else None
