"""What the tests of the models share."""

from __future__ import annotations

from collections.abc import Callable

import boto3
import pytest
from botocore.config import Config

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.messages import user_message
from minimalagent_nb.models import Bedrock, Model, ModelRequest, ToolSpec
from tests.servers.converse import ConverseServer

ADD = ToolSpec("add", "Add two numbers.", {"type": "object", "properties": {"a": {}, "b": {}}})


def ask(text: str = "Hi.", **more) -> ModelRequest:
    return ModelRequest([user_message(text)], **more)


def chunks(model: Model, request: ModelRequest | None = None, cancel: CancelToken | None = None):
    """Everything that the model yields."""
    return list(model.stream(request or ask(), cancel or CancelToken()))


@pytest.fixture(scope="session")
def aws_session() -> boto3.Session:
    """One for all tests: it keeps the parsed service model."""
    return boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="not-a-secret")


@pytest.fixture
def bedrock(converse_server: ConverseServer, aws_session: boto3.Session) -> Callable[..., Bedrock]:
    """Makes models of the server, with waits too short to notice."""
    return lambda *args, **more: Bedrock(*args, session=aws_session, backoff=0.0001, **more)


@pytest.fixture
def one_attempt(converse_server: ConverseServer, aws_session: boto3.Session) -> Bedrock:
    """A model whose client, the test's own, does not repeat failed requests."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    client = aws_session.client("bedrock-runtime", region_name="eu-west-1", config=config)
    return Bedrock(client=client, backoff=0.0001)
