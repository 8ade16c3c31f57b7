"""Every error of boto3, botocore and urllib3 in the package's own words.

The one place where vendor errors are told apart. Imports the errors, botocore's
exceptions and urllib3's. Messages name the model, the region and what to do next; they
never hold credentials, so the service's own text is left out wherever it may quote the
signed request.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import botocore.exceptions as boto
from botocore.eventstream import ParserError
from urllib3.exceptions import HTTPError

from minimalagent_nb.errors import (
    AgentError,
    ConfigurationError,
    ContextWindowError,
    ModelAccessError,
    ModelError,
    ModelRequestError,
    ModelStreamError,
    ModelThrottledError,
    ModelUnavailableError,
)
from minimalagent_nb.models.protocol import ModelReply

__all__ = [
    "CALL_ERRORS",
    "STREAM_ERRORS",
    "BrokenTurn",
    "broken_call",
    "broken_turn",
    "malformed_turn",
    "translate",
    "unread_answer",
]

CALL_ERRORS = (boto.ClientError, boto.BotoCoreError, HTTPError)
"""What a call of the client raises; with ValueError also what its making raises."""

STREAM_ERRORS = (*CALL_ERRORS, ParserError, OSError, ValueError)
"""What reading the events raises: botocore hands urllib3's errors through there.

ValueError is what a TLS connection says when a read comes after its shutdown.
"""

SIGN_IN = (
    "Run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
    "or a Bedrock API key in AWS_BEARER_TOKEN_BEDROCK."
)


def _known(*names: str) -> tuple[type[Exception], ...]:
    """Those of botocore's exceptions that the installed version has."""
    return tuple(getattr(boto, name) for name in names if hasattr(boto, name))


_CREDENTIAL_ERRORS = _known(
    "NoCredentialsError",
    "NoAuthTokenError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "MetadataRetrievalError",
    "SSOError",
    "LoginError",
)
_CONFIGURATION_ERRORS: tuple[type[Exception], ...] = (
    ValueError,
    *_known(
        "ConfigParseError",
        "EndpointProviderError",
        "InvalidConfigError",
        "InvalidEndpointConfigurationError",
    ),
)

_EXPIRED = {"ExpiredToken", "RequestExpired", "LoginRefreshRequired"}
_NOT_ACCEPTED = {
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "InvalidSignature",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "NotAuthorized",
}
_DENIED = {"AccessDenied", "UnauthorizedOperation", "OptInRequired"}
_THROTTLED = {
    "Throttling",
    "ThrottledRequest",
    "TooManyRequests",
    "RequestLimitExceeded",
    "ModelNotReady",
    "ServiceQuotaExceeded",
}
_UNAVAILABLE = {"InternalServer", "ServiceUnavailable", "ModelTimeout", "ModelError"}
_RETRIED_IN_STREAM = {"Throttling", "ModelStreamError", "InternalServer", "ServiceUnavailable"}

_HINTS = (
    (
        "on-demand throughput",
        "Use the id of an inference profile instead: the model id with a region in front, "
        "such as us.{model}.",
    ),
    ("model identifier is invalid", "Check the model id, and that {region} offers this model."),
    ("in streaming mode", "Pass streaming=False to Bedrock."),
    ("maximum tokens", "Lower maxTokens in inferenceConfig."),
    ("max_tokens", "Lower maxTokens in inferenceConfig."),
)
"""Part of a ValidationException's text, and what helps; read by people, no control flow."""


_TOO_LONG = re.compile(
    r"input is too long|prompt is too long|too many (input )?tokens|too many total text bytes"
    r"|maximum context length|context (limit|length|window)|input tokens? (count )?exceed"
    r"|number of (input )?tokens exceeds|exceeds the maximum (number of|input) tokens",
    re.IGNORECASE,
)
"""What the models behind the service say of a conversation that is longer than they can read.

The service has no code for it: a ValidationException is all there is.
"""


