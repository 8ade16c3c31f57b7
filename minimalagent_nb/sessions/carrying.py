"""What a session log does with whole sessions: fork, export, import, move.

Imports errors, messages and its siblings.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from minimalagent_nb.errors import (
    ConfigurationError,
    SessionError,
    SessionReadError,
    SessionWriteError,
)
from minimalagent_nb.messages import Message
from minimalagent_nb.redaction import Redactor
from minimalagent_nb.sessions.conversation import read_conversation
from minimalagent_nb.sessions.directory import newest_entry
from minimalagent_nb.sessions.ids import check_session_id
from minimalagent_nb.sessions.interaction import open_key
from minimalagent_nb.sessions.items import Item, ItemStore
from minimalagent_nb.sessions.listing import SessionLister
from minimalagent_nb.sessions.partitions import exists
from minimalagent_nb.sessions.portable import export_session, import_session
from minimalagent_nb.sessions.transfer import (
    check_apart,
    copy_session,
    fork_session,
    list_copied,
    remove_copied,
)

__all__ = ["Progress", "SessionCarrier"]

Progress = Callable[[str, int, int], object]
"""Told of each session that is done: its id, how many are done, how many there are."""

_SETTLE_SECONDS = 10.0
"""How long to wait for what this process has not stored yet."""


class SessionCarrier(SessionLister):
    """The part of `SessionLog` that copies sessions as they are stored."""

    _ttl: int | None
    _redactor: Redactor
    load: Callable[[str], list[Message]]
    flush: Callable[[float], bool]
    _unsent: Callable[[str], Sequence[Any]]
    _unsent_turns: Callable[[str], Sequence[Any]]

    def fork(self, session_id: str, at: int | None = None, to: str | None = None) -> str:
        """Begin a new session with the conversation and history of this one.

        Interactions that are still under way are left out.

        Args:
            at: the last interaction's id, or an index from the end (-1 is the newest);
                None for all of them.
            to: the new session's id, None for one made of the old one.

        Returns:
            The new session's id.

        Raises:
            ConfigurationError: there is no such session or interaction, an id is not
                allowed, or a session `to` is there already.
            SessionReadError, SessionWriteError: the store failed.
        """
        new = check_session_id(to or f"{session_id[:108]}-fork-{uuid.uuid4().hex[:8]}")
        self._settle(check_session_id(session_id))
        now = self._clock()
        fork_session(self._store, session_id, new, at=at, now=now, ttl=self._ttl)
        return new

    def export_to(self, session_id: str, target: Any) -> int:
        """Write a session as JSON lines; see `portable`.

        What is damaged in it goes with it as it is, and a warning says so.

        Args:
            target: a path, which only its owner may read then, or a file open for
                writing text or bytes.

        Returns:
            How many items were written.

        Raises:
            ConfigurationError: there is no such session, or the file cannot be written.
            SessionReadError: the store could not be read.
        """
        self._settle(check_session_id(session_id), as_it_is=True)
        count = export_session(self._store, session_id, target, now=self._clock())
        try:
            read_conversation(self._store, session_id)
        except SessionReadError as error:
            warnings.warn(
                f"The session {session_id} was exported with what is damaged in it. {error}",
                RuntimeWarning,
                stacklevel=2,
            )
        return count

    def import_from(self, source: Any, session_id: str | None = None) -> str:
        """Store a session that `export_to` has written; its life begins anew.

        Args:
            source: a path, or a file open for reading text or bytes.
            session_id: the id to store it under, None for the one that it had.

        Returns:
            The session's id.

        Raises:
            ConfigurationError: the session is there already, or the file cannot be read.
            SessionReadError: the file is damaged or too new; it says which line.
            SessionWriteError: the store failed; import it again then.
        """
        if session_id is not None:
            check_session_id(session_id)
        now = self._clock()
        imported = import_session(self._store, source, session_id, now=now, ttl=self._ttl)
        self._months.forget()
        return imported

    def copy_to(
        self,
        other: SessionCarrier,
        session_ids: Iterable[str] | None = None,
        *,
        remove: bool = False,
        progress: Progress = lambda session_id, done, total: None,
    ) -> list[str]:
        """Copy sessions to another log's store, where their life begins anew.

        A copy that broke off is made whole by making it again.

        Args:
            session_ids: which; None for all that are listed.
            remove: move them: remove each here once the copy was read and compared.
            progress: told of each session that is done.

        Returns:
            The ids of the sessions that were copied.

        Raises:
            ConfigurationError: both are the same store, a session is not there, or the
                other store has another session of its id.
            SessionError: some sessions could not be copied, as they are in use, damaged, or
                others of their ids are there: it says which; the others were.
            SessionReadError, SessionWriteError: a store failed; do it again then.
        """
        check_apart(self._store, other._store, now=other._clock())
        failed = []
        if session_ids is None:
            listed = self.listing()
            wanted = [info.session_id for info in listed.sessions]
            failed += [listed.note] if listed.note else []
        else:
            wanted = [check_session_id(one) for one in session_ids]

        def carry(session_id: str) -> None:
            self._carry(session_id, other, remove)

        return self._each(wanted, carry, other, progress, failed)

    def take_over(
        self,
        source: ItemStore,
        session_ids: Iterable[str],
        progress: Progress = lambda session_id, done, total: None,
    ) -> list[str]:
        """Copy sessions that minimalagent wrote from its table, and list them here.

        Secrets that this process knows are taken out. Where `source` is the log's own
        store, the sessions are listed only.

        Args:
            session_ids: which; `dynamodb_scan.sessions_in_table` finds them.
            progress: told of each session that is done.

        Returns:
            The ids of the sessions that were not listed before.

        Raises:
            SessionError: some could not be taken over, as other sessions of their ids are
                there: it says which; the others were.
            SessionReadError, SessionWriteError: a store failed; do it again then.
        """
        try:
            check_apart(source, self._store, now=self._clock())
            apart = True
        except ConfigurationError:
            apart = False
        new = []

        def take(session_id: str) -> None:
            now = self._clock()
            known = newest_entry(self._store, session_id, now=now) is not None
            if apart:
                copy_session(
                    source,
                    session_id,
                    self._store,
                    now=now,
                    ttl=self._ttl,
                    changed=self._without_secrets,
                )
            if not known:
                list_copied(self._store, session_id, now=now, ttl=self._ttl)
                self._months.forget()
                new.append(session_id)

        self._each(list(session_ids), take, self, progress)
        return new

    def _each(
        self,
        wanted: Sequence[str],
        act: Callable[[str], None],
        other: SessionCarrier,
        progress: Progress,
        failed: Sequence[str] = (),
    ) -> list[str]:
        """Do it for each session; what is wrong with one of them does not stop the others.

        Args:
            failed: what is known to be wrong before, to be told at the end.
        """
        done: list[str] = []
        failed = list(failed)
        for session_id in wanted:
            try:
                act(session_id)
            except SessionWriteError:
                raise
            except (ConfigurationError, SessionError) as error:
                if len(wanted) == 1:
                    raise
                if isinstance(error, SessionReadError):
                    # One session may be damaged. A store that is down is down for all.
                    self.sessions()
                    other.sessions()
                failed.append(str(error))
                continue
            done.append(session_id)
            progress(session_id, len(done), len(wanted))
        if failed:
            raise SessionError(
                f"{len(done)} of {len(wanted)} sessions were copied. " + " ".join(failed)
            )
        return done

    def _carry(self, session_id: str, other: SessionCarrier, remove: bool) -> None:
        if not exists(self._store, session_id):
            raise ConfigurationError(
                f"There is no session {session_id} in {self._store.description}."
            )
        self._settle(session_id)
        if any(True for _ in self._store.query(open_key(session_id), after=0, limit=1)):
            raise SessionError(
                f"A run is under way in the session {session_id}: copy it when it has ended."
            )
        now, store = other._clock(), other._store
        copied = copy_session(self._store, session_id, store, now=now, ttl=other._ttl)
        list_copied(store, session_id, now=now, ttl=other._ttl)
        if remove:
            remove_copied(self._store, session_id, copied, self._clock())
        self._months.forget()
        other._months.forget()

    def _settle(self, session_id: str, *, as_it_is: bool = False) -> None:
        """Have all of a session in the store: what this process and dead ones have left.

        Args:
            as_it_is: whether it is of no importance that its conversation makes sense.

        Raises:
            SessionWriteError: that could not be done.
            SessionReadError: the store could not be read, or what is there makes no sense.
        """
        self.flush(_SETTLE_SECONDS)
        if as_it_is:
            self._unsent_turns(session_id)
        else:
            self.load(session_id)
        if self._unsent(session_id):
            raise SessionWriteError(
                f"Not all of the session {session_id} is in {self._store.description} yet: what "
                "could not be sent waits on this machine. Try again when the store can be reached."
            )

    def _without_secrets(self, item: Item) -> Item:
        changed = {
            name: self._redactor.secrets_out_of(value) for name, value in item.attributes.items()
        }
        return replace(item, attributes=changed)
