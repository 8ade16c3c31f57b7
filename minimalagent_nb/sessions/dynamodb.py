"""The documented DynamoDB table, used with data-plane permissions alone.

Imports errors, secrets, items and the translation of errors; boto3 from outside, at
the first use of a store. Region, credentials, endpoint (``AWS_ENDPOINT_URL_DYNAMODB``)
and proxies are boto3's own matter.

The table is created by the first write that misses it. Nothing describes it first:
a role that may only read and write items is enough for a table that is there.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from minimalagent_nb.errors import ConfigurationError, SessionReadError, SessionWriteError
from minimalagent_nb.secrets import remember_client
from minimalagent_nb.sessions.dynamodb_client import open_client
from minimalagent_nb.sessions.dynamodb_errors import error_code, explain, without_user
from minimalagent_nb.sessions.forked import renew_in_children
from minimalagent_nb.sessions.items import Attribute, Item

__all__ = ["DEFAULT_REGION", "DEFAULT_TABLE", "DynamoDBStore", "check_table_name"]

DEFAULT_TABLE = "minimalagent-session-table"
DEFAULT_REGION = "us-west-2"

_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_MICROSECONDS = Decimal(1_000_000)
_KEYS = ("pk", "sk", "expiration_time")
_CREATION_SECONDS = 120.0
"""How long to wait for a table that is being created."""
_CREATION_POLL = 0.5


def check_table_name(table_name: str) -> str:
    """The name as it is.

    Raises:
        ConfigurationError: DynamoDB allows no such name.
    """
    if isinstance(table_name, str) and _TABLE_NAME.fullmatch(table_name):
        return table_name
    raise ConfigurationError(
        f"{table_name!r:.300} is no DynamoDB table name: use 3 to 255 letters, digits, dots, "
        "dashes and underscores."
    )


class DynamoDBStore:
    """Items in a DynamoDB table; an `ItemStore`.

    Args:
        table_name: 3 to 255 letters, digits, dots, dashes and underscores.
        region: where the table is; with `client` only named in messages.
        client: a ready low-level client to use and not to close; None to make one
            at the first use.
        session: the boto3.Session to make the client from.
        create_table: whether a write that misses the table creates it.
        clock: seconds since the epoch, by which items expire.

    Raises:
        ConfigurationError: the table's name is not allowed.
    """

    def __init__(
        self,
        table_name: str = DEFAULT_TABLE,
        region: str = DEFAULT_REGION,
        *,
        client: Any = None,
        session: Any = None,
        create_table: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._region = check_table_name(table_name), region
        self._client, self._owns_client = client, client is None
        self._session, self._create, self._clock = session, create_table, clock
        self._lock = threading.Lock()
        renew_in_children(self)

    others = ("minimalagent",)
    """Programs that keep sessions in such a table, and list them nowhere."""

    @property
    def description(self) -> str:
        """The table and its region, for a reader."""
        return f"DynamoDB table {self._table} in {self._region}"

    @property
    def outbox_key(self) -> str:
        """Names the table beyond doubt, for what waits to be sent there.

        The same table name under another endpoint or profile is another table.

        Raises:
            SessionReadError: the AWS settings cannot be used.
        """
        with self._errors(SessionReadError):
            # It is stored: no password that stands in it may be.
            endpoint = without_user(self._connect().meta.endpoint_url)
            profile = self._session.profile_name if self._session else os.environ.get("AWS_PROFILE")
        return f"dynamodb {endpoint} {self._region} {self._table} {profile or ''}"

    def put(self, item: Item, *, if_absent: bool = False, if_newer: str | None = None) -> bool:
        """Store the item; see `ItemStore.put`.

        Raises:
            SessionWriteError: the item could not be stored, or the table not be made.
        """
        request: dict[str, Any] = {"Item": _to_wire(item)}
        if if_absent or if_newer:
            # Expired items stay for days until DynamoDB deletes them: they do not count.
            request["ConditionExpression"] = "attribute_not_exists(pk) OR expiration_time <= :now"
            request["ExpressionAttributeValues"] = {":now": {"N": str(int(self._clock()))}}
        if if_newer:
            request["ConditionExpression"] += " OR attribute_not_exists(#newer) OR #newer < :newer"
            request["ExpressionAttributeNames"] = {"#newer": if_newer}
            request["ExpressionAttributeValues"][":newer"] = {"N": str(item.attributes[if_newer])}
        with self._errors(SessionWriteError):
            try:
                self._put(request)
            except self._service_error() as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def get(self, pk: str, sk: int) -> Item | None:
        """The item of these keys; see `ItemStore.get`.

        Raises:
            SessionReadError: the table could not be read.
        """
        response = self._read("get_item", Key=_key(pk, sk), ConsistentRead=True)
        if "Item" not in response:
            return None
        item = _from_wire(response["Item"])
        return None if self._expired(item) else item

    def query(
        self,
        pk: str,
        *,
        after: int | None = None,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        names: tuple[str, ...] | None = None,
        consistent: bool = True,
    ) -> Iterator[Item]:
        """The items of a partition; see `ItemStore.query`.

        Raises:
            SessionReadError: the table could not be read.
        """
        if limit is not None and limit <= 0:
            return
        if after is not None and before is not None and before - after < 2:
            return
        request = {
            **_key_condition(pk, after, before),
            "ConsistentRead": consistent,
            "ScanIndexForward": not newest_first,
        }
        if names is not None:
            _project(request, names)
        if limit is not None:
            request["Limit"] = limit
        left = limit
        while True:
            page = self._read("query", **request)
            for raw in page.get("Items", ()):
                item = _from_wire(raw)
                if self._expired(item):
                    continue
                yield item
                left = None if left is None else left - 1
                if left == 0:
                    return
            if not page.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            # Where a first small page held expired items, the next ones need not be small.
            request.pop("Limit", None)

    def delete(self, pk: str, sk: int) -> None:
        """Remove the item; see `ItemStore.delete`.

        Raises:
            SessionWriteError: the item could not be removed.
        """
        with self._errors(SessionWriteError):
            try:
                self._connect().delete_item(TableName=self._table, Key=_key(pk, sk))
            except self._service_error() as error:
                if not self._table_will_come(error):
                    raise

    def close(self) -> None:
        """Close the client if it was made here."""
        with self._lock:
            if self._owns_client and self._client is not None:
                self._client.close()
                self._client = None

    def renew(self) -> None:
        """In a forked process: two that read from one socket get each other's answers."""
        self._lock = threading.Lock()
        if self._owns_client:
            self._client = None

    def _expired(self, item: Item) -> bool:
        return item.expires is not None and item.expires <= self._clock()

    def _read(self, operation: str, **request: Any) -> Mapping[str, Any]:
        """The answer to a read; empty where the table is still to be created."""
        with self._errors(SessionReadError):
            try:
                return getattr(self._connect(), operation)(TableName=self._table, **request)
            except self._service_error() as error:
                if self._table_will_come(error):
                    return {}
                raise

    def _put(self, request: Mapping[str, Any]) -> None:
        """One put; where the table is missing it is created, and the put waits for it."""
        client = self._connect()
        try:
            client.put_item(TableName=self._table, **request)
            return
        except self._service_error() as error:
            if not self._table_will_come(error):
                raise
        created = self._create_table(client)
        deadline = time.monotonic() + _CREATION_SECONDS
        # Asking the put itself whether the table is active needs no further permission.
        while True:
            try:
                client.put_item(TableName=self._table, **request)
                break
            except self._service_error() as error:
                if not self._table_will_come(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_CREATION_POLL)
        if created:
            self._enable_expiry(client)

    def _create_table(self, client: Any) -> bool:
        """Create the table; False where somebody else is doing so just now."""
        try:
            client.create_table(
                TableName=self._table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "N"},
                ],
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            )
        except self._service_error() as error:
            if error_code(error) != "ResourceInUseException":
                raise
            return False
        return True

    def _enable_expiry(self, client: Any) -> None:
        """Have DynamoDB delete expired items; without it they stay, but are never read."""
        from botocore.exceptions import BotoCoreError

        try:
            client.update_time_to_live(
                TableName=self._table,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expiration_time"},
            )
        except (self._service_error(), BotoCoreError) as error:
            warnings.warn(
                f"The table {self._table} was created, but its time to live could not be "
                f"switched on ({error}): expired items stay in it. Enable it for the attribute "
                "expiration_time, or allow dynamodb:UpdateTimeToLive.",
                stacklevel=2,
            )

    def _table_will_come(self, error: Exception) -> bool:
        """Whether the error says that the table is not there and the next write makes it."""
        return self._create and error_code(error) == "ResourceNotFoundException"

    @staticmethod
    def _service_error() -> Any:
        from botocore.exceptions import ClientError

        return ClientError

    def _connect(self) -> Any:
        """The client, made at the first use."""
        with self._lock:
            if self._client is None:
                self._client = open_client(self._region, self._session)
            remember_client(self._client)
            return self._client

    @contextlib.contextmanager
    def _errors(
        self, error_class: type[SessionReadError] | type[SessionWriteError]
    ) -> Iterator[None]:
        """Turn what boto3 raises into our errors."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        # botocore refuses a malformed endpoint or region with a bare ValueError.
        except (ClientError, BotoCoreError, ValueError) as error:
            done = "read" if error_class is SessionReadError else "written"
            raise error_class(
                f"The DynamoDB table {self._table} in {self._region} could not be {done}: "
                f"{explain(error, self._table, self._region)}"
            ) from error


def _key(pk: str, sk: int) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": _number(sk)}


def _number(sk: int) -> dict[str, str]:
    """A sort key in seconds with its microseconds, exact: 1763821417.123457."""
    seconds, microseconds = divmod(sk, 1_000_000)
    return {"N": f"{seconds}.{microseconds:06d}".rstrip("0").rstrip(".")}


def _to_wire(item: Item) -> dict[str, Any]:
    wire = {name: _attribute_to_wire(value) for name, value in item.attributes.items()}
    if item.expires is not None:
        wire["expiration_time"] = {"N": str(item.expires)}
    return {**wire, **_key(item.pk, item.sk)}


def _attribute_to_wire(value: Attribute) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def _from_wire(wire: Mapping[str, Any]) -> Item:
    """The item; attributes of kinds that this package never writes are left out."""
    attributes: dict[str, Attribute] = {}
    for name, value in wire.items():
        kind, content = next(iter(value.items()))
        if name in _KEYS:
            continue
        if kind == "S":
            attributes[name] = content
        elif kind == "B":
            attributes[name] = bytes(content)
        elif kind == "N":
            attributes[name] = int(Decimal(content))
    expires = wire.get("expiration_time", {}).get("N")
    return Item(
        pk=wire["pk"]["S"],
        sk=int(Decimal(wire["sk"]["N"]) * _MICROSECONDS),
        attributes=attributes,
        expires=None if expires is None else int(Decimal(expires)),
    )


def _key_condition(pk: str, after: int | None, before: int | None) -> dict[str, Any]:
    """The key condition of a query; a range has both ends included on the wire."""
    condition, values = "pk = :pk", {":pk": {"S": pk}}
    if after is not None and before is not None:
        condition += " AND sk BETWEEN :after AND :before"
        values |= {":after": _number(after + 1), ":before": _number(before - 1)}
    elif after is not None:
        condition += " AND sk > :after"
        values[":after"] = _number(after)
    elif before is not None:
        condition += " AND sk < :before"
        values[":before"] = _number(before)
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}


def _project(request: dict[str, Any], names: tuple[str, ...]) -> None:
    """Ask for the keys and these attributes only; aliases, as any word may be reserved."""
    aliases = {f"#{number}": name for number, name in enumerate((*_KEYS, *names))}
    request["ExpressionAttributeNames"] = aliases
    request["ProjectionExpression"] = ", ".join(aliases)