def translate(error: Exception, model_id: str, region: str | None) -> AgentError:
    """The package's error for one of boto3's."""
    where = f"{model_id} in {region}" if region else model_id
    if isinstance(error, boto.ClientError):
        return _of_service(error, model_id, region, where)
    if isinstance(error, boto.NoRegionError):
        return ConfigurationError(
            'No AWS region is set. Pass region="us-west-2" to Bedrock, or set AWS_REGION.'
        )
    if isinstance(error, boto.ProfileNotFound):
        return ModelAccessError(
            f"{error}. Set AWS_PROFILE to one that `aws configure list-profiles` shows, or unset "
            "it."
        )
    if isinstance(error, _CREDENTIAL_ERRORS):
        return _of_credentials(error, where)
    if isinstance(error, boto.ParamValidationError):
        return ModelRequestError(
            f"The request to {where} is not well formed: {_readable(str(error))} "
            "Check the model's options."
        )
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError, HTTPError, OSError)):
        return ModelUnavailableError(
            f"Bedrock could not be reached for {where} ({_readable(str(error))}). "
            "Check the network, the region and AWS_ENDPOINT_URL_BEDROCK_RUNTIME, and ask again."
        )
    if isinstance(error, _CONFIGURATION_ERRORS):
        return ConfigurationError(
            f"boto3 is not well configured for {where}: {_readable(str(error)).rstrip('.')}. "
            "Check the region, AWS_ENDPOINT_URL_BEDROCK_RUNTIME and the AWS configuration file."
        )
    return ModelError(
        f"boto3 failed for {where}: {_readable(str(error)).rstrip('.')}. "
        "Check the AWS configuration."
    )


def _of_credentials(error: Exception, where: str) -> AgentError:
    name = type(error).__name__
    if "SSO" in name or "Login" in name or "Token" in name:
        return ModelAccessError(
            f"The AWS sign-in for {where} is missing or has expired ({name}). "
            "Sign in again (`aws sso login` or `aws login`), then ask again."
        )
    what = "incomplete" if isinstance(error, boto.PartialCredentialsError) else "missing"
    return ModelAccessError(f"AWS credentials for {where} are {what} ({name}). {SIGN_IN}")


def _of_service(
    error: boto.ClientError, model_id: str, region: str | None, where: str
) -> AgentError:
    code, status = _code(error), _status(error)
    said = _readable(str(error.response.get("Error", {}).get("Message", "")))
    if code in _EXPIRED:
        return ModelAccessError(
            f"The AWS credentials for {where} have expired. Sign in again "
            "(`aws sso login`, or fresh keys and session token), then ask again."
        )
    if code in _NOT_ACCEPTED or status == 401:
        return ModelAccessError(
            f"AWS does not accept the credentials for {where} ({code}). {SIGN_IN}"
        )
    if code in _DENIED or status == 403:
        return ModelAccessError(
            f"Bedrock denies access to {where}: {said} The credentials need the IAM actions "
            "bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream for this model, and "
            "the account needs access to it (Bedrock console, Model access)."
        )
    if code == "ResourceNotFound" or status == 404:
        return ModelRequestError(
            f"There is no {where}: {said} Check the model id, and that the region offers it."
        )
    if code in _THROTTLED or status == 429:
        return ModelThrottledError(
            f"Bedrock is throttling {where}: {said} Wait a little and ask again, "
            "or have the quota raised (Service Quotas, Amazon Bedrock)."
        )
    if code in _UNAVAILABLE or status >= 500:
        return ModelUnavailableError(
            f"Bedrock failed for {where} ({code}): {said} Ask again in a moment."
        )
    if _TOO_LONG.search(said):
        return ContextWindowError(
            f"The conversation is longer than {where} can read: {said} Start a new session, or "
            "ask with fewer and shorter tool results, or use a model with a larger context window."
        )
    hint = _hint(said, model_id, region)
    return ModelRequestError(f"Bedrock refused the request to {where} ({code}): {said} {hint}")


def _hint(said: str, model_id: str, region: str | None) -> str:
    for part, hint in _HINTS:
        if part in said.lower():
            return hint.format(model=model_id, region=region)
    return (
        "Check the model id and the options; `agent.run` with a new session rules out the history."
    )


@dataclass(frozen=True)
class BrokenTurn:
    """A turn that broke off, or did not begin, and may be tried again.

    Attributes:
        reason: what happened, in a few words.
        final: the error to raise when no attempt is left.
        cause: what boto3 raised, None where the answer just ended.
        attempts: how often such a turn is asked for in all.
        after: seconds to wait that the service asks for, None where it does not.
        reply: what to make do with when no attempt is left, instead of an error.
    """

    reason: str
    final: AgentError
    cause: Exception | None = None
    attempts: int = 3
    after: float | None = None
    reply: ModelReply | None = None


