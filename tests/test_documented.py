"""Programs written against the documentation of minimalagent's session management.

They run as they stand with the import changed: real boto3 against a server that
keeps the Converse rules, and Amazon's own DynamoDB Local.
"""

from __future__ import annotations

import inspect
import json
import time
from decimal import Decimal
from typing import Any

import boto3
import pytest

from minimalagent_nb import Agent, Reasoning, ReasoningStep, ToolData
from tests.servers.converse import ConverseServer, last_text, reply, text, tool_use

QUICK_START = """
from minimalagent import Agent
agent = Agent(use_session_memory=True)
# First interaction
response1 = agent.run("What's the weather in Seattle?", session_id="user123")
# Later interaction (remembers context)
response2 = agent.run("What about tomorrow?", session_id="user123")
"""

COMPLETE = """
from minimalagent import Agent, tool
import uuid

@tool
def answer_question(question: str) -> dict:
    \"\"\"Answer a simple question.

    Args:
        question: The question.
    \"\"\"
    return {"answer": f"The answer to '{question}' is 42."}

# Create agent with sessions enabled
agent = Agent(
    tools=[answer_question],
    use_session_memory=True,
    show_reasoning=True,
)

# Generate session ID (or use a user ID in a real application)
session_id = str(uuid.uuid4())

# First interaction
response1, reasoning1 = agent.run(
    "What is the meaning of life?",
    session_id=session_id
)

# Second interaction (referencing the first)
response2, reasoning2 = agent.run(
    "Can you elaborate on that?",
    session_id=session_id
)

# Retrieve the reasoning history
history = agent.get_reasoning_history(session_id)
print(f"Found {len(history)} interactions in this session")
"""

RETRIEVE = """
# Get the most recent reasoning data for a session
reasoning = agent.get_reasoning(session_id)
print(f"Query: {reasoning.query}")
print(f"Response: {reasoning.final_response}")

# Examine tool usage from the most recent interaction
print(f"The agent took {reasoning.total_steps} steps to answer")
for step in reasoning.steps:
    print(f"\\nStep {step.step_number} thinking: {step.thinking}")

    # Analyze all tools used in this step
    for tool in step.tools:
        print(f"Tool used: {tool.name}")
        print(f"Tool inputs: {tool.inputs}")
        print(f"Tool result: {tool.result}")

# Get complete reasoning history across all interactions
reasoning_history = agent.get_reasoning_history(session_id)
print(f"Found {len(reasoning_history)} interactions in this session")

# Analyze all tool invocations across all interactions
for i, interaction in enumerate(reasoning_history):
    print(f"\\nInteraction {i+1}: {interaction.query}")
    print(f"Total steps: {interaction.total_steps}")
    for step in interaction.steps:
        for tool in step.tools:
            print(f"Tool: {tool.name}, Inputs: {tool.inputs}")
"""


