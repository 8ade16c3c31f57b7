"""The question on standard input: what is shown, and what the answers mean."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from rich.cells import cell_len

from minimalagent_nb.approval import Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.widgets import PromptApprover
from minimalagent_nb.widgets.asked import asked_arguments


def request(run_id: str = "r", tool: str = "delete", **inputs: Any) -> ApprovalRequest:
    return ApprovalRequest(
        run_id=run_id,
        session_id=None,
        step=1,
        call_id="c",
        tool=tool,
        description="Delete a file.\n\nFor good.",
        inputs=inputs,
    )


class Lines:
    """A user who types these lines, and what they were shown."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []

    def __call__(self, prompt: str, cancel: CancelToken) -> str:
        self.prompts.append(prompt)
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)


def answer(*lines: str, **inputs: Any) -> tuple[Approval, Lines]:
    user = Lines(*lines)
    return PromptApprover(user)(request(**inputs), CancelToken()), user


@pytest.mark.parametrize(
    "hidden", ["\x1b[2J", "\u202e", "\u200b", "\x9b", "\r", "\ufeff", "\xa0", "\u2028"]
)
def test_what_is_not_seen_of_the_arguments_is_shown_as_escapes(hidden: str) -> None:
    plain, other = ({"path": f"a{one}\nb", "note": "x"} for one in ("", hidden))
    assert asked_arguments(plain, 4_000) == 'path:\n    a\n    b\nnote: "x"'
    shown = asked_arguments(other, 4_000)
    assert json.loads(shown) == other
    assert shown.replace("\n", "").isprintable()
    _, user = answer("y", **other)
    assert shown in user.prompts[0]


def test_no_line_of_an_argument_passes_for_another() -> None:
    """The width breaks a text where it looks like an argument: it goes on further in."""
    code = asked_arguments({"a": "l\n" + "x" * 36 + 'b: "c"' + "y" * 40, "b": "漢" * 40}, 400, 40)
    lines = code.split("\n")
    assert [line for line in lines if not line.startswith("    ")] == ["a:", 'b: "' + "漢" * 18]
    assert lines[3].startswith('        b: "c"yyy')
    told = asked_arguments({"a": "x" * 31 + '"b": "c"', "b": "d"}, 400, 40).split("\n")
    outer = [line for line in told if not line.startswith("    ")]
    assert [line[:6] for line in outer] == ["{", '  "a":', '  "b":', "}"]
    assert max(map(cell_len, lines + told)) <= 40


def test_edited_arguments_are_checked_by_the_tool() -> None:
    user = Lines("e", '{"path": 1}', '{"path": "b"}')
    asked = dataclasses.replace(
        request(path="a"), check=lambda inputs: "" if inputs["path"] == "b" else "path: \x1b[2Jno"
    )
    given = PromptApprover(user)(asked, CancelToken())
    assert given == Approval("edited", inputs={"path": "b"})
    assert user.prompts[-1].startswith("path: no\nNew arguments")


@pytest.mark.parametrize("line", ["y", "Yes", " y ", "yes."])
def test_yes(line: str):
    given, user = answer(line, path="a")
    assert given == Approval("approved")
    assert "delete: Delete a file." in user.prompts[0]
    assert '{"path": "a"}' in user.prompts[0]
    assert "For good" not in user.prompts[0]


def test_no_and_why():
    assert answer("n")[0] == Approval("denied")
    assert answer("no, take the copy")[0] == Approval("denied", reason="take the copy")


def test_anything_else_is_asked_again():
    given, user = answer("", "maybe", "nope", "y")
    assert given.decision == "approved"
    assert len(user.prompts) == 4
    assert user.prompts[1].startswith("Please answer y, n, e or a.")


def test_edited_arguments_are_json():
    given, user = answer("e", '{"path": 1', "[1]", '{"path": "b"}', path="a")
    assert given == Approval("edited", inputs={"path": "b"})
    assert "That is no JSON" in user.prompts[2]
    assert "must be an object" in user.prompts[3]


def test_editing_can_be_left():
    assert answer("e", "", "n")[0].decision == "denied"


def test_always_holds_for_the_tool_and_the_run():
    user = Lines("a", "n", "n")
    approver = PromptApprover(user)
    cancel = CancelToken()
    assert approver(request("r1", "delete"), cancel).decision == "approved"
    assert approver(request("r1", "delete"), cancel).decision == "approved"
    assert len(user.prompts) == 1
    assert approver(request("r1", "other"), cancel).decision == "denied"
    assert approver(request("r2", "delete"), cancel).decision == "denied"


def test_where_nobody_answers_the_call_is_denied():
    given, _ = answer()
    assert (given.decision, given.by) == ("denied", "policy")
    assert "Nobody could be asked" in given.reason
    assert "approver=" in given.reason


def test_code_is_shown_as_its_lines_and_none_passes_for_an_argument():
    given, user = answer("y", code="x = 1\nforce: true\n", force=False)
    assert given == Approval("approved")
    assert "\ncode:\n    x = 1\n    force: true\nforce: false\n" in user.prompts[0]


def test_long_arguments_can_be_seen_whole_before_they_are_allowed():
    script = "".join(f"step_{number}()\n" for number in range(2_000)) + "remove_all()"
    given, user = answer("s", "n", script=script)
    assert given == Approval("denied")
    assert "remove_all" not in user.prompts[0]
    assert "Not all of the arguments" in user.prompts[0]
    assert "[s]how" in user.prompts[0]
    assert "    step_1999()\n    remove_all()\n" in user.prompts[1]
    assert "[s]how" not in answer("n", path="a")[1].prompts[0]


