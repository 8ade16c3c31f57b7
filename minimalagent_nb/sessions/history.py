"""The interactions of a session as reasoning: of their documented items, and exact from the log.

Imports events, the fold, reasoning and its siblings.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence

from minimalagent_nb.fold import fold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.sessions.batches import read_log
from minimalagent_nb.sessions.documented import reasoning_in
from minimalagent_nb.sessions.heartbeat import Liveness
from minimalagent_nb.sessions.interaction import reasoning_key
from minimalagent_nb.sessions.items import Item, ItemStore
from minimalagent_nb.sessions.repair import exact_events, failed_view
from minimalagent_nb.sessions.sending import Unsent

__all__ = ["read_history", "read_ids", "reasoning_of"]


def read_history(
    store: ItemStore,
    session_id: str,
    liveness: Liveness,
    unsent: Sequence[Unsent],
    *,
    newest_first: bool,
    limit: int | None,
    before: int | None = None,
) -> Iterator[Reasoning]:
    """The interactions of a session, those among them that the store does not have yet.

    Raises:
        SessionReadError: the store could not be read.
    """
    pk = reasoning_key(session_id)
    items = store.query(pk, before=before, newest_first=newest_first, limit=limit)
    unsent = [one for one in unsent if before is None or one.interaction_id < before]
    newer = {one.run: one for one in unsent}

    def stored() -> Iterator[tuple[int, Reasoning]]:
        for item in items:
            one = newer.get(str(item.attributes.get("run")))
            found = one.reasoning if one else reasoning_of(store, session_id, item, liveness)
            yield item.sk, found

    if not unsent:
        return (reasoning for _, reasoning in stored())
    missing = []
    for one in unsent:
        there = store.get(pk, one.interaction_id)
        if there is None or there.attributes.get("run") != one.run:
            missing.append((one.interaction_id, one.reasoning))
    missing.sort(key=lambda pair: pair[0], reverse=newest_first)
    both = heapq.merge(stored(), missing, key=lambda pair: pair[0], reverse=newest_first)
    return itertools.islice((reasoning for _, reasoning in both), limit)


def read_ids(store: ItemStore, session_id: str, unsent: Sequence[Unsent]) -> list[int]:
    """The ids of a session's interactions, oldest first; nothing else of them is read.

    Raises:
        SessionReadError: the store could not be read.
    """
    stored = {item.sk for item in store.query(reasoning_key(session_id), names=())}
    return sorted(stored.union(one.interaction_id for one in unsent))


def reasoning_of(store: ItemStore, session_id: str, item: Item, liveness: Liveness) -> Reasoning:
    """The interaction of a documented item; from its log where the item does not hold all.

    Raises:
        SessionReadError: the store could not be read.
    """
    try:
        reasoning = reasoning_in(item)
    except ValueError:
        reasoning = Reasoning(
            status="failed",
            error=f"The stored interaction {item.sk} cannot be read: its reasoning is damaged.",
        )
    if "log" in item.attributes and (
        reasoning.status == "running" or reasoning.exceeded_size_limit
    ):
        reasoning = _exact(store, session_id, item, reasoning, liveness)
    # That of the log of a copied session is its old one.
    reasoning.session_id = session_id
    reasoning.interaction_id = item.sk
    return reasoning


def _exact(
    store: ItemStore, session_id: str, item: Item, view: Reasoning, liveness: Liveness
) -> Reasoning:
    # Before the log is read: a run that ends in between has its end in the log then.
    is_dead = view.status == "running" and liveness.seems_dead(store, session_id, item.sk)
    events = exact_events(read_log(store, session_id, item.sk), is_dead)
    if events:
        return fold(events)
    return failed_view(item) if is_dead else view
