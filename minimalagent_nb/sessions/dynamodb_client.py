"""The boto3 client of the session table. Imports boto3 when it is asked for one."""

from __future__ import annotations

from typing import Any

__all__ = ["open_client"]


def open_client(region: str, session: Any = None) -> Any:
    """A low-level client, from the boto3.Session given or a new one.

    Raises:
        botocore's errors: the AWS settings cannot be used.
    """
    import boto3
    from botocore.config import Config

    return (session or boto3.Session()).client(
        "dynamodb",
        region_name=region,
        config=Config(
            connect_timeout=5,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 4},
        ),
    )
