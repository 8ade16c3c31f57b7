"""What is never stored: secrets of the process, and what the user's rules find."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.parse

import boto3
import pytest
from botocore.credentials import RefreshableCredentials

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.events import (
    Notice,
    RunStarted,
    SubAgentEvent,
    ToolCallEnded,
    ToolCallOutput,
    ToolCallStarted,
)
from minimalagent_nb.redaction import REDACTED, UNCHECKED, Redactor
from minimalagent_nb.secrets import known_secrets, remember_client
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from tests.sessions.conftest import SECRET, conversation

MARK = "[redacted: OPENAI_API_KEY]"


def only(**secrets):
    """A redactor that knows these secrets and no others."""
    return Redactor(secrets=lambda: secrets.items())


# -- which values are secrets ---------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        *("PGPASSWORD", "DB_PASS", "MYSQL_PWD", "MY_CREDENTIALS", "apikey", "SIGNING_KEY_2"),
    ],
)
def test_values_under_secret_names_count(monkeypatch, name):
    monkeypatch.setenv(name, "q9w8e7r6t5")
    assert (name, "q9w8e7r6t5") in known_secrets()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "short"),
        ("API_KEY", "Disabled"),
        ("API_KEY", ""),
        ("MAX_TOKENS", "100000000"),
        ("KEYBOARD_LAYOUT", "us-international"),
        ("TOKENIZERS_PARALLELISM", "tokenizers"),
        ("SOME_ADDRESS", "q9w8e7r6t5"),
        ("GOOGLE_APPLICATION_CREDENTIALS", os.path.abspath(__file__)),
    ],
)
def test_other_values_do_not(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert value not in [secret for _, secret in known_secrets()]


def test_a_number_is_a_password_but_no_token(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "123456789")
    monkeypatch.setenv("TOKEN_LIMIT", "987654321")
    values = [secret for _, secret in known_secrets()]
    assert "123456789" in values
    assert "987654321" not in values


def test_passwords_in_urls_count(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://ann:q9w8e7r6t5@db.example.com/main")
    assert Redactor().value("psql says q9w8e7r6t5") == "psql says [redacted: DATABASE_URL]"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=ann,Authorization=Basic%20q9w8e7r6t5=="),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer q9w8e7r6t5==,x=1"),
        ("STORAGE", "AccountName=ann;AccountKey=q9w8e7r6t5==;EndpointSuffix=example.com"),
        ("DB", "host=db user=ann password=q9w8e7r6t5== dbname=main"),
        ("JAVA_OPTIONS", "-Dx=y -Dapi.key=1 -Dapi-key=q9w8e7r6t5=="),
    ],
    ids=["basic", "bearer", "storage", "database", "options"],  # pytest has them in a variable
)
def test_values_behind_secret_words_count(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert Redactor().value("it is q9w8e7r6t5==, ann") == f"it is [redacted: {name}], ann"


def test_the_ends_of_a_value_are_no_part_of_the_secret(monkeypatch):
    monkeypatch.setenv("API_KEY", " q9w8e7r6t5\n")
    assert Redactor().value("q9w8e7r6t5") == "[redacted: API_KEY]"


def test_credentials_of_clients_count(aws_environment):
    session = boto3.Session("AKIAOFTHISCLIENT", "secret/of+this+client", "token-of-this-client")
    client = session.client("dynamodb", region_name="us-west-2")
    assert "secret/of+this+client" not in dict(map(reversed, known_secrets()))
    remember_client(client)
    text = "AKIAOFTHISCLIENT secret/of+this+client secret%2Fof%2Bthis%2Bclient token-of-this-client"
    assert Redactor().value(text) == (
        "[redacted: AWS access key id] [redacted: AWS secret access key] "
        "[redacted: AWS secret access key] [redacted: AWS session token]"
    )


def test_credentials_are_never_refreshed_for_it(aws_environment):
    def refresh():
        raise AssertionError("the network was asked")

    session = boto3.Session()
    refreshable = RefreshableCredentials(
        "AKIAREFRESHABLE", "secret-to-be-renewed", "t" * 30, None, refresh, "test"
    )
    session._session._credentials = refreshable
    client = session.client("dynamodb", region_name="us-west-2")
    remember_client(client)
    # Long expired: its properties would ask for new ones.
    refreshable._expiry_time = refreshable._time_fetcher()
    assert "secret-to-be-renewed" in dict(map(reversed, known_secrets()))
    refreshable._secret_key = "secret-renewed-now"
    assert "secret-renewed-now" in dict(map(reversed, known_secrets()))


def test_nothing_of_aws_is_loaded_for_it():
    script = (
        "import sys\nfrom minimalagent_nb.redaction import Redactor\n"
        "Redactor().value('x')\n"
        "print([name for name in sys.modules if name.startswith(('boto', 'urllib3'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# -- where they are found -------------------------------------------------------


def test_every_notation_of_a_secret():
    redactor = only(KEY="a\"b\\c/d e'f+é\n9")
    texts = [json.dumps({"k": "a\"b\\c/d e'f+é\n9"}), repr("a\"b\\c/d e'f+é\n9")]
    texts += ["x=a%22b%5Cc%2Fd%20e%27f%2B%C3%A9%0A9", "x=a%22b%5Cc%2Fd+e%27f%2B%C3%A9%0A9"]
    for text in texts:
        found = redactor.value(text)
        assert found.count("[redacted: KEY]") == 1
        assert len(found) < 30


AWKWARD = "p@ss\"w\\ord/9 x'é&<"
NOTATIONS = {
    "JSON in JSON": lambda text: json.dumps(json.dumps({"a": text})),
    "JSON in JSON in JSON": lambda text: json.dumps({"b": json.dumps([json.dumps([text])])}),
    "JSON in UTF-8 twice": lambda text: json.dumps(
        json.dumps(text, ensure_ascii=False), ensure_ascii=False
    ),
    "a dict of a dict's text": lambda text: repr({"a": repr({"a": text})}),
    "a dict in JSON": lambda text: json.dumps(repr({"a": text, "b": "it's"})),
    "JSON in a dict": lambda text: repr({"a": json.dumps({"a": text})}),
    "bytes": lambda text: repr(text.encode()),
    "a path of a URL": lambda text: urllib.parse.quote(text),
    "lower-case hex": lambda text: re.sub(
        "%..", lambda match: match[0].lower(), urllib.parse.quote(text, safe="")
    ),
    "a URL in a URL": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "a browser's": lambda text: urllib.parse.quote(text, safe="!*'()"),
    "a form": lambda text: urllib.parse.urlencode({"a": text}),
    "HTML": html.escape,
    "text in HTML": lambda text: html.escape(text, quote=False),
    "a shell": shlex.quote,
    "SQL": lambda text: text.replace("'", "''"),
}


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("secret", [AWKWARD, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=="])
def test_a_secret_in_other_notations(secret, notation):
    written = NOTATIONS[notation](secret)
    found = only(KEY=secret).value(f"before {written} after")
    assert found.count("[redacted: KEY]") == 1
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert len(found) <= len(f"before {written} after") - len(secret) + 25


def test_keys_bytes_and_any_depth():
    redactor = only(KEY=SECRET)
    value = {SECRET: 1, "b": [SECRET.encode() + b"\xff", {"c": ("x", f"y {SECRET}")}]}
    assert redactor.value(value) == {
        "[redacted: KEY]": 1,
        "b": [b"[redacted: KEY]\xff", {"c": ("x", "y [redacted: KEY]")}],
    }


def test_two_keys_that_become_one_are_both_kept():
    assert only(K=SECRET).value({SECRET: 1, "[redacted: K]": 2}) == {
        "[redacted: K]": 1,
        "[redacted: K] (2)": 2,
    }


def test_what_needs_no_change_is_the_same_object():
    redactor = only(KEY=SECRET)
    value = {"a": [1, 2.5, None, True, "text", b"bytes"], "b": {"c": ()}}
    assert redactor.value(value) is value
    event = RunStarted(at=1.0, run_id="r", query="nothing", tools=("a", "b"))
    assert redactor.event(event) is event
    message = conversation("nothing")[0]
    assert redactor.message(message) is message


@pytest.mark.parametrize("cut", range(0, len(SECRET) + 1, 3))
def test_of_a_secret_in_two_pieces_half_is_left_at_most(cut):
    redactor = only(KEY=SECRET)
    left = redactor.value(f"printed {SECRET[:cut]}") + redactor.value(f"{SECRET[cut:]} after")
    pieces = re.findall(r"[\w-]+", left)
    assert max((len(piece) for piece in pieces if piece in SECRET), default=0) <= len(SECRET) / 2
    assert "[redacted: KEY]" in left


def test_the_longer_of_two_secrets_is_named():
    redactor = only(SHORT="abcdefgh", LONG="abcdefghijkl")
    assert redactor.value("abcdefghijkl abcdefgh") == "[redacted: LONG] [redacted: SHORT]"


def test_a_secret_is_known_as_soon_as_it_is_set_and_after_it_was_taken_back(monkeypatch):
    redactor = Redactor()
    assert redactor.value(SECRET) == SECRET
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert redactor.value(SECRET) == MARK
    monkeypatch.delenv("OPENAI_API_KEY")
    assert redactor.value(SECRET) == MARK


def test_events_in_every_field(secret):
    place = {"at": 1.0, "step": 1, "call_id": "c"}
    redactor = Redactor()
    started = ToolCallStarted(**place, name="f", inputs={"key": SECRET})
    assert redactor.event(started).inputs == {"key": MARK}
    ended = ToolCallEnded(**place, status="error", error=f"no {SECRET}", value=secret)
    assert redactor.event(ended).error == f"no {MARK}"
    printed = ToolCallOutput(**place, kind="stdout", text=f"{SECRET}\n")
    assert redactor.event(SubAgentEvent(**place, event=printed)).event.text == f"{MARK}\n"
    assert redactor.event(Notice(at=1.0, kind="memory", text=SECRET)).text == MARK


# -- messages -------------------------------------------------------------------


def reasoning_block(text, signature="c2lnbmF0dXJl"):
    inner = {"text": text, **({"signature": signature} if signature else {})}
    return {"reasoningContent": {"reasoningText": inner}}


def test_signed_reasoning_is_left_as_it_is():
    redactor = Redactor(r"[a-zA-Z0-9]{6,}", secrets=lambda: [])
    hidden = {"reasoningContent": {"redactedContent": b"opaque123456"}}
    message = {"role": "assistant", "content": [reasoning_block("a b c"), hidden]}
    assert redactor.message(message) is message


def test_signed_reasoning_with_something_to_take_out_is_left_out():
    """Its signature would not fit any more, and the service refuse the conversation."""
    redactor = only(KEY=SECRET)
    blocks = [reasoning_block(f"the key is {SECRET}"), {"text": "hello"}]
    assert redactor.message({"role": "assistant", "content": blocks}) == {
        "role": "assistant",
        "content": [{"text": "hello"}],
    }
    alone = redactor.message({"role": "assistant", "content": blocks[:1]})
    assert alone["content"] == [{"text": REDACTED}]
    unsigned = {"role": "assistant", "content": [reasoning_block(SECRET, signature="")]}
    assert redactor.message(unsigned)["content"] == [reasoning_block("[redacted: KEY]", "")]


def test_rules_leave_the_words_of_the_wire_alone():
    redactor = Redactor(r"\w+", secrets=lambda: [])
    content = [
        {"text": "hello"},
        {"toolUse": {"toolUseId": "id", "name": "f", "input": {"a": "b"}}},
        {"toolResult": {"toolUseId": "id", "status": "success", "content": [{"json": {"a": 1}}]}},
        {"document": {"format": "txt", "name": "mine", "source": {"bytes": b"x"}}},
    ]
    assert redactor.message({"role": "user", "content": content}) == {
        "role": "user",
        "content": [
            {"text": REDACTED},
            {"toolUse": {"toolUseId": "id", "name": "f", "input": {REDACTED: REDACTED}}},
            {
                "toolResult": {
                    "toolUseId": "id",
                    "status": "success",
                    "content": [{"json": {REDACTED: 1}}],
                }
            },
            {"document": {"format": "txt", "name": REDACTED, "source": {"bytes": b"x"}}},
        ],
    }


def test_pictures_in_displays_are_no_text():
    redactor = Redactor(r"\d+", secrets=lambda: [])
    data = {"image/png": "aGVsbG8x", "text/plain": "42", "image/svg+xml": "<text>42</text>"}
    event = ToolCallOutput(at=1.0, step=1, call_id="c", kind="display", data=data)
    assert redactor.event(event).data == {
        "image/png": "aGVsbG8x",
        "text/plain": REDACTED,
        "image/svg+xml": f"<text>{REDACTED}</text>",
    }


# -- rules ----------------------------------------------------------------------


def test_rules_of_every_kind_one_after_the_other():
    rules = [r"\d{4}", re.compile("BOB", re.IGNORECASE), str.upper]
    assert Redactor(rules, secrets=lambda: []).value("bob has 1234") == "[REDACTED] HAS [REDACTED]"
    assert Redactor(str.title, secrets=lambda: []).value("ann") == "Ann"


@pytest.mark.parametrize("rule", ["(", "a*", 7, [r"\d", 7], re.compile(b"x"), ["a", ""]])
def test_rules_that_cannot_be_used_are_refused(rule):
    with pytest.raises(ConfigurationError, match="redact"):
        SessionLog(SQLiteStore(":memory:"), redact=rule)


@pytest.mark.parametrize("rule", [lambda text: 1 / 0, lambda text: None])
def test_a_rule_that_fails_costs_the_text_and_one_warning(rule):
    redactor = Redactor(rule, secrets=lambda: [])
    with pytest.warns(RuntimeWarning, match="could not be checked") as warned:
        values = [redactor.value({"a": ["text", 1]}), redactor.value("more")]
    assert values == [{UNCHECKED: [UNCHECKED, 1]}, UNCHECKED]
    assert len(warned) == 1


def test_objects_that_have_no_text_are_replaced():
    class Odd:
        def __str__(self):
            raise ValueError

    with pytest.warns(RuntimeWarning):
        assert only().value([Odd()]) == UNCHECKED
    with pytest.warns(RuntimeWarning):
        message = only().message({"role": "user", "content": [{"text": Odd()}]})
    assert message == {"role": "user", "content": [{"text": UNCHECKED}]}


# -- cost -----------------------------------------------------------------------


def test_it_is_one_pass_over_the_text():
    """Texts that are made of beginnings of the secret are the worst there are."""
    redactor = only(KEY=SECRET, OTHER="sk-proj-other-and-longer-0123456789")
    text = SECRET[:12] * 100_000
    assert redactor.value(text) is text
