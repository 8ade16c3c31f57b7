"""The commands of ``%agent``: which there are, and how a line is read.

A line is a command only if the whole of it parses as one; everything else asks the
agent. Imports errors and the words that one command takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.notebook.show import FLAGS

__all__ = ["COMMANDS", "find_command"]

_WORD = re.compile(r"""(?:"([^"]*)"|'([^']*)')(?!\S)|(\S+)""")
_OPTION = re.compile(r"--?[A-Za-z]")


@dataclass(frozen=True)
class Command:
    """One command; `argument` is empty, ``FILE`` (one word), ``[NAME]`` (one or none), ``[N]``.

    Behind one of its `options` anything may stand; its `flags` may stand anywhere.
    """

    name: str
    argument: str
    about: str
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def accepts(self, words: list[str]) -> bool:
        """Whether these words may follow the command's name."""
        if words and words[0] in self.options:
            return True
        if self.argument == "[N]" and len(words) > 1 and all(w.isdecimal() for w in words):
            return True  # no sentence either: the command says that it takes one
        if self.argument == "[N]" and any(word.startswith("-") for word in words):
            # A command with a mistake in it, which is said, and no prompt.
            return words[0].startswith("-") or words[0].isdecimal()
        words = [word for word in words if word not in self.flags]
        allowed = {"": (0,), "FILE": (1,)}.get(self.argument, (0, 1))
        fits = len(words) in allowed
        return fits and (self.argument != "[N]" or all(word.isdecimal() for word in words))

    def unknown_option(self, words: list[str]) -> str | None:
        """An option that the command has not, where the words are no sentence for all that."""
        wrong = [word for word in words if _OPTION.match(word) and word not in self.flags]
        others = [word for word in words if word not in wrong]
        return wrong[0] if wrong and (wrong[0] == words[0] or self.accepts(others)) else None


COMMANDS = {
    command.name: command
    for command in (
        Command("status", "", "which model, memory, session and tools the next prompt uses"),
        Command(
            "tools",
            "[NAME]",
            "the tools of this notebook, or one with its schema and source\n"
            "--from FILE [--yes]: take those of another notebook\n"
            "+notebook, -notebook: tools over this notebook itself",
            options=("--from",),
        ),
        Command("model", "[ID]", "the model, or choose another one"),
        Command("session", "[NAME]", "the session, or go on with another one"),
        Command("sessions", "", "the sessions of the memory"),
        Command(
            "history",
            "[NAME]",
            "browse the sessions, from this one or another one on\n"
            "--live: also where the notebook's file would get the browser",
            flags=("--live",),
        ),
        Command("reasoning", "", "the newest run, as text"),
        Command(
            "show",
            "[N]",
            "interaction number N of the session, or of this id; by default the newest\n"
            "--session NAME: of another session; --live: the tree wherever it can be shown",
            flags=FLAGS,
        ),
        Command("export", "FILE", "the session as .ipynb (runs again), .md, .html or .jsonl"),
        Command("fix", "", "explain the last error, and put the mended cell below"),
        Command("stop", "", "end the runs of this kernel that are under way"),
        Command("fork", "[NAME]", "go on in a copy of the session; the session itself stays"),
        Command("reset", "", "begin a new session"),
        Command("config", "", "the settings, and where each comes from"),
        Command("help", "", "this page"),
    )
}


def find_command(line: str) -> tuple[str, list[str]] | None:
    """The command and its words, None where the line is a prompt. A word may be in quotes.

    Raises:
        ConfigurationError: the line would be a command but for its first word's spelling, an
            option that this command has not, or the file that it needs.
    """
    found = ["".join(word) for word in _WORD.findall(line)]
    name, *words = [word for word in found if word] or ["status"]
    if not words and name in ("?", "??"):
        name = "help"  # IPython's own way to ask for it
    instead = f"To ask the agent this, type %agent ask {line.strip()}"
    command = COMMANDS.get(name)
    if command is not None:
        if command.argument == "FILE" and not words:
            raise ConfigurationError(
                f"%agent {name} needs the name of a file, such as {name}.ipynb. {instead}"
            )
        if command.accepts(words):
            return name, words
        if wrong := command.unknown_option(words):
            near = get_close_matches(wrong, (*command.options, *command.flags), n=1)
            advice = f"Did you mean {near[0]}?" if near else "%agent help lists what there is."
            raise ConfigurationError(f"%agent {name} has no option {wrong}. {advice} {instead}")
        return None
    for meant in get_close_matches(name, COMMANDS, n=1, cutoff=0.75):
        if COMMANDS[meant].accepts(words):
            raise ConfigurationError(
                f"There is no command {name!r}. Did you mean %agent {meant}? {instead}"
            )
    return None
