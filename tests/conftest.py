"""Fixtures that several rooms use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.demo_weights import demo_model, demo_weights  # noqa: F401
from tests.servers.converse import ConverseServer
from tests.servers.dynamodb_local import dynamodb, dynamodb_local, table_name  # noqa: F401

if TYPE_CHECKING:
    from tests.traced import Traced


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that lead nowhere, and nothing of this machine's own configuration."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")


@pytest.fixture
def converse_server(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ConverseServer]:
    """A running Converse server, reached as users reach Bedrock: by the environment."""
    server = ConverseServer().start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
    yield server
    server.stop()


@pytest.fixture
def traced() -> Iterator[Traced]:
    """A provider of OpenTelemetry that keeps its spans."""
    from tests.traced import Traced  # the SDK is slow to import, and not everywhere there

    traced = Traced()
    yield traced
    traced.provider.shutdown()
