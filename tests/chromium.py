"""Chromium, as the system has it, for whatever is looked at in a real page."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


def program(name: str) -> str:
    """Where a program of the system is; without it a test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed (Debian: apt install {name})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium.

    Playwright keeps an event loop in the thread as long as it is open, so that there may be one
    at a time, and none around a test that has a loop of its own: the fixtures of it are those of
    one folder, not of the whole run.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser
        finally:
            browser.close()
