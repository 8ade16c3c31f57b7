"""All commands: names, options, help. Imports argparse and the parser only."""

from __future__ import annotations

import argparse
from typing import Any

from minimalagent_nb.cli.parsing import EXIT_CODES, Parser, choice, positive, whole

__all__ = ["add_commands"]

_MEMORY_HELP = "sqlite, sqlite:///PATH or dynamodb"

_EXAMPLES = {
    "ask": 'ask "What is 17 + 25?" --tools tools.ipynb --session sums',
    "watch": "watch sums",
    "stop": "stop sums",
    "approve": 'approve sums --inputs \'{"path": "copy.txt"}\'',
    "deny": 'deny sums --reason "Keep the file."',
    "sessions": "sessions --limit 10",
    "history": "history sums --limit 10",
    "show": "show sums --at 1",
    "export": "export sums --html",
    "import": "import sums.jsonl --as sums-again",
    "move": "move sums --to dynamodb --keep",
    "delete": "delete sums-again",
    "table template": "table template --format sam",
    "table check": "table check --name my-table --region eu-west-1",
    "demo": "demo --lab",
    "doctor": "doctor --ask",
}
"""Of each command one call, which its help shows."""


def add_commands(commands: Any) -> None:
    """Add every command to the parser's table of them."""
    _add_ask(commands)
    _add_runs(commands)
    _add_answers(commands)
    _add_reading(commands)
    _add_files(commands)
    _add_moving(commands)
    _add_table(commands)
    _add_trying(commands)


def _add_ask(commands: Any) -> None:
    ask = _with_memory(
        commands,
        "ask",
        "ask an agent, without Jupyter; its tools come from notebooks",
        "Asks an agent. The answer alone goes to standard output, everything else to standard "
        "error. Of a notebook only imports, and the cells that define tools with @tool "
        "or %%tool, are run, after they were shown. Ctrl-C stops the run, keeps what was done, "
        "and exits with 130. JSON: session_id, interaction_id, status, outcome, response, output, "
        "usage, error, reasoning.",
        run=_run_ask,
    )
    ask.add_argument("prompt", metavar="PROMPT", help="what to ask; - reads it from standard input")
    ask.add_argument(
        "-t",
        "--tools",
        metavar="NOTEBOOK",
        action="append",
        default=[],
        help="an .ipynb file whose tools the agent may call; may be given several times",
    )
    ask.add_argument("-y", "--yes", action="store_true", help="run its cells without being asked")
    ask.add_argument("-s", "--session", metavar="SID", help="go on with this conversation")
    ask.add_argument("-m", "--model", metavar="ID", help="a model, by default as the settings say")
    ask.add_argument("--max-steps", type=positive, metavar="N", help="turns with tool calls")
    ask.add_argument("--system", metavar="TEXT", help="instructions that go with every request")
    ask.add_argument("--type", metavar="TYPE", help='the type of the answer, such as "list[float]"')
    ask.add_argument(
        "--approve",
        type=choice("ask", "always", "never"),
        default="ask",
        metavar="ask|always|never",
        help="for tools that need approval: ask in the terminal (where there is none, they are "
        "denied), or a policy (default: ask)",
    )
    ask.add_argument("-q", "--quiet", action="store_true", help="do not show the run")


def _add_runs(commands: Any) -> None:
    watch = _with_memory(
        commands,
        "watch",
        "follow a run live, and answer what it asks",
        "Follows the run of a session that goes on, or else the next one, as it is stored (runs "
        "that are recorded in real time, as those of notebooks are). In a terminal a call that "
        "waits to be allowed can be answered: a allows it, d denies it, e edits its arguments, by "
        "$VISUAL or $EDITOR where one is set. Ends with the run: with 0 "
        "where it was completed, else with 1. JSON: one line for each event, with session_id, "
        "interaction_id and event.",
    )
    _session(watch)
    watch.add_argument("--at", type=whole, metavar="N", help="a run of the history, from its start")
    watch.add_argument("--forever", action="store_true", help="go on with the next run")

    stop = _with_memory(
        commands,
        "stop",
        "stop the run of a session, in whichever process it goes on",
        "Stops the run of a session that goes on (one that is recorded in real time), as Stop in "
        "its tree does, and waits for its kernel's word. JSON: session_id, interaction_id, state.",
    )
    _asking(stop)


