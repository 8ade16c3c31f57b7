"""What every store does, on every engine."""

from __future__ import annotations

import threading

import pytest

from minimalagent_nb.sessions import Item, ItemStore
from tests.sessions.conftest import make_store


@pytest.fixture(params=["sqlite", "memory", "dynamodb", "moto"])
def store(request, clock):
    made = make_store(request.param, request, clock)
    yield made
    made.close()


EXPIRES = 4_100_000_000


def keys(items):
    return [item.sk for item in items]


def test_it_is_an_item_store(store):
    assert isinstance(store, ItemStore)
    assert store.description


def test_nothing_stored_reads_as_nothing(store):
    assert store.get("p", 1) is None
    assert list(store.query("p")) == []
    store.delete("p", 1)


def test_an_item_comes_back_as_it_was(store):
    attributes = {
        "text": '漢字 😀 \x00 "quoted"\n',
        "empty": "",
        "number": 123456789012345678901234567890,
        "negative": -5,
        "bytes": bytes(range(256)),
    }
    item = Item("p#1", 1_763_821_417_123_457, attributes, EXPIRES)
    assert store.put(item)
    assert store.get("p#1", 1_763_821_417_123_457) == item
    assert list(store.query("p#1")) == [item]


def test_a_put_replaces_the_whole_item(store):
    store.put(Item("p", 1, {"a": "1", "b": "1"}, EXPIRES))
    assert store.put(Item("p", 1, {"a": "2"}))
    assert store.get("p", 1) == Item("p", 1, {"a": "2"})


def test_a_conditional_put_overwrites_nothing(store):
    assert store.put(Item("p", 1, {"a": "first"}), if_absent=True)
    assert not store.put(Item("p", 1, {"a": "second"}), if_absent=True)
    assert store.get("p", 1).attributes == {"a": "first"}


def test_a_conditional_put_takes_the_place_of_an_expired_item(store, clock):
    store.put(Item("p", 1, {"a": "old"}, int(clock()) + 10))
    clock.now += 11
    assert store.put(Item("p", 1, {"a": "new"}), if_absent=True)
    assert store.get("p", 1) == Item("p", 1, {"a": "new"})


def test_one_of_many_threads_gets_the_key(store):
    store.put(Item("other", 1))
    won = []
    start = threading.Barrier(6)

    def attempt(name):
        start.wait()
        if store.put(Item("p", 1, {"by": name}), if_absent=True):
            won.append(name)

    threads = [threading.Thread(target=attempt, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("p", 1).attributes == {"by": won[0]}


def test_sort_keys_order_to_the_microsecond(store):
    base = 1_763_821_417_000_000
    wanted = [0, 1, 999_999, 1_000_000, base, base + 1, base + 100_000, base + 999_999, 2**63 - 1]
    for sk in reversed(wanted):
        store.put(Item("p", sk))
    store.put(Item("q", 5))
    assert keys(store.query("p")) == wanted
    assert keys(store.query("p", newest_first=True)) == wanted[::-1]
    assert store.get("p", base + 100_000).sk == base + 100_000
    assert store.get("p", 2) is None


def test_ranges_and_limits(store):
    for sk in range(1, 8):
        store.put(Item("p", sk))
    assert keys(store.query("p", after=3)) == [4, 5, 6, 7]
    assert keys(store.query("p", before=3)) == [1, 2]
    assert keys(store.query("p", after=2, before=5)) == [3, 4]
    assert keys(store.query("p", after=4, before=5)) == []
    assert keys(store.query("p", limit=2)) == [1, 2]
    assert keys(store.query("p", limit=2, newest_first=True)) == [7, 6]
    assert keys(store.query("p", limit=2, after=3, newest_first=True)) == [7, 6]
    assert keys(store.query("p", limit=0)) == []
    assert keys(store.query("p", limit=99)) == [1, 2, 3, 4, 5, 6, 7]


def test_chosen_attributes_only(store):
    store.put(Item("p", 1, {"a": "x", "size": 5, "b": "y"}, EXPIRES))
    assert list(store.query("p", names=("a", "size"))) == [
        Item("p", 1, {"a": "x", "size": 5}, EXPIRES)
    ]
    assert list(store.query("p", names=())) == [Item("p", 1, {}, EXPIRES)]


def test_every_page_is_read(store):
    for sk in range(1, 41):
        store.put(Item("p", sk, {"a": "x" * 90_000}))
    assert keys(store.query("p")) == list(range(1, 41))
    assert keys(store.query("p", newest_first=True, limit=30)) == list(range(40, 10, -1))


def test_pages_are_read_as_they_are_needed(store):
    for sk in range(1, 41):
        store.put(Item("p", sk, {"a": "x" * 90_000}))
    items = store.query("p")
    assert next(items).sk == 1
    store.delete("p", 40)
    assert keys(items) == list(range(2, 40))


def test_expired_items_are_never_read(store, clock):
    for sk in range(1, 8):
        store.put(Item("p", sk, {}, int(clock()) + (10 if sk % 2 else 100)))
    clock.now += 11
    assert store.get("p", 1) is None
    assert store.get("p", 2).sk == 2
    assert keys(store.query("p")) == [2, 4, 6]
    assert keys(store.query("p", limit=2)) == [2, 4]
    assert keys(store.query("p", limit=1, newest_first=True)) == [6]


def test_a_deleted_item_is_gone(store):
    store.put(Item("p", 1))
    store.put(Item("p", 2))
    store.delete("p", 1)
    assert keys(store.query("p")) == [2]


def test_a_closed_store_opens_again(store):
    store.close()
    store.put(Item("p", 1))
    store.close()
    if store.description != "SQLite :memory:":
        assert keys(store.query("p")) == [1]
