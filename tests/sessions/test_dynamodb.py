"""The documented table: its items on the wire, its creation, and every way it can fail."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading

import pytest

from minimalagent_nb.errors import ConfigurationError, SessionReadError, SessionWriteError
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog
from minimalagent_nb.sessions.dynamodb_check import check_table
from tests.servers.dynamodb_faults import FaultyDynamoDB, LostAnswer, LostRequest, Refusal
from tests.servers.dynamodb_local import free_port
from tests.sessions.conftest import NOW, client_for, conversation, record

DATA_PLANE = {"PutItem", "GetItem", "Query", "DeleteItem"}


@pytest.fixture
def faulty(dynamodb_local):
    server = FaultyDynamoDB(dynamodb_local)
    yield server
    server.stop()


@pytest.fixture
def store(faulty, table_name):
    """A store that tries once, behind the faults, with its table created."""
    DynamoDBStore(table_name, client=client_for(faulty.behind)).put(Item("first", 1))
    return DynamoDBStore(table_name, client=client_for(faulty.url))


def raw_item(client, table_name, pk):
    [item] = client.query(
        TableName=table_name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )["Items"]
    return item


def test_it_works_as_users_make_it(dynamodb, table_name):
    store = DynamoDBStore(table_name)
    assert store.description == f"DynamoDB table {table_name} in us-west-2"
    assert store.get("p", 1) is None
    store.put(Item("p", 1, {"a": "x"}))
    store.close()
    assert DynamoDBStore(table_name).get("p", 1).attributes == {"a": "x"}


def test_the_documented_items(dynamodb_client, table_name, clock):
    log = SessionLog(DynamoDBStore(table_name, client=dynamodb_client), ttl=3600)
    taken = record(log, "s", "問い", "答え")
    sort_key = f"{taken // 10**6}.{taken % 10**6:06d}".rstrip("0")
    messages = raw_item(dynamodb_client, table_name, "messages#s")
    assert messages["sk"] == {"N": sort_key}
    assert messages["messages"]["S"].startswith('[{"role":"user","content":[{"text":"問い"}]}')
    assert taken / 1e6 + 3590 < int(messages["expiration_time"]["N"]) < taken / 1e6 + 3660
    reasoning = raw_item(dynamodb_client, table_name, "reasoning#s")
    assert reasoning["sk"] == {"N": sort_key}
    assert '"query":"問い"' in reasoning["reasoning"]["S"]
    apart = int(reasoning["expiration_time"]["N"]) - int(messages["expiration_time"]["N"])
    assert abs(apart) <= 2, "written one after the other"


def test_without_ttl_no_item_expires(dynamodb_client, table_name):
    log = SessionLog(DynamoDBStore(table_name, client=dynamodb_client))
    record(log, "s")
    for pk in ("messages#s", "reasoning#s"):
        assert "expiration_time" not in raw_item(dynamodb_client, table_name, pk)


def test_the_table_is_created_by_the_first_write_only(dynamodb_client, table_name):
    store = DynamoDBStore(table_name, client=dynamodb_client)
    log = SessionLog(store)
    assert log.load("s") == []
    assert log.sessions() == []
    store.delete("p", 1)
    assert table_name not in dynamodb_client.list_tables()["TableNames"]
    store.put(Item("p", 1))
    table = dynamodb_client.describe_table(TableName=table_name)["Table"]
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]} == {
        "pk": "S",
        "sk": "N",
    }
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    expiry = dynamodb_client.describe_time_to_live(TableName=table_name)
    assert expiry["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expiration_time",
    }


def test_a_table_that_is_there_needs_data_plane_permissions_only(faulty, store):
    for operation in ("DescribeTable", "CreateTable", "UpdateTimeToLive", "Scan"):
        faulty.faults[operation] = Refusal("AccessDeniedException")
    log = SessionLog(store, ttl=3600)
    record(log, "s", "one", "1", real_time=True)
    assert log.load("s") == conversation("one", "1")
    assert len(log.sessions()) == 1
    log.delete("s")
    assert set(faulty.seen) == DATA_PLANE


def test_a_missing_table_is_an_error_where_it_is_not_to_be_created(dynamodb_client, table_name):
    store = DynamoDBStore(table_name, client=dynamodb_client, create_table=False)
    with pytest.raises(SessionReadError, match="no such table in us-west-2"):
        store.get("p", 1)
    with pytest.raises(SessionReadError, match="no such table"):
        list(store.query("p"))
    with pytest.raises(SessionWriteError, match="Create it, or check its name"):
        store.put(Item("p", 1))
    with pytest.raises(SessionWriteError, match="no such table"):
        store.delete("p", 1)


def test_several_may_create_the_table_at_once(dynamodb_local, table_name):
    stores = [DynamoDBStore(table_name, client=client_for(dynamodb_local)) for _ in range(4)]
    start = threading.Barrier(len(stores))
    failures = []

    def put(number):
        start.wait()
        try:
            stores[number].put(Item("p", number))
        except SessionWriteError as error:
            failures.append(error)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(stores[0].query("p"))) == len(stores)


def test_a_table_that_another_creates_just_now_is_waited_for(faulty, store):
    missing = Refusal("ResourceNotFoundException")
    faulty.faults["PutItem"] = [missing, missing]
    faulty.faults["CreateTable"] = Refusal("ResourceInUseException")
    assert store.put(Item("p", 1))
    assert faulty.seen == ["PutItem", "CreateTable", "PutItem", "PutItem"]


def test_a_refused_time_to_live_is_a_warning(faulty, table_name):
    faulty.faults["UpdateTimeToLive"] = Refusal("AccessDeniedException")
    store = DynamoDBStore(table_name, client=client_for(faulty.url))
    with pytest.warns(UserWarning, match="allow dynamodb:UpdateTimeToLive"):
        assert store.put(Item("p", 1))
    assert store.get("p", 1)


def test_a_refused_creation_names_what_to_allow(faulty, table_name):
    faulty.faults["CreateTable"] = Refusal("AccessDeniedException", "User: u is not authorized")
    store = DynamoDBStore(table_name, client=client_for(faulty.url))
    with pytest.raises(SessionWriteError, match=r"not authorized.*dynamodb:CreateTable"):
        store.put(Item("p", 1))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "Allow dynamodb:Query, dynamodb:GetItem, dynamodb:PutItem"),
        ("ExpiredTokenException", "Renew them"),
        ("UnrecognizedClientException", "credentials were refused"),
        ("ProvisionedThroughputExceededException", "Wait a moment"),
        ("ThrottlingException", "more capacity"),
        ("InternalServerError", "InternalServerError: said so. Try again"),
    ],
)
def test_refusals_say_what_to_do(faulty, store, table_name, code, advice):
    for operation in DATA_PLANE:
        faulty.faults[operation] = Refusal(code, "said so.")
    calls = {
        SessionReadError: [lambda: store.get("p", 1), lambda: list(store.query("p"))],
        SessionWriteError: [lambda: store.put(Item("p", 1)), lambda: store.delete("p", 1)],
    }
    for error_class, actions in calls.items():
        for action in actions:
            with pytest.raises(error_class, match=advice) as raised:
                action()
            assert table_name in str(raised.value)


def test_a_table_of_another_schema_is_named(dynamodb_client, table_name):
    dynamodb_client.create_table(
        TableName=table_name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    store = DynamoDBStore(table_name, client=dynamodb_client)
    with pytest.raises(SessionReadError, match=r"needs pk \(String\) as partition key"):
        store.get("p", 1)
    with pytest.raises(SessionWriteError, match=r"sk \(Number\) as sort key"):
        store.put(Item("p", 1))


def test_missing_credentials_are_named(dynamodb, table_name, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SessionReadError, match=r"aws configure.*sqlite:///path"):
        DynamoDBStore(table_name).get("p", 1)


def test_a_missing_profile_is_named(dynamodb, table_name, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(SessionWriteError, match="no-such-profile"):
        DynamoDBStore(table_name).put(Item("p", 1))


def test_an_endpoint_that_is_not_there_is_named(table_name):
    store = DynamoDBStore(table_name, client=client_for(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(SessionReadError, match=r"did not answer.*AWS_ENDPOINT_URL_DYNAMODB"):
        store.get("p", 1)


def test_an_endpoint_that_never_answers_is_given_up(table_name):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = DynamoDBStore(table_name, client=client_for(url, timeout=0.3))
        with pytest.raises(SessionReadError, match="did not answer"):
            store.get("p", 1)


def test_a_malformed_endpoint_is_named(table_name, aws_environment, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "not a url")
    with pytest.raises(SessionReadError, match="not a url"):
        DynamoDBStore(table_name).get("p", 1)


def test_a_failed_page_is_an_error_and_not_the_end(faulty, store):
    for sk in range(1, 14):
        store.put(Item("p", sk, {"a": "x" * 100_000}))
    faulty.faults["Query"] = [None, Refusal("InternalServerError", status=500)]
    items = store.query("p")
    assert next(items).sk == 1
    with pytest.raises(SessionReadError):
        list(items)


@pytest.mark.parametrize("fault", [LostAnswer(), LostRequest(), Refusal("X", status=500)])
def test_lost_requests_and_answers_lose_and_double_nothing(faulty, store, table_name, fault):
    """Every second write fails once; botocore sends it again."""
    log = SessionLog(DynamoDBStore(table_name, client=client_for(faulty.url, attempts=3)), ttl=3600)
    faulty.faults["PutItem"] = [fault, None] * 20
    record(log, "s", "x" * 800_000, "1")
    record(log, "s", "two", "2", real_time=True)
    assert log.load("s") == conversation("x" * 800_000, "1", "two", "2")
    assert [item.final_response for item in log.history("s")] == ["1", "2"]


@pytest.mark.parametrize("name", ["", "ab", "a b", "x" * 256, "name\n", "tä", None, 5])
def test_a_table_name_is_checked_as_a_whole(name):
    with pytest.raises(ConfigurationError, match="is no DynamoDB table name"):
        DynamoDBStore(name)


def test_foreign_attributes_do_no_harm(dynamodb_client, table_name):
    store = DynamoDBStore(table_name, client=dynamodb_client)
    store.put(Item("first", 1))
    dynamodb_client.put_item(
        TableName=table_name,
        Item={
            "pk": {"S": "p"},
            "sk": {"N": "1763821417"},
            "count": {"N": "2.5"},
            "flag": {"BOOL": True},
            "list": {"L": [{"S": "x"}]},
            "expiration_time": {"N": str(NOW)},
        },
    )
    assert store.get("p", 1_763_821_417_000_000) == Item(
        "p", 1_763_821_417_000_000, {"count": 2}, int(NOW)
    )


def test_the_room_is_cheap_to_import():
    script = (
        "import sys; from minimalagent_nb.sessions import SessionLog, DynamoDBStore, open_store\n"
        "store = open_store('dynamodb'); SessionLog(store)\n"
        "heavy = {'boto3', 'botocore', 'sqlite3', 'platformdirs'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_no_password_of_an_endpoint_is_told_or_stored(table_name, aws_environment, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://me:hunter2hunter2@127.0.0.1:1/")
    store = DynamoDBStore(table_name)
    assert "http://127.0.0.1:1/" in store.outbox_key
    assert "hunter2" not in store.outbox_key
    with pytest.raises(SessionReadError, match=r"http://127\.0\.0\.1:1/") as failure:
        store.get("messages#s", 1)
    assert "hunter2" not in str(failure.value)
    findings = check_table(table_name, "us-west-2")
    assert "hunter2" not in str(findings)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://me:hunter2hunter2@")
    with pytest.raises(SessionReadError, match="AWS settings") as failure:
        DynamoDBStore(table_name).get("messages#s", 1)
    assert "hunter2" not in str(failure.value)
