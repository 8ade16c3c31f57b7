"""A run in a terminal: a tree that is printed step by step as it comes.

Imports rich on first use, events, reasoning and this room's pure parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from minimalagent_nb.events import Event
from minimalagent_nb.fold import ReasoningFold
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.widgets import figures
from minimalagent_nb.widgets.bounds import bounded_text
from minimalagent_nb.widgets.displays import display_form, printed
from minimalagent_nb.widgets.markdown import is_json, markdown_parser

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["TerminalPrinter", "print_markdown"]

_VALUE = 1_200
_TEXT = 8_000
_PRINTED = 8_000
"""Characters that one call may print."""
_PROGRESS_SECONDS = 2.0
"""Between two lines of a call's progress."""
_DEEPEST = 4
"""So many sub-agents in one another are indented."""
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
        answer: whether the answer of a completed run is printed too.
    """

    def __init__(self, console: Console | None = None, *, answer: bool = True) -> None:
        if console is None:
            from rich.console import Console

            console = Console()
        self._console = console
        self._answer = answer
        self._fold = ReasoningFold()
        self._branch = _Branch(self, self._fold.reasoning)

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
        self._branch.add(event)

    def print(self, guide: str, text: str, style: str = "", side: str = "") -> None:
        """Text behind a guide on every line; `side` is dim and follows the last line."""
        from rich.text import Text

        clean = figures.clean(bounded_text(text.strip(), _TEXT))
        if not clean:
            return
        content = Text.assemble((clean, style))
        if side.strip():
            content.append(figures.clean(side), "dim")
        for line in content.split("\n", allow_blank=True):
            for part in self._wrapped(line, self.room(guide)):
                whole = Text.assemble((guide, "dim"), part)
                whole.rstrip()
                self._console.print(whole, highlight=False, soft_wrap=True)
                guide = guide.replace("├─", "│ ").replace("┌─", "│ ").replace("└─", "  ")

    def room(self, guide: str) -> int:
        """Columns that are left of a line behind its guide."""
        return max(self._console.width - len(guide), 20)

    def _wrapped(self, line: Text, width: int) -> Iterable[Text]:
        """A line in parts that fit; what stands further in, such as JSON, goes on further in."""
        start = len(line.plain) - len(line.plain.lstrip(" "))
        if not 0 < start < width // 2:
            return line.wrap(self._console, width) or [line]
        parts = line[start:].wrap(self._console, width - start - 2)
        for number, part in enumerate(parts):
            part.pad_left(start + 2 if number else start)
        return parts

    def print_answer(self, text: str, status: str) -> None:
        """The answer of the run, apart from its tree."""
        if self._answer or status != "completed":
            self._console.print()
            print_markdown(self._console, text)


def print_markdown(console: Console, text: str) -> None:
    """Print an answer as Markdown is read, JSON as it stands."""
    from rich.markdown import Markdown
    from rich.text import Text

    if is_json(text):
        console.print(Text(figures.clean(text)), highlight=False)
        return
    # Without hyperlinks: a link's words could promise another address than its own.
    markdown = Markdown("", hyperlinks=False)
    # rich leaves out what looks like a tag, which an answer about HTML is full of.
    markdown.parsed = markdown_parser().parse(figures.clean(text))
    # Once more, as Markdown has spellings of its own: &#x202e; turns the direction of writing.
    _clean_tokens(markdown.parsed)
    if console.is_terminal:
        console.print(markdown)
        return
    # rich fills each line with spaces: in a file they are in the way.
    lines = console.render_lines(markdown, pad=False)
    for line in lines:
        text = "".join(segment.text for segment in line)
        console.print(Text(text.rstrip()), highlight=False, soft_wrap=True)


def _clean_tokens(tokens: Iterable[Any]) -> None:
    for token in tokens:
        token.content = figures.clean(token.content)
        _clean_tokens(token.children or ())


class _Branch:
    """Prints the events of one run: the whole run's, or a sub-agent's further in.

    A sub-agent's lines begin with its own guide, and its steps with its name, because
    those of several at work come one among the other.
    """

    def __init__(
        self, printer: TerminalPrinter, run: Reasoning, guide: str = "", depth: int = 0
    ) -> None:
        self._printer, self._run = printer, run
        self._guide, self._depth = guide, depth
        self._name = ""
        self._calls: dict[str, _Call] = {}
        self._named: Counter[str] = Counter()
        """How many calls of each tool the step has begun."""

    def add(self, event: Event) -> None:
        handler = getattr(self, "_on_" + event.type, None)
        if handler is not None:
            handler(event)

    def _print(self, guide: str, text: str, style: str = "", side: str = "") -> None:
        self._printer.print(self._guide + guide, text, style, side)

    def _on_run_started(self, event: Any) -> None:
        if not self._depth:
            self._print("", bounded_text(event.query, _VALUE), "bold")
            return
        self._name = " ".join(figures.clean(event.agent or "Sub-agent").split())[:60]
        self._print("┌─ ", self._name, "bold", f"  {event.query}")

    def _on_step_reset(self, event: Any) -> None:
        self._print("│  ", f"attempt {event.attempt}: {event.reason}", "yellow")

    def _on_step_ended(self, event: Any) -> None:
        self._named.clear()
        if event.calls:
            parts = [figures.token_text(event.usage), figures.duration_text(event.duration)]
            side = " · ".join(part for part in parts if part)
            name = f"{self._name} · " if self._name else ""
            self._print("├─ ", f"{name}Step {event.step}", "bold", f"  {side}")
        self._print("│  ", event.thinking, "dim italic")
        if event.calls:
            # Without calls the text is the answer, which ends the run.
            self._print("│  ", event.text)

    def _on_tool_call_started(self, event: Any) -> None:
        self._named[event.name] += 1
        again = self._named[event.name]
        # What comes out of calls side by side must be told apart.
        name = f"{event.name} #{again}" if again > 1 else event.name
        self._calls[event.call_id] = _Call(name)
        self._print("│  ├─ ", name, "cyan", f"({figures.call_preview(event.inputs, 400)})")

    def _on_approval_requested(self, event: Any) -> None:
        self._print("│  │  ", f"{self._name_of(event)} waits for approval", "yellow")

    def _on_approval_given(self, event: Any) -> None:
        given = {"decision": event.decision, "by": event.by, "reason": event.reason}
        edited = figures.call_preview(event.inputs, 400) if event.decision == "edited" else ""
        call = f"{self._name_of(event)}({edited})" if edited else self._name_of(event)
        self._print("│  │  ", f"{call}: {figures.approval_text(given)}")

    def _on_tool_call_progress(self, event: Any) -> None:
        call = self._calls.get(event.call_id)
        # A line cannot be taken back: of what comes fast some is left out.
        if call is None or event.at < call.progress_due:
            return
        call.progress_due = event.at + _PROGRESS_SECONDS
        told = figures.progress_text({"text": event.text, "fraction": event.fraction})
        self._print("│  │  ", f"{call.name} {told}", "dim")

    def _on_tool_call_output(self, event: Any) -> None:
        call = self._calls.get(event.call_id)
        if call is None:
            return
        if event.kind != "display":
            self._print_lines(call, call.lines(event.kind, event.text))
            return
        self._print_lines(call, call.rest())
        shown = display_form(event.data)
        text = f"[{shown.text}]" if shown.kind == "image" else bounded_text(shown.text, _VALUE)
        self._print("│  │  ", self._of_call(call, text), "dim")

    def _print_lines(self, call: _Call, lines: Iterable[tuple[str, str]]) -> None:
        for kind, line in lines:
            style = "dim yellow" if kind == "stderr" else "dim"
            self._print("│  │  ", self._of_call(call, line), style)

    def _of_call(self, call: _Call, text: str) -> str:
        """The text with the call's name, where it may be another's just as well."""
        return f"{call.name}: {text}" if len(self._calls) > 1 else text

    def _on_sub_agent(self, event: Any) -> None:
        call = self._calls.get(event.call_id)
        if call is None:
            return
        self._print_lines(call, call.rest())
        if event.event.type == "run_started" or call.branch is None:
            call.fold = ReasoningFold()
            # Further in there would be no room left for words.
            guide = self._guide + "│  │  " if self._depth < _DEEPEST else self._guide
            call.branch = _Branch(self._printer, call.fold.reasoning, guide, self._depth + 1)
        call.fold.apply(event.event)
        call.branch.add(event.event)

    def _on_tool_call_ended(self, event: Any) -> None:
        call = self._calls.get(event.call_id) or _Call("")
        self._print_lines(call, call.rest())
        self._calls.pop(event.call_id, None)
        word = figures.TOOL_WORDS.get(event.status, event.status)
        style = _STATUS_STYLES.get(word, "dim")
        side = f"  {figures.duration_text(event.duration)}"
        self._print("│  │  ", f"{call.name} {word}", style, side)
        if event.left_behind:
            self._print("│  │  ", figures.LEFT_BEHIND, "yellow")
        value = event.error if event.error is not None else event.result
        failed = event.error and event.status != "denied"
        if value is not None:
            guide = "│  │  "
            width = min(self._printer.room(self._guide + guide), figures.LINE_WIDTH)
            self._print(guide, figures.json_text(value, _VALUE, width), "red" if failed else "")

    def _on_notice(self, event: Any) -> None:
        self._print("│  ", event.text, "dim" if event.kind == "context" else "yellow")

    def _on_run_ended(self, event: Any) -> None:
        word, *rest = figures.summary_parts(self._run)
        outcome = figures.OUTCOME_WORDS.get(self._run.outcome)
        rest = [outcome, *rest] if outcome else rest
        name = f"{self._name} · " if self._name else ""
        style = _STATUS_STYLES.get(word, "")
        self._print("└─ ", f"{name}{word}", style, "".join(f" · {part}" for part in rest))
        if event.error:
            self._print("   ", event.error, "red")
        elif event.response and self._depth:
            self._print("   ", event.response)
        elif event.response:
            self._printer.print_answer(event.response, event.status)

    def _name_of(self, event: Any) -> str:
        call = self._calls.get(event.call_id)
        return " ".join(figures.clean(call.name).split())[:60] if call else "a call"


class _Call:
    """What is known of a call under way: of what it prints, the line that is not yet whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.branch: _Branch | None = None
        self.fold = ReasoningFold()
        self.progress_due = 0.0
        self._kind = ""
        self._line = ""
        self._left = _PRINTED

    def lines(self, kind: str, text: str) -> Iterator[tuple[str, str]]:
        """The lines that are whole now, each with its kind; none beyond a limit."""
        if kind != self._kind:
            yield from self.rest()
        self._kind = kind
        *whole, self._line = printed(self._line + text[: 8 * _PRINTED]).split("\n")
        self._line = self._line[-_TEXT:]
        for line in whole:
            yield from self._bounded(line)

    def rest(self) -> Iterator[tuple[str, str]]:
        """The line that did not end."""
        line, self._line = self._line, ""
        yield from self._bounded(line)

    def _bounded(self, line: str) -> Iterator[tuple[str, str]]:
        if self._left <= 0 or not line.strip():
            return
        yield self._kind, line
        self._left -= len(line) + 1
        if self._left <= 0:
            yield self._kind, "… more was printed than is shown here"
