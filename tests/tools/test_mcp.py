"""Tools of MCP servers: real ones, over standard input and output and over HTTP on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minimalagent_nb import Agent, AgentError, ConfigurationError, ToolContext, tool
from minimalagent_nb.errors import ToolServerError
from minimalagent_nb.events import ToolCallProgress
from minimalagent_nb.models import ScriptedModel, call
from minimalagent_nb.tools import MCPServer, Tool, Toolbox, render
from minimalagent_nb.tools.mcp_connection import Connection
from minimalagent_nb.tools.mcp_values import fitted_schema, value_of
from tests.servers.converse_rules import violations
from tests.tools.wire import png, refused

ROOT = pathlib.Path(__file__).parents[2]
PROPER = (sys.executable, "-m", "tests.tools.mcp_server", "stdio")
ODD = (sys.executable, str(pathlib.Path(__file__).with_name("odd_mcp_server.py")))
SECRET = "hush-hush-4711"


def proper(**options: Any) -> MCPServer:
    return MCPServer.stdio(*PROPER, cwd=ROOT, **options)


def used(server: MCPServer, name: str, context: ToolContext | None = None, /, **inputs: Any) -> Any:
    """What the server's tool gives for these inputs, called as the engine does."""
    found = Toolbox([server]).get(name)
    assert found is not None
    assert found.is_async
    assert found.context is not None
    args, kwargs = found.arguments.bind(inputs)
    kwargs[found.context] = context or ToolContext()

    async def run() -> Any:
        return await found.function(*args, **kwargs)

    return asyncio.run(run())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def waited_for(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether the condition came true within the time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A dead child that nobody has asked after yet is still in the table.
    state = pathlib.Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(scope="module")
def http_url() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.tools.mcp_server", "http", str(port), SECRET]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        assert waited_for(answers, 60)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def over_stdio() -> Iterator[MCPServer]:
    with proper(env={"API_TOKEN": SECRET}) as server:
        yield server


@pytest.fixture(scope="module")
def over_http(http_url: str) -> Iterator[MCPServer]:
    with MCPServer.http(http_url, headers={"Authorization": f"Bearer {SECRET}"}) as server:
        yield server


@pytest.fixture(params=["over_stdio", "over_http"])
def server(request: pytest.FixtureRequest) -> MCPServer:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, MCPServer)
    return found


def offered(toolbox: Toolbox) -> list[str]:
    """What the service would not take of the tools' definitions."""
    specs = [
        {
            "toolSpec": {
                "name": found.name,
                "description": found.description,
                "inputSchema": {"json": dict(found.input_schema)},
            }
        }
        for found in toolbox
    ]
    messages = [{"role": "user", "content": [{"text": "?"}]}]
    return violations({"messages": messages, "toolConfig": {"tools": specs}})


def test_tools_come_with_name_description_and_schema(server: MCPServer) -> None:
    toolbox = Toolbox([server])
    add = toolbox.get("add")
    assert isinstance(add, Tool)
    assert add.description == "Add two numbers."
    assert add.input_schema["properties"]["a"]["type"] == "integer"
    assert add.input_schema["required"] == ["a"]
    assert toolbox.get("draw_chart") is not None, "a dot is not allowed in a name"
    assert offered(toolbox) == []


def test_values_come_back_as_the_tool_returned_them(server: MCPServer) -> None:
    assert used(server, "add", a=17, b=25) == 42
    assert used(server, "species", island="Biscoe") == ["Adelie", "Gentoo"]
    assert used(server, "species", island="none") == []
    assert used(server, "measure", name="Pip") == {"name": "Pip", "mass": 4.5}


def test_images_come_back_as_images(server: MCPServer) -> None:
    output = render(used(server, "draw_chart"))
    assert output.content[0] == {"text": "The chart:"}
    assert output.content[-1] == {"image": {"format": "png", "source": {"bytes": png()}}}
    assert len(output.display) == 1
    assert refused(output) == []


def test_the_server_s_errors_are_told(server: MCPServer) -> None:
    with pytest.raises(AgentError, match="the net is torn"):
        used(server, "fail", why="the net is torn")
    with pytest.raises(AgentError, match="valid integer"):
        used(server, "add", a="many")


