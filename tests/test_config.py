"""Settings: which source wins, what is refused, and in which words."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from minimalagent_nb.config import Settings, resolve_settings
from minimalagent_nb.errors import AgentError, ConfigurationError


def resolve(directory: Path, call=None, config=None, **environ: str) -> Settings:
    variables = {f"MINIMALAGENT_NB_{name.upper()}": value for name, value in environ.items()}
    return resolve_settings(call, config, environ=variables, directory=directory)


def write_project(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")
    return directory


def test_defaults_are_those_of_the_notebook(tmp_path):
    settings = resolve(write_project(tmp_path, ""))
    assert settings == Settings(
        model="",
        bedrock_region="us-west-2",
        memory_region=None,
        memory="sqlite",
        session_table_name="minimalagent-session-table",
        session_ttl=None,
        max_steps=20,
        real_time_reasoning=True,
        show_reasoning=True,
        system_prompt="",
        log_level="WARNING",
        context_budget=20_000,
        redact=(),
        otel="off",
    )
    names = {field.name for field in dataclasses.fields(Settings)} - {"sources"}
    assert settings.sources == dict.fromkeys(names, "default")


def test_settings_cannot_be_changed(tmp_path):
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve(tmp_path).max_steps = 3


def test_each_nearer_source_wins(tmp_path):
    project = write_project(tmp_path / "work", "[tool.minimalagent_nb]\nmax_steps = 2\n")
    assert resolve(project).max_steps == 2
    assert resolve(project, max_steps="3").max_steps == 3
    assert resolve(project, None, {"max_steps": 4}, max_steps="3").max_steps == 4
    assert resolve(project, {"max_steps": 5}, {"max_steps": 4}, max_steps="3").max_steps == 5


def test_sources_are_named_setting_by_setting(tmp_path):
    project = write_project(tmp_path / "work", '[tool.minimalagent_nb]\nmodel = "m"\n')
    settings = resolve(
        project, {"max_steps": 5}, {"system_prompt": "be kind"}, show_reasoning="off"
    )
    assert settings.sources["max_steps"] == "call argument"
    assert settings.sources["system_prompt"] == "%config AgentMagics"
    assert (
        settings.sources["show_reasoning"] == "environment variable MINIMALAGENT_NB_SHOW_REASONING"
    )
    assert (
        settings.sources["model"] == "[tool.minimalagent_nb] in pyproject.toml (directory 'work')"
    )
    assert settings.sources["memory"] == "default"
    assert str(tmp_path) not in str(settings.sources)


def test_none_and_empty_variables_are_not_given(tmp_path):
    settings = resolve(tmp_path, {"max_steps": None}, {"max_steps": None}, max_steps=" ")
    assert settings.max_steps == 20
    assert settings.sources["max_steps"] == "default"


def test_the_nearest_project_file_above_counts_alone(tmp_path):
    write_project(tmp_path, '[tool.minimalagent_nb]\nmodel = "far"\nmax_steps = 9\n')
    near = write_project(tmp_path / "near", '[tool.minimalagent_nb]\nmodel = "near"\n')
    below = near / "a" / "b"
    below.mkdir(parents=True)
    assert resolve(below).model == "near"
    assert resolve(below).max_steps == 20


def test_environment_and_directory_are_those_of_the_process_by_default(tmp_path):
    write_project(tmp_path, "[tool.minimalagent_nb]\nmax_steps = 7\n")
    script = (
        "from minimalagent_nb.config import resolve_settings as r; s = r();"
        "print(s.max_steps, s.model)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"MINIMALAGENT_NB_MODEL": "from-the-environment"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["7", "from-the-environment"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("model", " us.amazon.nova-pro-v1:0 ", "us.amazon.nova-pro-v1:0"),
        ("bedrock_region", "eu-central-1", "eu-central-1"),
        ("memory_region", "eu-west-1", "eu-west-1"),
        ("memory_region", "none", None),
        ("memory", "SQLite", "sqlite"),
        ("memory", "dynamodb", "dynamodb"),
        ("memory", "none", "none"),
        ("memory", "sqlite:////data/My File.sqlite3", "sqlite:////data/My File.sqlite3"),
        ("session_table_name", "a.b-C_1", "a.b-C_1"),
        ("session_ttl", "3600", 3600),
        ("session_ttl", "None", None),
        ("max_steps", "5", 5),
        ("real_time_reasoning", "0", False),
        ("real_time_reasoning", "Yes", True),
        ("show_reasoning", "off", False),
        ("show_reasoning", "1", True),
        ("system_prompt", " keep the blanks ", " keep the blanks "),
        ("log_level", "debug", "DEBUG"),
        ("context_budget", "100", 100),
    ],
)
def test_text_becomes_the_type_of_its_setting(tmp_path, name, text, value):
    found = getattr(resolve(tmp_path, **{name: text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", 3),
        ("bedrock_region", "us west"),
        ("bedrock_region", "none/../x"),
        ("memory", "redis"),
        ("memory", "sqlite:///"),
        ("memory", 1),
        ("session_table_name", "ab"),
        ("session_table_name", "a" * 256),
        ("session_table_name", "my table"),
        ("session_table_name", "table\nx"),
        ("session_ttl", 0),
        ("session_ttl", "soon"),
        ("max_steps", 0),
        ("max_steps", -1),
        ("max_steps", True),
        ("max_steps", 2.5),
        ("max_steps", "2.5"),
        ("real_time_reasoning", "perhaps"),
        ("show_reasoning", 1),
        ("system_prompt", ["a"]),
        ("log_level", "LOUD"),
        ("log_level", 10),
        ("context_budget", "many"),
    ],
)
def test_wrong_values_are_refused(tmp_path, name, value):
    with pytest.raises(ConfigurationError) as caught:
        resolve(tmp_path, {name: value})
    message = str(caught.value)
    assert message.startswith(f"Setting {name} cannot be {value!r}"[:60])
    assert "(call argument). Accepted: " in message
    assert "\n" not in message


def test_the_message_names_the_variable(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        resolve(tmp_path, max_steps="many")
    assert str(caught.value) == (
        "Setting max_steps cannot be 'many' (environment variable MINIMALAGENT_NB_MAX_STEPS). "
        "Accepted: a whole number above 0."
    )


def test_the_message_names_the_project_without_its_path(tmp_path):
    project = write_project(tmp_path / "work", '[tool.minimalagent_nb]\nmax_steps = "x"\n')
    with pytest.raises(ConfigurationError) as caught:
        resolve(project)
    message = str(caught.value)
    assert "[tool.minimalagent_nb] in pyproject.toml (directory 'work')" in message
    assert str(tmp_path) not in message


def test_a_wrong_value_is_an_error_where_a_nearer_one_hides_it(tmp_path):
    with pytest.raises(ConfigurationError, match="MINIMALAGENT_NB_MAX_STEPS"):
        resolve(tmp_path, {"max_steps": 3}, max_steps="many")


def test_long_values_are_not_repeated_whole(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        resolve(tmp_path, memory="secret " * 1000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("layer", ["call", "config"])
def test_unknown_settings_get_a_suggestion(tmp_path, layer):
    with pytest.raises(ConfigurationError, match="Did you mean max_steps\\?"):
        resolve(tmp_path, **{layer: {"max_step": 3}})


def test_unknown_settings_in_the_project_get_a_suggestion(tmp_path):
    project = write_project(tmp_path, "[tool.minimalagent_nb]\nsession-ttl = 5\n")
    with pytest.raises(ConfigurationError, match=r"'session-ttl'.*Did you mean session_ttl\?"):
        resolve(project)


def test_unknown_variables_get_a_suggestion(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        resolve(tmp_path, max_step="3")
    assert str(caught.value) == (
        "Unknown setting 'max_step' (environment variable MINIMALAGENT_NB_MAX_STEP). "
        "Did you mean max_steps?"
    )


def test_variables_of_others_are_no_matter_of_ours(tmp_path):
    environ = {"MINIMALAGENT_MODEL": "x", "max_steps": "many", "PATH": "/bin"}
    assert resolve_settings(environ=environ, directory=tmp_path) == Settings()


def test_a_setting_like_no_other_gets_the_list(tmp_path):
    with pytest.raises(ConfigurationError, match="There are: model, bedrock_region"):
        resolve(tmp_path, {"zzz": 1})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.minimalagent_nb\n", "is not valid TOML"),
        ("[tool]\nminimalagent_nb = 3\n", "is not a table"),
    ],
)
def test_a_broken_project_file_is_an_error(tmp_path, text, words):
    with pytest.raises(ConfigurationError, match=words):
        resolve(write_project(tmp_path, text))


def test_a_project_file_that_is_not_utf8_is_an_error(tmp_path):
    (tmp_path / "pyproject.toml").write_bytes(b'x = "\xff"')
    with pytest.raises(ConfigurationError, match="is not valid TOML"):
        resolve(tmp_path)


@pytest.mark.parametrize("text", ["tool = 3\n", '[project]\nname = "x"\n'])
def test_a_project_file_of_others_is_no_matter_of_ours(tmp_path, text):
    assert resolve(write_project(tmp_path, text)) == Settings()


def test_a_directory_that_is_gone_has_no_project(tmp_path):
    write_project(tmp_path, "")
    assert resolve(tmp_path / "gone" / "away") == Settings()


def test_a_chosen_table_means_dynamodb(tmp_path):
    settings = resolve(tmp_path, session_table_name="my-table")
    assert settings.memory == "dynamodb"
    assert settings.sources["memory"] == (
        "session_table_name, from environment variable MINIMALAGENT_NB_SESSION_TABLE_NAME"
    )


def test_a_chosen_memory_stays_beside_a_chosen_table(tmp_path):
    settings = resolve(tmp_path, {"session_table_name": "my-table"}, memory="sqlite")
    assert settings.memory == "sqlite"


def test_a_relative_store_lies_beside_the_project_file(tmp_path):
    project = write_project(
        tmp_path / "work", '[tool.minimalagent_nb]\nmemory = "sqlite:///memory.sqlite3"\n'
    )
    (project / "notebooks").mkdir()
    expected = f"sqlite:///{(project / 'memory.sqlite3').as_posix()}"
    assert resolve(project / "notebooks").memory == expected
    assert resolve(project, memory="sqlite:///x.sqlite3").memory == "sqlite:///x.sqlite3"


def test_a_store_in_the_home_directory_stays_as_written(tmp_path):
    project = write_project(tmp_path, '[tool.minimalagent_nb]\nmemory = "sqlite:///~/m.db"\n')
    assert resolve(project).memory == "sqlite:///~/m.db"


def test_one_except_catches_it_and_so_does_value_error():
    assert issubclass(ConfigurationError, AgentError)
    assert issubclass(ConfigurationError, ValueError)


def test_no_toml_reader_without_a_project_file(tmp_path):
    script = (
        "import sys\nfrom minimalagent_nb.config import resolve_settings\nresolve_settings()\n"
        "print(sorted({'tomllib', 'tomli'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_patterns_come_as_a_list_or_as_lines(tmp_path):
    project = write_project(tmp_path, '[tool.minimalagent_nb]\nredact = ["a+", "[0-9]{4}"]\n')
    assert resolve(project).redact == ("a+", "[0-9]{4}")
    assert resolve(project, redact="b+\n\nc d").redact == ("b+", "c d")
    assert resolve(project, None, {"redact": ["e"]}).redact == ("e",)


@pytest.mark.parametrize("value", ["a*", "(", ["ok", "x?"], [3], 7])
def test_patterns_that_cannot_be_used_are_refused(tmp_path, value):
    with pytest.raises(ConfigurationError, match="regular expressions that do not match"):
        resolve(tmp_path, {"redact": value})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("true", "on"),
        (True, "on"),
        ("ON", "on"),
        ("0", "off"),
        ("Content", "content"),
        ("events", "events"),
    ],
)
def test_tracing_is_a_setting(tmp_path, value, read):
    assert resolve(tmp_path, {"otel": value}).otel == read
    with pytest.raises(ConfigurationError, match="Accepted: on, off, content, or events"):
        resolve(tmp_path, otel="everything")
