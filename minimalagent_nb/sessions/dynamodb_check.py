"""What is wrong with a session table, in words.

Imports errors and its siblings; botocore's exceptions, when it is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from minimalagent_nb.errors import SessionError
from minimalagent_nb.sessions.dynamodb import check_table_name
from minimalagent_nb.sessions.dynamodb_client import open_client
from minimalagent_nb.sessions.dynamodb_errors import (
    ITEM_ACTIONS,
    NO_PERMISSION,
    error_code,
    explain,
)

__all__ = ["TableFinding", "check_table"]

_PK = "reasoning##check"
"""The partition of the item that permissions are tried on; no session has it."""
_TTL = "expiration_time"
_KEYS = {"pk": ("HASH", "S"), "sk": ("RANGE", "N")}
_TYPES = {"S": "String", "N": "Number", "B": "Binary"}
_TEMPLATE = "minimalagent-nb table template --name"


@dataclass(frozen=True)
class TableFinding:
    """One thing that was looked at; `advice` is what to do about it."""

    topic: str
    state: Literal["ok", "note", "problem"]
    text: str
    advice: str = ""


def check_table(
    table_name: str,
    region: str,
    *,
    client: Any = None,
    clock: Callable[[], float] = time.time,
) -> list[TableFinding]:
    """Look at a table and try all that sessions need of it.

    What DescribeTable and DescribeTimeToLive tell is left out where they are not
    allowed. Every other action is tried on one item at a reserved key, which expires
    by itself should it be left behind.

    Args:
        client: a ready low-level client; None to make one for the region.
        clock: seconds since the epoch.

    Returns:
        What was found, in the order in which it is read.

    Raises:
        ConfigurationError: the name is no table's.
    """
    return _Check(check_table_name(table_name), region, client, clock).findings()


class _RefusedError(SessionError):
    """A request that failed, in the service's code and in words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class _Check:
    def __init__(self, table: str, region: str, client: Any, clock: Callable[[], float]) -> None:
        self._table, self._region, self._client, self._clock = table, region, client, clock

    def findings(self) -> list[TableFinding]:
        """All of them; the first one that explains the others ends the list."""
        try:
            described = self._call("describe_table").get("Table", {})
        except _RefusedError as refusal:
            if refusal.code == "ResourceNotFoundException":
                return [self._missing()]
            if refusal.code not in NO_PERMISSION:
                return [TableFinding("table", "problem", refusal.words)]
            text = f"{self._table} in {self._region}: dynamodb:DescribeTable is not allowed, so"
            note = TableFinding("table", "note", f"{text} its schema shows by use only")
            return [note, *self._permissions()]
        findings = [self._status(described), *self._schema(described), self._throughput(described)]
        if any(finding.state == "problem" for finding in findings):
            return [*findings, self._expiry()]
        return [*findings, self._expiry(), *self._permissions()]

    def _missing(self) -> TableFinding:
        text = f"there is no table {self._table} in {self._region}"
        advice = (
            "check its name and its region (--name, --region), or have it made: by the first "
            f"use, which needs dynamodb:CreateTable, or from `{_TEMPLATE} {self._table}`"
        )
        return TableFinding("table", "problem", text, advice)

    def _status(self, described: Mapping[str, Any]) -> TableFinding:
        status = described.get("TableStatus", "ACTIVE")
        text = f"{self._table} in {self._region} is {status}"
        if status in ("ACTIVE", "UPDATING"):
            return TableFinding("table", "ok", text)
        return TableFinding("table", "problem", text, "wait until it is ACTIVE, and check again")

    def _schema(self, described: Mapping[str, Any]) -> list[TableFinding]:
        """The names, roles and types of the keys."""
        types = {
            one["AttributeName"]: one["AttributeType"]
            for one in described.get("AttributeDefinitions", ())
        }
        found = {
            one["AttributeName"]: (one["KeyType"], types.get(one["AttributeName"], "?"))
            for one in described.get("KeySchema", ())
        }
        if found == _KEYS:
            return [TableFinding("keys", "ok", _key_words(found))]
        wrong = f"its keys are {_key_words(found)}, and have to be {_key_words(_KEYS)}"
        advice = (
            "keys of a table cannot be changed: make another one, for instance from "
            f"`{_TEMPLATE} OTHER-NAME`"
        )
        return [TableFinding("keys", "problem", wrong, advice)]

    def _throughput(self, described: Mapping[str, Any]) -> TableFinding:
        mode = described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        if mode == "PAY_PER_REQUEST":
            return TableFinding("throughput", "ok", "on demand")
        units = described.get("ProvisionedThroughput", {})
        reads, writes = units.get("ReadCapacityUnits", 0), units.get("WriteCapacityUnits", 0)
        text = f"provisioned, {reads} read and {writes} write units"
        advice = "what exceeds them is refused: on demand (PAY_PER_REQUEST) has no such limit"
        return TableFinding("throughput", "note", text, advice)

    def _expiry(self) -> TableFinding:
        try:
            answer = self._call("describe_time_to_live")
        except _RefusedError as refusal:
            if refusal.code in NO_PERMISSION:
                text = "dynamodb:DescribeTimeToLive is not allowed: not looked at"
                return TableFinding("expiry", "note", text)
            return TableFinding("expiry", "note", refusal.words)
        expiry = answer.get("TimeToLiveDescription", {})
        status, attribute = expiry.get("TimeToLiveStatus"), expiry.get("AttributeName")
        if status in ("ENABLED", "ENABLING") and attribute == _TTL:
            return TableFinding("expiry", "ok", f"items expire by {_TTL}")
        if status in ("ENABLED", "ENABLING"):
            text = f"items expire by {attribute}, and sessions have {_TTL}: they stay for ever"
        else:
            text = "time to live is off: expired sessions are never shown, but stay in the table"
        command = (
            f"aws dynamodb update-time-to-live --table-name {self._table} --region {self._region} "
            f'--time-to-live-specification "Enabled=true, AttributeName={_TTL}"'
        )
        return TableFinding("expiry", "problem", text, command)

    def _permissions(self) -> list[TableFinding]:
        """Try every action that sessions need, and clean up."""
        now = self._clock()
        key = {"pk": {"S": _PK}, "sk": {"N": str(int(now * 1_000_000))}}
        condition = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": _PK}},
            "Limit": 1,
        }
        attempts: dict[str, dict[str, Any]] = {
            "PutItem": {"Item": {**key, _TTL: {"N": str(int(now) + 3600)}}},
            "GetItem": {"Key": key, "ConsistentRead": True},
            "Query": {**condition, "ConsistentRead": True},
            "DeleteItem": {"Key": key},
        }
        denied: list[str] = []
        for action in attempts:
            try:
                self._call(_method(action), **attempts[action])
            except _RefusedError as refusal:
                if refusal.code == "ResourceNotFoundException":
                    return [self._missing()]
                if refusal.code not in NO_PERMISSION:
                    return [TableFinding("use", "problem", f"{action}: {refusal.words}")]
                denied.append(action)
        allowed = [f"dynamodb:{action}" for action in ITEM_ACTIONS if action not in denied]
        if not denied:
            return [TableFinding("access", "ok", ", ".join(allowed))]
        names = ", ".join(f"dynamodb:{action}" for action in denied)
        advice = f"allow {names} on the table; `{_TEMPLATE} {self._table} --format policy` has all"
        return [TableFinding("access", "problem", f"not allowed: {names}", advice)]

    def _call(self, method: str, **request: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client = self._client or open_client(self._region)
            return getattr(self._client, method)(TableName=self._table, **request)
        except (ClientError, BotoCoreError, ValueError) as error:
            words = explain(error, self._table, self._region)
            raise _RefusedError(error_code(error), words) from error


def _method(action: str) -> str:
    return {"PutItem": "put_item", "GetItem": "get_item", "DeleteItem": "delete_item"}.get(
        action, action.lower()
    )


def _key_words(keys: Mapping[str, tuple[str, str]]) -> str:
    roles = {"HASH": "partition key", "RANGE": "sort key"}
    words = [
        f"{name} ({_TYPES.get(kind, kind)}) as {roles.get(role, role)}"
        for name, (role, kind) in sorted(keys.items(), key=lambda pair: pair[1][0])
    ]
    return " and ".join(words) or "none"