def test_an_error_of_the_server_s_tool_shows_no_secret(over_stdio: MCPServer) -> None:
    with pytest.raises(AgentError, match=r"refused: \*\*\*"):
        used(over_stdio, "fail", why=f"refused: {SECRET}")


def test_progress_reaches_the_run(server: MCPServer) -> None:
    told: list[Any] = []
    context = ToolContext(call_id="1", emit=told.append)
    assert used(server, "count", context, to=3) == "counted"
    assert waited_for(lambda: len(told) == 3)
    assert all(isinstance(event, ToolCallProgress) for event in told)
    assert [event.text for event in told] == ["at 1", "at 2", "at 3"]
    assert [round(event.fraction, 2) for event in told] == [0.33, 0.67, 1.0]


def test_a_cancelled_call_is_cancelled_at_the_server(server: MCPServer, tmp_path: Any) -> None:
    begun, cancelled = tmp_path / "begun", tmp_path / "cancelled"
    found = Toolbox([server]).get("wait")
    assert found is not None
    _, kwargs = found.arguments.bind({"begun": str(begun), "cancelled": str(cancelled)})

    async def stop_it() -> None:
        work = asyncio.ensure_future(found.function(**kwargs, context=ToolContext()))
        assert await asyncio.to_thread(waited_for, begun.exists)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(stop_it())
    assert waited_for(cancelled.exists)
    assert used(server, "add", a=1) == 2, "the server goes on"


def test_an_agent_uses_them_beside_its_own(server: MCPServer) -> None:
    @tool
    def double(n: int) -> int:
        """Twice n."""
        return 2 * n

    model = ScriptedModel([call("add", a=17, b=25), call("double", n=4), "Done."])
    response, reasoning = Agent(tools=[server, double], model=model, show_reasoning=False).run("?")
    assert response == "Done."
    assert [used.result for step in reasoning.steps for used in step.tools] == [42, 8]


