"""``minimalagent-nb table``: the template makes a table, and the check finds what is wrong."""

from __future__ import annotations

import json
import time
import uuid

import boto3
import pytest
import yaml
from cfnlint.api import lint_all

from minimalagent_nb.cli import main
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.sessions import DynamoDBStore, Item, SessionLog
from minimalagent_nb.sessions.dynamodb_check import check_table
from minimalagent_nb.sessions.table_template import table_policy, table_template
from tests.servers.dynamodb_faults import FaultyDynamoDB, Refusal
from tests.servers.dynamodb_local import free_port
from tests.sessions.conftest import client_for, conversation, dynamodb_client, moto_client, record

__all__ = ["dynamodb_client", "moto_client"]

KEYS = (("pk", "HASH", "S"), ("sk", "RANGE", "N"))


def make_table(client, name, keys=KEYS, *, ttl="expiration_time", **options):
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, _, t in keys],
        KeySchema=[{"AttributeName": n, "KeyType": role} for n, role, _ in keys],
        **(options or {"BillingMode": "PAY_PER_REQUEST"}),
    )
    if ttl:
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl}
        )


def found(client, name):
    """State and text of each finding, by topic."""
    findings = check_table(name, "us-west-2", client=client)
    assert all(finding.advice for finding in findings if finding.state == "problem")
    return {
        finding.topic: (finding.state, f"{finding.text} {finding.advice}") for finding in findings
    }


@pytest.fixture(params=["dynamodb", "moto"])
def client(request):
    return request.getfixturevalue(
        {"dynamodb": "dynamodb_client", "moto": "moto_client"}[request.param]
    )


# -- template -------------------------------------------------------------------


def faults_of(template):
    """What CloudFormation's linter finds wrong, beside its suggestions."""
    found = lint_all(template)
    return [match.message for match in found if match.rule.severity in ("error", "warning")]


@pytest.mark.parametrize("form", ["cloudformation", "sam"])
def test_the_template_is_what_cloudformation_takes(form):
    text = table_template("my.sessions_1", form)
    assert faults_of(text) == []
    assert faults_of(text.replace("KeyType: HASH", "KeyType: MAIN")) != []
    template = yaml.safe_load(text)
    assert template["Resources"]["AgentSessionTable"]["Properties"]["TableName"] == "my.sessions_1"
    assert ("Transform" in template) == (form == "sam")


def test_the_table_of_the_template_is_made_and_found_well(client, table_name):
    template = yaml.safe_load(table_template(table_name))
    properties = dict(template["Resources"]["AgentSessionTable"]["Properties"])
    expiry = properties.pop("TimeToLiveSpecification")
    client.create_table(**properties)
    client.update_time_to_live(TableName=table_name, TimeToLiveSpecification=expiry)
    states = {topic: state for topic, (state, _) in found(client, table_name).items()}
    assert set(states.values()) == {"ok"}
    assert set(states) == {"table", "keys", "throughput", "expiry", "access"}
    log = SessionLog(DynamoDBStore(table_name, client=client, create_table=False), ttl=60)
    record(log, "s", "q", "a")
    assert log.load("s") == conversation("q", "a")


