"""Which model is chosen, and what is said where none can be."""

from __future__ import annotations

import pytest

from minimalagent_nb.errors import AgentError, ConfigurationError, ModelAccessError, NoModelError
from minimalagent_nb.models import Bedrock, ScriptedModel, describe_choice, find_model

DEFAULT = "us.amazon.nova-pro-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0"


@pytest.fixture(autouse=True)
def _aws(aws_environment):
    """Credentials of nobody, and nothing of this machine's own configuration."""


@pytest.fixture
def no_credentials(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "demo.json"
    path.write_text('{"version": 1, "replies": []}')
    return path


@pytest.mark.parametrize("spec", [None, "", "  "])
def test_with_credentials_the_default_is_bedrock(spec):
    model = find_model(spec)
    assert isinstance(model, Bedrock)
    assert (model.name, model.region) == (DEFAULT, "us-west-2")


@pytest.mark.usefixtures("no_credentials")
def test_without_anything_the_ways_are_named():
    with pytest.raises(NoModelError) as caught:
        find_model(None)
    message = str(caught.value)
    for way in (
        "aws configure",
        "%config AgentMagics.model",
        "--model MODEL_ID",
        "MINIMALAGENT_NB_MODEL",
        "scripted:/",
        "Agent(model=",
    ):
        assert way in message
    assert len(message.splitlines()) == 8
    assert "Traceback" not in message


@pytest.mark.usefixtures("no_credentials")
def test_a_bedrock_api_key_counts_as_credentials(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "not-a-secret")
    assert isinstance(find_model(None), Bedrock)


@pytest.mark.usefixtures("no_credentials")
def test_credentials_of_a_session_of_ones_own_count(aws_session):
    assert isinstance(find_model(None, session=aws_session), Bedrock)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (DEFAULT, DEFAULT),
        (f"bedrock:{DEFAULT}", DEFAULT),
        (f" Bedrock: {DEFAULT} ", DEFAULT),
        ("bedrock:", DEFAULT),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("amazon.titan-text-lite-v1:0:4k", "amazon.titan-text-lite-v1:0:4k"),
        (ARN, ARN),
        (f"bedrock:{ARN}", ARN),
        ("abc123profile", "abc123profile"),
    ],
)
def test_ids_are_bedrock_models_with_or_without_credentials(spec, name, no_credentials):
    model = find_model(spec, region="eu-central-1")
    assert isinstance(model, Bedrock)
    assert (model.name, model.region) == (name, "eu-central-1")


def test_a_script_is_a_model(script):
    assert find_model(f"scripted:{script}").name == "demo"


def test_a_model_object_is_itself():
    model = ScriptedModel([])
    assert find_model(model) is model


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("scriptd:/x.json", "'scriptd'. Did you mean scripted:"),
        ("openai:gpt-5", "Known: bedrock:MODEL_ID .* scripted:PATH"),
        ("scripted:", "needs the path"),
        ("scripted", "needs the path"),
        ("scripted:/no/such/script.json", "cannot be read"),
        (5, "not int"),
        (ScriptedModel, "not the class ScriptedModel"),
    ],
)
def test_what_cannot_be_understood_is_said_in_words(spec, words):
    with pytest.raises(ConfigurationError, match=words):
        find_model(spec)


def test_a_broken_aws_configuration_is_not_taken_for_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(ModelAccessError, match="no-such-profile"):
        find_model(None)


def test_the_choice_is_described_in_one_line(monkeypatch):
    assert describe_choice(None) == (
        f"{DEFAULT} on Amazon Bedrock in us-west-2 (by default, as AWS credentials were found: env)"
    )
    assert describe_choice("a.b-v1:0", region="eu-west-1") == (
        "a.b-v1:0 on Amazon Bedrock in eu-west-1 (chosen)"
    )
    assert describe_choice("scripted:/demo.json") == "script /demo.json (chosen)"
    assert describe_choice(ScriptedModel([], name="demo")) == "demo (an object of your own)"


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize("spec", [None, "openai:gpt-5"])
def test_no_choice_is_described_too(spec):
    with pytest.raises(AgentError):
        find_model(spec)
    line = describe_choice(spec)
    assert line.startswith("none: ")
    assert "\n" not in line
