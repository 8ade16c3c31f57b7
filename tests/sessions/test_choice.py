"""What `memory=` may say."""

from __future__ import annotations

import os

import pytest

import minimalagent_nb.sessions as sessions
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions import DynamoDBStore, Item, SQLiteStore, open_store


def test_none_is_none():
    assert open_store(None) is None


def test_a_store_is_taken_as_it_is():
    store = SQLiteStore(":memory:")
    assert open_store(store) is store


def test_the_file_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("sqlite").path.startswith(str(tmp_path))


def test_other_files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert open_store("sqlite:////var/lib/s.db").path == os.path.abspath("/var/lib/s.db")
    assert open_store("sqlite:///data/s.db").path == str(tmp_path / "data" / "s.db")
    assert open_store("sqlite:///~/s.db").path == "/home/somebody/s.db"
    memory = open_store("sqlite:///:memory:")
    memory.put(Item("p", 1))
    assert memory.get("p", 1)
    assert list(tmp_path.iterdir()) == []


def test_the_table():
    store = open_store("dynamodb", table_name="my-table", region="eu-west-1")
    assert isinstance(store, DynamoDBStore)
    assert store.description == "DynamoDB table my-table in eu-west-1"
    assert open_store("dynamodb").description == (
        "DynamoDB table minimalagent-session-table in us-west-2"
    )


def test_a_session_of_boto3_is_used(dynamodb_local, table_name, monkeypatch):
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_local)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    session = boto3.Session("AKIDEXAMPLE", "not-a-secret")
    store = open_store("dynamodb", table_name=table_name, session=session)
    assert store.put(Item("p", 1))
    assert store.get("p", 1)


@pytest.mark.parametrize("bad", ["", "redis", "sqlite://", "sqlite:///", "sqlite:x", True, 7, []])
def test_anything_else_lists_the_ways(bad):
    with pytest.raises(ConfigurationError, match="'sqlite', 'sqlite:///path', 'dynamodb'"):
        open_store(bad)


def test_every_public_name_is_there():
    assert dir(sessions) == sorted(sessions.__all__)
    for name in sessions.__all__:
        assert getattr(sessions, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = sessions.no_such_name