def _add_answers(commands: Any) -> None:
    approve = _with_memory(
        commands,
        "approve",
        "let a tool call run that waits to be allowed",
        "Lets a tool call run that waits to be allowed, in whichever process its run goes on (one "
        "that is recorded in real time), and waits for its kernel's word. The first answer counts, "
        "wherever it was given: who comes second fails. JSON: session_id, interaction_id, "
        "call_id, tool, inputs, decision, state.",
    )
    _asking(approve)
    _call(approve)
    approve.add_argument(
        "--inputs",
        metavar="JSON",
        help="run it with these arguments instead, an object that fits the tool; - reads them from "
        "standard input. What was redacted and is left as it is keeps its value",
    )

    deny = _with_memory(
        commands,
        "deny",
        "have a tool call not run that waits to be allowed",
        "Has a tool call not run that waits to be allowed: the model is told so, and the run goes "
        "on. JSON: as of approve.",
    )
    _asking(deny)
    _call(deny)
    deny.add_argument("--reason", metavar="TEXT", help="why not; the model is told")


def _asking(parser: Parser) -> None:
    """The options of what asks something of a run."""
    _session(parser)
    parser.add_argument("--at", type=whole, metavar="N", help="a run of the history")
    parser.add_argument(
        "--wait",
        type=positive,
        metavar="SECONDS",
        default=60,
        help="for the kernel, which looks every few seconds (default: %(default)s)",
    )


def _call(parser: Parser) -> None:
    parser.add_argument(
        "--call", metavar="ID", help="which call, where several wait; without it they are listed"
    )


def _add_reading(commands: Any) -> None:
    sessions = _with_memory(
        commands,
        "sessions",
        "list the sessions, the one used last first",
        "Lists the sessions, the one used last first. JSON: memory, sessions, and unreadable, the "
        "number of entries of the list that make no sense.",
    )
    sessions.add_argument("--limit", type=positive, metavar="N", help="so many at most")

    history = _with_memory(
        commands,
        "history",
        "list the interactions of a session",
        "Lists the interactions of a session. JSON: session_id, interactions.",
    )
    _session(history)
    history.add_argument("--limit", type=positive, metavar="N", help="the newest N only")

    show = _with_memory(
        commands,
        "show",
        "print an interaction as a tree",
        "Prints an interaction as a tree. JSON: session_id, reasoning.",
    )
    _session(show)
    show.add_argument(
        "--at",
        type=whole,
        metavar="N",
        default=-1,
        help="its number in the history, from the end where it is negative, or its id "
        "(default: %(default)s, the newest)",
    )


def _add_files(commands: Any) -> None:
    export = _with_memory(
        commands,
        "export",
        "write a session as a page, Markdown, a notebook or JSON lines",
        "Writes a session as a file. JSON lines hold everything that is stored, and `import` "
        "reads them; they go to standard output unless -o names a file. The other forms are "
        "for readers, and go to SID.html, SID.md or SID.ipynb here unless -o names another file "
        "(- for standard output). JSON: session_id, file, format, bytes, and items (of JSON "
        "lines) or interactions and left_out.",
    )
    _session(export)
    form = export.add_mutually_exclusive_group()
    for name, about in (
        ("html", "one page with the interactive trees, which needs nothing else"),
        ("md", "Markdown"),
        ("ipynb", "a notebook that asks the same again"),
        ("jsonl", "JSON lines (the default, where FILE ends in none of these)"),
    ):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=about)
    export.add_argument(
        "-o", "--output", metavar="FILE", help="where it goes; - is standard output"
    )
    export.add_argument(
        "--force",
        action="store_true",
        help="write over SID.html, SID.md or SID.ipynb; one that -o names always is",
    )

    import_ = _with_memory(
        commands,
        "import",
        "store a session that was exported",
        "Stores a session that was exported as JSON lines. JSON: memory, and session_id or (of a "
        "table) sessions and new.",
    )
    source = import_.add_mutually_exclusive_group(required=True)
    source.add_argument("file", metavar="FILE", nargs="?", help="- for standard input")
    import_.add_argument("--as", dest="new", metavar="SID", help="store it under another id")
    source.add_argument(
        "--from-table",
        metavar="NAME",
        help="instead of a file: the sessions of this table of minimalagent; scans it",
    )
    import_.add_argument(
        "--from-region", metavar="REGION", help="where that table is, by default as --region"
    )


