"""A question that a cell asks: put to its agent, on the spot or with the kernel free, and kept.

Imports the workbench, the handles and the interrupts of this room; widgets late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.display import clear_output, display

from minimalagent_nb.errors import AgentError, ConfigurationError, RunStoppedError
from minimalagent_nb.notebook.fix import Repair
from minimalagent_nb.notebook.handle import AgentRun, attend
from minimalagent_nb.notebook.notices import Notices
from minimalagent_nb.notebook.options import Options
from minimalagent_nb.notebook.state import Workbench

if TYPE_CHECKING:
    from minimalagent_nb.engine import Agent, RunResult
    from minimalagent_nb.reasoning import Reasoning

__all__ = ["Asking", "Question"]

_INTERRUPTED = (
    "The run was interrupted. What was done is kept: %agent reasoning shows it, and the next "
    "prompt goes on from there."
)


@dataclass(frozen=True)
class Question:
    """What a cell asks, and of whom.

    Attributes:
        quiet: the answer is shown without the tree.
        repair: of ``%agent fix``, what becomes of the answer.
    """

    agent: Agent
    prompt: str
    session_id: str
    output_type: Any
    context: list[Any]
    options: Options
    quiet: bool
    repair: Repair | None = None


def _too_late(question: Question, reasoning: Reasoning | None) -> RunStoppedError:
    """What an interrupt after the run's end says: the cell fails, so that what follows waits."""
    error = RunStoppedError(
        "The run had ended when it was interrupted: its result is in "
        f"{question.options.output or '_agent'}."
    )
    error.reasoning = reasoning
    return error


class Asking:
    """Puts questions, and keeps what comes of them in the notebook.

    Args:
        shell: the notebook's; its namespace gets the results.
        bench: knows the runs that are under way.
        notices: tells of those in the background that are over, where nothing else does.
    """

    def __init__(self, shell: Any, bench: Workbench, notices: Notices) -> None:
        self._shell = shell
        self._bench = bench
        self._notices = notices

    def blocking(self, question: Question) -> None:
        """Ask, and block until the answer is there."""
        memory = question.agent.memory
        self._bench.runs.make_way(memory, question.session_id)
        with self._kept(question):
            if question.options.background:
                run = self._started(question, None)
                run.wait_for_beginning()
                self._hand_out(run, question.options)
                return
            result = question.agent.run(
                question.prompt,
                session_id=question.session_id,
                output_type=question.output_type,
                context=question.context,
                view=self._made_view(question),
            )
            self._keep(question, result)

    async def awaited(self, question: Question) -> None:
        """Ask, with the kernel free until the answer is there."""
        memory = question.agent.memory
        await self._bench.runs.amake_way(memory, question.session_id)
        with self._kept(question):
            run = self._started(question, asyncio.get_running_loop())
            try:
                await attend(run, begun=question.options.background)
            except KeyboardInterrupt:
                if run.done and run.error is None:
                    self._keep(question, run.outcome())
                    raise _too_late(question, run.reasoning) from None
                raise
            if question.options.background:
                run.raise_if_not_begun()
                self._hand_out(run, question.options)
            else:
                result = run.outcome()
                if question.repair is not None:
                    # The tree was there for its Stop. The cell holds nothing else.
                    clear_output(wait=True)
                self._keep(question, result)

    def _started(self, question: Question, loop: asyncio.AbstractEventLoop | None) -> AgentRun:
        """The run, in a thread of its own.

        Args:
            loop: where async tools and those for the main thread run.

        Raises:
            ConfigurationError: it has tools for the main thread, and there is no loop.
        """
        agent = question.agent
        bound = [tool.name for tool in agent.tools if tool.main_thread or (loop and tool.is_async)]
        if bound and loop is None:
            raise ConfigurationError(
                f"--background needs a Jupyter kernel for {', '.join(bound)}, which must run on "
                "the main thread. Leave --background out, or choose tools with --tools."
            )
        run = AgentRun(
            agent,
            lambda: agent.begin(
                question.prompt, question.session_id, loop, question.output_type, question.context
            ),
            self._view(question, in_kernel=loop is not None),
            session_id=question.session_id,
            question=question.prompt,
            needs_loop=bound,
            background=question.options.background,
        )
        self._bench.runs.start(run, agent.memory)
        return run

    @contextmanager
    def _kept(self, question: Question) -> Iterator[None]:
        """What was done is kept when it fails, and an interrupt says one line like any failure."""
        words = question.repair.in_words_of_the_command() if question.repair else nullcontext()
        try:
            with words:
                yield
        except KeyboardInterrupt as interrupt:
            self._bench.last_reasoning = getattr(interrupt, "reasoning", None)
            stopped = RunStoppedError(_INTERRUPTED)
            stopped.reasoning = self._bench.last_reasoning
            raise stopped from None
        except AgentError as error:
            self._bench.last_reasoning = error.reasoning or self._bench.last_reasoning
            raise

    def _keep(self, question: Question, result: RunResult) -> None:
        self._bench.last_reasoning = result.reasoning
        self._shell.user_ns["_agent"] = result
        if question.options.output is not None:
            self._shell.user_ns[question.options.output] = result
        if question.repair is not None:
            mending = question.repair.mending(result.output)
            self._shell.set_next_input(mending.code)
            display(mending)

    def _hand_out(self, run: AgentRun, options: Options) -> None:
        self._bench.last_reasoning = run.reasoning
        self._shell.user_ns["_background"] = run
        if options.output is not None:
            self._shell.user_ns[options.output] = run
        self._notices.watch(run, options.output or "_background")

    def _made_view(self, question: Question) -> Any:
        """The view, made by the thread that asks: no interrupt is lost meanwhile.

        Raises:
            KeyboardInterrupt: it was interrupted.
        """
        from minimalagent_nb.engine.interrupts import no_interrupt_lost

        with no_interrupt_lost() as heard:
            view = self._view(question)
        if heard:
            raise KeyboardInterrupt
        return view

    def _view(self, question: Question, *, in_kernel: bool = True) -> Any:
        from minimalagent_nb.widgets import AnswerView, make_view

        background = question.options.background
        if background and not in_kernel:
            # A terminal has no place for what comes while something else is typed.
            return AnswerView(shown=False)
        if question.quiet:
            # Of a mended cell the mending is the answer.
            return AnswerView(later=background, shown=question.repair is None)
        variable = question.options.output or ("_background" if background else "_agent")
        return make_view(later=background, name=f"{variable}.reasoning")
