"""Models in this process: their wire form, and llama.cpp itself on the demonstration weights."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import (
    ConfigurationError,
    ContextWindowError,
    ModelError,
    ModelRequestError,
    ModelStreamError,
    ModelUnavailableError,
)
from minimalagent_nb.messages import user_message
from minimalagent_nb.models import (
    LocalModel,
    ModelReply,
    ModelRequest,
    TextChunk,
    ThinkingChunk,
    ToolSpec,
    describe_choice,
    find_model,
)
from minimalagent_nb.models.local_engine import EngineOptions, LocalEngine
from minimalagent_nb.models.local_wire import ChatTurn, chat_request
from tests.demo_weights import THREADS

ADD = ToolSpec(
    "add",
    "Add two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)

# A chat template with tools, as many models have one: calls and results as JSON in tags.
TEMPLATE = """
{%- if tools -%}<|im_start|>system
# Tools
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools>
For each call, return a JSON object within <tool_call></tool_call> tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% endif -%}
{%- for message in messages -%}
{%- if message.role == "tool" -%}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% elif message.tool_calls -%}<|im_start|>assistant
{{ message.content or "" }}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% else -%}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""

STEADY = {"temperature": 0, "seed": 1}


def run(model: LocalModel, request: ModelRequest) -> tuple[list, ModelReply]:
    *chunks, last = model.stream(request, CancelToken())
    assert isinstance(last, ModelReply)
    return chunks, last


# -- the wire ----------------------------------------------------------------------


def history():
    use = {"toolUseId": "id1", "name": "add", "input": {"a": 1, "b": 2}}
    result = {"toolUseId": "id1", "content": [{"json": {"sum": 3}}], "status": "success"}
    failed = {"toolUseId": "id2", "content": [{"text": "too large"}], "status": "error"}
    thinking = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
    return [
        user_message("Add."),
        {"role": "assistant", "content": [thinking, {"text": "I add."}, {"toolUse": use}]},
        {"role": "user", "content": [{"toolResult": result}, {"toolResult": failed}]},
    ]


