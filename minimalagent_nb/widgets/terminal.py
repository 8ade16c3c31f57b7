"""A run in a terminal: a tree that is printed step by step as it comes.

Imports rich on first use, events, reasoning and this room's pure parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minimalagent_nb.events import Event
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TerminalPrinter"]

_VALUE = 1_200
_TEXT = 8_000
_STATUS_STYLES = {
    "Completed": "green",
    "Failed": "red",
    "Stopped": "yellow",
    "Running": "blue",
}


class TerminalPrinter:
    """Prints a run's events: thinking, calls, results and the answer as Markdown.

    What a model or tool wrote is printed as text: rich's markup in it means nothing,
    and control characters are left out. Only whole turns are printed, so that the
    output reads the same in a terminal, a log file and a pipe.

    Args:
        console: a `rich.console.Console`, one on standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        if console is None:
            from rich.console import Console

            console = Console()
        self._console = console
        self._fold = ReasoningFold()
        self._names: dict[str, str] = {}

    @property
    def reasoning(self) -> Reasoning:
        """What the events so far amount to."""
        return self._fold.reasoning

    def start(self) -> None:
        """Get ready; the first event prints the query."""

    def finish(self) -> None:
        """Nothing is left to do: every event was printed as it came."""

    def add(self, event: Event) -> None:
        """Print what the event brought."""
        self._fold.apply(event)
        handler = getattr(self, "_on_" + event.type, None)
        if handler is not None:
            handler(event)

    def _on_run_started(self, event: Any) -> None:
        self._print("", event.query, "bold")

    def _on_step_reset(self, event: Any) -> None:
        self._print("│  ", f"attempt {event.attempt}: {event.reason}", "yellow")

    def _on_step_ended(self, event: Any) -> None:
        if event.calls:
            parts = [figures.token_text(event.usage), figures.duration_text(event.duration)]
            side = " · ".join(part for part in parts if part)
            self._print("├─ ", f"Step {event.step}", "bold", f"  {side}")
        self._print("│  ", event.thinking, "dim italic")
        if event.calls:
            # Without calls the text is the answer, which ends the run.
            self._print("│  ", event.text)

    def _on_tool_call_started(self, event: Any) -> None:
        self._names[event.call_id] = event.name
        self._print("│  ├─ ", event.name, "cyan", f"({figures.call_preview(event.inputs, 400)})")

    def _on_tool_call_ended(self, event: Any) -> None:
        name = self._names.pop(event.call_id, "")
        word = figures.TOOL_WORDS.get(event.status, event.status)
        style = _STATUS_STYLES.get(word, "dim")
        self._print("│  │  ", f"{name} {word}", style, f"  {figures.duration_text(event.duration)}")
        value = event.error if event.error is not None else event.result
        if value is not None:
            self._print("│  │  ", figures.json_text(value, _VALUE), "red" if event.error else "")

    def _on_notice(self, event: Any) -> None:
        self._print("│  ", event.text, "yellow")

    def _on_run_ended(self, event: Any) -> None:
        word, *rest = figures.summary_parts(self.reasoning)
        self._print(
            "└─ ", word, _STATUS_STYLES.get(word, ""), "".join(f" · {part}" for part in rest)
        )
        if event.error:
            self._print("   ", event.error, "red")
        elif event.response:
            self._print_markdown(event.response)

    def _print(self, guide: str, text: str, style: str = "", side: str = "") -> None:
        """Text behind a guide on every line; `side` is dim and follows the last line."""
        from rich.text import Text

        clean = figures.clean(bounded_text(text.strip(), _TEXT))
        if not clean:
            return
        content = Text.assemble((clean, style))
        if side.strip():
            content.append(figures.clean(side), "dim")
        for line in content.wrap(self._console, max(self._console.width - len(guide), 20)):
            whole = Text.assemble((guide, "dim"), line)
            self._console.print(whole, highlight=False, soft_wrap=True)
            guide = guide.replace("├─", "│ ").replace("└─", "  ")

    def _print_markdown(self, text: str) -> None:
        from rich.markdown import Markdown

        # Without hyperlinks: a link's words could promise another address than its own.
        self._console.print()
        self._console.print(Markdown(figures.clean(text), hyperlinks=False))
