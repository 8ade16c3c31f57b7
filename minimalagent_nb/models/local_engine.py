"""llama.cpp in this process, through xllamacpp: opened lazily, cancelled at once.

Imports the errors and the cancel flag; xllamacpp when a model is opened.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import queue
import secrets
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import (
    ConfigurationError,
    ContextWindowError,
    ModelError,
    ModelRequestError,
    ModelUnavailableError,
)

__all__ = ["Completion", "EngineOptions", "LocalEngine", "check_file", "check_installed"]


@dataclass(frozen=True)
class EngineOptions:
    """How a model is opened.

    Attributes:
        context: tokens that all slots share; 0 for as many as the model was made for.
        slots: how many conversations are kept and computed side by side.
        threads: threads that compute; None for one each core, 8 at most.
        chat_template: a Jinja template in the place of the file's own; empty for its own.
    """

    context: int = 0
    slots: int = 1
    threads: int | None = None
    chat_template: str = ""


@dataclass(frozen=True)
class Completion:
    """What was generated: text, log-probabilities of its tokens, and the tokens it cost.

    `cached_tokens` are those of the prompt that were not computed again.
    """

    text: str
    log_probabilities: tuple[float, ...]
    prompt_tokens: int
    cached_tokens: int
    tokens: int


def check_installed() -> None:
    """Say what to install where llama.cpp is missing.

    Raises:
        ConfigurationError: xllamacpp is not installed, or does not load here.
    """
    try:
        _library()
    except ImportError as error:
        raise ConfigurationError(
            'Models in this process need llama.cpp: pip install "minimalagent-nb[demo]" '
            "(there are wheels for Linux on x86_64 and aarch64, macOS, and Windows on x86_64; "
            f"{error})."
        ) from error


def _library() -> Any:
    """xllamacpp, imported so that its threads sleep while they wait for one another.

    By default OpenMP lets them spin; with as many threads as cores, anything else that
    runs then makes each token take twenty times as long. The setting is read when
    OpenMP is loaded, and is gone again before anyone else can see it.
    """
    name = "OMP_WAIT_POLICY"
    ours = name not in os.environ and "xllamacpp" not in sys.modules
    if ours:
        os.environ[name] = "passive"
    try:
        import xllamacpp
    finally:
        if ours:
            del os.environ[name]
    return xllamacpp


class LocalEngine:
    """One GGUF file, opened with the first request and shared by all threads.

    The library opens a port on loopback whether it is wanted or not: a random key
    keeps all others out of it.
    """

    def __init__(self, path: str | os.PathLike[str], options: EngineOptions) -> None:
        self.path = Path(path).expanduser()
        self.options = options
        self._server: Any = None
        self._key = secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._stops: set[threading.Event] = set()
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._properties: dict[str, Any] | None = None

    @property
    def properties(self) -> Mapping[str, Any]:
        """What llama.cpp says of the model, its chat template's abilities among it."""
        if self._properties is None:
            self._properties = self._ask("GET", "/props")
        return self._properties

    def tokenize(self, text: str) -> list[int]:
        """Token ids of the text."""
        return list(self._ask("POST", "/tokenize", {"content": text})["tokens"])

    def complete(self, body: Mapping[str, Any], cancel: CancelToken) -> Completion | None:
        """Continue ``body["prompt"]``; None when cancelled.

        Raises:
            ModelError: llama.cpp refused the request.
        """
        found = self.complete_all([body], cancel)
        return found[0] if found else None

    def complete_all(
        self, bodies: Sequence[Mapping[str, Any]], cancel: CancelToken
    ) -> list[Completion]:
        """Several at once, which costs little more than one; empty when cancelled."""
        streams = [self._chunks("handle_completions", body, cancel) for body in bodies]
        with contextlib.ExitStack() as stack:
            for stream in streams:
                stack.callback(stream.close)
            found = [_gather(stream) for stream in streams]
        return [] if cancel.cancelled else found

    def chat(self, body: Mapping[str, Any], cancel: CancelToken) -> Iterator[dict[str, Any]]:
        """Chunks of a chat completion in OpenAI's shape; they end early when cancelled.

        Raises:
            ModelError: llama.cpp refused the request.
        """
        stream = self._chunks("handle_chat_completions", body, cancel)
        with contextlib.closing(stream):
            yield from stream

    def open(self) -> Any:
        """The opened library object; opens it where that has not happened yet.

        Raises:
            ConfigurationError: there is no such file, it is no GGUF file, or xllamacpp is missing.
            ModelUnavailableError: llama.cpp cannot open it.
        """
        with self._lock:
            return self._opened()

    def _opened(self) -> Any:
        """The same, where the lock is held."""
        if self._server is None:
            self._server = self._load()
            with _open_lock:
                _OPEN.add(self)
        return self._server

    def close(self) -> None:
        """Free the model. What is under way ends; the next request opens it again."""
        with self._lock:
            self._server = None
            self._properties = None
            for stop in list(self._stops):
                stop.set()
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout=5)
        with _open_lock:
            _OPEN.discard(self)

    def _load(self) -> Any:
        check_file(self.path)
        check_installed()
        library = _library()
        options = self.options
        params = library.CommonParams()
        params.model.path = str(self.path)
        params.n_ctx = options.context
        params.n_parallel = options.slots
        # One memory for all slots, and no copies of it: that is what a small machine has.
        params.kv_unified = True
        params.cache_idle_slots = False
        params.cache_ram_mib = 0
        threads = options.threads or min(8, os.cpu_count() or 1)
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.chat_template = options.chat_template
        params.api_keys = [self._key]
        params.ui = False
        params.endpoint_slots = False
        params.warmup = False
        params.verbosity = -1
        try:
            return library.Server(params)
        except RuntimeError as error:
            raise ModelUnavailableError(
                f"llama.cpp cannot open {self.path}: {str(error).rstrip('.')}. The file may be "
                "broken, of a kind that this version does not know, or too large for the memory "
                "that is free."
            ) from error

    def _chunks(self, method: str, body: Mapping[str, Any], cancel: CancelToken) -> _Stream:
        # A close from elsewhere comes before, and it is opened again, or ends this one, too.
        with self._lock:
            return _Stream(self, getattr(self._opened(), method), dict(body), cancel)

    def _ask(self, verb: str, route: str, body: Any = None) -> dict[str, Any]:
        """What only the loopback port offers; proxies of the environment are not asked."""
        address = str(self.open().listening_address).partition("//")[2]
        connection = http.client.HTTPConnection(address, timeout=60)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            connection.request(verb, route, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ModelUnavailableError(
                f"llama.cpp does not answer on its loopback port ({error}). Something on this "
                "machine may be forbidding connections to 127.0.0.1."
            ) from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise _refusal(answer.get("error"), self.options)
        return dict(answer)


class _Stream(Iterator[dict[str, Any]]):
    """Chunks of one request, computed in a thread of their own from the start on.

    The library swallows what a callback raises, so that nothing may fail in there; a
    callback that returns True ends the computation.
    """

    def __init__(
        self,
        engine: LocalEngine,
        function: Callable[..., Any],
        body: dict[str, Any],
        cancel: CancelToken,
    ) -> None:
        self._engine = engine
        self._chunks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._done = False
        body["stream"] = True
        thread = threading.Thread(
            target=self._work, args=(function, body), name="minimalagent-llama", daemon=True
        )
        engine._stops.add(self._stop)
        engine._threads.add(thread)
        thread.start()
        self._take_back = cancel.on_cancel(self._end)

    def __next__(self) -> dict[str, Any]:
        chunk = None if self._done else self._chunks.get()
        if isinstance(chunk, BaseException):
            self.close()
            raise ModelError(
                f"llama.cpp failed: {chunk}. Try again; close() of the model opens it anew."
            ) from chunk
        if chunk is None or self._stop.is_set():
            self.close()
            raise StopIteration
        if "error" in chunk:
            self.close()
            raise _refusal(chunk["error"], self._engine.options)
        return dict(chunk)

    def close(self) -> None:
        """Nobody reads on: let the computation end."""
        self._done = True
        self._take_back()
        self._end()

    def _end(self) -> None:
        self._stop.set()
        self._chunks.put(None)

    def _work(self, function: Callable[..., Any], body: dict[str, Any]) -> None:
        try:
            function(body, self._receive)
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that reads
            self._chunks.put(error)
        finally:
            self._chunks.put(None)
            self._engine._stops.discard(self._stop)

    def _receive(self, chunk: dict[str, Any]) -> bool:
        self._chunks.put(chunk)
        return self._stop.is_set()


def _gather(stream: Iterator[dict[str, Any]]) -> Completion:
    """All chunks of a plain completion as one."""
    texts: list[str] = []
    scores: list[float] = []
    usage: Mapping[str, Any] = {}
    for chunk in stream:
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices", ()):
            texts.append(choice.get("text") or "")
            tokens = (choice.get("logprobs") or {}).get("content", ())
            scores += [float(token["logprob"]) for token in tokens]
    return Completion(
        text="".join(texts),
        log_probabilities=tuple(scores),
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
        cached_tokens=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)),
        tokens=int(usage.get("completion_tokens", 0)),
    )


