"""The errors of the package: one tree, so that one ``except AgentError`` is enough.

Imports nothing.

    AgentError
    ├── ConfigurationError (also a ValueError): a parameter, option or setting is wrong
    │   ├── ToolDefinitionError: a function cannot be made into a tool
    │   ├── SessionIdError: a session id has characters or a length that are not allowed
    │   └── NoModelError: no model was chosen and none can be found
    ├── ModelError: the model could not give a usable answer
    │   ├── ModelAccessError: credentials are missing, expired or not permitted
    │   ├── ModelRequestError: the service refused the request as invalid
    │   │   └── ContextWindowError: the conversation is longer than the model can read
    │   ├── OutputValidationError: the answer does not fit the type that was asked for
    │   ├── ModelThrottledError: too many requests, after all retries
    │   ├── ModelUnavailableError: the service or the network failed, after all retries
    │   └── ModelStreamError: the answer broke off before it was complete, after all retries
    ├── SessionError: the session memory failed
    │   ├── SessionReadError: what is stored could not be read
    │   ├── SessionWriteError: something could not be stored
    │   └── RunOverError: what was asked of a run comes too late, or there is no such run
    ├── ToolServerError: a server of tools could not be started or reached
    └── RunStoppedError: the run was stopped by its user

Every message says what happened and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minimalagent_nb.reasoning import Reasoning

__all__ = [
    "AgentError",
    "ConfigurationError",
    "ContextWindowError",
    "ModelAccessError",
    "ModelError",
    "ModelRequestError",
    "ModelStreamError",
    "ModelThrottledError",
    "ModelUnavailableError",
    "NoModelError",
    "OutputValidationError",
    "RunOverError",
    "RunStoppedError",
    "SessionError",
    "SessionIdError",
    "SessionReadError",
    "SessionWriteError",
    "ToolDefinitionError",
    "ToolServerError",
]


class AgentError(Exception):
    """Root of all errors that the package raises on purpose.

    Attributes:
        reasoning: what the agent had done when the error came, or None where no
            run was under way. It is stored as well when the agent has a memory.
    """

    reasoning: Reasoning | None = None


class ConfigurationError(AgentError, ValueError):
    """A parameter, option or setting has a value that cannot be used."""


class ToolDefinitionError(ConfigurationError):
    """A function cannot be made into a tool as it is written."""


class SessionIdError(ConfigurationError):
    """A session id is not 1 to 128 letters, digits, underscores and dashes."""


class NoModelError(ConfigurationError):
    """No model was chosen, and none could be found by itself."""


class ModelError(AgentError):
    """The model could not give a usable answer."""


class ModelAccessError(ModelError):
    """Credentials are missing, expired, or lack a permission."""


class ModelRequestError(ModelError):
    """The service refused the request as invalid; sending it again would not help."""


class ContextWindowError(ModelRequestError):
    """The conversation is longer than the model can read."""


class OutputValidationError(ModelError):
    """The answer does not fit the type that was asked for, also after a repair."""


class ModelThrottledError(ModelError):
    """The service asked for fewer requests, and went on doing so after all retries."""


class ModelUnavailableError(ModelError):
    """The service or the way to it failed, and went on failing after all retries."""


class ModelStreamError(ModelError):
    """The answer broke off before it was complete, after all retries."""


class SessionError(AgentError):
    """The session memory failed."""


class SessionReadError(SessionError):
    """What is stored could not be read; nothing was asked of a model."""


class SessionWriteError(SessionError):
    """Something could not be stored."""


class RunOverError(SessionError):
    """What was asked of a run from outside comes too late, or there is no such run."""


class ToolServerError(AgentError):
    """A server of tools could not be started or reached."""


class RunStoppedError(AgentError):
    """The run was stopped; what was done until then is kept."""