def test_cloudformation_makes_table_and_policy(moto_client, table_name):
    """The whole template, as moto's CloudFormation reads it."""
    url = moto_client.meta.endpoint_url
    options = {"region_name": "us-west-2", "endpoint_url": url}
    session = boto3.Session("AKIDEXAMPLE", "not-a-secret")
    stacks = session.client("cloudformation", **options)
    stacks.create_stack(StackName="s" + uuid.uuid4().hex, TemplateBody=table_template(table_name))
    table = moto_client.describe_table(TableName=table_name)["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    iam = session.client("iam", **options)
    policies = iam.list_policies(Scope="Local")["Policies"]
    documents = [
        iam.get_policy_version(PolicyArn=p["Arn"], VersionId=p["DefaultVersionId"])
        for p in policies
    ]
    resources = [str(d["PolicyVersion"]["Document"]) for d in documents]
    assert any(table["TableArn"] in resource for resource in resources)


def test_the_policy_names_what_is_used_and_nothing_else(dynamodb_local, table_name):
    [statement] = table_policy(table_name)["Statement"]
    assert statement["Resource"] == f"arn:aws:dynamodb:*:*:table/{table_name}"
    assert json.loads(table_template(table_name, "policy")) == table_policy(table_name)
    template = yaml.safe_load(table_template(table_name))
    document = template["Resources"]["AgentSessionPolicy"]["Properties"]["PolicyDocument"]
    for part in ("Action", "Condition", "Effect", "Sid"):
        assert document["Statement"][0][part] == statement[part]

    make_table(client_for(dynamodb_local), table_name)
    watching = FaultyDynamoDB(dynamodb_local)
    log = SessionLog(DynamoDBStore(table_name, client=client_for(watching.url)), ttl=60)
    record(log, "s", "q", "a" * 500_000, real_time=True)
    log.fork("s", to="t")
    log.load("t")
    log.sessions()
    log.delete("s")
    assert log.flush()
    watching.stop()
    assert {f"dynamodb:{operation}" for operation in watching.seen} == set(statement["Action"])


class KeyedStore:
    """A store that keeps the partition keys it was asked for."""

    def __init__(self, inner):
        self.inner, self.keys = inner, set()

    def put(self, item, **options):
        self.keys.add(item.pk)
        return self.inner.put(item, **options)

    def get(self, pk, sk):
        self.keys.add(pk)
        return self.inner.get(pk, sk)

    def query(self, pk, **options):
        self.keys.add(pk)
        return self.inner.query(pk, **options)

    def delete(self, pk, sk):
        self.keys.add(pk)
        self.inner.delete(pk, sk)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_every_key_is_one_that_the_policy_allows(tmp_path):
    from minimalagent_nb.sessions import SQLiteStore

    store = KeyedStore(SQLiteStore(tmp_path / "s"))
    log = SessionLog(store)
    record(log, "s", "q", "a" * 500_000, real_time=True)
    log.copy_to(SessionLog(SQLiteStore(":memory:")))
    log.fork("s")
    log.delete("s")
    assert log.flush()
    assert len(store.keys) > 6
    prefixes = table_policy()["Statement"][0]["Condition"]["ForAllValues:StringLike"]
    assert prefixes == {"dynamodb:LeadingKeys": ["messages#*", "reasoning#*"]}
    assert all(key.startswith(("messages#", "reasoning#")) for key in store.keys)


@pytest.mark.parametrize("name", ["ab", "a b", "x" * 256, "a'b", "ü" * 5])
def test_names_that_dynamodb_does_not_take(name):
    with pytest.raises(ConfigurationError, match="no DynamoDB table name"):
        table_template(name)
    with pytest.raises(ConfigurationError, match="no DynamoDB table name"):
        check_table(name, "us-west-2")


def test_a_name_of_digits_stays_text():
    template = yaml.safe_load(table_template("123456"))
    assert template["Resources"]["AgentSessionTable"]["Properties"]["TableName"] == "123456"


# -- check ----------------------------------------------------------------------


def test_a_table_that_is_not_there(client, table_name):
    [(topic, (state, text))] = found(client, table_name).items()
    assert (topic, state) == ("table", "problem")
    assert f"there is no table {table_name} in us-west-2" in text
    assert "--region" in text
    assert f"table template --name {table_name}" in text
    assert table_name not in client.list_tables()["TableNames"], "it is not made by being checked"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((("pk", "HASH", "S"), ("sk", "RANGE", "S")), "sk (String) as sort key"),
        ((("pk", "HASH", "N"), ("sk", "RANGE", "N")), "pk (Number) as partition key"),
        ((("id", "HASH", "S"), ("sk", "RANGE", "N")), "id (String) as partition key"),
        ((("pk", "HASH", "S"),), "its keys are pk (String) as partition key, and"),
        ((("sk", "HASH", "N"), ("pk", "RANGE", "S")), "sk (Number) as partition key"),
        ((("pk", "HASH", "B"), ("sk", "RANGE", "B")), "pk (Binary) as partition key"),
    ],
)
def test_wrong_keys_are_named(client, table_name, keys, words):
    make_table(client, table_name, keys)
    checked = found(client, table_name)
    state, text = checked["keys"]
    assert state == "problem"
    assert words in text
    assert "have to be pk (String) as partition key and sk (Number) as sort key" in text
    assert "access" not in checked, "nothing is written into a table of somebody else's"


def test_expiry_that_is_off_or_by_another_attribute(client, table_name):
    make_table(client, table_name, ttl=None)
    state, text = found(client, table_name)["expiry"]
    assert state == "problem"
    assert "time to live is off" in text
    assert "aws dynamodb update-time-to-live" in text
    make_table(client, f"{table_name}-2", ttl="ttl")
    state, text = found(client, f"{table_name}-2")["expiry"]
    assert state == "problem"
    assert "items expire by ttl, and sessions have expiration_time" in text


