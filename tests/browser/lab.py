"""A JupyterLab and a Notebook 7 on loopback, and a headless Chromium that looks at them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat

from tests.servers.dynamodb_local import free_port
from tests.servers.ending import end

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-for-tests"
START_SECONDS = 90
LAB, NOTEBOOK_7 = "doc/tree", "notebooks"


@contextlib.contextmanager
def jupyter_lab(folder: Path, *options: str, **environment: str) -> Iterator[str]:
    """A running JupyterLab whose root is `folder`, which serves Notebook 7 as well; its URL.

    All of Jupyter's own state lies in `folder` too, so that nothing of the machine's
    settings plays a part.
    """
    port = free_port()
    home = folder / ".jupyter-home"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True", *options]
    env = {
        **os.environ,
        "PYTHONFAULTHANDLER": "1",  # see end()
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        **environment,
    }
    _quiet_settings(home / "config" / "lab" / "user-settings" / "@jupyterlab")
    log = folder / "jupyter.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        end(process, log)


def _quiet_settings(folder: Path) -> None:
    """Settings without which JupyterLab asks the user something first."""
    for name, settings in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"autoStartDefaultKernel": True},
    }.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/api?token={TOKEN}", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"JupyterLab did not start:\n{log.read_text()[-2000:]}"
                ) from None
            time.sleep(0.2)


class Desk:
    """A running JupyterLab, its folder, and a browser to look at it with.

    Args:
        app: the page in which notebooks open, of LAB and NOTEBOOK_7.

    Attributes:
        page: the page of the notebook that was opened last.
        troubles: script errors and dialogs of that page.
    """

    def __init__(self, url: str, folder: Path, browser: Any, app: str = LAB) -> None:
        self.url = url
        self.folder = folder
        self.app = app
        self.page: Any = None
        self.troubles: list[str] = []
        self._browser = browser

    def in_app(self, app: str) -> Desk:
        """Another desk in the same folder, whose notebooks open in this page."""
        return Desk(self.url, self.folder, self._browser, app)

    def on_server(self, url: str, folder: Path) -> Desk:
        """Another desk on another server, in the same browser."""
        return Desk(url, folder, self._browser)

    def open(
        self,
        name: str,
        *,
        dark: bool = False,
        width: int = 1100,
        height: int = 900,
        scale: float = 1,
    ) -> Lab:
        """Open a notebook of the folder in a new page, its kernel ready.

        Args:
            scale: pixels of the screen for one of the page; without a graphics card each costs.
        """
        if self.page is not None:
            self.page.close()
        self.troubles = []
        self.page = self._browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            device_scale_factor=scale,
        )
        self.page.on("pageerror", self._note)
        self.page.on("dialog", self._dismiss)
        return Lab(self.page, f"{self.url}/{self.app}/{name}?token={TOKEN}", dark=dark)

    def _note(self, error: Any) -> None:
        # Notebook 7.6 has errors of its own when any page of it is loaded.
        stack = getattr(error, "stack", None) or ""
        if self.app != NOTEBOOK_7 or "/static/notebook/" not in stack or "blob:" in stack:
            self.troubles.append(f"error: {error}")

    def _dismiss(self, dialog: Any) -> None:
        if dialog.type == "beforeunload":
            dialog.accept()  # a test loads the page again, saved or not
            return
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def new_page(self) -> Any:
        """A page of the same browser, for something else."""
        return self._browser.new_page()

    def end_kernels(self) -> None:
        """End all kernels of the server."""
        for kernel in self._ask("GET", "kernels"):
            self._ask("DELETE", f"kernels/{kernel['id']}")

    def _ask(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {TOKEN}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def write(self, name: str, *cells: str, kernel: str = "python3") -> str:
        """Put a notebook with these code cells into the folder; its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": kernel, "display_name": kernel}},
        )
        nbformat.write(notebook, self.folder / name)
        return name

    def new(self, name: str, *cells: str, kernel: str = "python3") -> Lab:
        """Open a new notebook with these code cells."""
        return self.open(self.write(name, *cells, kernel=kernel))

    def add_kernel(self, name: str, **environment: str) -> None:
        """Have the server know one more kernel: Python, with these variables."""
        folder = self.folder / ".jupyter-home" / "data" / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python", "env": environment}
        (folder / "kernel.json").write_text(json.dumps(spec))

    def saved(self, name: str) -> Any:
        """The notebook as it is on the disk."""
        return nbformat.read(self.folder / name, as_version=4)


