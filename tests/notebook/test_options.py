"""Options before the prompt, and the prompt itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimalagent_nb import ConfigurationError
from minimalagent_nb.notebook.command_line import COMMANDS, find_command
from minimalagent_nb.notebook.options import OPTIONS, Options, parse_options, usage
from minimalagent_nb.notebook.prompt import expand


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        ("", Options(), ""),
        ("it's {1+1} $HOME", Options(), "it's {1+1} $HOME"),
        ("-s demo hello -s x", Options(session="demo"), "hello -s x"),
        ("--session=demo", Options(session="demo"), ""),
        ("-t a,b* --quiet why?", Options(tools=("a", "b*"), quiet=True), "why?"),
        ('--system "be \\"brief\\" now" x', Options(system='be "brief" now'), "x"),
        ("--system 'two words'", Options(system="two words"), ""),
        ("-o res --max-steps 3", Options(output="res", max_steps=3), ""),
        ("-- --quiet is a word", Options(), "--quiet is a word"),
        ("-5 degrees?", Options(), "-5 degrees?"),
        ("- a list", Options(), "- a list"),
        (
            "-m us.amazon.nova-pro-v1:0 --raw",
            Options(model="us.amazon.nova-pro-v1:0", raw=True),
            "",
        ),
    ],
)
def test_leading_options_only(line: str, options: Options, rest: str) -> None:
    assert parse_options(line) == (options, rest)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--sesion x", "Did you mean --session"),
        ("--nothing-like-it", "-h"),
        ("--session", "needs a value"),
        ("--max-steps many", "whole number"),
        ("--max-steps 0", "whole number"),
        ("--output two-words", "variable"),
        ("--output class", "variable"),
        ("--quiet=false hello", "takes no value"),
        ('--system "be brief', "not closed"),
        ("--system 'it", "not closed"),
        ("--session --quiet hello", "needs a value"),
        ("--session --model=x hello", "needs a value"),
    ],
)
def test_wrong_options_say_what_to_do(line: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse_options(line)


def test_the_help_page_names_every_option() -> None:
    page = usage()
    for option in OPTIONS:
        assert all(flag in page for flag in option.flags)


def test_references_to_variables() -> None:
    names = {"df": [1, 2], "größe": 3, "In": [], "b": "{df}"}
    prompt = "{df} {größe} {{df}} {nope} {{nope}} {} {df.x} {1+1} {In} {b} ${df}"
    assert expand(prompt, names, hidden={"In"}) == (
        "[1, 2] 3 {df} {nope} {{nope}} {} {df.x} {1+1} {In} {df} $[1, 2]"
    )


def test_a_long_value_is_cut_and_says_so() -> None:
    assert expand("{x}", {"x": "a" * 50}, budget=10) == (
        "aaaaaaaaaa\n[cut: 10 of 50 characters of x]"
    )


def test_a_value_without_text_is_said() -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(ConfigurationError, match=r"\{x\} cannot .* RuntimeError.* \{\{x\}\}"):
        expand("{x}", {"x": Bad()})


@given(st.text())
def test_a_prompt_without_variables_arrives_verbatim(prompt: str) -> None:
    assert expand(prompt, {}) == prompt


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", ("status", [])),
        ("history", ("history", [])),
        ("history demo", ("history", ["demo"])),
        ("history --live demo", ("history", ["--live", "demo"])),
        ("history demo --live", ("history", ["demo", "--live"])),
        ("show 3", ("show", ["3"])),
        ("?", ("help", [])),
        ("? and why", None),
        ("show me the data", None),
        ("tools are nice", None),
        ("model the growth of it", None),
        ("what is up?", None),
        ("reset", ("reset", [])),
        ('export "my session.ipynb"', ("export", ["my session.ipynb"])),
        ("tools --from 'other one.ipynb' --yes", ("tools", ["--from", "other one.ipynb", "--yes"])),
        ('session "a b"', ("session", ["a b"])),
        ("export it's table", None),
        ('tools ""', ("tools", [])),
    ],
)
def test_a_line_is_a_command_only_as_a_whole(line: str, found: object) -> None:
    assert find_command(line) == found


@pytest.mark.parametrize("line", ["histroy", "sesion demo", "stauts"])
def test_a_near_miss_is_no_prompt(line: str) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean"):
        find_command(line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("fix --dry-run", "%agent fix has no option --dry-run"),
        ("sessions -n 5", "%agent sessions has no option -n"),
        ("history demo --liv", "Did you mean --live?"),
        ("export a.md --overwrite", "%agent export has no option --overwrite"),
        ("reset --session x", "To ask the agent this, type %agent ask reset --session x"),
    ],
)
def test_an_option_that_a_command_has_not_is_no_prompt(line: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        find_command(line)


@pytest.mark.parametrize("line", ["stop using -- in your prose", "model x - y", "fix the -v flag"])
def test_a_dash_within_a_sentence_is_none(line: str) -> None:
    assert find_command(line) is None


def test_a_command_that_lacks_its_file_is_no_prompt() -> None:
    with pytest.raises(ConfigurationError, match="needs the name of a file"):
        find_command("export")
    assert find_command("export the table as CSV") is None


def test_every_command_is_built() -> None:
    from minimalagent_nb.notebook.commands import Commands

    assert all(hasattr(Commands, f"_{name}") for name in COMMANDS)
