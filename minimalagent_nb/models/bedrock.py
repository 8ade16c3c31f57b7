"""Amazon Bedrock through boto3's ``converse`` and ``converse_stream``.

Imports the protocol, the wire form and the errors of this folder; boto3 when the first
request is made.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from minimalagent_nb._version import __version__
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.models.bedrock_wire import (
    StreamedTurn,
    check_options,
    converse_request,
    reply_of_response,
    streams_tool_calls,
)
from minimalagent_nb.models.protocol import (
    ModelChunk,
    ModelReply,
    ModelRequest,
    RetryChunk,
    TextChunk,
    ThinkingChunk,
)
from minimalagent_nb.models.waiting import unless_cancelled

if TYPE_CHECKING:
    from minimalagent_nb.models.bedrock_errors import BrokenTurn

__all__ = ["DEFAULT_MODEL_ID", "DEFAULT_REGION", "Bedrock"]

DEFAULT_MODEL_ID = "us.amazon.nova-pro-v1:0"
DEFAULT_REGION = "us-west-2"

_ATTEMPTS = 3
"""How often a turn that breaks off is asked for in all."""

_Attempt: TypeAlias = "Generator[ModelChunk, None, BrokenTurn | None]"
"""The pieces of one attempt; it returns how the turn broke off, or None for a good end."""


class Bedrock:
    """A model of Amazon Bedrock, by the Converse API.

    boto3 is imported and the client made with the first request. The endpoint, the
    credentials and the profile are boto3's own matter (``AWS_PROFILE``,
    ``AWS_ENDPOINT_URL_BEDROCK_RUNTIME`` and so on).

    Args:
        model_id: a model id, an inference profile id or an ARN.
        region: AWS region; None for the one that boto3 is configured with.
        streaming: True or False to always or never use ConverseStream. None streams,
            except where the model is known to refuse tools in streams and there are some.
        client: a ``bedrock-runtime`` client of your own; its configuration is kept.
        session: a ``boto3.Session`` to make the client from.
        options: members of a Converse request by their own names, such as
            ``{"inferenceConfig": {"maxTokens": 2000}}``. Those of a request go before.
        backoff: seconds (roughly) before a broken answer is asked for again, doubled
            each time.

    Raises:
        ConfigurationError: an option has no such name in Converse, or the model id is empty.
    """

    def __init__(
        self,
        model_id: str = DEFAULT_MODEL_ID,
        *,
        region: str | None = DEFAULT_REGION,
        streaming: bool | None = None,
        client: Any = None,
        session: Any = None,
        options: Mapping[str, Any] | None = None,
        backoff: float = 0.5,
    ) -> None:
        if not isinstance(model_id, str) or not model_id.strip():
            raise ConfigurationError(
                f"A Bedrock model id is text such as {DEFAULT_MODEL_ID!r}, not {model_id!r}."
            )
        self.model_id = model_id.strip()
        self.region = region
        self._streaming = streaming
        self._options = check_options(options)
        self._backoff = backoff
        self._session = session
        self._client = client
        self._client_lock = threading.Lock()
        if client is not None:
            self.region = client.meta.region_name
            _watch(client)

    @property
    def name(self) -> str:
        """The model id."""
        return self.model_id

    def __repr__(self) -> str:
        return f"Bedrock({self.model_id!r}, region={self.region!r})"

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """Answer the request; see `Model.stream`.

        A set `cancel` ends every wait at once. While the service has not answered, the
        request itself goes on unheard in a thread until boto3 is done with it.

        Raises:
            ModelError: one of its children.
            ConfigurationError: an option or the region is wrong.
        """
        wire = converse_request(self.model_id, request, self._options)
        if cancel.cancelled:
            return
        ask = self._streamed if self._streams("toolConfig" in wire) else self._whole
        for attempt in range(1, _ATTEMPTS + 1):
            broken = yield from ask(wire, cancel)
            if broken is None:
                return
            if attempt == _ATTEMPTS:
                raise broken.final from broken.cause
            delay = self._backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
            yield RetryChunk(broken.reason, attempt + 1, delay)
            if cancel.wait(delay):
                return

    def _streams(self, with_tools: bool) -> bool:
        if self._streaming is not None:
            return self._streaming
        return not with_tools or streams_tool_calls(self.model_id)

    def _whole(self, wire: dict[str, Any], cancel: CancelToken) -> _Attempt:
        """One attempt at an answer in one piece."""
        from minimalagent_nb.models.bedrock_errors import broken_turn

        answer = self._call("converse", wire, cancel)
        if answer is None or cancel.cancelled:
            return None
        # botocore takes a connection that is cut in mid-body for an empty answer.
        if "stopReason" not in answer[0]:
            return broken_turn(None, self.model_id, self.region)
        reply = reply_of_response(answer[0])
        yield from _chunks_of(reply)
        yield reply
        return None

    def _streamed(self, wire: dict[str, Any], cancel: CancelToken) -> _Attempt:
        """One attempt at a streamed answer."""
        from minimalagent_nb.models.bedrock_errors import STREAM_ERRORS, broken_turn

        answer = self._call("converse_stream", wire, cancel)
        if answer is None:
            return None
        response, interrupt = answer
        turn = StreamedTurn()
        with contextlib.closing(response["stream"]) as events, _on_cancel(cancel, interrupt):
            try:
                for event in events:
                    if cancel.cancelled:
                        return None
                    chunk = turn.take(event)
                    if chunk is not None:
                        yield chunk
            except STREAM_ERRORS as error:
                # After messageStop the turn is whole, whatever became of the connection.
                if not (cancel.cancelled or turn.complete):
                    return broken_turn(error, self.model_id, self.region)
        if cancel.cancelled:
            return None
        if not turn.complete:
            return broken_turn(None, self.model_id, self.region)
        yield turn.reply()
        return None

    def _call(
        self, operation: str, wire: dict[str, Any], cancel: CancelToken
    ) -> tuple[dict[str, Any], _Interrupt] | None:
        """The response and what ends a read of its stream; None when cancelled before."""
        from minimalagent_nb.models.bedrock_errors import CALL_ERRORS, translate

        client = self._ready_client()

        def call() -> tuple[dict[str, Any], _Interrupt]:
            response = getattr(client, operation)(**wire)
            return response, _Interrupt(getattr(_watched, "raw", None))

        try:
            return unless_cancelled(call, cancel, discard=_close)
        except CALL_ERRORS as error:
            raise translate(error, self.model_id, self.region) from error

    def _ready_client(self) -> Any:
        with self._client_lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> Any:
        import boto3
        from botocore.config import Config

        from minimalagent_nb.models.bedrock_errors import CALL_ERRORS, translate

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=300,  # seconds: a long answer in one piece takes minutes
            tcp_keepalive=True,
            user_agent_extra=f"minimalagent-nb/{__version__}",
        )
        try:
            session = self._session or boto3.Session()
            client = session.client("bedrock-runtime", region_name=self.region, config=config)
        except (*CALL_ERRORS, ValueError) as error:
            raise translate(error, self.model_id, self.region) from error
        self.region = client.meta.region_name
        _watch(client)
        return client


def _chunks_of(reply: ModelReply) -> Iterator[TextChunk | ThinkingChunk]:
    """What a stream would have shown of a reply that came in one piece."""
    for block in reply.message["content"]:
        if "text" in block:
            yield TextChunk(block["text"])
        elif "reasoningContent" in block:
            text = block["reasoningContent"].get("reasoningText", {}).get("text")
            if text:
                yield ThinkingChunk(text)


_watched = threading.local()
"""The raw response of this thread's last call."""


def _watch(client: Any) -> None:
    """Have botocore's own event tell which raw response a stream is read from."""
    client.meta.events.register(
        "after-call.bedrock-runtime.ConverseStream", _remember, unique_id="minimalagent-nb"
    )


def _remember(http_response: Any, **_: Any) -> None:
    _watched.raw = http_response.raw


class _Interrupt:
    """Ends a read that waits for the next event, from another thread.

    Closing would wait for the read to end; ``HTTPResponse.shutdown`` (urllib3 2.3) is
    made for this. With an older urllib3 the read ends with the next event.
    """

    def __init__(self, raw: Any) -> None:
        self._shutdown = getattr(raw, "shutdown", None)

    def __call__(self) -> None:
        if self._shutdown is None:
            return
        # Each of these says that there is no connection left to read from.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._shutdown()


@contextlib.contextmanager
def _on_cancel(cancel: CancelToken, callback: _Interrupt) -> Iterator[None]:
    take_back = cancel.on_cancel(callback)
    try:
        yield
    finally:
        take_back()


def _close(answer: tuple[dict[str, Any], _Interrupt]) -> None:
    """Let go of a response that nobody waits for."""
    stream = answer[0].get("stream")
    if stream is not None:
        stream.close()