def test_a_conversation_is_written_as_chat_completions_want_it():
    body = chat_request(ModelRequest(history(), "Be brief.", [ADD], {"temperature": 0}))
    call = {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Add."},
        {
            "role": "assistant",
            "content": "I add.",
            "tool_calls": [{"id": "id1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "id1", "content": '{"sum": 3}'},
        {"role": "tool", "tool_call_id": "id2", "content": "Error: too large"},
    ]
    assert body["temperature"] == 0
    assert body["tools"][0]["function"]["parameters"] == ADD.input_schema


def test_a_forced_tool_is_the_only_one_offered():
    other = ToolSpec("other", "Another.", {"type": "object"})
    body = chat_request(ModelRequest(history(), tools=[other, ADD], tool_choice="add"))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["add"]
    assert body["tool_choice"] == "required"
    assert "tool_choice" not in chat_request(ModelRequest(history(), tools=[other, ADD]))


def test_where_no_template_knows_tools_the_history_is_text():
    contents = [m["content"] for m in chat_request(ModelRequest(history()), False)["messages"]]
    assert contents == [
        "Add.",
        'I add.\n[called add with {"a": 1, "b": 2}]',
        '[result: {"sum": 3}]\n[result: Error: too large]',
    ]


def test_what_cannot_be_read_is_named():
    picture = {"role": "user", "content": [{"image": {"format": "png", "source": {}}}]}
    with pytest.raises(ModelRequestError, match="holds image"):
        chat_request(ModelRequest([picture]))
    with pytest.raises(ConfigurationError, match="options messages, tools"):
        chat_request(ModelRequest(history(), options={"tools": [], "messages": []}))


def turn_of(*deltas, finish="stop", usage=None) -> tuple[list, ModelReply]:
    turn = ChatTurn()
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    chunks += [{"choices": [{"delta": {}, "finish_reason": finish}]}]
    chunks += [{"choices": [], "usage": usage}] if usage else []
    shown = [piece for chunk in chunks for piece in turn.take(chunk)]
    return shown, turn.reply()


def test_a_turn_is_put_together():
    function = {"name": "add", "arguments": '{"a": 1,'}
    counts = {"prompt_tokens": 10, "completion_tokens": 4}
    shown, reply = turn_of(
        {"role": "assistant", "content": None},
        {"reasoning_content": "hm"},
        {"content": "I "},
        {"content": "add."},
        {"tool_calls": [{"index": 0, "id": "id1", "function": function}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ' "b": 2}'}}]},
        finish="tool_calls",
        usage={**counts, "prompt_tokens_details": {"cached_tokens": 7}},
    )
    assert shown == [ThinkingChunk("hm"), TextChunk("I "), TextChunk("add.")]
    assert reply.stop_reason == "tool_use"
    assert reply.message["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
        {"text": "I add."},
        {"toolUse": {"toolUseId": "id1", "name": "add", "input": {"a": 1, "b": 2}}},
    ]
    assert (reply.usage.input_tokens, reply.usage.cache_read_tokens) == (3, 7)
    assert reply.usage.output_tokens == 4


@pytest.mark.parametrize(
    ("arguments", "finish", "reason"),
    [
        ("[1]", "tool_calls", "not a JSON object"),
        ('{"a"', "tool_calls", "not a JSON object"),
        ("{}", "length", "cut off"),
    ],
)
def test_a_call_that_must_not_run_is_marked(arguments, finish, reason):
    function = {"name": "add", "arguments": arguments}
    _, reply = turn_of({"tool_calls": [{"id": "", "function": function}]}, finish=finish)
    [block] = reply.message["content"]
    assert reason in reply.broken_calls[block["toolUse"]["toolUseId"]]
    assert block["toolUse"]["input"] == {}


def test_a_turn_without_an_end_has_broken_off():
    with pytest.raises(ModelStreamError, match="broke off"):
        ChatTurn().reply()


# -- files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [(None, "cannot be read"), (b"no model", "is no GGUF file")],
)
def test_a_file_that_is_no_model_is_named_at_once(tmp_path, data, words):
    path = tmp_path / "model.gguf"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=words):
        find_model(f"local:{path}")


@pytest.mark.usefixtures("demo_weights")
def test_a_broken_file_is_said_in_words(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + b"x" * 100)
    with pytest.raises(ModelUnavailableError, match=r"cannot open .*may be broken"):
        run(LocalModel(path), ModelRequest([user_message("Hi")]))


