"""What a tool prints is kept with its call, and nothing else is touched."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from minimalagent_nb import Agent, display_capture, tool
from minimalagent_nb.engine.capture import begin_capture
from minimalagent_nb.models import ScriptedModel, call
from tests.engine.calling import agent_of, events_of, of_type, stopped_after, the_end


def on_a_screen(test: Callable[[io.StringIO], None]) -> Callable[[], None]:
    """Run the test with a stream of its own for standard output and standard error.

    No fixture: pytest puts its own streams in their place between setup and test.
    """

    def wrapped() -> None:
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            test(stream)
            assert sys.stdout is stream
            assert sys.stderr is stream

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


def printed(events: Any, call_id: str = "call-1", kind: str = "stdout") -> str:
    outputs = of_type(events, "tool_call_output")
    return "".join(e.text for e in outputs if (e.call_id, e.kind) == (call_id, kind))


@on_a_screen
def test_what_a_tool_prints_goes_to_its_call(screen: io.StringIO):
    @tool
    def talks(n: int) -> None:
        """Talk."""
        print("hello from", n)
        print("a warning", file=sys.stderr)
        sys.stdout.writelines(["a", "b"])

    print("before")
    events = events_of(agent_of([talks], call("talks", n=1), call("talks", n=2)))
    print("after")
    assert screen.getvalue() == "before\nafter\n"
    for number in (1, 2):
        call_id = f"call-{number}"
        assert printed(events, call_id) == f"hello from {number}\nab"
        assert printed(events, call_id, "stderr") == "a warning\n"


@on_a_screen
def test_an_async_tool_and_the_threads_it_asks_for_belong_to_it_too(screen: io.StringIO):
    @tool
    async def talks(n: int) -> None:
        """Talk."""
        print("task", n)
        await asyncio.sleep(0)
        await asyncio.to_thread(print, "thread", n)
        await asyncio.create_task(later(n))

    async def later(n: int) -> None:
        print("child", n)

    events = events_of(agent_of([talks], call("talks", n=1), call("talks", n=2)))
    assert printed(events, "call-1") == "task 1\nthread 1\nchild 1\n"
    assert printed(events, "call-2") == "task 2\nthread 2\nchild 2\n"
    assert screen.getvalue() == ""


@on_a_screen
def test_a_tool_for_the_main_thread_too(screen: io.StringIO):
    @tool(main_thread=True)
    def talks() -> None:
        """Talk."""
        print("from the main thread")

    assert printed(events_of(agent_of([talks]))) == "from the main thread\n"
    assert screen.getvalue() == ""


@on_a_screen
def test_what_the_reader_of_the_run_prints_is_its_own(screen: io.StringIO):
    """The printer of the terminal must not be taken for a tool."""

    @tool
    def talks() -> None:
        """Talk."""
        print("tool")

    events_of(agent_of([talks]), lambda event: print(event.type))
    assert "tool_call_output" in screen.getvalue()
    assert "tool\n" not in screen.getvalue()


@on_a_screen
def test_what_other_threads_print_meanwhile_is_theirs(screen: io.StringIO):
    begun, said = threading.Event(), threading.Event()

    @tool
    def waits() -> None:
        """Wait."""
        begun.set()
        said.wait(20)
        print("tool")

    def stranger() -> None:
        begun.wait(20)
        print("stranger")
        said.set()

    thread = threading.Thread(target=stranger)
    thread.start()
    events = events_of(agent_of([waits]))
    thread.join()
    assert screen.getvalue() == "stranger\n"
    assert printed(events) == "tool\n"


@on_a_screen
def test_agents_side_by_side_do_not_mix(screen: io.StringIO):
    everybody = threading.Barrier(4)
    found: dict[int, str] = {}

    def run(number: int) -> None:
        @tool
        def talks() -> None:
            """Talk."""
            for line in range(200):
                everybody.wait(20) if line == 0 else None
                print(f"{number}:{line}")

        found[number] = printed(events_of(agent_of([talks])))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert found[number] == "".join(f"{number}:{line}\n" for line in range(200))
    assert screen.getvalue() == ""


@on_a_screen
def test_a_tool_that_redirects_its_output_has_its_way(screen: io.StringIO):
    @tool
    def redirects() -> str:
        """Redirect."""
        kept = io.StringIO()
        with contextlib.redirect_stdout(kept):
            print("inside")
        print("outside")
        return kept.getvalue()

    events = events_of(agent_of([redirects]))
    assert the_end(events).result == "inside\n"
    assert printed(events) == "outside\n"


def test_a_tool_that_leaves_its_own_stream_behind_is_let_be(monkeypatch: pytest.MonkeyPatch):
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    @tool
    def replaces() -> None:
        """Replace the stream."""
        sys.stdout = own
        print("mine")

    events_of(agent_of([replaces]))
    assert sys.stdout is own
    assert own.getvalue() == "mine\n"


def test_a_stream_that_is_put_back_late_does_no_harm(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    kept: list[Any] = []

    @tool
    def keeps() -> None:
        """Keep the stream."""
        kept.append(sys.stdout)

    events_of(agent_of([keeps]))
    sys.stdout = kept[0]
    print("passed on")
    assert screen.getvalue() == "passed on\n"

    @tool
    def talks() -> None:
        """Talk."""
        print("tool")

    assert printed(events_of(agent_of([talks]))) == "tool\n"
    assert sys.stdout is screen


@on_a_screen
def test_what_is_left_behind_prints_as_anything_else_after_the_run(screen: io.StringIO):
    begun, release, said = threading.Event(), threading.Event(), threading.Event()

    @tool
    async def stuck() -> None:
        """Wait."""
        begun.set()
        release.wait(30)
        print("late")
        said.set()

    agent = agent_of([stuck])
    stopper = stopped_after(agent, begun)
    events = events_of(agent)
    stopper.join()
    assert the_end(events).left_behind
    release.set()
    assert said.wait(20)
    assert printed(events) == ""
    assert screen.getvalue() == "late\n"


@on_a_screen
def test_what_was_printed_before_a_stop_is_kept(screen: io.StringIO):
    begun = threading.Event()

    @tool
    def busy() -> None:
        """Work for ever."""
        print("so far")
        begun.set()
        while True:
            pass

    agent = agent_of([busy])
    stopper = stopped_after(agent, begun)
    events = events_of(agent)
    stopper.join()
    assert printed(events) == "so far\n"


@on_a_screen
def test_output_comes_while_the_tool_runs(screen: io.StringIO):
    seen = threading.Event()

    @tool
    def patient() -> bool:
        """Wait until the output was seen."""
        print("now")
        return seen.wait(20)

    def note(event: Any) -> None:
        if event.type == "tool_call_output":
            seen.set()

    assert the_end(events_of(agent_of([patient]), note)).result is True


@on_a_screen
def test_endless_output_is_bounded(screen: io.StringIO):
    @tool
    def floods() -> None:
        """Flood."""
        for _ in range(50_000):
            print("x" * 99)

    text = printed(events_of(agent_of([floods])))
    assert len(text) < 100_200
    assert text.endswith("[cut: more than 100,000 characters were printed]\n")


@on_a_screen
def test_the_routed_stream_is_like_the_one_behind_it(screen: io.StringIO):
    @tool
    def looks() -> list[Any]:
        """Look."""
        sys.stdout.flush()
        return [sys.stdout.isatty(), sys.stdout.encoding, hasattr(sys.stdout, "getvalue")]

    assert the_end(events_of(agent_of([looks]))).result == [False, screen.encoding, True]


@on_a_screen
def test_text_of_the_wrong_type_is_an_error_of_the_tool(screen: io.StringIO):
    @tool
    def writes() -> None:
        """Write bytes."""
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]

    assert the_end(events_of(agent_of([writes]))).error.startswith("TypeError")


@on_a_screen
def test_the_capture_ends_with_the_last_who_holds_it(screen: io.StringIO):
    first, second = begin_capture(), begin_capture()
    assert sys.stdout is not screen
    first()
    first()  # once is enough, twice does no harm
    assert sys.stdout is not screen
    second()
    assert sys.stdout is screen


@on_a_screen
def test_a_sub_agents_tools_print_into_their_own_calls(screen: io.StringIO):
    @tool
    def talks() -> None:
        """Talk."""
        print("inner")

    inner = Agent(
        tools=[talks],
        show_reasoning=False,
        model=ScriptedModel([call("talks"), "Said."]),
        name="inner",
    )
    events = events_of(agent_of([inner.as_tool()], call("inner", request="talk")))
    assert printed(events) == ""
    nested = [e.event for e in of_type(events, "sub_agent")]
    assert [e.text for e in nested if e.type == "tool_call_output"] == ["inner\n"]


def test_a_display_system_that_cannot_be_asked_costs_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(taker: Any) -> Any:
        raise AttributeError("no publisher")

    @tool
    def say() -> str:
        """Say it."""
        print("said")
        return "done"

    monkeypatch.setattr(display_capture, "_capture", display_capture._capture)
    display_capture.set_display_capture(broken)
    before = sys.stdout
    with pytest.warns(RuntimeWarning, match="no publisher"):
        result = agent_of([say]).run("?")
    call_of_it = result.reasoning.steps[0].tools[0]
    assert (call_of_it.result, call_of_it.output) == (
        "done",
        [{"kind": "stdout", "text": "said\n"}],
    )
    assert sys.stdout is before
