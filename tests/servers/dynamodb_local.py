"""Amazon's own DynamoDB Local, run for the tests, and the fixtures that lead to it.

Its jar comes from a folder named by DYNAMODB_LOCAL_DIR, or from the npm package
amplify-dynamodb-simulator, which is unpacked once into the user's cache.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.npm import UnavailableError, unpacked

PACKAGE = "amplify-dynamodb-simulator@2.9.30"
JAR = "DynamoDBLocal.jar"
START_SECONDS = 60.0


def folder() -> Path:
    """Where the jar is, fetched if need be."""
    if given := os.environ.get("DYNAMODB_LOCAL_DIR"):
        if not (Path(given) / JAR).is_file():
            raise UnavailableError(f"DYNAMODB_LOCAL_DIR={given} holds no {JAR}")
        return Path(given)
    return unpacked(PACKAGE, "package/emulator", JAR)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise UnavailableError(f"DynamoDB Local: {log.read_text()[-500:]}") from None
            time.sleep(0.05)


def run(log: Path) -> Iterator[str]:
    """Start the server, yield its URL, stop it."""
    java = shutil.which("java")
    if java is None:
        raise UnavailableError("Java is missing, which runs DynamoDB Local")
    home, port = folder(), free_port()
    command = [java, "-Xmx512m", f"-Djava.library.path={home / 'DynamoDBLocal_lib'}"]
    command += ["-jar", str(home / JAR), "-inMemory", "-sharedDb", "-port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home,
            stdout=output,
            stderr=output,
            env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
        )
    try:
        wait_until_listening(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def dynamodb_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running DynamoDB Local; tests use a table each."""
    try:
        yield from run(tmp_path_factory.mktemp("dynamodb") / "log")
    except UnavailableError as reason:
        if os.environ.get("CI"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture
def dynamodb(
    dynamodb_local: str,
    aws_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The same URL, with the environment leading there as it leads users to DynamoDB."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_local)
    # Where the outbox is.
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
    return dynamodb_local


@pytest.fixture
def table_name() -> str:
    """A table that no other test uses; it is not created."""
    return f"sessions-{uuid.uuid4().hex[:12]}"
