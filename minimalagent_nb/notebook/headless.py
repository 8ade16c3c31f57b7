"""Executes a notebook file without a page, and follows the agents in it while it runs.

Imports nbformat and nbclient, late, and the events.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.event_json import event_from_dict
from minimalagent_nb.events import Event

__all__ = ["CellFailedError", "execute_notebook", "read_notebook"]


class CellFailedError(AgentError):
    """A cell of the notebook failed; the text says which and how."""


def read_notebook(path: Path) -> Any:
    """The notebook in a file, without its outputs.

    Raises:
        ConfigurationError: the file cannot be read, or is no notebook.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:
        # nbformat raises whatever it trips over.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ConfigurationError(
            f"{path} is no notebook that can be read ({reason}). Open and save it in Jupyter."
        ) from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def execute_notebook(
    notebook: Any,
    folder: Path,
    *,
    environment: Mapping[str, str],
    on_event: Callable[[Event], None],
    timeout: int = 600,
) -> None:
    """Execute the cells in their order; outputs go into `notebook`.

    The events of each ``%%agent`` come from the messages that its tree sends to a
    page, so that the same run can be watched here as there.

    Args:
        folder: where the kernel works.
        environment: variables for the kernel, beside those of this process.
        on_event: called with each event as it comes.
        timeout: seconds that one cell may take.

    Raises:
        CellFailedError: a cell failed, or the kernel; the notebook holds what there is
            until then.
        KeyboardInterrupt: it was interrupted, and the kernel has ended.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    class Client(NotebookClient):
        """Hands the trees' messages on."""

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            for event in _events_in(msg):
                on_event(event)
            return super().process_message(msg, cell, cell_index)

    client = Client(
        notebook,
        timeout=timeout,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],  # what is printed is the notebook's own
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute(env={**os.environ, **environment}, cleanup_kc=True)
    except CellExecutionError as error:
        raise CellFailedError(f"A cell failed with {error.ename}: {error.evalue}") from error
    except AssertionError:
        # nbclient takes the interrupt itself: it ends the kernel, and then trips over its absence.
        raise KeyboardInterrupt from None
    except (CellTimeoutError, NoSuchKernel, RuntimeError) as error:
        raise CellFailedError(
            f"The notebook could not be executed: {error}. `minimalagent-nb doctor` says what is "
            "installed."
        ) from error


def _events_in(message: Mapping[str, Any]) -> list[Event]:
    """The events in a message of a live tree; none in any other message."""
    if message.get("msg_type") != "comm_msg":
        return []
    content = message["content"].get("data", {}).get("content")
    ops = content.get("ops") if isinstance(content, Mapping) else None
    if not isinstance(ops, list):
        return []
    events = [event_from_dict(op) for op in ops if isinstance(op, Mapping)]
    return [event for event in events if event is not None]
