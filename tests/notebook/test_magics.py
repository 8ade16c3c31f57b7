"""The magics in a plain IPython shell."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb import Agent, RunResult
from minimalagent_nb.errors import AgentError
from tests.notebook.conftest import new_shell

SETUP = """
from minimalagent_nb import Agent, tool
from minimalagent_nb.models import ScriptedModel, call, say
model = ScriptedModel({script})
%config AgentMagics.model = "model"
"""

ADD = '''
@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b
'''


def run(shell: Any, code: str, *, fails: str | None = None) -> Any:
    """Run a cell; it must succeed, or fail with an error that says `fails`."""
    result = shell.run_cell(code)
    error = result.error_before_exec or result.error_in_exec
    if fails is None:
        assert error is None, error
    else:
        assert fails in str(error)
    return result.result if fails is None else error


def prepare(shell: Any, script: str) -> Any:
    run(shell, SETUP.format(script=script) + ADD)
    return shell.user_ns["model"]


def test_a_cell_asks_with_the_notebooks_tools(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2), 'It is {{result}}.']")
    run(shell, "%%agent --output answer\nWhat is 1 + 2?")
    result = shell.user_ns["answer"]
    assert isinstance(result, RunResult)
    assert result is shell.user_ns["_agent"]
    assert result.response == "It is 3."
    assert result.reasoning.query == "What is 1 + 2?"
    printed = capsys.readouterr().out
    assert "add" in printed
    assert "It is 3." in printed


def test_the_prompt_arrives_verbatim(shell: Any) -> None:
    model = prepare(shell, "['ok']")
    prompt = (
        """It's {"json": {a}} {{b}} $HOME {1+1} \\n 'x' "y" {mine} -s no"""
        "\n\n    indented?\n%agent not this?"
    )
    shell.user_ns["mine"] = 7
    run(shell, f"%%agent\n{prompt}")
    assert model.requests[0].messages[-1]["content"][0]["text"] == prompt.replace("{mine}", "7")


@pytest.mark.parametrize("prompt", [">>> 1 + 1\n2\n>>> x", "In [1]: x\nOut[1]: 3", "  a\n    b"])
def test_a_prompt_that_looks_like_a_shell_arrives_verbatim(shell: Any, prompt: str) -> None:
    model = prepare(shell, "['ok']")
    run(shell, f"%%agent\n{prompt}")
    assert model.requests[0].messages[-1]["content"][0]["text"] == prompt


@pytest.mark.parametrize("outer", ["%%time", "%%capture"])
def test_under_another_cell_magic(shell: Any, outer: str) -> None:
    model = prepare(shell, "['ok']")
    run(shell, f"{outer}\n%%agent -q\nAsk.")
    assert model.requests[0].messages[-1]["content"][0]["text"] == "Ask."


def test_raw_leaves_references(shell: Any) -> None:
    model = prepare(shell, "['ok']")
    shell.user_ns["mine"] = 7
    run(shell, "%%agent --raw\n{mine}")
    assert model.requests[0].messages[-1]["content"][0]["text"] == "{mine}"


def test_a_session_goes_on_from_cell_to_cell(shell: Any) -> None:
    model = prepare(shell, "['one', 'two']")
    run(shell, "%%agent\nFirst")
    run(shell, "%%agent\nSecond")
    texts = [message["content"][0]["text"] for message in model.requests[1].messages]
    assert texts == ["First", "one", "Second"]


def test_a_session_goes_on_in_another_kernel(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent --session demo\nFirst")
    other = new_shell()
    other.run_line_magic("load_ext", "minimalagent_nb")
    model = prepare(other, "['two']")
    run(other, "%%agent --session demo\nSecond")
    assert len(model.requests[0].messages) == 3
    other.run_line_magic("unload_ext", "minimalagent_nb")


def test_a_new_kernel_offers_the_last_session(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nFirst")
    first = shell.magics_manager.registry["AgentMagics"].bench.session_id
    assert first.startswith("My-notebook-")
    other = new_shell()
    other.run_line_magic("load_ext", "minimalagent_nb")
    prepare(other, "['two', 'three']")
    capsys.readouterr()
    run(other, "%%agent\nSecond")
    assert f"%agent session {first}" in capsys.readouterr().out
    run(other, f"%agent session {first}")
    run(other, "%%agent\nThird")
    assert len(other.user_ns["_agent"].messages) == 4
    other.run_line_magic("unload_ext", "minimalagent_nb")


def test_tools_follow_the_namespace(shell: Any) -> None:
    model = prepare(shell, "['a', 'b', 'c', 'd']")
    run(shell, "%%agent\n1")
    run(shell, ADD.replace("Add two numbers", "Sum them up"))
    run(shell, "%%agent\n2")
    run(shell, "@tool\ndef more() -> None:\n    'More.'")
    run(shell, "%%agent -t m*\n3")
    run(shell, "del add")
    run(shell, "%%agent\n4")
    offered = [[(t.name, t.description) for t in request.tools] for request in model.requests]
    assert offered == [
        [("add", "Add two numbers.")],
        [("add", "Sum them up.")],
        [("more", "More.")],
        [("more", "More.")],
    ]


def test_an_agent_of_ones_own(shell: Any) -> None:
    prepare(shell, "['mine']")
    run(shell, "mine = Agent(model=model, system_prompt='Be brief.')")
    run(shell, "%%agent --agent mine\nHello")
    assert shell.user_ns["model"].requests[0].system == "Be brief."
    run(shell, "%%agent --agent mine --session other\nHello", fails="script")
    assert shell.magics_manager.registry["AgentMagics"].bench.session_id != "other"
    run(shell, "%%agent --agent model\nHello", fails="Agents here: mine")
    run(shell, "%%agent --agent mine --model x\nHello", fails="leave out --model")


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%agent --modle x\nhi", "Did you mean --model"),
        ("%%agent\n   \n", "prompt is empty"),
        ("%%agent", "prompt is empty"),
        ("%agent histroy", "Did you mean %agent history"),
        ("%%agent -t sub\nhi", "No tool is named 'sub'"),
        ("%%agent -s a.b\nhi", "session"),
        ("%agent show 7", "no number 7"),
        ("%agent tools +notbook", "+notebook"),
        ("%agent model nope:x", "Unknown kind of model"),
    ],
)
def test_mistakes_get_one_line_and_fail_the_cell(
    shell: Any, capsys: Any, cell: str, says: str
) -> None:
    prepare(shell, "['never']")
    capsys.readouterr()
    error = run(shell, cell, fails=says)
    assert isinstance(error, AgentError)
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert says in shown.out + shown.err


