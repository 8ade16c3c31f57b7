"""Amazon Bedrock through boto3's ``converse`` and ``converse_stream``.

Imports the protocol and the parts of a call in this folder (``bedrock_*``); boto3 when the
first request is made.
"""

from __future__ import annotations

import contextlib
import platform
import random
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from minimalagent_nb._version import __version__
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.messages import Message
from minimalagent_nb.models.bedrock_body import Prepared, RunBody, watch
from minimalagent_nb.models.bedrock_models import family_of
from minimalagent_nb.models.bedrock_options import check_options
from minimalagent_nb.models.bedrock_stream import Interrupt, on_cancel, read_events
from minimalagent_nb.models.bedrock_turn import StreamedTurn, is_malformed, reply_of_response
from minimalagent_nb.models.bedrock_wire import for_converse, has_tool_blocks, request_members
from minimalagent_nb.models.protocol import (
    ModelChunk,
    ModelReply,
    ModelRequest,
    RetryChunk,
    TextChunk,
    ThinkingChunk,
)
from minimalagent_nb.models.waiting import unless_cancelled
from minimalagent_nb.secrets import remember_client

if TYPE_CHECKING:
    from minimalagent_nb.models.bedrock_errors import BrokenTurn

__all__ = ["DEFAULT_MODEL_ID", "DEFAULT_REGION", "Bedrock"]

DEFAULT_MODEL_ID = "us.amazon.nova-pro-v1:0"
DEFAULT_REGION = "us-west-2"

