"""The components: modules that run as they stand, and as the one text that a widget gets."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
from collections import Counter
from collections.abc import Callable

import pytest

from minimalagent_nb import widgets
from minimalagent_nb.widgets.component import script, style

ASSETS = pathlib.Path(widgets.__file__).parent / "assets"
ENTRIES = ["tree/widget.js", "history/widget.js", "page/page.js"]
MODULES = sorted(path.relative_to(ASSETS).as_posix() for path in ASSETS.rglob("*.js"))
SHEETS = sorted(path.relative_to(ASSETS).as_posix() for path in ASSETS.rglob("*.css"))

LONGEST_FUNCTION = 45
"""Lines of a function's body."""

EXPORTS = "const m = await import(process.argv[1]); console.log(JSON.stringify(Object.keys(m)));"


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The files of assets/, where node takes them for modules."""
    folder = tmp_path_factory.mktemp("modules")
    shutil.copytree(ASSETS, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def exports(run_node: Callable[..., str], path: pathlib.Path) -> set[str]:
    text = run_node("--input-type=module", "--eval", EXPORTS, path.as_uri())
    return set(json.loads(text))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_small_checked_and_runs_as_it_stands(
    name: str, modules: pathlib.Path, run_node: Callable[..., str]
) -> None:
    source = (ASSETS / name).read_text(encoding="utf-8")
    assert source.startswith("// @ts-check\n/**")
    assert len(source.splitlines()) <= 400
    assert max(map(len, source.splitlines())) <= 106
    assert exports(run_node, modules / name)


def function_lengths(source: str) -> dict[str, int]:
    """Lines of each function's body by its head, and of each block in one.

    By how the modules are laid out: what opens with ``) {`` or ``=> {`` ends at the next line
    that is indented as its head is and closes a brace.
    """
    lengths = {}
    lines = source.splitlines()
    for number, line in enumerate(lines):
        if not line.endswith((") {", "=> {")):
            continue
        end = re.compile(re.match(" *", line).group() + "}")  # type: ignore[union-attr]
        size = next(size for size, other in enumerate(lines[number + 1 :]) if end.match(other))
        lengths[f"{number + 1}: {line.strip()}"] = size
    return lengths


def test_functions_are_measured() -> None:
    source = (
        "class A {\n  one() {\n    if (x) {\n      y();\n    }\n  }\n\n  two = () => {\n  };\n}\n"
    )
    assert function_lengths(source) == {"2: one() {": 3, "3: if (x) {": 1, "8: two = () => {": 0}


@pytest.mark.parametrize("name", MODULES)
def test_functions_stay_short(name: str) -> None:
    lengths = function_lengths((ASSETS / name).read_text(encoding="utf-8"))
    assert {head: size for head, size in lengths.items() if size > LONGEST_FUNCTION} == {}
    assert lengths


@pytest.mark.parametrize("entry", ENTRIES)
def test_joined_it_exports_what_its_modules_export(
    entry: str, modules: pathlib.Path, tmp_path: pathlib.Path, run_node: Callable[..., str]
) -> None:
    whole = tmp_path / "whole.mjs"
    whole.write_text(script(entry), encoding="utf-8")
    of_whole = exports(run_node, whole)
    assert of_whole >= exports(run_node, modules / entry)
    assert "default" in of_whole
    assert not re.search(r"^import\b", script(entry), re.MULTILINE)


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_module_is_in_it_once(entry: str) -> None:
    defined = re.findall(r"^export (?:const|class|function) (\w+)", script(entry), re.MULTILINE)
    assert [name for name, times in Counter(defined).items() if times > 1] == []
    folder = pathlib.PurePosixPath(entry).parent.as_posix()
    own = [name for name in MODULES if name.startswith(folder)]
    assert all((ASSETS / name).read_text("utf-8").splitlines()[1] in script(entry) for name in own)


@pytest.mark.parametrize("name", SHEETS)
def test_a_style_sheet_is_small(name: str) -> None:
    assert len((ASSETS / name).read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("name", SHEETS)
def test_colours_of_the_place_are_taken_in_one_sheet(name: str) -> None:
    """Where they may be had from, and where not, is a matter of each place."""
    taken = re.findall(r"var\(--(?:jp|vscode)-[\w-]+", (ASSETS / name).read_text("utf-8"))
    if name != "tree/themes.css":
        assert set(taken) <= {"var(--jp-code-padding"}


def test_joined_styles_load_nothing_else() -> None:
    whole = style("tree/tree.css")
    assert "@import" not in whole
    assert "url(" not in whole
    for name in SHEETS:
        if name.startswith("tree/") and name != "tree/tree.css":
            assert (ASSETS / name).read_text("utf-8") in whole
