"""``%%agent`` and its options in a plain IPython shell."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb import Agent, RunResult
from minimalagent_nb.errors import ModelError
from tests.notebook.cells import ADD, prepare, run


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


def test_the_traceback_is_there_on_demand(shell: Any, capsys: Any) -> None:
    prepare(shell, "[]")
    run(shell, "%%agent\nhi", fails="script")
    capsys.readouterr()
    run(shell, "%tb Verbose")
    assert "Traceback" in capsys.readouterr().out


def test_a_terminal_does_not_obey_what_a_service_says(shell: Any, capsys: Any) -> None:
    class Broken:
        name = "broken"

        def stream(self, request: Any, cancel: Any) -> Any:
            raise ModelError("The service says \x1b]0;mine\x07no\x1b[2J.\nTry again.")

    shell.user_ns["broken"] = Broken()
    error = run(shell, "%%agent --model broken --quiet\nHi.", fails="Try again")
    assert "\x1b]0;" in str(error)
    out = capsys.readouterr().out
    assert "ModelError: The service says no.\nTry again." in out


def test_a_failed_run_keeps_its_reasoning(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2)]")
    run(shell, "%%agent\nAdd.", fails="script")
    capsys.readouterr()
    run(shell, "%agent reasoning")
    printed = capsys.readouterr().out
    assert "add" in printed


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


def test_quiet_shows_the_answer_only(shell: Any, capsys: Any) -> None:
    prepare(shell, "[call('add', a=1, b=2), 'It is {{result}}.']")
    capsys.readouterr()
    run(shell, "%%agent --quiet\nAdd.")
    assert capsys.readouterr().out == "It is 3.\n"


def test_agent_is_the_public_class(shell: Any) -> None:
    prepare(shell, "[]")
    assert shell.user_ns["Agent"] is Agent


def test_a_cell_can_be_typed_line_by_line_in_a_terminal(shell: Any) -> None:
    assert shell.check_complete("%%agent")[0] == "incomplete"
    assert shell.check_complete("%%agent\nWhat is up?")[0] == "incomplete"
    assert shell.check_complete("%%agent\nWhat is up?\n\n")[0] == "complete"
    assert shell.check_complete("%agent what is up?")[0] == "complete"


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
