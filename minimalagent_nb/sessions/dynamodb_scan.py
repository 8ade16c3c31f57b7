"""The sessions of a table that has no list of them: the one place that scans.

Imports errors and its siblings; botocore's exceptions, when it is used.
"""

from __future__ import annotations

import re
from typing import Any

from minimalagent_nb.errors import SessionReadError
from minimalagent_nb.sessions.dynamodb_client import open_client
from minimalagent_nb.sessions.dynamodb_errors import error_code, explain

__all__ = ["sessions_in_table"]

_HEAD = re.compile(r"(?:messages|reasoning)#([A-Za-z0-9_-]{1,128})")


def sessions_in_table(table_name: str, region: str, *, client: Any = None) -> list[str]:
    """The ids of all sessions in a table, whoever wrote them, in order.

    Reads the keys of the whole table, at the price of all that is in it; needs
    ``dynamodb:Scan``.

    Args:
        client: a ready low-level client; None to make one for the region.

    Raises:
        SessionReadError: the table could not be read.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    found: set[str] = set()
    request: dict[str, Any] = {"TableName": table_name, "ProjectionExpression": "pk"}
    try:
        client = client or open_client(region)
        while True:
            page = client.scan(**request)
            keys = (item.get("pk", {}).get("S", "") for item in page.get("Items", ()))
            found.update(match[1] for match in map(_HEAD.fullmatch, keys) if match)
            if not page.get("LastEvaluatedKey"):
                return sorted(found)
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    except (ClientError, BotoCoreError, ValueError) as error:
        why = explain(error, table_name, region)
        if error_code(error) == "AccessDeniedException":
            why = "finding the sessions of another program needs dynamodb:Scan on it, once."
        raise SessionReadError(
            f"The table {table_name} in {region} could not be searched: {why}"
        ) from error
