"""The demonstration model's weights for tests, and the model opened once for all of them."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from minimalagent_nb.errors import ConfigurationError, ModelUnavailableError
from minimalagent_nb.models import DemoModel
from minimalagent_nb.models.local_engine import check_installed
from minimalagent_nb.models.weights import fetch_weights

THREADS = 2


@pytest.fixture(scope="session")
def demo_weights() -> Path:
    """The real weights, from the user's cache or fetched; on CI they must be had."""
    try:
        check_installed()
        return fetch_weights()
    except (ConfigurationError, ModelUnavailableError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def demo_model(demo_weights: Path) -> Iterator[DemoModel]:
    """One for all tests, as opening it takes longest; its today is Monday, 10 March 2025."""
    model = DemoModel(demo_weights, threads=THREADS, today=lambda: datetime.date(2025, 3, 10))
    yield model
    model.close()
