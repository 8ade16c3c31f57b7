"""What memory costs, as the benchmark measures it, on Amazon's DynamoDB Local."""

from __future__ import annotations

import pytest

from minimalagent_nb.sessions import DynamoDBStore, SessionLog
from tests.benchmarks.sessions.__main__ import Meter, events, listing
from tests.sessions.conftest import client_for, end


def units(url: str, name: str, steps: int) -> float:
    """Write units of a real-time run whose steps have 2 KB each."""
    client = client_for(url)
    meter = Meter(client)
    recorder = SessionLog(DynamoDBStore(name, client=client), ttl=3600).begin("s", real_time=True)
    for event in events(steps):
        recorder.add(event)
    end(recorder)
    return meter.written


def test_the_price_of_a_run_grows_with_its_steps(dynamodb_local: str, table_name: str) -> None:
    # How many events go into one item is a matter of the machine's pace; the square of the steps
    # would be 64 times as much.
    fifty, many = (units(dynamodb_local, f"{table_name}-{n}", n) for n in (50, 400))
    assert 200 < fifty <= 700
    assert many <= 16 * fifty


def test_listing_is_cheap_and_never_a_scan(dynamodb: str) -> None:
    read, scanned = listing(dynamodb)
    assert 0 < read <= 10
    assert not scanned


@pytest.mark.parametrize("steps", [1, 50])
def test_what_a_load_reads_beside_the_conversation(
    dynamodb_local: str, table_name: str, steps: int
) -> None:
    client = client_for(dynamodb_local)
    log = SessionLog(DynamoDBStore(table_name, client=client), ttl=3600)
    recorder = log.begin("s", real_time=True)
    for event in events(steps):
        recorder.add(event)
    end(recorder)
    meter = Meter(client)
    log.load("s")
    # One look at the open interactions, one at the turns.
    assert meter.calls == ["Query", "Query"]