def test_calls_of_several_threads_share_the_server(server: MCPServer) -> None:
    results: list[Any] = [None] * 8

    def work(number: int) -> None:
        results[number] = used(server, "add", a=number, b=0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == list(range(8))


def test_a_destructive_tool_asks_unless_told_otherwise(over_stdio: MCPServer) -> None:
    asking = {found.name: found.approve for found in over_stdio.tools()}
    assert asking["wipe"] is True
    assert asking["add"] is False
    with proper(approve=True, prefix="b_", timeout=7) as server:
        assert {(found.approve, found.timeout) for found in server.tools()} == {(True, 7)}
        assert {found.name[:2] for found in server.tools()} == {"b_"}
        assert used(server, "b_add", a=1) == 2


def test_it_sees_only_the_environment_it_is_given(
    over_stdio: MCPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert used(over_stdio, "environment", name="API_TOKEN") == SECRET
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for servers")
    with proper() as server:
        assert used(server, "environment", name="AWS_SECRET_ACCESS_KEY") == "(not there)"


def test_two_servers_of_one_name_need_a_prefix(over_stdio: MCPServer, over_http: MCPServer) -> None:
    with pytest.raises(ConfigurationError, match=r"Two tools are named 'add'.*prefix"):
        Toolbox([over_stdio, over_http])
    toolbox = Toolbox([over_stdio, over_stdio])
    assert len(toolbox) == len(over_stdio.tools())


def test_without_with_it_starts_at_first_use_and_ends_by_close() -> None:
    server = proper()
    assert "not started" in repr(server)
    process = used(server, "process")
    assert "running" in repr(server)
    assert is_running(process)
    server.close()
    server.close()
    assert waited_for(lambda: not is_running(process))
    assert "closed" in repr(server)
    with pytest.raises(ToolServerError, match="was closed"):
        server.tools()


def test_it_ends_with_the_interpreter() -> None:
    script = (
        "from minimalagent_nb.tools import MCPServer\n"
        "from tests.tools.test_mcp import ODD, used\n"
        "server = MCPServer.stdio(*ODD, 'stubborn')\n"
        "print(used(server, 'plain', what='process'), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    process = int(done.stdout)
    try:
        assert waited_for(lambda: not is_running(process))
    finally:
        if is_running(process):
            os.kill(process, signal.SIGKILL)


def test_it_ends_with_the_last_reference() -> None:
    server = proper()
    process = used(server, "process")
    del server
    assert waited_for(lambda: not is_running(process))


def test_a_server_that_dies_in_mid_call_says_so_and_comes_back() -> None:
    with proper(env={"API_TOKEN": SECRET}) as server:
        before = used(server, "process")
        with pytest.raises(ToolServerError) as caught:
            used(server, "die", words=f"out of fish, token {SECRET}")
        said = str(caught.value)
        assert "ended while its tool die ran. The next call starts it again." in said
        assert "out of fish, token ***" in said
        assert SECRET not in said
        assert used(server, "process") != before


def test_a_server_that_was_killed_between_calls_comes_back() -> None:
    with proper() as server:
        process = used(server, "process")
        os.kill(process, signal.SIGKILL)
        assert waited_for(lambda: not is_running(process))
        assert used(server, "process") != process


def test_a_server_that_is_closed_before_it_has_started_does_not_start() -> None:
    transport = MCPServer.stdio(*PROPER, cwd=ROOT)._transport
    connection = Connection(transport)
    connection.end()
    with pytest.raises(ToolServerError, match="closed before it had started"):
        connection.start(30)
    assert not connection.alive


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_call_that_comes_as_the_loop_ends_is_told() -> None:
    class Ending(Connection):
        """Has a session; its loop ends as soon as the thread that it waits for does."""

        async def _main(self) -> None:
            self._loop, self._session = asyncio.get_running_loop(), object()
            self._loop.set_exception_handler(lambda *_: None)  # of tasks that are left
            self._loop.run_in_executor(None, last_thread.wait)
            self._ready.set_result(None)

    last_thread, begun = threading.Event(), threading.Event()

    async def call() -> None:
        begun.set()
        await asyncio.Event().wait()

    connection = Ending(proper()._transport)
    connection.start(30)
    futures = []
    while not begun.is_set():
        # The first ones may be cancelled with all that the loop's end finds.
        futures.append(connection._submit(call()))
        begun.wait(0.5)
    last_thread.set()
    with pytest.raises(ToolServerError, match="has ended"):
        futures[-1].result(10)
    with pytest.raises(ToolServerError, match="has ended"):
        connection._submit(call())
    del futures
    gc.collect()


def test_closing_ends_a_start_that_takes_long() -> None:
    never_answers = (sys.executable, "-c", "import sys; sys.stdin.read()")
    server = MCPServer.stdio(*never_answers, start_timeout=600)

    def start() -> None:
        with pytest.raises(ToolServerError, match="closed before it had started"):
            server.tools()

    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    assert waited_for(lambda: server._connection is not None and server._connection._loop)
    closer = threading.Thread(target=server.close, daemon=True)
    closer.start()
    for thread in (closer, starter):
        thread.join(60)
        assert not thread.is_alive()


def test_closing_ends_a_call_under_way(tmp_path: Any) -> None:
    server, begun = proper(), tmp_path / "begun"
    closer = threading.Thread(target=lambda: waited_for(begun.exists) and server.close())
    closer.start()
    with pytest.raises(ToolServerError, match=r"was closed while|ended while"):
        used(server, "wait", begun=str(begun), cancelled=str(tmp_path / "cancelled"))
    closer.join(60)
    assert not closer.is_alive()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MCPServer.stdio("no-such-command-4711"), "was not found. Install it"),
        (lambda: MCPServer.stdio(__file__), "may not be executed"),
        (lambda: MCPServer.stdio("python", cwd="/no/such/place"), "'/no/such/place' is not there"),
        (
            lambda: MCPServer.stdio(*ODD, "exits", env={"API_TOKEN": SECRET}),
            r"read \*\*\*: no such",
        ),
        (
            lambda: MCPServer.stdio(*ODD, "silent", start_timeout=0.5),
            "did not answer within 0.5 seconds",
        ),
        (lambda: MCPServer.stdio(*ODD, "endless"), "more than 100 pages"),
        (
            lambda: MCPServer.http(
                f"http://user:{SECRET}@127.0.0.1:{free_port()}/mcp?key={SECRET}"
            ),
            "Check that the server runs, that the URL",
        ),
    ],
    ids=["command", "permission", "cwd", "exits", "silent", "endless", "refused"],
)
def test_a_server_that_does_not_start_says_what_to_do(make: Any, says: str) -> None:
    server = make()
    try:
        with pytest.raises(ToolServerError, match=says) as caught:
            Toolbox([server])
        assert SECRET not in str(caught.value)
        assert SECRET not in repr(server)
        assert caught.value.__suppress_context__ or SECRET not in repr(caught.value.__cause__)
    finally:
        server.close()