def broken_call(error: Exception, model_id: str, region: str | None) -> BrokenTurn:
    """What to do about a call that failed with `error` before there was an answer.

    Raises:
        AgentError: where another attempt would not help.
    """
    final = translate(error, model_id, region)
    code = _code(error) if isinstance(error, boto.ClientError) else type(error).__name__
    passing = isinstance(final, (ModelThrottledError, ModelUnavailableError))
    # A model that took minutes once will do so again; a quota does not grow by waiting.
    if not passing or code == "ServiceQuotaExceeded" or isinstance(error, boto.ReadTimeoutError):
        raise final from error
    what = "is throttling" if isinstance(final, ModelThrottledError) else "is not available"
    return BrokenTurn(f"Bedrock {what} ({code})", final, error, 5, _retry_after(error))


def broken_turn(error: Exception | None, model_id: str, region: str | None) -> BrokenTurn:
    """What to do about a stream that failed with `error`, or that ended without messageStop.

    Raises:
        AgentError: where another attempt would not help.
    """
    where = f"{model_id} in {region}" if region else model_id
    if isinstance(error, boto.ClientError):
        code = _code(error)
        final = translate(error, model_id, region)
        if code not in _RETRIED_IN_STREAM:
            raise final from error
        if code == "ModelStreamError":
            final = _stream_error(where, str(error.response["Error"].get("Message", "")))
        return BrokenTurn(f"Bedrock reported {code} in mid-answer", final, error)
    if error is None:
        return BrokenTurn("the answer ended early", _stream_error(where, "it has no end"))
    name = type(error).__name__
    if isinstance(error, (ParserError, ValueError)) and not isinstance(error, HTTPError):
        reason = f"the answer cannot be read ({_readable(str(error))})"
        return BrokenTurn(reason, _stream_error(where, str(error)), error)
    return BrokenTurn(f"the connection broke off ({name})", _stream_error(where, name), error)


def unread_answer(error: Exception, model_id: str, region: str | None) -> BrokenTurn:
    """What to do about an answer that botocore's parser failed on.

    The parser has no error of its own for an answer that is not what the service model
    says, such as a proxy's: it fails as any code does that is given what it cannot read.

    Raises:
        `error` itself, where other code failed with it, such as a handler of the client's.
    """
    frames = traceback.walk_tb(error.__traceback__)
    if all(frame.f_globals.get("__name__") != "botocore.parsers" for frame, _ in frames):
        raise error
    where = f"{model_id} in {region}" if region else model_id
    final = _stream_error(where, "it is no answer of Converse")
    return BrokenTurn(f"the answer cannot be read ({type(error).__name__})", final, error)


def malformed_turn(reply: ModelReply, model_id: str, region: str | None) -> BrokenTurn:
    """What to do about an answer that the model itself has spoiled."""
    where = f"{model_id} in {region}" if region else model_id
    final = ModelStreamError(
        f"{where} wrote an answer that cannot be read ({reply.stop_reason}), again and again. "
        "Ask in other words, or use another model."
    )
    readable = any(block.get("text", "").strip() for block in reply.message["content"])
    reason = f"the model's answer cannot be read ({reply.stop_reason})"
    return BrokenTurn(reason, final, reply=reply if readable else None)


def _retry_after(error: Exception) -> float | None:
    """The seconds of a Retry-After header; its form as a date is not one that AWS sends."""
    response = getattr(error, "response", None) or {}
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _stream_error(where: str, detail: str) -> ModelStreamError:
    return ModelStreamError(
        f"The answer of {where} broke off again and again ({_readable(detail)}). "
        "Ask again; if it goes on, check the network, or pass streaming=False to Bedrock."
    )


def _code(error: boto.ClientError) -> str:
    """The error's code without "Exception", in streams and outside of them the same."""
    code = str(error.response.get("Error", {}).get("Code", "")) or "Unknown"
    code = code[0].upper() + code[1:]
    return code.removesuffix("Exception")


def _status(error: boto.ClientError) -> int:
    metadata = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0) if isinstance(metadata, Mapping) else 0
    return status if isinstance(status, int) else 0


_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")
_LONGEST = 400


def _readable(text: str) -> str:
    """Vendor text on one line, cut, without access key ids."""
    text = _ACCESS_KEY.sub("(access key)", " ".join(text.split()))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