def _add_moving(commands: Any) -> None:
    move = _with_memory(
        commands,
        "move",
        "move sessions to another memory",
        "Moves sessions to another memory; --table and --region are those of the target where it "
        "is dynamodb. JSON: sessions, from, to, removed.",
    )
    move.add_argument("session", metavar="SID", nargs="*", help="by default all that are listed")
    move.add_argument("--to", metavar="MEMORY", required=True, help=_MEMORY_HELP)
    move.add_argument("--keep", action="store_true", help="copy: remove nothing")

    delete = _with_memory(
        commands,
        "delete",
        "delete sessions with all that belongs to them",
        "Deletes sessions with all that belongs to them. JSON: sessions, memory.",
    )
    delete.add_argument("session", metavar="SID", nargs="+")
    delete.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _add_table(commands: Any) -> None:
    about = "the DynamoDB table: its template, and what is wrong with it"
    table = commands.add_parser("table", help=about, description=f"{about[0].upper()}{about[1:]}.")
    actions = table.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=Parser
    )
    template = _command(
        actions,
        "template",
        "print the table, and the least IAM policy for it, as a template",
        "Prints the table, and the least IAM policy for it, as a template. JSON: format, template.",
        run=_run_table,
        command="table template",
    )
    template.add_argument("--name", metavar="NAME", help="by default that of the settings")
    template.add_argument(
        "--format",
        type=choice("cloudformation", "sam", "policy"),
        metavar="cloudformation|sam|policy",
        default="cloudformation",
        help="policy is the policy alone, as JSON (default: %(default)s)",
    )
    check = _command(
        actions,
        "check",
        "say what is wrong with a table: keys, expiry, permissions",
        "Says what is wrong with a table: keys, expiry, permissions. Exits with 1 where something "
        "is. Permissions are tried on one item at a reserved key, which is deleted again. JSON: "
        "table, findings.",
        run=_run_table,
        command="table check",
    )
    check.add_argument("--name", metavar="NAME", help="by default that of the settings")
    check.add_argument("--region", metavar="REGION", help="by default that of the settings")


def _add_trying(commands: Any) -> None:
    demo = _command(
        commands,
        "demo",
        "run the quickstart with a small real model, without any account",
        "Executes the quickstart notebook with a small demonstration model that runs in this "
        "process: no account, no service. The model is fetched once (98 MB). JSON: notebook, "
        "memory, runs.",
        run=_run_demo,
    )
    demo.add_argument(
        "--to",
        metavar="FOLDER",
        default="minimalagent-demo",
        help="where the executed notebook and its memory go (default: %(default)s)",
    )
    demo.add_argument("--lab", action="store_true", help="open it in JupyterLab afterwards")

    doctor = _command(
        commands,
        "doctor",
        "say what is installed, and which model and memory would be used",
        "Says what is installed, which model and memory would be used and why, and what to do "
        "about what is missing. Exits with 1 where something has to be done. JSON: findings.",
        run=_run_doctor,
    )
    doctor.add_argument(
        "--ask",
        action="store_true",
        help="also ask the model for one word (a service may charge for it)",
    )


def _command(commands: Any, name: str, text: str, about: str, **defaults: Any) -> Parser:
    example = _EXAMPLES[defaults.get("command", name)]
    epilog = f"Example:\n  minimalagent-nb {example}\n\n{EXIT_CODES}"
    parser: Parser = commands.add_parser(name, help=text, description=about, epilog=epilog)
    parser.add_argument("--json", action="store_true", help="print a line of JSON")
    parser.set_defaults(**{"command": name, "wrong_call": parser.error, **defaults})
    return parser


def _with_memory(commands: Any, name: str, text: str, about: str, **defaults: Any) -> Parser:
    """A command about sessions, with the options that all of them have."""
    parser = _command(commands, name, text, about, **{"run": _run_sessions, **defaults})
    place = parser.add_argument_group("where sessions are kept, by default as the settings say")
    place.add_argument("--memory", metavar="MEMORY", help=_MEMORY_HELP)
    place.add_argument("--table", metavar="NAME", help="the DynamoDB table")
    place.add_argument("--region", metavar="REGION", help="its AWS region")
    return parser


def _session(parser: Parser) -> None:
    parser.add_argument("session", metavar="SID", help="the session's id")


def _run_ask(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.ask import run_ask

    return run_ask(options)


def _run_sessions(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.sessions import run_sessions

    return run_sessions(options)


def _run_table(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.table import run_table

    return run_table(options)


def _run_demo(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.demo import run_demo

    return run_demo(options.to, open_lab=options.lab, as_json=options.json)


def _run_doctor(options: argparse.Namespace) -> int:
    from minimalagent_nb.cli.doctor import run_doctor

    return run_doctor(ask=options.ask, as_json=options.json)
