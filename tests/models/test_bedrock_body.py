"""Bodies that are put together from JSON made before: equal to botocore's own, and private."""

from __future__ import annotations

import copy
import gc
import json
import threading
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ModelRequestError
from minimalagent_nb.messages import closing_message, user_message
from minimalagent_nb.models import Bedrock, ModelRequest, ToolSpec
from minimalagent_nb.models.bedrock_body import Prepared, RunBody, message_json
from minimalagent_nb.models.bedrock_models import Family
from tests.models.conftest import ADD, ask, chunks
from tests.servers.converse import ConverseServer

UNCACHED = "qwen.qwen3-32b-v1:0"
"""A model without prompt caching: nothing but the request itself is in its body."""

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["bytes", "redactedContent"]), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(texts | st.just("bytes"), values, max_size=3)
blobs = st.binary(max_size=40) | st.binary(max_size=40).map(bytearray) | texts


def fixed(**members: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(members)


images = fixed(image=fixed(format=st.just("png"), source=fixed(bytes=blobs)))
documents = fixed(
    document=fixed(format=st.just("txt"), name=st.just("a"), source=fixed(bytes=blobs))
)
said = fixed(text=texts)
results = fixed(
    toolResult=fixed(
        toolUseId=st.just("u1"),
        content=st.lists(said | fixed(json=objects) | images | documents, max_size=3),
        status=st.sampled_from(["success", "error"]),
    )
)
reasoning = fixed(
    reasoningContent=fixed(reasoningText=fixed(text=texts, signature=texts))
    | fixed(redactedContent=blobs)
)
uses = fixed(toolUse=fixed(toolUseId=st.just("u1"), name=st.just("add"), input=objects))
users = fixed(role=st.just("user"), content=st.lists(said | images | documents | results))
assistants = fixed(content=st.lists(said | reasoning | uses), role=st.just("assistant"))
options = st.fixed_dictionaries(
    {},
    optional={
        "inferenceConfig": fixed(maxTokens=st.integers(1, 9), temperature=st.floats(0, 1)),
        "additionalModelRequestFields": objects,
        "requestMetadata": st.dictionaries(texts, texts, min_size=1, max_size=3),
        "guardrailConfig": fixed(guardrailIdentifier=st.just("abc"), guardrailVersion=st.just("1")),
    },
)
requests = st.builds(
    ModelRequest,
    messages=st.lists(users | assistants, min_size=1, max_size=6),
    system=st.just("") | texts,
    tools=st.just(()) | st.lists(st.builds(ToolSpec, st.just("add"), texts, objects), max_size=1),
    options=options,
)


@dataclass
class Gate:
    """Stands before the network: keeps the body of every call, and answers itself."""

    client: Any

    def __post_init__(self) -> None:
        self.bodies: list[bytes] = []
        self.client.meta.events.register_last("before-call.bedrock-runtime", self.answer)

    def answer(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        self.bodies.append(params["body"])

        class Response:
            status_code = 200
            raw = None

        return Response(), {"output": {"message": {"content": []}}, "stopReason": "end_turn"}

    def body(self) -> Any:
        return json.loads(self.bodies[-1])


@pytest.fixture(scope="module")
def gate() -> Gate:
    session = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="not-a-secret")
    return Gate(session.client("bedrock-runtime", region_name="us-west-2"))


def members_of(request: ModelRequest) -> dict[str, Any]:
    """The call as someone would write it who has only boto3."""
    members: dict[str, Any] = dict(request.options)
    if request.system.strip():
        members["system"] = [{"text": request.system}]
    if request.tools:
        members["toolConfig"] = {
            "tools": [
                {
                    "toolSpec": {
                        "name": spec.name,
                        "inputSchema": {"json": spec.input_schema},
                        **({"description": spec.description} if spec.description.strip() else {}),
                    }
                }
                for spec in request.tools
            ]
        }
    return members


@given(request=requests, later=st.lists(users | assistants, max_size=4), cut=st.integers(0, 9))
@settings(max_examples=300, deadline=None)
def test_every_body_is_the_one_that_botocore_would_make(gate, request, later, cut):
    model, cancel = Bedrock(UNCACHED, client=gate.client, streaming=False), CancelToken()
    # A turn, one with more messages, one where some have been replaced by other objects.
    turns = [request.messages, [*request.messages, *later]]
    turns.append([*copy.deepcopy(turns[1][:cut]), user_message("New."), *turns[1][cut:]])
    for messages in turns:
        turn = ModelRequest(messages, request.system, request.tools or (ADD,), request.options)
        list(model.stream(turn, cancel))
        ours = gate.body()
        gate.client.converse(modelId=UNCACHED, messages=messages, **members_of(turn))
        assert ours == gate.body()


def test_a_message_is_encoded_once_in_a_run(gate):
    model, cancel = Bedrock(UNCACHED, client=gate.client, streaming=False), CancelToken()
    first = user_message("First.")
    list(model.stream(ModelRequest([first]), cancel))
    before = gate.bodies[-1]
    first["content"][0]["text"] = "Changed, which nobody may do."
    list(model.stream(ModelRequest([first]), cancel))
    assert gate.bodies[-1] == before
    list(model.stream(ModelRequest([first]), CancelToken()))
    assert "Changed" in gate.body()["messages"][0]["content"][0]["text"]


def test_a_changed_copy_counts(gate):
    model, cancel = Bedrock(UNCACHED, client=gate.client, streaming=False), CancelToken()
    messages = [user_message("First."), closing_message("Yes."), user_message("Go on.")]
    list(model.stream(ModelRequest(messages), cancel))
    noted = [*messages[:-1], user_message("Go on, and end.")]
    for sent in (noted, messages, [messages[2]], messages):
        list(model.stream(ModelRequest(sent), cancel))
        assert gate.body()["messages"] == json.loads(json.dumps(sent))


def test_what_a_run_has_encoded_goes_with_it(gate):
    model, cancel = Bedrock(UNCACHED, client=gate.client, streaming=False), CancelToken()
    list(model.stream(ask(), cancel))
    assert len(model._bodies) == 1
    del cancel
    gc.collect()
    assert len(model._bodies) == 0


def test_options_may_differ_from_turn_to_turn(gate):
    model, cancel = Bedrock(UNCACHED, client=gate.client, streaming=False), CancelToken()
    for tokens in (5, 6, 5):
        list(model.stream(ask(options={"inferenceConfig": {"maxTokens": tokens}}), cancel))
        assert gate.body()["inferenceConfig"] == {"maxTokens": tokens}
    list(model.stream(ask(), cancel))
    assert set(gate.body()) == {"messages"}


def test_a_bad_message_is_refused_and_the_run_goes_on(gate):
    model, cancel = Bedrock(UNCACHED, client=gate.client, streaming=False), CancelToken()
    good = user_message("Good.")
    bad = {"role": "user", "content": [{"txt": "Bad."}]}
    with pytest.raises(ModelRequestError, match=r"not well formed.*messages.*txt"):
        list(model.stream(ModelRequest([good, bad]), cancel))
    list(model.stream(ModelRequest([good]), cancel))
    assert gate.body()["messages"] == [good]


def test_a_bad_option_is_refused_in_words(gate):
    model = Bedrock(UNCACHED, client=gate.client, streaming=False)
    with pytest.raises(ModelRequestError, match=r"guardrailConfig.*guardrailId\b"):
        chunks(model, ask(options={"guardrailConfig": {"guardrailId": "a"}}))


def test_an_option_that_this_botocore_does_not_know_is_said(gate):
    body = RunBody(gate.client, Family())
    with pytest.raises(ParamValidationError, match="does not know futureTier; upgrade boto3"):
        body.prepare("Converse", [user_message("Hi.")], {"futureTier": {}})


@pytest.mark.parametrize("streaming", [True, False])
def test_agents_on_one_client_never_see_each_others_bodies(
    converse_server: ConverseServer, aws_session, streaming
):
    """Six runs of thirty turns at once; each answer must be to its own conversation."""

    def answer(request: dict[str, Any]) -> str:
        messages = request["messages"]
        said = messages[0]["content"][0]["text"]
        return f"{said} {len(messages)} {request['system'][0]['text']}"

    converse_server.plan(answer)
    client = aws_session.client("bedrock-runtime", region_name="us-west-2")
    model, wrong, start = Bedrock(client=client, streaming=streaming), [], threading.Barrier(6)

    def run(name: str) -> None:
        start.wait()
        messages, cancel = [user_message(name)], CancelToken()
        for _ in range(30):
            reply = list(model.stream(ModelRequest(messages, f"I am {name}."), cancel))[-1]
            if reply.message["content"] != [{"text": f"{name} {len(messages)} I am {name}."}]:
                wrong.append(reply.message)
            messages += [reply.message, user_message("More.")]

    threads = [threading.Thread(target=run, args=(f"agent{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert converse_server.refusals == []
    assert len(converse_server.requests) == 180


def test_an_own_client_goes_on_sending_its_owners_calls(converse_server, aws_session):
    converse_server.plan("Ours.", "Theirs.", "Ours again.")
    client = aws_session.client("bedrock-runtime", region_name="us-west-2")
    model = Bedrock(client=client)
    chunks(model, ask("One."))
    answer = client.converse(
        modelId=UNCACHED, messages=[user_message("Two.")], inferenceConfig={"maxTokens": 3}
    )
    assert answer["output"]["message"]["content"] == [{"text": "Theirs."}]
    assert converse_server.requests[1] == {
        "messages": [user_message("Two.")],
        "inferenceConfig": {"maxTokens": 3},
    }
    assert chunks(model, ask("Three."))[-1].message["content"] == [{"text": "Ours again."}]


def test_the_owner_of_a_client_may_see_and_change_what_is_sent(converse_server, aws_session):
    """By botocore's events, as those do who force a guardrail or watch prompts."""
    converse_server.plan("Yes.", "Yes.", "Yes.")
    client = aws_session.client("bedrock-runtime", region_name="us-west-2")
    seen = []

    def govern(params: dict[str, Any], **_: Any) -> None:
        seen.append([message["content"][0]["text"] for message in params["messages"]])
        params["requestMetadata"] = {"team": "a"}
        params["inferenceConfig"] = {"maxTokens": 7}
        params.pop("system", None)

    client.meta.events.register("provide-client-params.bedrock-runtime.ConverseStream", govern)
    model = Bedrock(client=client)
    request = ask("Hi.", system="Be brief.", options={"inferenceConfig": {"maxTokens": 5}})
    chunks(model, request)
    assert seen == [["Hi."]]
    assert converse_server.requests[0] == {
        "messages": [user_message("Hi.")],
        "requestMetadata": {"team": "a"},
        "inferenceConfig": {"maxTokens": 7},
    }

    def replace(params: dict[str, Any], **_: Any) -> None:
        params["messages"] = [user_message("Something else.")]

    client.meta.events.register("before-parameter-build.bedrock-runtime.ConverseStream", replace)
    chunks(model, request)
    assert converse_server.requests[1]["messages"] == [user_message("Something else.")]


def test_two_models_on_one_client_send_one_body(converse_server, aws_session):
    converse_server.plan("One.", "Two.")
    client = aws_session.client("bedrock-runtime", region_name="us-west-2")
    for name in ("first", "second"):
        chunks(Bedrock(client=client), ask(name))
    assert [r["messages"] for r in converse_server.requests] == [
        [user_message("first")],
        [user_message("second")],
    ]


def test_the_stand_in_is_a_list_of_the_messages():
    messages = [user_message("Hi.")]
    prepared = Prepared(messages, b"[]", {})
    assert prepared == messages
    assert isinstance(prepared, list)


def test_json_of_a_message_has_its_content_last():
    message = {"content": [{"text": "ä"}], "role": "user"}
    assert message_json(message) == b'{"role":"user","content":[{"text":"\\u00e4"}]}'
