"""The scripted model: what users write scripts with, and what they are told when one is wrong."""

from __future__ import annotations

import json

import pytest

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError, ModelError, ModelThrottledError
from minimalagent_nb.events import Usage
from minimalagent_nb.messages import closing_message, user_message
from minimalagent_nb.models import (
    Model,
    ModelReply,
    ModelRequest,
    ScriptedModel,
    TextChunk,
    ThinkingChunk,
    call,
    say,
)
from tests.models.conftest import ask, chunks


def answer(model: ScriptedModel, request: ModelRequest | None = None) -> ModelReply:
    return chunks(model, request)[-1]


def after(*results: dict) -> ModelRequest:
    """A request after these tool results of one run, and a result of the run before it."""
    messages = [user_message("Earlier."), *turn("u0", {"content": [{"text": "0"}]})]
    messages += [closing_message("0."), user_message("Now.")]
    for number, result in enumerate(results, 1):
        messages += turn(f"u{number}", result)
    return ModelRequest(messages)


def turn(use_id: str, result: dict) -> list[dict]:
    use = {"toolUse": {"toolUseId": use_id, "name": "look", "input": {}}}
    return [
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": use_id, **result}}]},
    ]


def test_it_is_a_model_with_a_name():
    assert isinstance(ScriptedModel([]), Model)
    assert ScriptedModel([]).name == "scripted"
    assert ScriptedModel([], name="penguins").name == "penguins"


def test_text_comes_word_by_word():
    text = "  Hello there,\nmy  friend. "
    *pieces, last = chunks(ScriptedModel([text]))
    assert [type(piece) for piece in pieces] == [TextChunk] * 5
    assert "".join(piece.text for piece in pieces) == text
    assert last.message == {"role": "assistant", "content": [{"text": text}]}
    assert last.stop_reason == "end_turn"


def test_thinking_comes_first():
    got = chunks(ScriptedModel([say("Four.", thinking="Two and two.")]))
    assert [type(chunk) for chunk in got] == [ThinkingChunk] * 3 + [TextChunk, ModelReply]
    first = got[-1].message["content"][0]
    assert first == {"reasoningContent": {"reasoningText": {"text": "Two and two."}}}


def test_calls_are_tool_uses():
    reply = answer(ScriptedModel([["I add.", call("add", a=1, name="x"), call("sub")]]))
    assert reply.stop_reason == "tool_use"
    assert reply.message["content"] == [
        {"text": "I add."},
        {"toolUse": {"toolUseId": "call-1", "name": "add", "input": {"a": 1, "name": "x"}}},
        {"toolUse": {"toolUseId": "call-2", "name": "sub", "input": {}}},
    ]


def test_call_ids_are_not_used_twice_in_a_conversation():
    request = after({"content": [{"text": "1"}]})
    reply = answer(ScriptedModel([call("add")]), request)
    assert reply.message["content"][0]["toolUse"]["toolUseId"] == "call-3"


def test_replies_are_used_up_one_by_one():
    model = ScriptedModel(["One.", "Two."], name="counting")
    assert answer(model).message["content"] == [{"text": "One."}]
    assert answer(model).message["content"] == [{"text": "Two."}]
    with pytest.raises(ModelError, match=r"'counting' has run out: its replies were 2, .* turn 3"):
        answer(model)


def test_a_function_can_answer_everything_or_one_turn():
    model = ScriptedModel(lambda request: f"{len(request.messages)} messages")
    assert answer(model).message["content"] == [{"text": "1 messages"}]
    model = ScriptedModel([lambda request: call("add", n=len(request.messages)), "Done."])
    assert answer(model).stop_reason == "tool_use"
    assert answer(model).message["content"] == [{"text": "Done."}]


def test_an_exception_is_raised():
    with pytest.raises(ModelThrottledError, match="Slow down"):
        answer(ScriptedModel([ModelThrottledError("Slow down.")]))


def test_a_whole_reply_is_given_as_it_is():
    reply = ModelReply(closing_message("Cut"), "max_tokens", Usage(1, 2), {"u1": "cut off"})
    assert chunks(ScriptedModel([reply])) == [TextChunk("Cut"), reply]


def test_requests_are_kept():
    model = ScriptedModel(["One."])
    request = ask("Hello.")
    answer(model, request)
    assert model.requests == [request]


def test_usage_is_about_a_fourth_of_the_characters_and_always_the_same():
    usages = {answer(ScriptedModel(["x" * 400]), ask("y" * 4000)).usage for _ in range(3)}
    (usage,) = usages
    assert 100 <= usage.output_tokens < 120
    assert 1000 <= usage.input_tokens < 1040


def test_a_stop_ends_it_without_a_reply():
    cancel = CancelToken()
    stream = ScriptedModel(["One two three."], delay=0.001).stream(ask(), cancel)
    assert next(stream) == TextChunk("One ")
    cancel.cancel()
    assert list(stream) == []


def test_a_stop_ends_a_delay():
    cancel = CancelToken()
    cancel.cancel()
    assert list(ScriptedModel(["One."], delay=3600).stream(ask(), cancel)) == []


PENGUINS = {"content": [{"json": {"rows": [{"name": "Ida", "mass g": 3.5}], "n": 2}}]}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{result.n}} of them", "2 of them"),
        ("{{ result.rows[0].name }}!", "Ida!"),
        ("{{result.rows.0.mass g}}", "3.5"),
        ("{{result.rows[-1]}}", '{"name": "Ida", "mass g": 3.5}'),
        ("{{results[0]}} and {{results[-1].n}}", "first and 2"),
        ("{{other}} {result}", "{{other}} {result}"),
    ],
)
def test_placeholders_are_filled_from_the_results_of_this_run(text, filled):
    request = after({"content": [{"text": "first"}]}, PENGUINS)
    assert answer(ScriptedModel([text]), request).message["content"] == [{"text": filled}]


