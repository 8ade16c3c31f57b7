"""The engine of local models where threads meet; the library is one of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.models.local_engine import EngineOptions, LocalEngine
from tests.beside import beside


class Library:
    """Computes until it is told to stop, and gives up in the end where nobody does."""

    def __init__(self) -> None:
        self.gave_up = False

    def handle_chat_completions(self, _body: Any, receive: Callable[[Any], bool]) -> None:
        for _ in range(3_000):
            if receive({}):
                return
            threading.Event().wait(0.001)
        self.gave_up = True


class Engine(LocalEngine):
    """Opens that library."""

    def __init__(self, make: Callable[[], Any] = Library) -> None:
        super().__init__("none.gguf", EngineOptions())
        self._make = make

    def _load(self) -> Any:
        return self._make()


def test_a_close_just_before_a_stream_begins_ends_it_or_comes_too_early() -> None:
    class Closing(Library):
        """Somebody closes the engine as the request is on its way."""

        @property
        def handle_chat_completions(self) -> Any:
            closer.start()
            closer.join(0.2)  # it waits for the request, which it then ends
            return super().handle_chat_completions

    library = Closing()
    engine = Engine(lambda: library)
    closer = threading.Thread(target=engine.close)
    for _ in engine.chat({}, CancelToken()):
        pass
    closer.join()
    assert not library.gave_up
    assert not any(thread.is_alive() for thread in list(engine._threads))


def test_it_is_closed_while_others_begin_and_end() -> None:
    class Quick:
        """Has nothing to compute."""

        def handle_chat_completions(self, _body: Any, _receive: Any) -> None:
            return

    engine = Engine(Quick)
    with beside(lambda: list(engine.chat({}, CancelToken()))):
        for _ in range(500):
            engine.close()
