"""``minimalagent-nb stop``: ends the run of a session, in whichever process it goes on.

Imports sessions, through which the run's kernel is asked.
"""

from __future__ import annotations

import argparse

from minimalagent_nb.cli.stores import chosen, told
from minimalagent_nb.errors import ConfigurationError, RunOverError
from minimalagent_nb.sessions import SessionLog

__all__ = ["run_stop"]


def run_stop(options: argparse.Namespace, log: SessionLog) -> int:
    """Have the run end, and wait until its kernel says that it does; 0 then.

    Raises:
        AgentError: no run goes on, its kernel has died or does not answer, or it refused.
    """
    session_id: str = options.session
    if options.at is not None:
        interaction_id = chosen(log, session_id, options.at).interaction_id
    else:
        # Where the only one that is open is that of a dead kernel, the request says so.
        interaction_id = log.running(session_id) or log.next_run(session_id).look()
    if interaction_id is None:
        raise RunOverError(
            f"No run of session {session_id} goes on in {log.description}. Only runs that are "
            "recorded in real time can be stopped from outside."
        )
    reply = log.request_stop(session_id, interaction_id).wait(options.wait)
    if reply is None:
        raise ConfigurationError(
            f"The kernel of the run has not answered within {options.wait} s. It finds the "
            "request when it looks the next time; --wait waits longer."
        )
    if reply.state != "taken":
        raise RunOverError(reply.text)
    done = {"session_id": session_id, "interaction_id": interaction_id, "state": reply.state}
    return told(options, done, f"The run of {session_id} is stopped; what was done is kept.")
