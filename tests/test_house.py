"""The conventions of the package, read from its source and seen from outside.

The rooms are listed from the ground up; a room imports only rooms that come before
it, inside functions too. What only a type checker imports does not count.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import minimalagent_nb

PACKAGE = "minimalagent_nb"
SOURCE = Path(minimalagent_nb.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
LARGEST_FILE = 400
LONGEST_FUNCTION = 60

ROOMS = (
    "_version",
    "errors",
    "secrets",
    "cancel",
    "messages",
    "events",
    "event_json",
    "representation",
    "reasoning",
    "fold",
    "redaction",
    "printed",
    "tracing",
    "view",
    "display_capture",
    "approval",
    "outside",
    "config",
    "tools",
    "models",
    "sessions",
    "engine",
    "widgets",
    "notebook",
    "server",
    "cli",
)

# What each room may import from outside the standard library.
OUTSIDE = {
    "config": {"tomli"},
    "tracing": {"opentelemetry"},
    "tools": {"pydantic", "docstring_parser"},
    "models": set(),
    "sessions": {"platformdirs"},
    "widgets": {"IPython", "anywidget", "ipywidgets", "markdown_it", "rich", "traitlets"},
    "notebook": {"IPython", "ipykernel", "jupyter_client", "nbclient", "nbformat", "traitlets"},
    "cli": {"IPython", "jupyter_core", "jupyterlab", "nbformat", "rich", "traitlets"},
    "server": {"jupyter_server", "tornado", "traitlets"},
}

# Files that may import more than their room: the pattern of their names, and what.
INHABITANTS = {
    r"models/bedrock\w*\.py": {"boto3", "botocore", "urllib3"},
    r"models/choice\.py": {"boto3", "botocore"},
    r"models/(local|demo)\w*\.py": {"xllamacpp"},
    r"models/weights\.py": {"platformdirs"},
    r"sessions/dynamodb\w*\.py": {"boto3", "botocore"},
    r"tools/images\.py": {"PIL"},
    r"tools/mcp\w*\.py": {"httpx2", "mcp"},
}

# The engine knows protocols and choices; what is behind them it never names.
UNKNOWN_TO_ENGINE = re.compile(
    r"minimalagent_nb\.(models\.(bedrock|openai|local|scripted)|sessions\.(dynamodb|sqlite))"
)

HEAVY = (
    "anywidget",
    "boto3",
    "botocore",
    "docstring_parser",
    "ipywidgets",
    "jupyter_server",
    "markdown_it",
    "nbformat",
    "platformdirs",
    "pydantic",
    "rich",
    "tornado",
)


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def room_of(module: str) -> str | None:
    """The room of a dotted module name; None for the package's own face."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def module_of(path: Path) -> str:
    parts = [PACKAGE, *path.relative_to(SOURCE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if is_for_type_checkers(child):
            for other in child.orelse:
                yield other
                yield from running_nodes(other)
            continue
        yield child
        yield from running_nodes(child)


def imports_of(tree: ast.Module, module: str, *, is_package: bool) -> set[str]:
    """Dotted names of all that a module imports while it runs, names from rooms included."""
    found = set()
    for node in running_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                kept = len(parents) - node.level + (1 if is_package else 0)
                base = ".".join([*parents[:kept], *([base] if base else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("importlib.import_module", "import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            found.add(str(node.args[0].value))
    return found


def imports_in(path: Path) -> set[str]:
    return imports_of(tree_of(path), module_of(path), is_package=path.name == "__init__.py")


def wrong_arrows(module: str, imports: set[str]) -> list[str]:
    """Imports from `module` that run against the order of the rooms."""
    home = room_of(module)
    wrong = []
    for name in sorted(imports):
        if name.split(".")[0] != PACKAGE:
            continue
        target = room_of(name)
        if target == "__version__" or target == home:
            continue
        below = target not in ROOMS or ROOMS.index(target) > ROOMS.index(home)
        if below or (home == "engine" and UNKNOWN_TO_ENGINE.match(name)):
            wrong.append(name)
    return wrong


def foreign_imports(file: str, imports: set[str]) -> list[str]:
    """Imports of a file from outside that its room may not have."""
    room = file.split("/")[0].removesuffix(".py")
    # tomllib is the standard library's from Python 3.11 on.
    allowed = set(OUTSIDE.get(room, ())) | {PACKAGE, "tomllib"} | sys.stdlib_module_names
    for pattern, names in INHABITANTS.items():
        if re.fullmatch(pattern, file):
            allowed |= names
    return sorted(name for name in imports if name.split(".")[0] not in allowed)


# The face of the package names every room.
IN_ROOMS = [path for path in FILES if path != SOURCE / "__init__.py"]


@pytest.mark.parametrize("path", IN_ROOMS, ids=name_of)
def test_imports_keep_to_the_rooms(path):
    module = module_of(path)
    assert room_of(module) in ROOMS, "a new room needs its place in the list"
    assert wrong_arrows(module, imports_in(path)) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_from_outside_are_those_of_the_room(path):
    assert foreign_imports(name_of(path), imports_in(path)) == []


def test_the_readers_of_imports_see_every_form():
    tree = ast.parse(
        "import a.b\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import unseen\nelse:\n    import other\n"
        "def f():\n    from minimalagent_nb.engine import Agent\n    from . import near\n"
        "    from ..widgets import tree\n    importlib.import_module('boto3')\n"
    )
    assert imports_of(tree, "minimalagent_nb.sessions.log", is_package=False) == {
        "a.b",
        "boto3",
        "minimalagent_nb.engine.Agent",
        "minimalagent_nb.sessions.near",
        "minimalagent_nb.widgets.tree",
        "other",
        "typing.TYPE_CHECKING",
    }


def test_an_arrow_downwards_is_found():
    assert wrong_arrows(
        "minimalagent_nb.sessions.log",
        {"minimalagent_nb.engine.Agent", "minimalagent_nb.errors.AgentError", "json"},
    ) == ["minimalagent_nb.engine.Agent"]
    assert wrong_arrows("minimalagent_nb.engine.loop", {"minimalagent_nb.models.bedrock.X"})
    assert wrong_arrows("minimalagent_nb.errors", {"minimalagent_nb.tool"})


def test_a_foreign_import_is_found():
    assert foreign_imports("sessions/sqlite.py", {"boto3", "sqlite3"}) == ["boto3"]
    assert foreign_imports("sessions/dynamodb.py", {"boto3.session"}) == []
    assert foreign_imports("engine/loop.py", {"IPython.display"}) == ["IPython.display"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LARGEST_FILE


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring not counted."""
    body = node.body
    if ast.get_docstring(node, clean=False) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_functions_stay_short(path):
    lengths = {
        node.name: body_length(node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, FUNCTIONS)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def public_definitions(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple]:
    """Public functions, classes and methods with their names; not what is inside functions."""
    for child in node.body:
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)) and not child.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in child.decorator_list]
            if any(d.endswith((".setter", ".deleter", "overload")) for d in decorators):
                continue
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child, f"{prefix}{child.name}.")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_is_public_has_a_docstring(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a file says what lives there and what it may import"
    assert [name for name, node in public_definitions(tree) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_annotations_are_never_evaluated(path):
    tree = tree_of(path)
    annotated = any(isinstance(node, (*FUNCTIONS, ast.AnnAssign)) for node in ast.walk(tree))
    names = imports_of(tree, module_of(path), is_package=False)
    assert "__future__.annotations" in names or not annotated


def exception_classes(trees: list[ast.Module]) -> tuple[set[str], set[str]]:
    """Names of all exception classes, and of those among them that AgentError is a base of."""
    bases = {
        node.name: {ast.unparse(base).split(".")[-1] for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }

    def ancestors(name: str) -> set[str]:
        return bases.get(name, set()).union(*map(ancestors, bases.get(name, set())))

    exceptions = {
        name
        for name in bases
        if any(
            re.search("(Error|Exception|Interrupt)$", base)
            or issubclass(getattr(builtins, base, object), BaseException)
            for base in ancestors(name)
        )
    }
    return exceptions, {name for name in exceptions if "AgentError" in ancestors(name)}


def test_all_errors_are_one_tree():
    exceptions, in_the_tree = exception_classes([tree_of(path) for path in FILES])
    # ToolInterrupt is no error: it is raised into a tool's code to end it, and meant to pass
    # every `except Exception` there.
    assert exceptions - in_the_tree == {"AgentError", "ToolInterrupt"}


def test_an_error_outside_the_tree_is_found():
    tree = ast.parse("class A(AgentError): ...\nclass B(A): ...\nclass _C(KeyError): ...")
    assert exception_classes([tree]) == ({"A", "B", "_C"}, {"A", "B"})


@pytest.mark.parametrize("name", minimalagent_nb.__all__)
def test_every_name_of_the_package_can_be_imported(name):
    assert getattr(minimalagent_nb, name) is not None


def test_the_package_promises_what_its_rooms_hold():
    assert set(minimalagent_nb.__all__) == {*minimalagent_nb._HOME_OF, "__version__"}
    assert dir(minimalagent_nb) == sorted(minimalagent_nb.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = minimalagent_nb.no_such_name


@pytest.mark.parametrize("room", ["errors", "models", "sessions", "tools", "engine", "widgets"])
def test_every_name_of_a_room_can_be_imported(room):
    module = importlib.import_module(f"{PACKAGE}.{room}")
    assert module.__all__
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_page_never_makes_html_of_text():
    unsafe = r"\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function"
    scripts = sorted(SOURCE.rglob("*.js"))
    assert scripts
    assert [name_of(path) for path in scripts if re.search(unsafe, path.read_text("utf-8"))] == []


def run_python(script: str, directory: Path) -> str:
    """What a script prints in an interpreter of its own, away from the user's settings."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=directory,
        env={**os.environ, "IPYTHONDIR": str(directory / "ipython"), "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_heavy(tmp_path):
    script = (
        "import sys\nimport minimalagent_nb\nfrom minimalagent_nb import AgentError, Reasoning\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    assert run_python(script, tmp_path) == "[]"


def test_loading_the_extension_imports_nothing_heavy(tmp_path):
    script = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'minimalagent_nb')\n"
        "assert 'agent' in shell.magics_manager.magics['line'], 'the magic is not there'\n"
        f"print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    assert run_python(script, tmp_path).splitlines()[-1] == "[]"
