"""A contents manager that saves in a way of its own, and calls no hooks."""

from __future__ import annotations

from typing import Any

from jupyter_server.services.contents.filemanager import AsyncFileContentsManager


class OtherContentsManager(AsyncFileContentsManager):
    """Writes files as others do; that it calls no hooks is allowed."""

    def run_pre_save_hooks(self, model: Any, path: str, **_more: Any) -> None:
        pass

    async def save(self, model: Any, path: str = "") -> Any:
        return await super().save(model, path)
