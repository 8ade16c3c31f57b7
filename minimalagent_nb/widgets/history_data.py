"""Sessions and interactions as JSON, for the history browser in a notebook and on the server.

Each function reads the session log once and gives an object that is ready to be sent.
Imports reasoning, sessions and this room's pure parts.
"""

from __future__ import annotations

from typing import Any

from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions import SessionInfo, SessionLog
from minimalagent_nb.sessions.search import Filters, Hit, Place, SessionSearch, history_page
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.replay import tree_message

__all__ = ["found", "interaction_tree", "interactions", "session_row", "sessions", "summary"]

QUERY = 500
"""Characters of an interaction's query in a list."""
_ERROR = 500
_LOOKED_FOR_RUNS = 20
"""So many sessions, the newest ones, are asked whether a run goes on in them."""


def sessions(log: SessionLog | None, *, limit: int, search: str = "") -> dict[str, Any]:
    """The sessions used last: ``{"store", "sessions", "more", "since", "note"}``.

    `store` is None where the memory is switched off. Each session is a `session_row`. Older
    ones than `since` are not listed, where it is not None. `note` is what a reader should
    know of the list, None for nothing.

    Args:
        search: part of a title or an id, whatever its case.

    Raises:
        SessionReadError: the store could not be read.
    """
    if log is None:
        return {"store": None, "sessions": [], "more": False, "since": None, "note": None}
    wanted = search.casefold().strip()
    # Titles are searched on all of them: without a search no more are read than are shown.
    listing = log.listing(limit=None if wanted else limit + 1, again=True)
    listed = listing.sessions
    if wanted:
        listed = [one for one in listed if wanted in f"{one.title}\n{one.session_id}".casefold()]
    rows = [
        session_row(one, number < _LOOKED_FOR_RUNS and log.running(one.session_id) is not None)
        for number, one in enumerate(listed[:limit])
    ]
    more = len(listed) > limit
    return {
        "store": log.description,
        "sessions": rows,
        "more": more,
        "since": None if more else log.listed_since(),
        "note": listing.note or None,
    }


def session_row(info: SessionInfo, is_running: bool = False) -> dict[str, Any]:
    """One session as a list shows it; ``last_used`` in seconds since the epoch."""
    return {
        "session_id": info.session_id,
        "title": info.title,
        "last_used": info.last_used,
        "interactions": info.interactions,
        "running": is_running,
    }


def interactions(
    log: SessionLog, session_id: str, filters: Filters, *, before: int | None, limit: int
) -> dict[str, Any]:
    """One page of a session, newest first: ``{"interactions", "next", "looked"}``.

    `next` is the `before` of the next page, None where there is none. Through filters a
    page may be empty though there is a next one.

    Raises:
        SessionIdError: the id is not allowed.
        SessionReadError: the store could not be read.
    """
    page = history_page(log, session_id, filters, before=before, limit=limit)
    return {
        "interactions": [summary(run) for run in page.runs],
        "next": page.next,
        "looked": page.looked,
    }


def summary(run: Reasoning) -> dict[str, Any]:
    """One interaction as a list shows it: ``started`` since the epoch, both times in seconds."""
    return {
        "interaction_id": run.interaction_id,
        "query": bounded_text(run.query or "", QUERY),
        "status": run.status,
        "error": bounded_text(run.error, _ERROR) if run.error else None,
        "model": run.model,
        "agent": run.agent,
        "started": run.started,
        "duration": run.duration,
        "steps": run.total_steps,
        "tool_calls": sum(len(step.tools) for step in run.steps),
        "tools": sorted({call.name for step in run.steps for call in step.tools})[:50],
        "tokens": run.usage.total_tokens,
    }


def interaction_tree(
    log: SessionLog, session_id: str, interaction_id: int
) -> dict[str, Any] | None:
    """What the tree makes its page of: ``{"interaction_id", "tree"}``; None where it is gone.

    Raises:
        SessionIdError: the id is not allowed.
        SessionReadError: the store could not be read.
    """
    run = log.interaction(session_id, interaction_id)
    if run is None:
        return None
    return {"interaction_id": interaction_id, "tree": tree_message(run)}


def found(search: SessionSearch) -> dict[str, Any]:
    """The next piece of a search.

    ``{"hits", "looked", "total", "searched", "sessions", "counted", "reached",
    "reached_session", "left_out", "over"}``: `looked` and `total` count interactions,
    `searched` and `sessions` sessions, as far as they are `counted`. `reached` and
    `reached_session` are the place to go on from, `left_out` the words for what the store
    may have that is not searched.

    Raises:
        SessionReadError: the store could not be read.
    """
    hits = [_hit(hit) for hit in search.look()]
    come, place = search.progress, search.reached or Place(0)
    return {
        "hits": hits,
        "looked": come.looked,
        "total": come.interactions,
        "searched": come.searched,
        "sessions": come.sessions,
        "counted": come.counted,
        "reached": place.interaction_id,
        "reached_session": place.session_id,
        "left_out": search.left_out if search.is_over else [],
        "over": search.is_over,
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "session_id": hit.session_id,
        "run": summary(hit.run),
        "where": bounded_text(hit.where, 200),
        "before": bounded_text(hit.before, 200),
        "match": bounded_text(hit.match, 1_000),
        "after": bounded_text(hit.after, 200),
        "places": hit.places,
    }
