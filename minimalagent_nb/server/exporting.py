"""A session as a file of the reader's choice.

Imports jupyter_server and tornado, and from the package errors, sessions, the notebook's forms
of a session, and this room's files.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from typing import IO

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from minimalagent_nb.errors import AgentError
from minimalagent_nb.notebook.export import write_session
from minimalagent_nb.server.following import followed_log
from minimalagent_nb.server.handlers import StoreHandler, one_session
from minimalagent_nb.sessions import SessionLog, check_session_id

__all__ = ["ExportHandler"]

FORMS = {
    "jsonl": "application/x-ndjson",
    "ipynb": "application/x-ipynb+json",
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
}
"""Forms of the file, which are its endings, and their content types."""

_IN_MEMORY = 16_000_000
_PIECE = 256_000
"""Bytes of an export in memory before it goes to a file, and sent at a time."""


class ExportHandler(StoreHandler):
    """``GET minimalagent/api/sessions/{id}/export?form=jsonl|ipynb|html|md``: a download.

    JSON lines are the default: what they hold, `sessions.portable` says, and
    ``minimalagent-nb import`` reads them. The other forms are for readers.
    """

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        """Send the file, once the whole of it could be read."""
        form = self.get_query_argument("form", "jsonl")
        if form not in FORMS:
            self.refuse(400, f"form must be one of {', '.join(FORMS)}.")
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            try:
                is_there = await self.source.read(
                    lambda log: _exported(log, session_id, form, file)
                )
            except AgentError as error:
                self.refuse_for(error)
                return
            if not is_there:
                self.refuse(404, f"There is no session {session_id} in the store.")
                return
            self.set_header("Content-Type", FORMS[form])
            name = f"{check_session_id(session_id)}.{form}"
            # Saved and never shown: a page of this origin is no place for it.
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
            if not await self.send(self._pieces(file)):
                return
        await self.finish(set_content_type=FORMS[form])

    async def _pieces(self, file: IO[bytes]) -> AsyncIterator[bytes]:
        while piece := await self.source.read(lambda _: file.read(_PIECE)):
            yield piece


def _exported(log: SessionLog | None, session_id: str, form: str, file: IO[bytes]) -> bool:
    log = followed_log(log)
    if one_session(log, session_id) is None:
        return False
    if form == "jsonl":
        log.export_to(session_id, file)
    else:
        write_session(
            form,
            session_id,
            lambda newest_first: log.history(session_id, newest_first=newest_first),
            file.write,
        )
    file.seek(0)
    return True