def execute(program: str, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the program with nothing changed but the package that it imports."""
    names = {} if namespace is None else namespace
    exec(program.replace("from minimalagent import", "from minimalagent_nb import"), names)
    return names


def conversation(request: dict[str, Any]) -> Any:
    """A model that asks its tool once for each question, then answers."""
    blocks = request["messages"][-1]["content"]
    if "toolResult" in blocks[0]:
        answer = blocks[0]["toolResult"]["content"][0]["json"]["answer"]
        return reply(text(f"<thinking>I know it now.</thinking>\n\n{answer}"))
    return reply(
        text("<thinking>I need the tool.</thinking>"),
        tool_use("answer_question", {"question": last_text(request)}),
    )


@pytest.mark.usefixtures("dynamodb")
def test_the_quick_start_remembers(converse_server: ConverseServer) -> None:
    converse_server.plan("Rain.", "Sun.")
    names = execute(QUICK_START)
    assert str(names["response2"]) == "Sun."
    texts = [m["content"][0]["text"] for m in converse_server.requests[1]["messages"]]
    assert texts == ["What's the weather in Seattle?", "Rain.", "What about tomorrow?"]


@pytest.mark.usefixtures("dynamodb")
def test_the_complete_example_and_the_retrieval(
    converse_server: ConverseServer, capsys: pytest.CaptureFixture[str]
) -> None:
    converse_server.plan(conversation)
    names = execute(COMPLETE)
    assert names["response1"] == "The answer to 'What is the meaning of life?' is 42."
    assert names["reasoning1"].steps[0].tools[0].result == {
        "answer": "The answer to 'What is the meaning of life?' is 42."
    }
    assert len(names["history"]) == 2
    assert [m["role"] for m in converse_server.requests[2]["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    capsys.readouterr()
    execute(RETRIEVE, names)
    printed = capsys.readouterr().out
    assert "Query: Can you elaborate on that?" in printed
    assert "The agent took 1 steps to answer" in printed
    assert "Step 1 thinking: I need the tool." in printed
    assert "Tool inputs: {'question': 'Can you elaborate on that?'}" in printed
    assert "Found 2 interactions in this session" in printed
    assert "Interaction 1: What is the meaning of life?" in printed


def test_the_table_is_the_documented_one(
    converse_server: ConverseServer, dynamodb: str, table_name: str
) -> None:
    converse_server.plan("Hello.")
    agent = Agent(session_table_name=table_name, session_ttl=600, show_reasoning=False)
    agent.run("Hi", session_id="s-1")
    assert agent.memory.flush(30)
    client = boto3.client("dynamodb", region_name="us-west-2")
    table = client.describe_table(TableName=table_name)["Table"]
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    assert types == {"pk": "S", "sk": "N"}
    ttl = client.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expiration_time"
    items = client.scan(TableName=table_name)["Items"]
    documented = {i["pk"]["S"]: i for i in items if "##" not in i["pk"]["S"]}
    assert sorted(documented) == ["messages#s-1", "reasoning#s-1"]
    messages = json.loads(documented["messages#s-1"]["messages"]["S"])
    assert messages[-1] == {"role": "assistant", "content": [{"text": "Hello."}]}
    reasoning = json.loads(documented["reasoning#s-1"]["reasoning"]["S"])
    assert (reasoning["query"], reasoning["final_response"]) == ("Hi", "Hello.")
    for item in documented.values():
        assert abs(float(item["sk"]["N"]) - time.time()) < 60
        assert 0 < Decimal(item["expiration_time"]["N"]) - int(time.time()) <= 600


def test_monitoring_from_another_agent(
    converse_server: ConverseServer, dynamodb: str, table_name: str
) -> None:
    """Real-time reasoning is read while the run goes on, as in the monitoring example."""
    from minimalagent_nb import tool

    monitor = Agent(session_table_name=table_name, show_reasoning=False)
    seen: list[Reasoning] = []

    @tool
    def long_running_tool(task: str) -> dict:
        """Watch the run from outside while it waits for this tool.

        Args:
            task: What to do.
        """
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            reasoning = monitor.get_reasoning("report-task")
            if reasoning.steps and reasoning.steps[0].tools:
                seen.append(reasoning)
                break
            time.sleep(0.05)
        return {"done": task}

    converse_server.plan(
        reply(tool_use("long_running_tool", {"task": "sum"})), reply(text("Finished."))
    )
    agent = Agent(
        tools=[long_running_tool],
        session_table_name=table_name,
        real_time_reasoning=True,
        show_reasoning=False,
    )
    agent.run("Analyze the latest data", session_id="report-task")
    assert seen[0].status == "running"
    assert seen[0].steps[0].tools[0].inputs == {"task": "sum"}
    after = monitor.get_reasoning("report-task")
    assert (after.status, after.final_response) == ("completed", "Finished.")
    assert len(monitor.get_reasoning_history("report-task")) == 1


def test_parameters_and_defaults_are_the_documented_ones() -> None:
    import minimalagent

    theirs = inspect.signature(minimalagent.Agent).parameters
    ours = inspect.signature(Agent).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert {name: ours[name].default for name in theirs} == {
        name: parameter.default for name, parameter in theirs.items()
    }
    for method in ("run", "get_reasoning", "get_reasoning_history", "add_tools", "clear_tools"):
        expected = list(inspect.signature(getattr(minimalagent.Agent, method)).parameters)
        assert list(inspect.signature(getattr(Agent, method)).parameters)[: len(expected)] == (
            expected
        )


def test_the_values_have_the_documented_attributes() -> None:
    from minimalagent import models

    for theirs, ours in (
        (models.Reasoning, Reasoning),
        (models.ReasoningStep, ReasoningStep),
        (models.ToolData, ToolData),
    ):
        names = list(inspect.signature(theirs).parameters)
        assert list(inspect.signature(ours).parameters)[: len(names)] == names


def test_minimalagents_json_opens_here_and_ours_there() -> None:
    from minimalagent import models

    wire = {"toolUseId": "1", "content": [{"json": {"n": 1}}]}
    failed = {"toolUseId": "2", "content": [{"text": "boom"}], "status": "error"}
    theirs = models.Reasoning(
        session_id="s",
        query="q",
        steps=[
            models.ReasoningStep(
                1, 5, "hm", [models.ToolData("t", {}, wire), models.ToolData("u", {}, failed)]
            )
        ],
        total_steps=1,
        final_response="r",
    )
    here = Reasoning.from_dict(theirs.to_dict())
    first, second = here.steps[0].tools
    assert (first.result, first.status) == ({"n": 1}, "success")
    assert (second.result, second.error, second.status) == (None, "boom", "error")
    there = models.Reasoning.from_dict(here.to_dict())
    assert there.query == "q"
    assert there.steps[0].thinking == "hm"
    assert there.steps[0].tools[0].result == {"n": 1}
    assert Reasoning.from_dict(here.to_dict()) == here


def test_memory_is_off_unless_it_was_asked_for(converse_server: ConverseServer) -> None:
    converse_server.plan("One.", "Two.")
    agent = Agent(show_reasoning=False)
    agent.run("First", session_id="s")
    agent.run("Second", session_id="s")
    assert len(converse_server.requests[1]["messages"]) == 1
    assert agent.get_reasoning("s") == Reasoning()
    assert agent.get_reasoning_history("s") == []


def test_an_agent_without_tools_goes_on_with_a_session_that_had_some(
    converse_server: ConverseServer, dynamodb: str, table_name: str
) -> None:
    from minimalagent_nb import tool

    @tool
    def answer_question(question: str) -> dict:
        """Answer.

        Args:
            question: The question.
        """
        return {"answer": question}

    converse_server.plan(conversation, conversation, "Without.")
    options = {"session_table_name": table_name, "show_reasoning": False}
    Agent(tools=[answer_question], **options).run("First", session_id="s")
    assert str(Agent(**options).run("Second", session_id="s")) == "Without."


def test_two_agents_and_a_session_that_cannot_be_read(
    converse_server: ConverseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed read is an error before any model call, never an empty history."""
    from minimalagent_nb import SessionReadError

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    agent = Agent(use_session_memory=True, show_reasoning=False)
    with pytest.raises(SessionReadError):
        agent.run("Hi", session_id="s")
    assert converse_server.requests == []
