"""``%config AgentMagics``: what is possible is taken, what is not is refused at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.application import BaseIPythonApplication
from traitlets import TraitError
from traitlets.config import Config

from minimalagent_nb import ConfigurationError
from tests.notebook.cells import prepare, run
from tests.notebook.conftest import new_shell

BAD = [
    ("memory", "dynamo", "Accepted: sqlite, sqlite:///PATH, dynamodb, none"),
    ("session_table_name", "a b", "3 to 255 letters"),
    ("session_ttl", 0, "a whole number above 0"),
    ("max_steps", -1, "a whole number above 0"),
    ("bedrock_region", "us west", "the name of an AWS region, such as us-west-2"),
    ("memory_region", "us_west", "the name of an AWS region"),
    ("log_level", "LOUD", "DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("otel", "maybe", "on, off, content"),
    ("redact", ["("], "regular expressions"),
    ("redact", "x*", "do not match the empty text"),
    ("model", "nope:x", "Unknown kind of model 'nope'"),
    ("model", "scripted:", "needs the path of a script"),
    ("model", "number", "a variable of that name holds int"),
    ("approver", "allways", "Did you mean 'always'?"),
    ("approver", "number", "a variable of that name holds int"),
    ("approver", "ask me", "neither 'always' nor 'never'"),
]


@pytest.mark.parametrize(("name", "value", "says"), BAD)
def test_a_value_that_cannot_be_is_refused_at_the_assignment(
    shell: Any, caplog: Any, name: str, value: Any, says: str
) -> None:
    magics = shell.magics_manager.registry["AgentMagics"]
    shell.user_ns["number"] = 7
    with pytest.raises(ConfigurationError, match=re.escape(says)) as refused:
        setattr(magics, name, value)
    assert isinstance(refused.value, TraitError), "traitlets takes back what it has refused"
    run(shell, f"%config AgentMagics.{name} = {value!r}")
    (record,) = caplog.records
    assert says in record.getMessage()
    assert getattr(magics, name) is None


def test_the_value_before_it_stays_but_no_prompt_goes_by_it(shell: Any, caplog: Any) -> None:
    """IPython only logs what a setting refuses: Run All goes on with the cell after it."""
    model = prepare(shell, "['one', 'two']")
    run(shell, "%config AgentMagics.max_steps = 30")
    run(shell, "%config AgentMagics.max_steps = 0")
    assert len(caplog.records) == 1
    assert run(shell, "%config AgentMagics.max_steps") == 30
    run(shell, "%%agent\nhi", fails="Nothing is asked until it is assigned anew")
    run(shell, "1 / 0", fails="division by zero")
    run(shell, "%agent fix", fails="max_steps")
    assert len(model.requests) == 0
    run(shell, "%%agent --max-steps 3\nhi")
    run(shell, "%config AgentMagics.max_steps = None")
    run(shell, "%%agent\nhi")
    assert len(model.requests) == 2


@pytest.mark.parametrize("before", [None, 30])
@pytest.mark.parametrize("refused", [0, "many"])
def test_a_refusal_ends_where_the_value_before_it_is_assigned_anew(
    shell: Any, before: int | None, refused: Any
) -> None:
    """Traitlets calls no validator for a value of another type, nor for one that stays."""
    model = prepare(shell, "['one']")
    run(shell, f"%config AgentMagics.max_steps = {before}")
    run(shell, f"%config AgentMagics.max_steps = {refused!r}")
    run(shell, "%%agent --dry-run\nhi", fails="AgentMagics.max_steps was given last was refused")
    run(shell, "%%agent --background\nhi", fails="max_steps")
    run(shell, "%agent ask hi", fails="max_steps")
    run(shell, "%agent config")
    run(shell, f"%config AgentMagics.max_steps = {before}")
    run(shell, "%%agent\nhi")
    assert len(model.requests) == 1


@pytest.mark.parametrize("refused", [0, "many"])
def test_a_refusal_outlasts_a_reload(shell: Any, capsys: Any, refused: Any) -> None:
    """IPython keeps what %config is given among its own configuration, whatever became of it."""
    model = prepare(shell, "['one']")
    run(shell, "%config AgentMagics.max_steps = 30")
    run(shell, f"%config AgentMagics.max_steps = {refused!r}")
    run(shell, "%reload_ext minimalagent_nb")
    (said,) = capsys.readouterr().err.splitlines()
    assert f"max_steps cannot be {refused!r} (%config AgentMagics). Accepted: a whole" in said
    run(shell, "%%agent\nhi", fails="AgentMagics.max_steps was given last was refused")
    run(shell, "%agent status")
    assert f"cannot be {refused!r}" in capsys.readouterr().out
    run(shell, "%config AgentMagics.max_steps = 30")
    run(shell, "%reload_ext minimalagent_nb")
    run(shell, "%%agent\nhi")
    assert len(model.requests) == 1
    assert "max_steps" not in capsys.readouterr().err


def test_a_chosen_model_outlasts_a_reload(shell: Any, capsys: Any) -> None:
    model = prepare(shell, "['one']")
    run(shell, "%config AgentMagics.model = 'nope:x'")
    run(shell, "%agent model model")
    run(shell, "%reload_ext minimalagent_nb")
    run(shell, "%%agent\nhi")
    assert len(model.requests) == 1
    assert "nope" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model", "approver"])
def test_what_a_variable_holds_is_asked_for_by_its_name(shell: Any, caplog: Any, name: str) -> None:
    asked = prepare(shell, "['one']")
    run(shell, f"%config AgentMagics.{name} = model")
    for _ in range(2):
        run(shell, "%%agent\nhi", fails="ScriptedModel, %config AgentMagics). Accepted: text; for")
        run(shell, "%reload_ext minimalagent_nb")
    (record,) = caplog.records
    assert "the variable's name in quotes" in record.getMessage()
    assert len(asked.requests) == 0


def test_a_model_is_chosen_or_not_whatever_became_of_the_one_before(shell: Any) -> None:
    prepare(shell, "['one']")
    run(shell, "model = 7")
    run(shell, "%agent model nope:x", fails="Unknown kind of model 'nope'")
    magics = shell.magics_manager.registry["AgentMagics"]
    assert magics.model == "model"


def test_a_command_that_fails_leaves_all_as_it_was(shell: Any, caplog: Any) -> None:
    model = prepare(shell, "['one']")
    run(shell, "%agent model nope:x", fails="Unknown kind of model")
    run(shell, "%%agent\nhi")
    assert len(model.requests) == 1
    run(shell, "%config AgentMagics.model = 'nope:x'")
    run(shell, "%agent model nope:y", fails="'nope'")
    run(shell, "%%agent\nhi", fails="AgentMagics.model was given last was refused")
    run(shell, "%agent model model")
    run(shell, "%%agent\nhi", fails="script")


GOOD = [
    ("memory", "sqlite:///a/b.sqlite3"),
    ("memory", "none"),
    ("session_ttl", 3600),
    ("session_ttl", None),
    ("memory_region", "none"),
    ("redact", ["a", "b"]),
    ("model", "model_of_a_later_cell"),
    ("model", "nothing_yet"),
    ("model", "us.amazon.nova-pro-v1:0"),
    ("model", "scripted:made/later.json"),
    ("approver", "policy_of_a_later_cell"),
    ("approver", "always"),
    ("approver", "print"),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_what_can_be_is_taken_also_names_of_variables_to_come(
    shell: Any, caplog: Any, name: str, value: Any
) -> None:
    shell.user_ns["nothing_yet"] = None
    run(shell, f"%config AgentMagics.{name} = {value!r}")
    assert caplog.records == []
    assert getattr(shell.magics_manager.registry["AgentMagics"], name) == value


def test_a_refusal_loads_nothing_heavy(store_path: Path) -> None:
    code = (
        "import sys\n"
        "from tests.notebook.conftest import new_shell\n"
        "shell = new_shell()\n"
        "shell.run_line_magic('load_ext', 'minimalagent_nb')\n"
        "shell.run_line_magic('config', 'AgentMagics.model = \"nope:x\"')\n"
        "shell.run_line_magic('config', 'AgentMagics.memory = \"dynamo\"')\n"
        "heavy = {'boto3', 'botocore', 'pydantic', 'anywidget', 'nbformat'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("ERROR") == 2


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("memory", "dynamo", "Accepted: sqlite, sqlite:///PATH, dynamodb, none"),
        ("memory", 7, "Accepted: sqlite, sqlite:///PATH, dynamodb, none"),
        ("max_steps", "many", "Accepted: a whole number above 0"),
        ("max_steps", "30", "not the str '30'"),
        ("show_reasoning", "perhaps", "Accepted: true or false"),
        ("redact", 7, "Accepted: regular expressions"),
        ("approver", print, "Accepted: text; for what a variable holds, the variable's name"),
    ],
)
def test_a_bad_value_of_a_configuration_file_is_said_and_stops_prompts(
    store_path: Path, capsys: Any, name: str, value: Any, accepted: str
) -> None:
    """Where a kernel loads the extension by itself, only the prompt is read by anybody."""
    app = BaseIPythonApplication(config=Config({"AgentMagics": {name: value, "otel": "off"}}))
    shell = new_shell(parent=app)
    shell.run_line_magic("load_ext", "minimalagent_nb")
    (said,) = capsys.readouterr().err.splitlines()
    assert accepted in said
    assert f"AgentMagics.{name} in " in said
    assert f"%config AgentMagics.{name} = ..." in said
    magics = shell.magics_manager.registry["AgentMagics"]
    assert (getattr(magics, name), magics.otel) == (None, "off")
    model = prepare(shell, "['one']")
    run(shell, "%%agent\nhi", fails=accepted)
    run(shell, f"%config AgentMagics.{name} = None")
    run(shell, "%%agent\nhi")
    assert len(model.requests) == 1
    shell.run_line_magic("unload_ext", "minimalagent_nb")


def test_a_configuration_may_append_to_what_is_redacted(store_path: Path, caplog: Any) -> None:
    config = Config()
    config.AgentMagics.redact.append("x+")
    shell = new_shell(config)
    shell.run_line_magic("load_ext", "minimalagent_nb")
    magics = shell.magics_manager.registry["AgentMagics"]
    assert magics.redact == ["x+"]
    shell.run_line_magic("unload_ext", "minimalagent_nb")
