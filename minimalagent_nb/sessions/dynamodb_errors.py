"""What went wrong with DynamoDB, in words that say what to do: the one place for it.

Imports botocore's exceptions, when an error has come.
"""

from __future__ import annotations

import re

__all__ = ["ITEM_ACTIONS", "NO_PERMISSION", "error_code", "explain", "without_user"]

ITEM_ACTIONS = ("Query", "GetItem", "PutItem", "DeleteItem")
"""All that is asked of a table that is there."""
_ITEM_WORDS = "dynamodb:Query, dynamodb:GetItem, dynamodb:PutItem and dynamodb:DeleteItem"
_TABLE_WORDS = "dynamodb:CreateTable and dynamodb:UpdateTimeToLive"

NO_PERMISSION = ("AccessDeniedException", "AccessDenied")
_BAD_CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
)
_THROTTLED = (
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
)
_USER = re.compile(r"://[^/\s\"']*@")
_OTHER_PLACE = "or keep sessions in a file (setting memory: sqlite:///path)"


def error_code(error: BaseException) -> str:
    """The service's own code of an error answer, "" for any other error."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def explain(error: Exception, table: str, region: str) -> str:
    """One line: what happened, and what to do next."""
    code = error_code(error)
    said = _explain_answer(error, code, table, region) if code else _explain_client(error, region)
    return without_user(said)


def without_user(text: str) -> str:
    """The text without the names and passwords in its URLs, such as an endpoint's."""
    return _USER.sub("://", text)


def _explain_answer(error: Exception, code: str, table: str, region: str) -> str:
    """An answer of the service."""
    message = str(getattr(error, "response", {}).get("Error", {}).get("Message") or code)
    message = message.rstrip(". ")
    if code in NO_PERMISSION:
        return (
            f"{message}. Allow {_ITEM_WORDS} on the table {table} (and {_TABLE_WORDS} if it "
            "is to be created by itself)."
        )
    if code in _BAD_CREDENTIALS:
        return f"the AWS credentials were refused ({message}). Renew them and try again."
    if code in _THROTTLED:
        return (
            f"too many requests, after all retries ({message}). Wait a moment and try again, or "
            "give the table more capacity."
        )
    if code == "ResourceNotFoundException":
        return f"there is no such table in {region}. Create it, or check its name and region."
    if code == "ValidationException":
        return (
            f"{message}. The table needs pk (String) as partition key and sk (Number) as sort "
            "key; check its schema."
        )
    return f"{code}: {message}. Try again; if it stays, look the code up in DynamoDB's manual."


def _explain_client(error: Exception, region: str) -> str:
    """A failure on the way to the service, or before it."""
    from botocore import exceptions

    message = str(error).rstrip(". ")
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return (
            "no complete AWS credentials were found. Run `aws configure`, set AWS_PROFILE, "
            f"{_OTHER_PLACE}."
        )
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return (
            f"the service did not answer ({message}). Check the network, the region {region} and "
            "AWS_ENDPOINT_URL_DYNAMODB, and try again."
        )
    return f"{message}. Check the AWS settings, {_OTHER_PLACE}."
