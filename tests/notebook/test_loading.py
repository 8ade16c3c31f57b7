"""What loading puts into a shell, unloading takes out: nothing else of the shell is touched."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from minimalagent_nb.config import Settings
from minimalagent_nb.errors import AgentError
from minimalagent_nb.notebook.magics import AgentMagics
from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell
from tests.notebook.kernels import KINDS, Kernel, kernel_of


def traces(shell: Any) -> dict[str, Any]:
    """Everything of a shell, and of its process, that an extension may change."""
    magics = shell.magics_manager
    return {
        "magics": {kind: dict(table) for kind, table in magics.magics.items()},
        "registry": set(magics.registry),
        "configurables": list(shell.configurables),
        "cleanup": list(shell.input_transformers_cleanup),
        "post": list(shell.input_transformers_post),
        "ast": list(shell.ast_transformers),
        "events": {name: list(called) for name, called in shell.events.callbacks.items()},
        "hooks": {name: str(hook) for name, hook in vars(shell.hooks).items()},
        "dispatchers": {
            name: (dict(table.strs), dict(table.regexs))
            for name, table in shell.strdispatchers.items()
        },
        "matchers": list(getattr(shell.Completer, "custom_matchers", [])),
        "formatters": {
            kind: (set(f.type_printers), set(f.deferred_printers))
            for kind, f in shell.display_formatter.formatters.items()
        },
        "publisher": dict(vars(shell.display_pub)),
        "traceback": (shell.custom_exceptions, vars(shell.InteractiveTB).keys()),
        "hidden": set(shell.user_ns_hidden),
        "namespace": set(shell.user_ns),
        "errors": hasattr(AgentError, "_render_traceback_"),
        "process": (sys.displayhook, sys.excepthook, signal.getsignal(signal.SIGINT)),
        "streams": (sys.stdout, sys.stderr),
        "threads": {thread.name for thread in threading.enumerate()},
    }


def use_nothing(shell: Any) -> None:
    """Load only."""


def use_again(shell: Any) -> None:
    """Load once more, in the extension's place."""
    shell.run_line_magic("reload_ext", "minimalagent_nb")


def use_all(shell: Any) -> None:
    """Ask, in the background too, with tools over the notebook, commands and a failure."""
    prepare(shell, "[call('add', a=1, b=2), 'It is {{result}}.', 'Aside.']")
    run(shell, "%agent tools +notebook")
    run(shell, "%%agent\nWhat is 1 + 2?")
    run(shell, "%%agent -b -t add -s aside\nHi.\n")
    shell.user_ns["_background"].result(30)
    run(shell, "%%tool double(x: int)\n'''Twice.'''\nx * 2")
    run(shell, "%agent history")
    run(shell, "%%agent\nNo more.", fails="script")
    shell.complete("", "%agent ", 7)


@pytest.mark.parametrize("use", [use_nothing, use_again, use_all])
def test_unloading_leaves_the_shell_as_it_was(
    store_path: Any, use: Callable[[Any], None], capsys: Any
) -> None:
    shell = new_shell()
    # IPython loads its own magics where they are first used.
    shell.run_cell("%config Application.show_config\n%unload_ext none\n%lsmagic")
    before = traces(shell)
    shell.run_line_magic("load_ext", "minimalagent_nb")
    loaded = traces(shell)
    changed = {name for name in before if before[name] != loaded[name]}
    assert changed >= {"magics", "registry", "cleanup", "errors"}
    assert not changed & {"namespace", "hidden", "post", "ast", "process", "formatters"}
    use(shell)
    shell.run_line_magic("unload_ext", "minimalagent_nb")
    after = traces(shell)
    made = after.pop("namespace") - before.pop("namespace")
    assert made <= {
        *("Agent", "tool", "ScriptedModel", "call", "say", "model", "add", "double"),
        *("_agent", "_background"),
    }, "what the user made stays, and nothing else came"
    assert after == before


def test_loading_again_changes_nothing(store_path: Any) -> None:
    shell = new_shell()
    shell.run_line_magic("load_ext", "minimalagent_nb")
    loaded = traces(shell)
    shell.run_line_magic("load_ext", "minimalagent_nb")
    assert traces(shell) == loaded
    from minimalagent_nb.notebook.extension import load

    load(shell)
    assert traces(shell) == loaded
    shell.run_line_magic("unload_ext", "minimalagent_nb")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_is_left_as_it_was(kind: str, tmp_path: Any) -> None:
    with kernel_of(kind, tmp_path) as kernel:
        state = """
import signal
def state():
    shell = get_ipython()
    return repr([
        sorted(shell.magics_manager.magics["cell"]), sorted(shell.magics_manager.magics["line"]),
        len(shell.input_transformers_cleanup), len(shell.display_pub._hooks),
        {k: len(v) for k, v in shell.events.callbacks.items()},
        sorted(vars(shell.display_pub)), signal.getsignal(signal.SIGINT),
        len(getattr(shell.Completer, "custom_matchers", [])),
        sorted(shell.kernel.comm_manager.comms) if hasattr(shell.kernel, "comm_manager") else 0,
    ])
"""
        kernel.run(state)
        before = kernel.value("state()")
        _ask(kernel)
        assert kernel.value("state()") != before
        kernel.run("%unload_ext minimalagent_nb")
        assert kernel.value("state()") == before


def _ask(kernel: Kernel) -> None:
    kernel.run(
        "%load_ext minimalagent_nb\nfrom minimalagent_nb.models import ScriptedModel\n"
        "model = ScriptedModel(['Hello.'] * 3)\n%config AgentMagics.model = 'model'"
    )
    for cell in ("%%agent\nHi.", "%%time\n%%agent\nHi.", "%%agent -b -s aside\nHi."):
        reply, _ = kernel.run(cell)
        assert reply["status"] == "ok", reply
    kernel.run("x = await _background")


def test_every_setting_is_one_of_config() -> None:
    settings = {field.name for field in fields(Settings)} - {"sources"}
    assert settings | {"approver"} == set(AgentMagics.class_trait_names(config=True))


def test_a_misspelt_setting_is_answered_with_the_right_one(
    shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    prepare(shell, "['ok']")
    with pytest.warns(UserWarning, match="Did you mean `max_steps`?"):
        run(shell, "%config AgentMagics.max_stps = 3")
    (tmp_path / "pyproject.toml").write_text("[tool.minimalagent_nb]\nmax_stps = 3\n")
    run(shell, "%%agent\nHi.", fails="Did you mean max_steps?")
    (tmp_path / "pyproject.toml").write_text("[tool.minimalagent_nb]\nmax_steps = 3\n")
    run(shell, "%agent config")
    assert "[tool.minimalagent_nb] in pyproject.toml" in capsys.readouterr().out
    monkeypatch.setenv("MINIMALAGENT_NB_MAX_STPS", "3")
    run(shell, "%%agent\nHi.", fails="Did you mean max_steps?")


def test_unloading_brings_back_a_magic_of_the_same_name(store_path: Any) -> None:
    shell = new_shell()

    def agent(line: str) -> str:
        return f"mine: {line}"

    shell.register_magic_function(agent, "line")
    shell.run_line_magic("load_ext", "minimalagent_nb")
    shell.run_line_magic("unload_ext", "minimalagent_nb")
    assert shell.run_line_magic("agent", "x") == "mine: x"
    assert "agent" not in shell.magics_manager.magics["cell"]