_LONGEST_WAIT = 60.0
"""Seconds that one turn waits in all before it is asked for again."""

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
        client: a ``bedrock-runtime`` client of your own; its configuration is kept, and what
            its event handlers change in a request is what goes out.
        session: a ``boto3.Session`` to make the client from.
        options: members of a Converse request by their own names and nested as there:
            ``{"inferenceConfig": {"maxTokens": 2000, "temperature": 0.2}}``,
            ``guardrailConfig``, ``performanceConfig``, ``requestMetadata``,
            ``additionalModelRequestFields``, ``serviceTier`` and so on. There is one
            spelling; an error names it. Those of a request go before.
        cache: whether cachePoints are placed for models that have prompt caching.
        base_model: the model that an application inference profile stands for, whose ARN
            does not say it; what the model can do is looked up by it.
        backoff: seconds (roughly) before a broken answer is asked for again, doubled
            each time. Where the service says how long to wait, that counts.

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
        cache: bool = True,
        base_model: str | None = None,
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
        family = family_of(base_model or self.model_id)
        self._family = family if cache else replace(family, cache_minimum=None)
        self._session = session
        self._client = client
        # A client of the user's own repeats failed calls as its owner has configured it.
        self._repeats = client is None
        self._lock = threading.Lock()
        # A run and all its requests have one token: what was encoded for it goes with it.
        self._bodies: WeakKeyDictionary[CancelToken, RunBody] = WeakKeyDictionary()
        if client is not None:
            self.region = client.meta.region_name
            watch(client)

    @property
    def name(self) -> str:
        """The model id."""
        return self.model_id

    @property
    def context_window(self) -> int | None:
        """Tokens that the model can read and write in one turn; None where it is not known."""
        return self._family.context_window

    @property
    def options(self) -> Mapping[str, Any]:
        """Members of a Converse request that go with every one."""
        return self._options

    @property
    def endpoint(self) -> str | None:
        """The URL of the service, None before the first request."""
        return self._client.meta.endpoint_url if self._client is not None else None

    def __repr__(self) -> str:
        return f"Bedrock({self.model_id!r}, region={self.region!r})"

    def stream(self, request: ModelRequest, cancel: CancelToken) -> Iterator[ModelChunk]:
        """Answer the request; see `Model.stream`.

        A set `cancel` ends every wait at once. While the service has not answered, the
        request itself goes on unheard in a thread until boto3 is done with it. The JSON of
        messages is kept for as long as `cancel`, the token of their run, is there: one
        that was sent must not be changed afterwards.

        Raises:
            ModelError: one of its children.
            ConfigurationError: an option or the region is wrong, the model has no thinking
                budget, or an option does not go with it.
        """
        members = request_members(request, self._options, self._family, self.model_id)
        if cancel.cancelled:
            return
        ask = self._streamed if self.streams(request) else self._whole
        attempt, waited = 1, 0.0
        while True:
            broken = yield from ask(request.messages, members, cancel)
            if broken is None:
                return
            delay = broken.after
            if delay is None:
                delay = self._backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
            attempt, waited = attempt + 1, waited + delay
            if attempt > broken.attempts or waited > _LONGEST_WAIT:
                break
            yield RetryChunk(broken.reason, attempt, delay)
            if cancel.wait(delay):
                return
        if broken.reply is None:
            raise broken.final from broken.cause
        yield broken.reply

    def streams(self, request: ModelRequest) -> bool:
        """Whether this request is answered in pieces; see `streaming`."""
        if self._streaming is not None:
            return self._streaming
        return self._family.streams_tools or not (request.tools or has_tool_blocks(request))

    def _whole(
        self, messages: Sequence[Message], members: dict[str, Any], cancel: CancelToken
    ) -> _Attempt:
        """One attempt at an answer in one piece."""
        from minimalagent_nb.models.bedrock_errors import BrokenTurn, broken_turn, malformed_turn

        answer = self._call("Converse", messages, for_converse(members), cancel)
        if answer is None or cancel.cancelled:
            return None
        if isinstance(answer, BrokenTurn):
            return answer
        # botocore takes a connection that is cut in mid-body for an empty answer.
        if "stopReason" not in answer[0]:
            return broken_turn(None, self.model_id, self.region)
        try:
            reply = reply_of_response(answer[0])
        except ValueError as error:
            return broken_turn(error, self.model_id, self.region)
        yield from _chunks_of(reply)
        if is_malformed(reply):
            return malformed_turn(reply, self.model_id, self.region)
        yield reply
        return None

    def _streamed(
        self, messages: Sequence[Message], members: dict[str, Any], cancel: CancelToken
    ) -> _Attempt:
        """One attempt at a streamed answer."""
        from minimalagent_nb.models.bedrock_errors import (
            STREAM_ERRORS,
            BrokenTurn,
            broken_turn,
            malformed_turn,
        )

        answer = self._call("ConverseStream", messages, members, cancel)
        if answer is None or isinstance(answer, BrokenTurn):
            return answer
        response, raw = answer
        turn = StreamedTurn()
        with contextlib.closing(response["stream"]) as stream, on_cancel(cancel, Interrupt(raw)):
            try:
                for event in stream if raw is None else read_events(raw.stream()):
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
        reply = turn.reply()
        if is_malformed(reply):
            return malformed_turn(reply, self.model_id, self.region)
        yield reply
        return None

    def _call(
        self,
        operation: str,
        messages: Sequence[Message],
        members: dict[str, Any],
        cancel: CancelToken,
    ) -> tuple[dict[str, Any], Any] | BrokenTurn | None:
        """The response and its raw form; None when cancelled before it came."""
        from minimalagent_nb.models.bedrock_errors import (
            CALL_ERRORS,
            broken_call,
            translate,
            unread_answer,
        )

        def call() -> tuple[dict[str, Any], Any]:
            client = self._ready_client()  # in here: boto3 may wait for credentials
            if cancel.cancelled:
                return {}, None
            prepared = self._body_of(cancel, client).prepare(operation, messages, members)
            return _send(client, operation, self.model_id, prepared), prepared.raw

        try:
            answer = unless_cancelled(call, cancel, discard=_close)
        except CALL_ERRORS as error:
            if self._repeats:
                return broken_call(error, self.model_id, self.region)
            raise translate(error, self.model_id, self.region) from error
        except Exception as error:  # noqa: BLE001 - raised again, but for what a parser raises
            return unread_answer(error, self.model_id, self.region)
        if answer is not None and cancel.cancelled:
            _close(answer)
            return None
        return answer

    def _body_of(self, cancel: CancelToken, client: Any) -> RunBody:
        with self._lock:
            body = self._bodies.get(cancel)
            if body is None:
                body = self._bodies[cancel] = RunBody(client, self._family)
            return body

    def _ready_client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            remember_client(self._client)
            return self._client

    def _make_client(self) -> Any:
        import boto3
        import botocore
        from botocore.config import Config

        from minimalagent_nb.models.bedrock_errors import CALL_ERRORS, translate

        config = Config(
            # `stream` repeats: the reader is told, and a wait ends when the run is stopped.
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=10,
            read_timeout=300,  # seconds: a long answer in one piece takes minutes
            tcp_keepalive=True,
            # Given whole: botocore puts its own together twice a request, a tenth of its cost.
            user_agent=f"Boto3/{boto3.__version__} Botocore/{botocore.__version__} "
            f"Python/{platform.python_version()} minimalagent-nb/{__version__}",
        )
        try:
            session = self._session or boto3.Session()
            client = session.client("bedrock-runtime", region_name=self.region, config=config)
        except (*CALL_ERRORS, ValueError) as error:
            raise translate(error, self.model_id, self.region) from error
        self.region = client.meta.region_name
        watch(client)
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


def _send(client: Any, operation: str, model_id: str, prepared: Prepared) -> dict[str, Any]:
    method = client.converse if operation == "Converse" else client.converse_stream
    response: dict[str, Any] = method(modelId=model_id, messages=prepared, **prepared.members)
    return response


def _close(answer: tuple[dict[str, Any], Any]) -> None:
    """Let go of a response that nobody waits for."""
    stream = answer[0].get("stream")
    if stream is not None:
        stream.close()
