"""``minimalagent-nb ask``: an agent without Jupyter.

The answer alone goes to standard output. All else that is printed, by whomever, goes to
standard error while the command works, so that the answer can be piped.

Imports the notebook's way from settings to an agent, the printer, and rich for the page.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import os
import shlex
import sys
import typing
from collections.abc import Iterator
from typing import IO, Any

from minimalagent_nb.approval import Approval, ApprovalRequest
from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.cli.notebook_tools import namespace_of
from minimalagent_nb.cli.output import page, print_json, print_line
from minimalagent_nb.cli.stores import settings_of
from minimalagent_nb.errors import AgentError, ConfigurationError
from minimalagent_nb.notebook.kernel import new_session_id
from minimalagent_nb.notebook.options import Options
from minimalagent_nb.notebook.state import Workbench
from minimalagent_nb.reasoning import Reasoning
from minimalagent_nb.view import View

__all__ = ["run_ask"]

_LARGEST = 2_000_000
"""Characters of a prompt from standard input."""

_NOBODY = (
    "There is no terminal in which the user could be asked. --approve always allows such calls."
)


def run_ask(options: argparse.Namespace) -> int:
    """Ask and print the answer: 0, or 130 where Ctrl-C stopped the run.

    Raises:
        AgentError: the call cannot be made, or the run failed and nothing has said so yet.
    """
    prompt = _prompt(options)
    settings = settings_of(
        options,
        model=options.model,
        max_steps=options.max_steps,
        system_prompt=options.system,
    )
    with _answer_alone() as out, namespace_of(options.tools, yes=options.yes) as namespace:
        wanted = _type(options, namespace)
        bench = Workbench(namespace)
        try:
            agent = bench.agent(settings, Options())
            agent.approver = _approver(options.approve)
            # The default view would print the answer, too.
            agent.show_reasoning = False
            asked = _Asked(options, agent, out, quiet=options.quiet or not settings.show_reasoning)
            return asked.ask(prompt, wanted)
        finally:
            bench.close()


class _Asked:
    """One question, and how its end is told."""

    def __init__(
        self, options: argparse.Namespace, agent: Any, out: IO[str], *, quiet: bool
    ) -> None:
        self._options, self._agent, self._out, self._quiet = options, agent, out, quiet
        self._session = options.session or new_session_id("ask")

    def ask(self, prompt: str, wanted: Any) -> int:
        """Ask it; the exit code."""
        try:
            result = self._agent.run(
                prompt, self._session, output_type=wanted, view=None if self._quiet else _view()
            )
        except KeyboardInterrupt as interrupt:
            return self._interrupted(getattr(interrupt, "reasoning", None))
        except AgentError as error:
            return self._failed(error)
        if self._options.json:
            self._print_json(result.reasoning, output=_plain(result.output))
            return 0
        # Apart from the tree, where both are in one terminal.
        self._space()
        _print_answer(result.response, self._out)
        self._out.flush()
        self._say_how_to_go_on()
        return 0

    def _space(self) -> None:
        if not self._quiet and self._out.isatty():
            print_line("", sys.stderr)

    def _failed(self, error: AgentError) -> int:
        if error.reasoning is None:
            raise error
        # The tree has said it already.
        if self._quiet or self._options.json:
            print_line(f"minimalagent-nb: {error}", sys.stderr)
        if self._options.json:
            self._print_json(error.reasoning, error=error)
        return 1

    def _interrupted(self, reasoning: Reasoning | None) -> int:
        kept = ""
        if reasoning is not None and self._agent.memory is not None:
            kept = f" What was done is kept: {self._command('show')}"
        print_line(f"minimalagent-nb: stopped.{kept}", sys.stderr)
        if self._options.json:
            self._print_json(reasoning or Reasoning(status="stopped"))
        return 130

    def _print_json(
        self, reasoning: Reasoning, *, output: Any = None, error: AgentError | None = None
    ) -> None:
        told = None if error is None else {"type": type(error).__name__, "message": str(error)}
        print_json(
            "ask",
            self._out,
            session_id=self._session if self._agent.memory is not None else None,
            interaction_id=reasoning.interaction_id,
            status=reasoning.status,
            outcome=reasoning.outcome,
            response=reasoning.final_response or "",
            output=output,
            usage=reasoning.usage.to_dict(),
            error=told,
            reasoning=reasoning.to_dict(),
        )

    def _say_how_to_go_on(self) -> None:
        if self._quiet or self._agent.memory is None:
            return
        if self._options.session is None:
            self._space()
            print_line(f"To go on: {self._command('ask --session')} …", sys.stderr)

    def _command(self, words: str) -> str:
        """A command about this conversation, as it can be typed."""
        given = {name: getattr(self._options, name) for name in ("memory", "table", "region")}
        more = [word for name, value in given.items() if value for word in (f"--{name}", value)]
        return shlex.join(["minimalagent-nb", *words.split(), self._session, *more])


@contextlib.contextmanager
def _answer_alone() -> Iterator[IO[str]]:
    """Standard output for the answer; whatever else is printed goes to standard error.

    Also what other programs and libraries in C print, where there are real streams.
    """
    real = sys.stdout
    try:
        number, other = real.fileno(), sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        with contextlib.redirect_stdout(sys.stderr):
            yield real
        return
    real.flush()
    kept = os.dup(number)
    os.dup2(other, number)
    try:
        with (
            open(os.dup(kept), "w", encoding=real.encoding, errors="replace") as out,
            contextlib.redirect_stdout(sys.stderr),
        ):
            yield out
    finally:
        os.dup2(kept, number)
        os.close(kept)


def _prompt(options: argparse.Namespace) -> str:
    """The prompt of the call, or all of standard input."""
    prompt: str = options.prompt
    if prompt == "-":
        try:
            prompt = sys.stdin.read(_LARGEST + 1)
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                f"What standard input holds is no text in {error.encoding}: convert it first, or "
                "set PYTHONIOENCODING to its encoding."
            ) from error
        if len(prompt) > _LARGEST:
            raise ConfigurationError(f"The prompt is longer than {_LARGEST:,} characters.")
    if not prompt.strip():
        options.wrong_call("the prompt is empty")
    return prompt


def _type(options: argparse.Namespace, namespace: dict[str, Any]) -> Any:
    """The type that the user names; what the notebooks' tool cells define can be named."""
    if options.type is None:
        return None
    try:
        return eval(options.type, {**vars(builtins), **vars(typing), **namespace})  # noqa: S307 - typed by the user, as any command
    except Exception as error:  # noqa: BLE001 - whatever the expression raises
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        options.wrong_call(
            f'--type {options.type!r} is no type here ({why}); name one such as "list[float]", '
            "or one that a tool cell defines"
        )


def _approver(policy: str) -> Any:
    """Who decides on calls that need approval; the default one asks in the terminal."""
    from minimalagent_nb.engine.opening import open_approver

    if policy != "ask":
        return open_approver(policy)
    return None if sys.stdin.isatty() and sys.stderr.isatty() else _nobody


def _nobody(_request: ApprovalRequest, _cancel: CancelToken) -> Approval:
    return Approval("denied", reason=_NOBODY, by="policy")


def _view() -> View:
    """Prints the run on standard error, without the answer."""
    from minimalagent_nb.widgets import TerminalPrinter

    return TerminalPrinter(page(stderr=True), answer=False)


def _print_answer(answer: str, out: IO[str]) -> None:
    """As Markdown is read where it goes to a terminal, else as it was written."""
    if not out.isatty():
        print_line(answer, out)
        return
    from rich.console import Console

    from minimalagent_nb.widgets.terminal import print_markdown

    print_markdown(Console(file=out), answer)


def _plain(value: Any) -> Any:
    from minimalagent_nb.tools.jsonable import to_json

    return to_json(value)
