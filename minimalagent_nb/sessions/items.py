"""Items of the session table, and the protocol of a place that keeps them.

The item model is DynamoDB's, cut down to what the sessions need: a partition key,
a numeric sort key, string, integer and bytes attributes, an expiry. Single-item
conditional puts, get, query and delete: nothing else, so that a table with
data-plane permissions suffices. Imports errors only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard, Union, runtime_checkable

__all__ = ["Attribute", "Item", "ItemStore", "is_store", "number"]

Attribute = Union[str, int, bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        pk: partition key.
        sk: sort key in microseconds (DynamoDB holds it as a Number in seconds:
            1763821417.123457 there is 1763821417123457 here), never negative.
        attributes: everything else.
        expires: seconds since the epoch after which the item is gone (the
            table's ``expiration_time``), None to keep it.
    """

    pk: str
    sk: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    expires: int | None = None


def number(item: Item, name: str, default: int = 0) -> int:
    """An attribute that is a number; `default` where it is missing, or is none as it is damaged."""
    value = item.attributes.get(name)
    return value if isinstance(value, int) else default


@runtime_checkable
class ItemStore(Protocol):
    """A place that keeps items. Safe to use from several threads at once.

    Every method raises SessionReadError or SessionWriteError, in words that say
    what to do; a failed read is never an empty answer. Items whose expiry has
    passed are never returned, whether or not the engine has deleted them.
    """

    @property
    def description(self) -> str:
        """Where the items are, for a reader: a path, or a table and its region."""
        ...

    def put(self, item: Item, *, if_absent: bool = False, if_newer: str | None = None) -> bool:
        """Store the item, replacing one of the same keys.

        Args:
            if_absent: store nothing where an item of these keys is there already
                (an expired one counts as absent).
            if_newer: an integer attribute of the item: store nothing where an item is
                there already in which it is as great or greater. A put that lands late
                then replaces nothing that was stored after it.

        Returns:
            False where the condition did not hold, else True.
        """
        ...

    def get(self, pk: str, sk: int) -> Item | None:
        """The item of these keys, by a consistent read."""
        ...

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
        """The items of a partition in the order of their sort keys.

        Pages are fetched as the iterator goes on and to the end of the partition.

        Args:
            after, before: only sort keys greater, or less, than these.
            newest_first: the order turned round.
            limit: at most so many unexpired items.
            names: only these attributes, where the rest is not needed.
            consistent: False where a write of the last second may be missed, for half
                the price.
        """
        ...

    def delete(self, pk: str, sk: int) -> None:
        """Remove the item; one that is not there is no error."""
        ...

    def close(self) -> None:
        """Let go of what the store opened; a client handed to it is not its own."""
        ...


def is_store(value: object) -> TypeGuard[ItemStore]:
    """Whether `value` has what an `ItemStore` has.

    So has one that passes on what it does not do itself, which ``isinstance`` denies from Python
    3.12 on: it does not ask ``__getattr__`` there.
    """
    if isinstance(value, type) or not hasattr(value, "description"):
        return False
    methods = ("put", "get", "query", "delete", "close")
    return all(callable(getattr(value, name, None)) for name in methods)