def test_a_token_that_is_refused_is_named_but_not_shown(http_url: str) -> None:
    wrong = "a-wrong-token-0815"
    with pytest.raises(ToolServerError, match=r"127\.0\.0\.1") as caught:
        MCPServer.http(http_url, headers={"Authorization": f"Bearer {wrong}"}).tools()
    assert "401" in str(caught.value)
    assert "the headers, such as Authorization" in str(caught.value)
    assert wrong not in str(caught.value)


def test_without_the_package_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['mcp'] = None\n"
        "from minimalagent_nb.tools import MCPServer\n"
        "try:\n    MCPServer.stdio('python').tools()\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ToolServerError")
    assert 'pip install "minimalagent-nb[mcp]"' in done.stdout


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MCPServer.http("127.0.0.1:8000"), "must begin with http://"),
        (lambda: MCPServer.http("file:///etc/passwd"), "must begin with http://"),
        (lambda: MCPServer.stdio(["x", "y"]), "arguments behind it"),  # type: ignore[arg-type]
        (lambda: MCPServer.stdio("x", prefix="my files"), "prefix cannot be 'my files'"),
        (lambda: MCPServer.stdio("x", prefix="x" * 33), "up to 32"),
        (lambda: MCPServer.stdio("x", timeout=0), "timeout is 0"),
        (lambda: MCPServer.stdio("x", start_timeout=-1), "start_timeout is -1"),
    ],
)
def test_what_cannot_be_a_server_says_why(make: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


@pytest.fixture(scope="module")
def odd() -> Iterator[MCPServer]:
    with MCPServer.stdio(*ODD, "paged", prefix="odd_") as server:
        yield server


def test_pages_are_read_and_names_and_schemas_fitted(odd: MCPServer) -> None:
    toolbox = Toolbox([odd])
    names = [found.name for found in toolbox]
    long = "odd_" + "x" * 60
    assert names == ["odd_a_b", "odd_a_b_2", long, long[:-2] + "_2", "odd_", "odd_plain"]
    assert offered(toolbox) == []
    schemas = {found.name: found.input_schema for found in toolbox}
    assert schemas["odd_a_b"] == {
        "type": "object",
        "properties": {"p": {"type": "string"}},
        "required": [],
    }
    assert "$schema" not in schemas["odd_a_b_2"]
    assert schemas["odd_plain"]["required"] == ["n"], "a model cannot send what is not described"


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("audio", "(audio: audio/wav, 3 bytes)"),
        ("text resource", "inside"),
        ("binary resource", "(file:///b: application/x-odd, 2 bytes)"),
        ("link", "the file: file:///c"),
        ("two texts", "one\ntwo"),
        ("broken image", "(image: image/png, 3 bytes)"),
        ("nothing", None),
    ],
)
def test_every_kind_of_content_has_a_form(odd: MCPServer, what: str, wanted: Any) -> None:
    value = used(odd, "odd_plain", what=what)
    assert value == wanted
    assert refused(render(value)) == []


@pytest.mark.parametrize("schema", [None, [], {}, {"type": "string"}, {"properties": 3}])
def test_any_schema_becomes_an_object(schema: Any) -> None:
    fitted = fitted_schema(schema)
    assert (fitted["type"], fitted["properties"], fitted["required"]) == ("object", {}, [])


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        ({"content": [text("3")], "structuredContent": {"result": 3}}, 3),
        ({"content": [text("a")], "structuredContent": {"result": "a"}}, "a"),
        ({"content": [text('{"a": 1}')], "structuredContent": {"a": 1}}, {"a": 1}),
        ({"content": [text('{"result": 1}')], "structuredContent": {"result": 1}}, 1),
        ({"content": [], "structuredContent": {"a": 1}}, {"a": 1}),
        ({"content": [text("In words.")], "structuredContent": {"a": 1}}, ("In words.", {"a": 1})),
        ({"content": [text("1"), text("2")]}, "1\n2"),
        ({"content": [{"type": "new"}]}, "(content of the kind new, which cannot be shown)"),
        ({}, None),
    ],
)
def test_structured_content_is_the_value(result: Any, wanted: Any) -> None:
    assert value_of(result) == wanted
