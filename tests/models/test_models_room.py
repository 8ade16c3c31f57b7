"""The room as a whole: its public names, what its import costs, and waiting."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import minimalagent_nb.models as models
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.models.waiting import unless_cancelled

CHEAP = """
import sys
import minimalagent_nb.models as models
from minimalagent_nb.models import Bedrock, ScriptedModel, call, find_model, say
Bedrock("a.b-v1:0"), ScriptedModel(["Hello."]), find_model("a.b-v1:0")
heavy = {"boto3", "botocore", "urllib3", "pydantic", "IPython"} & set(sys.modules)
assert not heavy, heavy
"""


FORKED = """
import os
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.models.waiting import unless_cancelled
def five():
    return unless_cancelled(lambda: 5, CancelToken(), discard=print)
five()
child = os.fork() if hasattr(os, "fork") else None
print(five(), flush=True)
if child:
    os.waitpid(child, 0)
elif child is None:
    print(five())
"""


def test_import_and_making_a_model_bring_no_boto3():
    done = subprocess.run(
        [sys.executable, "-c", CHEAP], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", models.__all__)
def test_public_names_are_there(name):
    assert getattr(models, name).__module__.startswith("minimalagent_nb.models.")


def test_public_names_are_listed():
    assert dir(models) == sorted(models.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = models.no_such_name


def test_a_wait_gives_the_value():
    assert unless_cancelled(lambda: 5, CancelToken(), discard=lambda value: None) == 5


def test_a_wait_raises_what_the_function_raises():
    with pytest.raises(ZeroDivisionError):
        unless_cancelled(lambda: 1 // 0, CancelToken(), discard=lambda value: None)


def test_a_cancelled_wait_ends_and_the_late_value_is_discarded():
    cancel, go, discarded = CancelToken(), threading.Event(), threading.Event()
    values = []

    def slow() -> int:
        cancel.cancel()
        go.wait(30)
        return 5

    def discard(value: int) -> None:
        values.append(value)
        discarded.set()

    assert unless_cancelled(slow, cancel, discard) is None
    go.set()
    assert discarded.wait(30)
    assert values == [5]


def test_one_thread_serves_one_wait_after_another():
    names = set()
    for _ in range(50):
        unless_cancelled(lambda: names.add(threading.get_ident()), CancelToken(), discard=print)
    assert len(names) <= 8


def test_a_call_that_hangs_holds_up_no_other():
    go, cancel = threading.Event(), CancelToken()

    def hang() -> bool:
        cancel.cancel()
        return go.wait(30)

    assert unless_cancelled(hang, cancel, discard=lambda value: None) is None
    waits = [unless_cancelled(lambda: 5, CancelToken(), discard=print) for _ in range(3)]
    assert waits == [5, 5, 5]
    go.set()


def test_waits_side_by_side_give_each_its_own_value():
    got = {}

    def wait(number: int) -> None:
        for turn in range(50):
            value = unless_cancelled(lambda: (number, turn), CancelToken(), discard=print)  # noqa: B023
            got.setdefault(number, []).append(value)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: [(number, turn) for turn in range(50)] for number in range(6)}


def test_a_process_that_was_forked_waits_with_threads_of_its_own():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Two processes write to one pipe: their line feeds may come after both numbers.
    assert "".join(done.stdout.split()) == "55"


def test_a_late_error_is_nobodys():
    cancel, ended = CancelToken(), threading.Event()

    def slow() -> int:
        cancel.cancel()
        ended.set()
        raise KeyError("late")

    assert unless_cancelled(slow, cancel, discard=lambda value: None) is None
    assert ended.wait(30)