@pytest.mark.parametrize("value", ["plain words", 5, [1, "ä"], None, {"a": 1}])
def test_a_whole_result_is_text_as_it_is_or_json(value):
    text = value if isinstance(value, str) else json.dumps(value)
    request = after({"content": [{"text": text}]})
    filled = answer(ScriptedModel(["{{result}}"]), request).message["content"][0]["text"]
    assert filled == (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def test_results_of_one_turn_are_told_apart():
    messages = after().messages[:-1]
    blocks = [
        {"toolResult": {"toolUseId": use_id, "content": [{"text": use_id}]}}
        for use_id in ("a", "b")
    ]
    uses = [{"toolUse": {"toolUseId": i, "name": "look", "input": {}}} for i in ("a", "b")]
    messages += [user_message("Now."), {"role": "assistant", "content": uses}]
    messages += [{"role": "user", "content": blocks}]
    reply = answer(ScriptedModel(["{{results[0]}} {{results[1]}}"]), ModelRequest(messages))
    assert reply.message["content"] == [{"text": "a b"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{result.mass}}", r"\{\{result\.mass\}\}.*no \.mass in .*rows"),
        ("{{result.rows[7].name}}", r"no \[7\] in"),
        ("{{result.n.x}}", r"no \.x in 2"),
        ("{{results[3]}}", "1 tool results so far"),
        ("{{results.n}}", "not of the form"),
        ("{{result.}}", "not of the form"),
    ],
)
def test_a_placeholder_that_finds_nothing_is_an_error_that_names_it(text, words):
    with pytest.raises(ModelError, match=words):
        answer(ScriptedModel([text]), after(PENGUINS))


def test_results_of_an_earlier_run_do_not_count():
    with pytest.raises(ModelError, match="0 tool results so far"):
        answer(ScriptedModel(["{{result}}"]), after())


@pytest.mark.parametrize("replies", ["Hello.", 5, None])
def test_replies_are_a_list_or_a_function(replies):
    with pytest.raises(ConfigurationError, match="are a list"):
        ScriptedModel(replies)


@pytest.mark.parametrize("reply", [5, None, [5], {"text": "Hello."}])
def test_a_reply_of_no_known_kind_is_an_error(reply):
    with pytest.raises(ModelError, match="cannot be made of"):
        answer(ScriptedModel([reply]))


SCRIPT = """{
  "version": 1,
  "replies": [
    {"thinking": "Hm.", "calls": [{"name": "add", "inputs": {"a": [1, {"b": "]"}]}}]},

    {"text": "Sum: {{result}}."}
  ]
}"""


def test_a_script_is_read_from_a_file(tmp_path):
    path = tmp_path / "sums.json"
    path.write_text(SCRIPT, encoding="utf-8")
    model = ScriptedModel.from_file(path)
    assert model.name == "sums"
    first = answer(model).message["content"]
    assert [next(iter(block)) for block in first] == ["reasoningContent", "toolUse"]
    assert first[1]["toolUse"]["input"] == {"a": [1, {"b": "]"}]}
    second = answer(model, after({"content": [{"text": "3"}]}))
    assert second.message["content"] == [{"text": "Sum: 3."}]


def test_a_script_may_have_a_name(tmp_path):
    path = tmp_path / "sums.json"
    path.write_text('{"version": 1, "name": "adding", "replies": []}')
    assert ScriptedModel.from_file(str(path)).name == "adding"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"thinking": "Hm."', '"thinking": Hm.', "line 4: this is not JSON"),
        ('"version": 1', '"version": 2', "line 1: .*version.* must be 1, not 2"),
        ('"replies": [', '"name": 5, "replies": [', 'line 1: "name" must be text'),
        ('"replies"', '"answers"', 'line 1: "replies" must be a list'),
        ('{"text": "Sum: {{result}}."}', '"Sum."', "line 6: reply 2: it must be an object"),
        ('{"text"', '{"txt"', 'line 6: reply 2: unknown key "txt"'),
        ('"text": "Sum: {{result}}."', '"text": ""', 'line 6: reply 2: it needs "text" or "calls"'),
        ('"Sum: {{result}}."', "[1]", 'line 6: reply 2: "text" must be text'),
        ('"name": "add"', '"name": ""', 'line 4: reply 1: a call needs a "name"'),
        ('{"a": [1, {"b": "]"}]}', "[1]", 'line 4: reply 1: the "inputs" of a call'),
        ('[{"name": "add"', '{"name": "add"', "line 4: this is not JSON"),
    ],
)
def test_a_bad_script_is_an_error_with_its_line(tmp_path, old, new, words):
    path = tmp_path / "bad.json"
    assert old in SCRIPT
    path.write_text(SCRIPT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"bad\.json, {words}"):
        ScriptedModel.from_file(path)


def test_a_script_must_be_an_object(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("[]")
    with pytest.raises(ConfigurationError, match="must hold an object"):
        ScriptedModel.from_file(path)


def test_a_script_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"missing\.json cannot be read: No such file"):
        ScriptedModel.from_file(tmp_path / "missing.json")
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        ScriptedModel.from_file(binary)