class Lab:
    """One notebook open in JupyterLab or Notebook 7."""

    def __init__(self, page: Any, url: str, *, dark: bool = False) -> None:
        self.page = page
        page.goto(url, timeout=90_000)
        self._wait_for_page()
        self.wait_for_idle()
        if dark:
            self.command("apputils:change-theme", theme="JupyterLab Dark")
            page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")

    def reload(self) -> None:
        """Load the page again; what is not saved is lost."""
        self.page.reload()
        self._wait_for_page()

    def _wait_for_page(self) -> None:
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        self.page.wait_for_function("window.jupyterapp !== undefined", timeout=60_000)

    def command(self, name: str, **arguments: Any) -> None:
        """Execute one of JupyterLab's own commands."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments]
        )

    def wait_for_idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(
            """() => {
                const context = window.jupyterapp.shell.currentWidget?.sessionContext;
                return context?.session?.kernel?.status === "idle";
            }""",
            timeout=90_000,
        )

    def run_all(self) -> None:
        """Run all cells, without waiting for them."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")

    def interrupt(self) -> None:
        """Press the interrupt button."""
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:interrupt-kernel') }"
        )

    def save(self) -> None:
        """Save the notebook and wait until it is on the disk."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def wait_until_saved_as(self, is_so: Callable[[], bool], seconds: float = 30.0) -> None:
        """Save until the file is so: what a kernel says comes to the page when it comes."""
        deadline = time.monotonic() + seconds
        while True:
            self.save()
            if is_so():
                return
            assert time.monotonic() < deadline, "the file did not become what it should be"
            self.page.wait_for_timeout(100)

    def restart_kernel(self) -> None:
        """Restart the kernel, without being asked whether."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.wait_for_idle()

    def restore_checkpoint(self) -> None:
        """Bring the page's notebook back to the file's checkpoint."""
        self.page.evaluate(
            """async () => {
                const context = window.jupyterapp.shell.currentWidget.context;
                await context.restoreCheckpoint();
                await context.revert();
            }"""
        )

    def cell(self, text: str) -> Any:
        """The cell whose source holds `text`."""
        return self.page.locator(".jp-Cell", has_text=text).first


SLOW = """
import time
from minimalagent_nb import tool
from minimalagent_nb.models import ScriptedModel, call, say


@tool
def mean_measurement(measurement: str, by: str) -> list[dict]:
    "Average a measurement over groups of penguins."
    time.sleep(0.6)
    return [{"group": "Gentoo", "mean": 5076.0}, {"group": "Chinstrap", "mean": 3733.1}]


@tool
def heaviest_penguins(n: int = 3) -> list[dict]:
    "List the heaviest penguins."
    time.sleep(SECONDS)
    return [{"species": "Gentoo", "island": "Biscoe", "body_mass_g": 6300}] * n


model = ScriptedModel(
    [
        [
            say("", thinking="I need the mean body mass by species and the heaviest birds."),
            call("mean_measurement", measurement="body_mass_g", by="species"),
            call("heaviest_penguins", n=3),
        ],
        "**Gentoo** penguins are the heaviest: {{results[0][0].mean}} g on average.",
    ],
    delay=0.02,
)
%load_ext minimalagent_nb
%config AgentMagics.model = "model"
"""
"""A cell that makes a run slow enough to be watched; SECONDS is to be replaced."""
