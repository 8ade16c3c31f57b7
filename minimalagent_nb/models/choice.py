"""Which model is meant by what a user wrote, or by nothing at all.

Imports the protocol and the errors; botocore and the models of this folder where needed.
"""

from __future__ import annotations

import difflib
import functools
import os
from pathlib import Path
from typing import Any

from minimalagent_nb.errors import AgentError, ConfigurationError, NoModelError
from minimalagent_nb.models.protocol import Model, is_model

__all__ = ["check_spec", "describe_choice", "find_model"]

_PREFIXES = ("bedrock", "scripted", "local", "demo")

_NO_MODEL = """No model was chosen, and no AWS credentials were found. One of these will do:
  aws configure                    in a terminal: AWS credentials for Amazon Bedrock
  AWS_PROFILE=NAME                 in the environment (%env in a notebook), as boto3 knows it
  --model MODEL_ID                 a Bedrock model, of one %%agent cell or `minimalagent-nb ask`
  --model scripted:/path.json      prepared answers, without any service
  --model demo                     a tiny model in this process, for a demonstration
  %config AgentMagics.model = "…"  the same for a whole notebook, MINIMALAGENT_NB_MODEL for all
  Agent(model=my_model)            a Model object of your own"""


def find_model(spec: Any, *, region: str | None = None, session: Any = None) -> Model:
    """The model that `spec` stands for.

    Args:
        spec: a Model object; ``bedrock:ID`` or a bare Bedrock model id, profile id or
            ARN; ``scripted:PATH`` of a script file; ``local:PATH`` of a GGUF file;
            ``demo`` for the demonstration model; None or empty for Bedrock's default
            model where boto3 finds credentials.
        region: AWS region for Bedrock; None for the package's default.
        session: a ``boto3.Session`` to use.

    Raises:
        NoModelError: nothing was chosen and no credentials were found.
        ConfigurationError: `spec` cannot be understood, its file cannot be read, or what
            it needs is not installed.
        ModelAccessError: the AWS configuration is broken.
    """
    if spec is None or (isinstance(spec, str) and not spec.strip()):
        if _credentials(session) is None:
            raise NoModelError(_NO_MODEL)
        return _bedrock("", region, session)
    if not isinstance(spec, str):
        return _own_model(spec)
    kind, value = _split(spec.strip())
    if kind == "scripted":
        from minimalagent_nb.models.scripted import ScriptedModel

        return ScriptedModel.from_file(value)
    if kind == "local":
        return _local(str(Path(value).expanduser().resolve()))
    if kind == "demo":
        return _demo()
    return _bedrock(value, region, session)


def check_spec(spec: str) -> None:
    """Refuse what `find_model` could not understand; whether the model is there is not asked.

    Raises:
        ConfigurationError: its kind is unknown, or lacks its value.
    """
    _split(spec.strip())


def describe_choice(spec: Any, *, region: str | None = None, session: Any = None) -> str:
    """One line: which model `find_model` would give, and why. Raises nothing of its own."""
    if spec is not None and not isinstance(spec, str):
        return f"{getattr(spec, 'name', type(spec).__name__)} (an object of your own)"
    try:
        kind, value = _split((spec or "").strip())
        if kind == "scripted":
            return f"script {value} (chosen)"
        if kind == "local":
            return f"{Path(value).stem} in this process, from {value} (chosen)"
        if kind == "demo":
            return "demo, SmolLM2-135M in this process: a demonstration (chosen)"
        if not value:
            found = _credentials(session)
            why = f"by default, as AWS credentials were found: {found}" if found else None
        else:
            why = "chosen"
    except AgentError as error:
        return f"none: {error}"
    if why is None:
        return "none: no model was chosen and no AWS credentials were found"
    model = _bedrock(value, region, session)
    return f"{model.name} on Amazon Bedrock in {model.region} ({why})"


def _bedrock(model_id: str, region: str | None, session: Any) -> Any:
    from minimalagent_nb.models.bedrock import DEFAULT_MODEL_ID, DEFAULT_REGION, Bedrock

    return Bedrock(model_id or DEFAULT_MODEL_ID, region=region or DEFAULT_REGION, session=session)


# One object for each file in a process: a model in memory is too large to be there twice.
@functools.lru_cache(maxsize=2)
def _local(path: str) -> Model:
    from minimalagent_nb.models.local import LocalModel
    from minimalagent_nb.models.local_engine import check_file, check_installed

    check_file(Path(path))
    check_installed()
    return LocalModel(path)


@functools.lru_cache(maxsize=1)
def _demo() -> Model:
    from minimalagent_nb.models.demo import DemoModel
    from minimalagent_nb.models.local_engine import check_installed

    check_installed()
    return DemoModel()


def _own_model(spec: Any) -> Model:
    if not is_model(spec):
        what = f"the class {spec.__name__}" if isinstance(spec, type) else type(spec).__name__
        raise ConfigurationError(
            f"A model is a model id or an object with a name and a stream method, not {what}. "
            'Examples: "us.amazon.nova-pro-v1:0", Bedrock(...), ScriptedModel([...]).'
        )
    return spec


def _split(spec: str) -> tuple[str, str]:
    """Kind and value of a spec.

    Bedrock's own ids hold colons (``us.amazon.nova-pro-v1:0``, ``arn:aws:bedrock:...``);
    what stands before the first one has a dot there, or is ``arn``.
    """
    head, colon, value = spec.partition(":")
    head, value = head.strip().lower(), value.strip()
    if head in _PREFIXES:
        if head == "scripted" and not value:
            raise ConfigurationError("scripted: needs the path of a script: scripted:/path.json.")
        if head == "local" and not value:
            raise ConfigurationError("local: needs the path of a GGUF file: local:/path.gguf.")
        if head == "demo" and value:
            raise ConfigurationError('The demonstration model is "demo" and nothing more.')
        return head, value
    if not colon or "." in head or head == "arn":
        return "bedrock", spec
    near = difflib.get_close_matches(head, _PREFIXES, n=1)
    advice = f"Did you mean {near[0]}:? " if near else ""
    raise ConfigurationError(
        f"Unknown kind of model {head!r}. {advice}Known: bedrock:MODEL_ID (or the id alone), "
        "scripted:PATH, local:PATH, demo."
    )


def _credentials(session: Any) -> str | None:
    """Where AWS credentials were found, in one word; None where boto3 finds none.

    A Bedrock API key counts: botocore takes it from the environment by itself.
    """
    from botocore.exceptions import BotoCoreError

    if os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return "AWS_BEARER_TOKEN_BEDROCK"
    try:
        if session is None:
            import botocore.session

            session = botocore.session.get_session()
        found = session.get_credentials()
    except BotoCoreError as error:
        from minimalagent_nb.models.bedrock_errors import translate

        raise translate(error, "the default model", None) from error
    return None if found is None else str(getattr(found, "method", "found"))
