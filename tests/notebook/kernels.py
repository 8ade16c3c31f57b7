"""Kernels for tests over the real protocol: the installed ipykernel, and an older one.

The older one is put into a folder that goes before what is installed. A whole other
environment is tried by naming its interpreter, which needs the package's dependencies:

    TEST_KERNEL_PYTHON=/path/python pytest tests/notebook/test_kernel_interrupts.py
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
INSTALLED = "installed"
OLDER = "6.31.0"
OTHER = os.environ.get("TEST_KERNEL_PYTHON")
KINDS = ["other"] if OTHER else [INSTALLED, OLDER]
SECONDS = 60
"""A kernel that says nothing for so long says nothing at all."""


class Kernel:
    """A kernel and its client; `run` gives back the reply and all messages of a cell.

    Attributes:
        strays: messages that belonged to other cells than the one that was run.
    """

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.manager = KernelManager()
        self.manager.kernel_spec.argv = [*command, "-m", "ipykernel_launcher", "-f"]
        self.manager.kernel_spec.argv.append("{connection_file}")
        self.manager.start_kernel(env=environment, cwd=folder)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS)
        self.strays: list[Any] = []

    def begin(self, code: str) -> str:
        """Send a cell; its id."""
        return str(self.client.execute(code, allow_stdin=False))

    def run(
        self,
        code: str,
        *,
        interrupt_at: str | None = None,
        interrupts: int = 1,
        at: Callable[[], object] | None = None,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Execute a cell; interrupt it, or call `at`, once a message holds `interrupt_at`."""
        request = self.begin(code)
        messages: list[Any] = []
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != request:
                # Also what another cell says late: it must not be taken for this one.
                self.strays.append(message)
                continue
            if interrupt_at and interrupt_at in json.dumps(message["content"], default=str):
                if message["header"]["msg_type"] == "execute_input":
                    continue
                interrupt_at = None
                if at is not None:
                    at()
                else:
                    for _ in range(interrupts):
                        self.manager.interrupt_kernel()
                        time.sleep(0.02)
            messages.append(message)
            if message["content"].get("execution_state") == "idle":
                break
        reply = self.reply(request)
        if reply["status"] == "aborted":
            # Sent on the heels of a cell that failed, and not executed.
            return self.run(code, interrupt_at=interrupt_at, interrupts=interrupts, at=at)
        return reply, messages

    def reply(self, request: str) -> dict[str, Any]:
        """The reply to a cell; answers to others are passed over."""
        while True:
            reply = self.client.get_shell_msg(timeout=SECONDS)
            if reply["parent_header"]["msg_id"] == request:
                return dict(reply["content"])

    def value(self, expression: str) -> Any:
        """The value of an expression that JSON can hold."""
        reply, messages = self.run(f"import json; print(json.dumps({expression}))")
        assert reply["status"] == "ok", reply
        return json.loads(printed(messages))

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def kernel_of(kind: str, folder: Path, **environment: str) -> Iterator[Kernel]:
    """A running kernel that keeps its sessions in `folder`."""
    env = {
        **os.environ,
        "MINIMALAGENT_NB_MEMORY": f"sqlite:///{folder / 'sessions.sqlite3'}",
        "JPY_SESSION_NAME": "work/My notebook.ipynb",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    (folder / "ipython").mkdir(exist_ok=True)
    if kind == OLDER:
        env["PYTHONPATH"] = f"{older_ipykernel(folder)}{os.pathsep}{ROOT}"
    command = [OTHER] if kind == "other" and OTHER else [sys.executable]
    kernel = Kernel(command, env, folder)
    try:
        yield kernel
    finally:
        kernel.close()


def older_ipykernel(folder: Path) -> Path:
    """A folder with the older ipykernel alone; the rest is what is installed."""
    target = folder / "older"
    if not target.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--target", str(target), f"ipykernel=={OLDER}"]
        subprocess.run(command, check=True, timeout=300)
    return target


def shown(messages: list[Any], kind: str) -> list[dict[str, Any]]:
    """The bundles of one kind of message."""
    return [m["content"]["data"] for m in messages if m["header"]["msg_type"] == kind]


def printed(messages: list[Any]) -> str:
    """What a cell printed."""
    streams = [m["content"] for m in messages if m["header"]["msg_type"] == "stream"]
    return "".join(content["text"] for content in streams)
