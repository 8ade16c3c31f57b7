"""Any GGUF file as a model in this process, with the tool calling of its chat template.

    model = LocalModel("/path/model.gguf")

Imports the protocol, the wire form and llama.cpp's engine of this folder, and the errors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ModelRequestError
from minimalagent_nb.models.local_engine import EngineOptions, LocalEngine
from minimalagent_nb.models.local_wire import ChatTurn, chat_request
from minimalagent_nb.models.protocol import ModelChunk, ModelRequest

__all__ = ["LocalModel"]


class LocalModel:
    """A GGUF file, run by llama.cpp through xllamacpp (the extra ``demo``).

    The file is opened with the first request. Options of a request go to llama.cpp by
    OpenAI's names: ``temperature``, ``max_tokens``, ``seed``, ``tool_choice`` and so on.

    Args:
        path: the GGUF file.
        context: tokens of a conversation; 0 for as many as the model was made for.
        name: what trees and logs call the model; None for the file's name.
        threads: threads that compute; None for one each core, 8 at most.
        chat_template: a Jinja template in the place of the file's own.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        context: int = 8192,
        name: str | None = None,
        threads: int | None = None,
        chat_template: str = "",
    ) -> None:
        options = EngineOptions(context=context, threads=threads, chat_template=chat_template)
        self._engine = LocalEngine(path, options)
        self._name = name or self._engine.path.stem

    @property
    def name(self) -> str:
        """The name that was given, or the file's without its ending."""
        return self._name

    def __repr__(self) -> str:
        return f"LocalModel({str(self._engine.path)!r})"

    def close(self) -> None:
        """Free the memory; the next request opens the file again."""
        self._engine.close()

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """Answer the request; see `Model.stream`.

        Raises:
            ConfigurationError: the file cannot be read, or llama.cpp is not installed.
            ModelRequestError: tools are offered to a model that cannot call any, the
                conversation holds what it cannot read, or is too long for it.
            ModelUnavailableError: llama.cpp failed.
        """
        if cancel.cancelled:
            return
        with_tools = self._calls_tools()
        if request.tools and not with_tools:
            raise ModelRequestError(
                f"The model {self.name} cannot call tools: its chat template has no place for "
                'them. Take a model with tool calling (its card says so), or "demo" to see '
                "tools at work; without tools it answers as it is."
            )
        turn = ChatTurn()
        for chunk in self._engine.chat(chat_request(request, with_tools), cancel):
            yield from turn.take(chunk)
        if not cancel.cancelled:
            yield turn.reply()

    def _calls_tools(self) -> bool:
        abilities: Any = self._engine.properties.get("chat_template_caps") or {}
        return bool(abilities.get("supports_tools") and abilities.get("supports_tool_calls"))