def check_file(path: Path) -> None:
    """Say what is wrong with a file that cannot be a model.

    Raises:
        ConfigurationError: it cannot be read, or is no GGUF file.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ConfigurationError(
            f"The model {path} cannot be read: {error.strerror or error}. Give the path of a GGUF "
            "file."
        ) from error
    if magic != b"GGUF":
        raise ConfigurationError(
            f"{path} is no GGUF file, the form in which llama.cpp reads models."
        )


def _refusal(error: Any, options: EngineOptions) -> ModelError:
    """What llama.cpp said, with what to do where that is known."""
    error = error if isinstance(error, Mapping) else {"message": str(error)}
    said = str(error.get("message", "no reason given")).strip()
    if error.get("type") == "exceed_context_size_error":
        return ContextWindowError(
            f"The conversation is too long for the model: {said}. Start a new session, or open "
            f"the model with a larger context (now {options.context or 'its own'} tokens)."
        )
    if error.get("code") in (400, 404, 422):
        return ModelRequestError(f"llama.cpp refused the request: {said}.")
    return ModelUnavailableError(f"llama.cpp failed: {said}. Try again with a new model object.")


_open_lock = threading.Lock()
_OPEN: weakref.WeakSet[LocalEngine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Threads inside the library would outlive the interpreter and crash it."""
    with _open_lock:
        engines = list(_OPEN)
    for engine in engines:
        engine.close()