def test_the_traceback_is_there_on_demand(shell: Any, capsys: Any) -> None:
    prepare(shell, "[]")
    run(shell, "%%agent\nhi", fails="script")
    capsys.readouterr()
    run(shell, "%tb Verbose")
    assert "Traceback" in capsys.readouterr().out


def test_a_failed_run_keeps_its_reasoning(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2)]")
    run(shell, "%%agent\nAdd.", fails="script")
    capsys.readouterr()
    run(shell, "%agent reasoning")
    printed = capsys.readouterr().out
    assert "add" in printed


def test_no_model_says_the_ways(shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = run(shell, "%%agent\nhi", fails="aws configure")
    assert "AgentMagics.model" in str(error)


def test_a_question_mark_at_the_end_asks(shell: Any) -> None:
    model = prepare(shell, "['fine', 'yes', 'so', 'no']")
    run(shell, "%agent what is up?")
    run(shell, "x = 1\n%agent is it's {x}?")
    run(shell, "if x:\n    %agent and indented?")
    run(shell, "%agent ask tools")
    texts = [request.messages[-1]["content"][0]["text"] for request in model.requests]
    assert texts == ["what is up?", "is it's 1?", "and indented?", "tools"]


def test_a_question_inside_a_string_stays_as_it_is(shell: Any) -> None:
    run(shell, "text = '''\n%agent what is up?\n'''")
    assert shell.user_ns["text"] == "\n%agent what is up?\n"


def test_a_stored_title_brings_no_escape_sequences_to_the_terminal(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nHello \x1b]52;c;c3RvbGVu\x07\x1b[31mred")
    capsys.readouterr()
    run(shell, "%agent sessions")
    printed = capsys.readouterr().out
    assert "red" in printed
    assert "\x1b" not in printed
    assert "\x07" not in printed


def test_help_pages(shell: Any, capsys: Any) -> None:
    run(shell, "%%agent -h")
    assert "--max-steps" in capsys.readouterr().out
    run(shell, "%agent help")
    assert "%agent history" in capsys.readouterr().out


def test_status_tools_config_and_sessions(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent -s demo\nWhat a day")
    capsys.readouterr()
    for command, expected in {
        "": ["scripted", "demo", "add", "SQLite"],
        "tools": ["add", "a, b", "Add two numbers."],
        "config": ["max_steps", "20", "default", "environment variable"],
        "sessions": ["demo", "What a day"],
        "history": ["What a day"],
        "session": ["demo"],
        "show": ["What a day"],
    }.items():
        run(shell, f"%agent {command}")
        printed = capsys.readouterr().out
        assert all(word in printed for word in expected), (command, printed)


def test_a_session_that_nobody_knows_is_said_to_be_new(shell: Any, capsys: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent --session known\nFirst")
    for name, is_new in (("known", False), ("knwon", True)):
        capsys.readouterr()
        run(shell, f"%agent session {name}")
        assert ("A new session" in capsys.readouterr().out) == is_new


def test_reset_begins_a_new_session(shell: Any) -> None:
    model = prepare(shell, "['one', 'two']")
    run(shell, "%%agent\nFirst")
    run(shell, "%agent reset")
    run(shell, "%%agent\nSecond")
    assert len(model.requests[1].messages) == 1


def test_quiet_shows_the_answer_only(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2), 'It is {{result}}.']")
    capsys.readouterr()
    run(shell, "%%agent --quiet\nAdd.")
    assert capsys.readouterr().out == "It is 3.\n"


def traces(shell: Any) -> dict[str, Any]:
    """Everything of a shell that loading an extension may change."""
    magics = shell.magics_manager
    ours = [c for c in shell.configurables if type(c).__module__.startswith("minimalagent_nb")]
    return {
        "line": set(magics.magics["line"]),
        "cell": set(magics.magics["cell"]),
        "transformers": list(shell.input_transformers_cleanup),
        "configurables": ours,
        "registry": "AgentMagics" in magics.registry,
        "namespace": set(shell.user_ns),
        "events": {name: list(told) for name, told in shell.events.callbacks.items()},
        "errors": hasattr(AgentError, "_render_traceback_"),
    }


def test_loading_twice_and_unloading_restore_the_shell(store_path: Any) -> None:
    shell = new_shell()
    before = traces(shell)
    shell.run_line_magic("load_ext", "minimalagent_nb")
    loaded = traces(shell)
    assert loaded != before
    shell.run_line_magic("load_ext", "minimalagent_nb")
    shell.run_line_magic("reload_ext", "minimalagent_nb")
    again = traces(shell)
    assert (again["line"], len(again["transformers"])) == (
        loaded["line"],
        len(loaded["transformers"]),
    )
    shell.run_line_magic("unload_ext", "minimalagent_nb")
    assert traces(shell) == before


def test_unloading_brings_back_a_magic_of_the_same_name(store_path: Any) -> None:
    shell = new_shell()

    def agent(line: str) -> str:
        return f"mine: {line}"

    shell.register_magic_function(agent, "line")
    shell.run_line_magic("load_ext", "minimalagent_nb")
    shell.run_line_magic("unload_ext", "minimalagent_nb")
    assert shell.run_line_magic("agent", "x") == "mine: x"
    assert "agent" not in shell.magics_manager.magics["cell"]


def test_agent_is_the_public_class(shell: Any) -> None:
    prepare(shell, "[]")
    assert shell.user_ns["Agent"] is Agent


def test_a_misspelt_model_variable_is_no_model_id(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%config AgentMagics.model = 'modle'")
    run(shell, "%%agent\nhi", fails="'modle' is no model id, and a variable of that name is not")
    run(shell, "%agent model add", fails="holds function")
    run(shell, "%agent model model")
    run(shell, "%%agent\nhi")


def test_reset_leaves_the_old_run_behind(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "%%agent\nhi")
    run(shell, "%agent show")
    run(shell, "%agent reset")
    run(shell, "%agent show", fails="No run yet")


def test_the_status_says_what_is_wrong_and_shows_the_rest(
    shell: Any, capsys: Any, store_path: Any
) -> None:
    store_path.write_bytes(b"no database" * 1000)
    run(shell, "%config AgentMagics.model = 'modle'")
    run(shell, ADD.replace("@tool", "from minimalagent_nb import tool\n@tool"))
    capsys.readouterr()
    run(shell, "%agent")
    printed = capsys.readouterr().out
    assert "'modle' is no model id" in printed
    assert "sessions.sqlite3" in printed
    assert "add" in printed


def test_a_cell_can_be_typed_line_by_line_in_a_terminal(shell: Any) -> None:
    assert shell.check_complete("%%agent")[0] == "incomplete"
    assert shell.check_complete("%%agent\nWhat is up?")[0] == "incomplete"
    assert shell.check_complete("%%agent\nWhat is up?\n\n")[0] == "complete"
    assert shell.check_complete("%agent what is up?")[0] == "complete"


def test_without_a_notebooks_name_no_strangers_session_is_offered(
    shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME")
    for _ in range(2):
        other = new_shell()
        other.run_line_magic("load_ext", "minimalagent_nb")
        prepare(other, "['one']")
        run(other, "%%agent\nhi")
        other.run_line_magic("unload_ext", "minimalagent_nb")
    assert "%agent session" not in capsys.readouterr().out


def test_agents_and_servers_among_the_variables_are_tools_too(shell: Any) -> None:
    model = prepare(shell, "['ok']")
    run(shell, "adder = Agent(tools=[add], model=model, name='adder').as_tool()")
    run(shell, "from minimalagent_nb.tools.definition import ToolSource")
    run(
        shell,
        "class Server(ToolSource):\n    def tools(self):\n"
        "        return [Agent(model=model, name='remote').as_tool()]\nserver = Server()",
    )
    run(shell, "%%agent\nGo.")
    assert [spec.name for spec in model.requests[0].tools] == ["add", "adder", "remote"]


def test_a_fork_goes_on_in_a_copy(shell: Any, capsys: Any) -> None:
    model = prepare(shell, "['One.', 'Two.', 'Three.']")
    run(shell, "%%agent --session trunk\nFirst.")
    run(shell, "%agent fork branch")
    run(shell, "%%agent\nSecond.")
    assert [m["content"][0]["text"] for m in model.requests[1].messages] == [
        "First.",
        "One.",
        "Second.",
    ]
    run(shell, "%agent session trunk")
    run(shell, "%%agent\nOther.")
    assert "Second." not in str(model.requests[2].messages)
    run(shell, "%agent fork trunk", fails="trunk")
