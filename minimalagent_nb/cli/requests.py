"""What is asked of a run from the command line: to stop, to let a call run or not.

Imports sessions, through which the run's kernel is asked, and the views' words.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from minimalagent_nb.cli.stores import chosen, no_session, told, where
from minimalagent_nb.errors import ConfigurationError, RunOverError
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SentRequest, SessionLog
from minimalagent_nb.sessions.waiting import WaitingCall, WaitingCalls
from minimalagent_nb.widgets import figures

__all__ = ["arguments_from", "run_answer", "run_stop"]

_LEFT = (
    "no longer waiting. What was asked is not taken back: the run's kernel may still do it for "
    "about a minute"
)


def run_stop(options: argparse.Namespace, log: SessionLog) -> int:
    """Have the run end, and wait until its kernel says that it does; 0 then.

    Raises:
        AgentError: no run goes on, its kernel has died or does not answer, or it refused.
    """
    session_id: str = options.session
    interaction_id = _run_of(options, log)
    state = _settled(options, log.request_stop(session_id, interaction_id))
    done = {"session_id": session_id, "interaction_id": interaction_id, "state": state}
    return told(options, done, f"The run of {session_id} is stopped; what was done is kept.")


def run_answer(options: argparse.Namespace, log: SessionLog) -> int:
    """Let a call that waits run, or not, and wait until its kernel says so; 0 then.

    Raises:
        AgentError: no such call waits, somebody else was first, the arguments do not fit, or the
            run is over, or its kernel has died or does not answer.
    """
    decision, more = _decision(options)
    interaction_id = _run_of(options, log)
    call = _waiting_call(options, log, interaction_id)
    about = {
        "session_id": options.session,
        "interaction_id": interaction_id,
        "call_id": call.path,
        "tool": call.tool,
        "inputs": more.get("inputs", call.inputs),
        "decision": decision,
    }
    sent = log.answer_call(
        options.session, interaction_id, run=call.run, call=call.call, decision=decision, **more
    )
    state = _settled(options, sent)
    word = "denied" if decision == "denied" else "allowed"
    said = f"{_name(call, about['inputs'])} of {options.session} is {word}."
    return told(options, {**about, "state": state}, said)


def arguments_from(text: str) -> dict[str, Any]:
    """The arguments that somebody typed.

    Raises:
        ValueError: they are no JSON object; the text says what is wrong.
    """
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"that is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError('it must be an object, such as {"name": "value"}')
    return found


def _decision(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if options.command == "deny":
        return "denied", {"reason": options.reason or ""}
    if options.inputs is None:
        return "approved", {}
    try:
        text = sys.stdin.read() if options.inputs == "-" else options.inputs
        return "edited", {"inputs": arguments_from(text)}
    except ValueError as error:
        return options.wrong_call(f"argument --inputs: {error}")


def _run_of(options: argparse.Namespace, log: SessionLog) -> int:
    """The run that is meant: the one of that number, or the one that goes on."""
    session_id: str = options.session
    found: int | None
    if options.at is not None:
        found = chosen(log, session_id, options.at).interaction_id
    else:
        # Where the only one that is open is that of a dead kernel, the request says so.
        found = log.running(session_id) or log.next_run(session_id).look()
    if found is None:
        if log.session(session_id) is None:
            raise no_session(session_id, log)
        raise RunOverError(
            f"No run of session {session_id} goes on in {log.description}. Only runs that are "
            "recorded in real time can be stopped or answered from outside."
        )
    return found


def _waiting_call(options: argparse.Namespace, log: SessionLog, interaction_id: int) -> WaitingCall:
    """The call that is meant: the one of that id, or the only one that waits."""
    waiting = WaitingCalls()
    for event in log.run_watch(options.session, interaction_id).look():
        waiting.add(event)
    wanted: str | None = options.call
    found = [one for one in waiting if wanted in (None, one.call, one.path)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "; ".join(f"{one.path} is {_name(one, one.inputs)}" for one in found)
        raise ConfigurationError(f"{len(found)} calls wait. Name one with --call: {listed}.")
    if wanted is not None:
        run = log.interaction(options.session, interaction_id)
        if run is not None and (why := _decided(run, wanted)):
            raise RunOverError(f"The call {wanted} does not wait any more: {why}.")
    named = "" if wanted is None else f" of the id {wanted}"
    more = f" {figures.count(len(waiting), 'other call')} wait." if len(waiting) else ""
    raise RunOverError(
        f"No call{named} of session {options.session} waits for an answer.{more} "
        f"`minimalagent-nb watch {where(options)}` shows the run, and asks where one does."
    )


def _decided(run: Reasoning, call_id: str, before: str = "") -> str:
    """What was decided on a call before; empty where nothing is known of it."""
    for step in run.steps:
        for tool in step.tools:
            path = f"{before}{tool.call_id}"
            if call_id in (tool.call_id, path):
                return figures.approval_text(tool.approval) or figures.tool_word(tool)
            if tool.reasoning and (found := _decided(tool.reasoning, call_id, f"{path}/")):
                return found
    return ""


def _settled(options: argparse.Namespace, sent: SentRequest) -> str:
    """Wait for the reply of the run's kernel; ``taken``."""
    try:
        reply = sent.wait(options.wait)
    except KeyboardInterrupt:
        # Not "stopped", which may be what was asked for.
        raise KeyboardInterrupt(_LEFT) from None
    if reply is None:
        raise ConfigurationError(
            f"The kernel of the run has not answered within {options.wait} s. It finds the "
            "request when it looks the next time; --wait waits longer."
        )
    if reply.state != "taken":
        raise RunOverError(reply.text)
    return reply.state


def _name(call: WaitingCall, inputs: Mapping[str, Any]) -> str:
    return f"{figures.clean(call.tool)}({figures.call_preview(inputs, 200)})"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
