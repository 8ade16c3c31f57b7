"""Wrong calls: one clear line each, an exit code, and the same as JSON."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from minimalagent_nb._version import __version__
from minimalagent_nb.cli import _parser, main

WRONG = {
    "dance": "there is no command 'dance'. There are: ask, watch",
    "shwo x": "there is no command 'shwo'. Did you mean show?",
    "table chek": "table: there is no command 'chek'. Did you mean check?",
    "table": "table: a command is missing. There are: template, check",
    "history": "history: the following arguments are required: SID",
    "show s --at first": "argument --at: 'first' is no whole number",
    "show s --at": "argument --at: expected one argument",
    "show s --att 3": "there is no option '--att'. Did you mean --at?",
    "show s --at=1 --nonsense": "there is no option '--nonsense'. See",
    f"show s --at {10**20}": "argument --at: the number is too large",
    f"show s --at {'9' * 5000}": "argument --at: ",
    f"sessions --limit {10**20}": "argument --limit: the number is too large",
    f"sessions --limit {'9' * 5000}": "argument --limit: ",
    "sessions --limit 0": "'0' is no whole number above 0",
    "sessions --limit ²": "'²' is no whole number above 0",
    "sessions extra": "'extra' is one argument too many",
    "import": "one of the arguments FILE --from-table is required",
    "import f --from-table t": "not allowed with argument FILE",
    "import --from-table t --as x": "--as goes with a file",
    "move": "the following arguments are required: --to",
    "delete": "the following arguments are required: SID",
    "export s --json": "name the file with -o",
    "export s --html -o - --json": "name the file with -o",
    "export s --html --md": "argument --md: not allowed with argument --html",
    "ask": "the following arguments are required: PROMPT",
    "ask x --approve alway": "'alway' is none of them. Did you mean always?",
    "ask x --max-steps many": "argument --max-steps: 'many' is no whole number",
    "watch s --forever --at 1": "--forever goes on with the next run",
    "table template --format polcy": "'polcy' is none of them. Did you mean policy?",
    "demo --json --lab": "--json and --lab do not go together",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_call_is_one_line_and_exits_with_2(words, capsys):
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("minimalagent-nb")
    assert WRONG[words] in printed.err
    assert "--json" in words or printed.out == ""


@pytest.mark.parametrize(
    "words", ["show --json", "table chek --json", "--json", "ask x --json --no"]
)
def test_a_wrong_call_as_json(words, capsys):
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert told["version"] == 1
    assert told["error"]["type"] == "WrongCallError"
    assert printed.err == told["error"]["message"] + "\n"


def test_a_hostile_word_does_not_reach_the_terminal(capsys):
    assert main(["sh\x1b[2Jow\x9b31m"]) == 2
    printed = capsys.readouterr()
    assert "\x1b" not in printed.err
    assert "\x9b" not in printed.err


def commands(parser):
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, sub in action.choices.items():
                inner = list(commands(sub))
                yield from ([f"{name} {one}" for one in inner] or [name])


def test_every_command_has_json_and_says_its_exit_codes(capsys):
    names = list(commands(_parser()))
    assert {"ask", "watch", "doctor", "demo", "table check", "export", "import"} <= set(names)
    for name in names:
        with pytest.raises(SystemExit) as stopped:
            main([*name.split(), "--help"])
        assert stopped.value.code == 0
        page = capsys.readouterr().out
        assert "--json" in page, name
        assert "JSON: " in " ".join(page.split()), name
        assert "130 stopped by Ctrl-C" in page, name
        assert "%%%" not in page, name


def test_alone_it_lists_the_commands_and_what_to_try_first(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed[:-2] == list(_parser().commands())
    assert "  minimalagent-nb demo" in lines
    assert {"ask", "watch", "approve", "doctor"} <= set(listed)


def test_its_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"minimalagent-nb {__version__}\n"


def test_every_help_shows_an_example_that_can_be_typed(capsys):
    for name in commands(_parser()):
        for flag in ("-h", "--help"):
            with pytest.raises(SystemExit):
                main([*name.split(), flag])
            page = capsys.readouterr().out
        example = page.partition("Example:\n")[2].splitlines()[0]
        assert example.startswith(f"  minimalagent-nb {name}"), page
        assert _parser().parse_args(shlex.split(example)[1:]).command == name
        assert "\n\nExit codes: 0 done" in page


def test_help_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_options_are_not_abbreviated(capsys):
    assert main(["sessions", "--lim", "3"]) == 2
    assert "Did you mean --limit?" in capsys.readouterr().err


def test_no_module_of_the_kernel_is_loaded_for_help(tmp_path):
    script = (
        "import sys\nfrom minimalagent_nb.cli import main\n"
        "try:\n    main(['ask', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'IPython', 'rich', 'boto3', 'pydantic', 'sqlite3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ},
    )
    assert done.stdout.splitlines()[-1] == "[]"