def test_provisioned_throughput_is_told(client, table_name):
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 3}
    make_table(client, table_name, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    state, text = found(client, table_name)["throughput"]
    assert state == "note"
    assert "provisioned, 5 read and 3 write units" in text


@pytest.fixture
def faulty(dynamodb_local, table_name):
    server = FaultyDynamoDB(dynamodb_local)
    make_table(client_for(dynamodb_local), table_name)
    yield server
    server.stop()


def test_all_that_is_not_needed_may_be_denied(faulty, table_name):
    for operation in ("DescribeTable", "DescribeTimeToLive", "CreateTable", "Scan"):
        faulty.faults[operation] = Refusal("AccessDeniedException")
    checked = found(client_for(faulty.url), table_name)
    assert {topic: state for topic, (state, _) in checked.items()} == {
        "table": "note",
        "access": "ok",
    }
    assert "CreateTable" not in faulty.seen


@pytest.mark.parametrize("denied", ["PutItem", "GetItem", "Query", "DeleteItem"])
def test_each_permission_that_is_missing_is_named(faulty, table_name, denied):
    faulty.faults[denied] = Refusal("AccessDeniedException")
    state, text = found(client_for(faulty.url), table_name)["access"]
    assert state == "problem"
    assert f"not allowed: dynamodb:{denied} " in text
    assert f"--name {table_name} --format policy" in text


def test_the_item_of_the_check_is_cleaned_up_or_expires(faulty, table_name):
    client = client_for(faulty.url)
    assert found(client, table_name)["access"][0] == "ok"
    assert client.scan(TableName=table_name)["Items"] == []
    faulty.faults["DeleteItem"] = Refusal("AccessDeniedException")
    found(client, table_name)
    [item] = client.scan(TableName=table_name)["Items"]
    assert item["pk"]["S"].startswith("reasoning#")
    assert time.time() < int(item["expiration_time"]["N"]) < time.time() + 4000


def test_a_missing_table_shows_though_describing_is_denied(dynamodb_local, table_name):
    faulty = FaultyDynamoDB(dynamodb_local)
    faulty.faults["DescribeTable"] = Refusal("AccessDeniedException")
    checked = found(client_for(faulty.url), table_name)
    assert "there is no table" in checked["table"][1]
    faulty.stop()


@pytest.mark.parametrize(
    ("code", "words"),
    [("UnrecognizedClientException", "credentials were refused"), ("ThrottlingException", "Wait")],
)
def test_what_refuses_everything_is_said_once(faulty, table_name, code, words):
    for operation in ("DescribeTable", "PutItem"):
        faulty.faults[operation] = Refusal(code)
    [finding] = check_table(table_name, "us-west-2", client=client_for(faulty.url))
    assert finding.state == "problem"
    assert words in finding.text


def test_nobody_answers(table_name):
    client = client_for(f"http://127.0.0.1:{free_port()}")
    [finding] = check_table(table_name, "us-west-2", client=client)
    assert "did not answer" in finding.text


# -- the commands ---------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_check_of_the_command_line(dynamodb, table_name, elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["table", "check", "--name", table_name]) == 1
    assert "problem table" in capsys.readouterr().out
    DynamoDBStore(table_name).put(Item("messages#s", 1))
    monkeypatch.setenv("MINIMALAGENT_NB_SESSION_TABLE_NAME", table_name)
    assert main(["table", "check"]) == 0
    printed = capsys.readouterr().out
    assert f"ok      table      {table_name} in us-west-2 is ACTIVE" in printed
    assert main(["table", "check", "--region", "eu-west-1", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert findings[0]["text"] == f"{table_name} in eu-west-1 is ACTIVE"
    assert {finding["state"] for finding in findings} == {"ok"}


def test_the_template_of_the_command_line(elsewhere, aws_environment, monkeypatch, capsys):
    assert main(["table", "template"]) == 0
    assert "minimalagent-session-table" in capsys.readouterr().out
    assert main(["table", "template", "--name", "mine", "--format", "policy"]) == 0
    assert json.loads(capsys.readouterr().out) == table_policy("mine")
    assert main(["table", "template", "--name", "no table"]) == 1
    assert "no DynamoDB table name" in capsys.readouterr().err
    assert main(["table", "template", "--format", "sam", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == "table template"
    assert told["template"].startswith("AWSTemplateFormatVersion")