def test_without_llama_cpp_one_line_says_what_to_install(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    # A module of that name that cannot be imported stands for one that is not there.
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no wheel')")
    script = "from minimalagent_nb.models import find_model; find_model('local:model.gguf')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    line = done.stderr.splitlines()[-1]
    assert "ConfigurationError: Models in this process" in line
    assert 'pip install "minimalagent-nb[demo]"' in line
    assert "no wheel" in line


def test_the_choice_is_described_without_opening_anything():
    assert describe_choice("local:/models/tiny.gguf") == (
        "tiny in this process, from /models/tiny.gguf (chosen)"
    )
    assert describe_choice("local:").startswith("none: local: needs the path")
    assert describe_choice("demo:x").startswith("none: The demonstration model is")


# -- the model -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(demo_weights: Path):
    """The demonstration weights with their own template, which knows no tools."""
    model = LocalModel(demo_weights, context=512, threads=THREADS)
    yield model
    model.close()


def test_text_streams_as_it_is_made(model):
    request = ModelRequest([user_message("Say hello.")], options={**STEADY, "max_tokens": 8})
    chunks, reply = run(model, request)
    text = "".join(chunk.text for chunk in chunks)
    assert len(chunks) > 3
    assert reply.message["content"] == [{"text": text}]
    assert reply.stop_reason == "max_tokens"
    assert reply.usage.output_tokens == 8
    assert reply.usage.input_tokens > 5
    assert model.name == "SmolLM2-135M-Instruct.Q4_1"


def test_tools_without_a_place_for_them_are_refused(model):
    with pytest.raises(ModelRequestError, match=r'cannot call tools.*"demo"'):
        run(model, ModelRequest([user_message("Add 1 and 2.")], tools=[ADD]))


def test_a_conversation_that_is_too_long_is_refused(model):
    with pytest.raises(ContextWindowError, match=r"Start a new session.*512 tokens"):
        run(model, ModelRequest([user_message("word " * 600)]))


def test_what_llama_cpp_refuses_is_said_in_its_words(model):
    request = ModelRequest([user_message("Hi")], options={"grammar": "root ::= ("})
    with pytest.raises(ModelRequestError, match=r"refused the request: .*grammar"):
        run(model, request)


def test_a_cancelled_turn_ends_at_once_and_the_next_one_works(model):
    cancel = CancelToken()
    stream = model.stream(ModelRequest([user_message("Tell me a long story.")]), cancel)
    assert isinstance(next(stream), TextChunk)
    threading.Thread(target=cancel.cancel).start()
    assert not any(isinstance(chunk, ModelReply) for chunk in stream)
    assert list(model.stream(ModelRequest([user_message("Hi")]), cancel)) == []
    run(model, ModelRequest([user_message("Hi")], options={**STEADY, "max_tokens": 1}))


def test_a_turn_that_nobody_reads_on_ends(model):
    stream = model.stream(ModelRequest([user_message("Tell me a long story.")]), CancelToken())
    next(stream)
    stream.close()
    threads = list(model._engine._threads)
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)


def test_the_loopback_port_is_closed_to_others(model):
    address = model._engine.open().listening_address.partition("//")[2]
    assert address.startswith("127.0.0.1:")
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/props", headers=headers)
        assert connection.getresponse().status == 401
        connection.close()


def test_tools_are_called_where_the_template_knows_them(demo_weights):
    model = LocalModel(demo_weights, threads=THREADS, name="own", chat_template=TEMPLATE)
    wish = (
        'Repeat exactly this:\n<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n'
        "</tool_call>"
    )
    options = {**STEADY, "max_tokens": 60}
    _, reply = run(model, ModelRequest([user_message(wish)], tools=[ADD], options=options))
    assert reply.stop_reason == "tool_use"
    use = reply.message["content"][-1]["toolUse"]
    assert (use["name"], use["input"]) == ("add", {"a": 1, "b": 2})

    result = {"toolUseId": use["toolUseId"], "content": [{"text": "3"}], "status": "success"}
    messages = [
        user_message(wish),
        reply.message,
        {"role": "user", "content": [{"toolResult": result}]},
    ]
    _, answer = run(model, ModelRequest(messages, tools=[ADD], options=options))
    assert answer.message["content"]
    assert answer.usage.cache_read_tokens > 100
    model.close()


def test_errors_in_a_callback_reach_the_caller(demo_weights):
    class Broken(LocalEngine):
        """Its library raises in the middle, as no real one can be made to."""

        def _load(self):
            class Library:
                @staticmethod
                def handle_completions(body, callback):
                    callback({"choices": [{"text": "a"}]})
                    raise MemoryError("no room")

            return Library()

    engine = Broken(demo_weights, EngineOptions())
    with pytest.raises(ModelError, match=r"llama\.cpp failed: no room"):
        engine.complete({"prompt": "x"}, CancelToken())


def test_leaving_the_interpreter_in_mid_answer_ends_it_well(demo_weights):
    script = (
        "import os, sys\n"
        "from minimalagent_nb.cancel import CancelToken\n"
        "from minimalagent_nb.messages import user_message\n"
        "from minimalagent_nb.models import LocalModel, ModelRequest\n"
        f"model = LocalModel(sys.argv[1], threads={THREADS}, context=512)\n"
        "stream = model.stream(ModelRequest([user_message('A long story.')]), CancelToken())\n"
        "print(next(stream).text != '', os.environ.get('OMP_WAIT_POLICY'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(demo_weights)],
        env={name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True None", "")