def test_hostile_arguments_cannot_forge_the_screen():
    text = "\x1b[2J\x1b]0;title\x07\u202eevil\x08\x08\nAllow it? [y]es\r"
    given, user = answer("n", **{text: text})
    assert given.decision == "denied"
    shown = user.prompts[0]
    assert not set(shown) & set("\x1b\x07\x08\r\u202e")
    # A line break of an argument is no line break of the question.
    assert [line for line in shown.split("\n") if line.startswith("Allow it?")] == [
        shown.split("\n")[-1]
    ]


def test_long_arguments_are_cut_and_that_is_said():
    _, user = answer("n", text="x" * 1_000_000)
    assert len(user.prompts[0]) < 10_000
    assert "more characters" in user.prompts[0] or "cut" in user.prompts[0]


def test_questions_come_one_after_another():
    asked = threading.Event()
    inside: list[int] = []
    most: list[int] = []

    def slow(prompt: str, cancel: CancelToken) -> str:
        inside.append(1)
        most.append(len(inside))
        asked.wait(0.05)
        inside.pop()
        return "y"

    approver = PromptApprover(slow)
    threads = [
        threading.Thread(target=approver, args=(request(f"r{n}"), CancelToken())) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_a_stop_ends_the_wait_for_the_turn_to_ask():
    asking, release = threading.Event(), threading.Event()

    def first(prompt: str, cancel: CancelToken) -> str:
        asking.set()
        release.wait(20)
        return "y"

    approver = PromptApprover(first)
    thread = threading.Thread(target=approver, args=(request("r1"), CancelToken()))
    thread.start()
    asking.wait(20)
    stopped = CancelToken()
    stopped.cancel()
    assert approver(request("r2"), stopped).decision == "denied"
    release.set()
    thread.join()


SCRIPT = textwrap.dedent(
    """
    import sys, threading
    from minimalagent_nb import Agent, tool
    from minimalagent_nb.models import ScriptedModel, call
    @tool(approve=True)
    def delete(path: str) -> str:
        "Delete a file."
        return "gone"
    model = ScriptedModel([call("delete", path="a"), "Done."])
    options = {}
    if "outside" in sys.argv:
        options = {"memory": "sqlite:///" + sys.argv[-1], "real_time_reasoning": True}
    agent = Agent(tools=[delete], show_reasoning=False, model=model, **options)
    def answer():
        for event in agent.watch("s", poll=0.05):
            run = getattr(event, "run_id", "") or run
            if event.type == "approval_requested":
                number = agent.get_reasoning("s").interaction_id
                known = {"run": run, "call": event.call_id, "decision": "approved"}
                agent.memory.answer_call("s", number, **known)
    if "stop" in sys.argv:
        threading.Timer(0.5, agent.stop).start()
    if "outside" in sys.argv:
        threading.Thread(target=answer).start()
    try:
        result = agent.run("?", "s")
        print("STATUS", result.reasoning.steps[0].tools[0].status)
    except Exception as error:
        print("STATUS", type(error).__name__)
    """
)


def in_a_terminal(typed: str, *arguments: str) -> str:
    """What the script prints at a terminal where somebody types this at the question."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    screen = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        screen += piece
        if typed and b"[a]lways in this run: " in screen:
            os.write(main, typed.encode())
            typed = ""
    process.wait(60)
    os.close(main)
    return screen.decode()


def test_at_a_terminal():
    assert "STATUS success" in in_a_terminal("y\n")
    assert "STATUS denied" in in_a_terminal("n\n")
    assert "STATUS RunStoppedError" in in_a_terminal("", "stop")


def test_a_prompt_at_a_terminal_ends_when_somebody_outside_answers(tmp_path: Path):
    screen = in_a_terminal("", "outside", str(tmp_path / "s.sqlite3"))
    assert "[a]lways in this run: \r\n" in screen
    assert "STATUS success" in screen


def in_a_kernel(
    client: Any, code: str, typed: str | None, *, allow: bool = True
) -> tuple[str, list[str]]:
    """What a cell prints, and what its reader was asked, who never answers without `typed`."""
    printed: list[str] = []
    asked: list[str] = []
    message = client.execute(code, allow_stdin=allow)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if allow:
            try:
                asked.append(client.get_stdin_msg(timeout=0.05)["content"]["prompt"])
                if typed is not None:
                    client.input(typed)
            except Empty:
                pass
        try:
            found = client.get_iopub_msg(timeout=0.1)
        except Empty:
            continue
        if found["parent_header"].get("msg_id") != message:
            continue
        if found["msg_type"] == "stream":
            printed.append(found["content"]["text"])
        if found["msg_type"] == "status" and found["content"]["execution_state"] == "idle":
            break
    return "".join(printed), asked


def test_in_a_kernel(tmp_path: Path):
    """Whose front end takes input, and whose does not; from async code as well."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        script = "import sys\nsys.argv = []\n" + SCRIPT
        printed, asked = in_a_kernel(client, script, "y")
        assert "STATUS success" in printed
        assert len(asked) == 1
        assert json.dumps({"path": "a"}) in asked[0]
        printed, _ = in_a_kernel(client, script, None, allow=False)
        assert "STATUS denied" in printed
        awaited = script.replace("agent.run(", "await agent.arun(")
        printed, asked = in_a_kernel(client, awaited, "n")
        assert "STATUS denied" in printed
        assert len(asked) == 1
        stopped = script.replace("sys.argv = []", "sys.argv = ['stop']")
        printed, asked = in_a_kernel(client, stopped, None)
        assert "STATUS RunStoppedError" in printed
        assert len(asked) == 1
        # Both are asked, and it is somebody outside who answers.
        database = str(tmp_path / "s.sqlite3")
        outside = script.replace("sys.argv = []", f"sys.argv = ['outside', {database!r}]")
        printed, asked = in_a_kernel(client, outside, None)
        assert "STATUS success" in printed
        assert len(asked) == 1
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
