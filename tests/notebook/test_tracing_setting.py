"""The setting `otel`: spans of what cells ask, without code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minimalagent_nb.config import resolve_settings
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.notebook.options import Options
from minimalagent_nb.notebook.state import Workbench
from minimalagent_nb.tracing import OpenTelemetry

SCRIPT = """
import json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)  # as opentelemetry-instrument does

from tests.notebook.conftest import new_shell

shell = new_shell()
shell.run_line_magic("load_ext", "minimalagent_nb")
for cell in json.loads(sys.argv[1]):
    assert shell.run_cell(cell).success
print(json.dumps([[s.name, dict(s.attributes)] for s in exporter.get_finished_spans()]))
"""
ASK = (
    "from minimalagent_nb.models import ScriptedModel\nmodel = ScriptedModel(['One.', 'Two.'])",
    "%config AgentMagics.model = 'model'",
    "%%agent --quiet\nAsk.",
)


def spans(tmp_path: Path, *cells: str, **environment: str) -> dict[str, dict[str, Any]]:
    environment.setdefault("MINIMALAGENT_NB_MEMORY", f"sqlite:///{tmp_path / 's.sqlite3'}")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(cells)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("otel", "has_content"), [("true", False), ("content", True)])
def test_from_the_environment(tmp_path: Path, otel: str, has_content: bool) -> None:
    found = spans(tmp_path, *ASK, MINIMALAGENT_NB_OTEL=otel)
    assert set(found) == {"invoke_agent agent", "chat scripted"}
    assert ("gen_ai.input.messages" in found["invoke_agent agent"]) is has_content


def test_a_cell_that_is_mended_is_traced_too(tmp_path: Path) -> None:
    mended = "call('final_answer', explanation='None.', code='n = 1')"
    found = spans(
        tmp_path,
        ASK[0].replace("ScriptedModel\n", "ScriptedModel, call\n").replace("'One.'", mended),
        *ASK[1:2],
        "import sys; sys.last_value = ValueError('no')",
        "%agent fix",
        MINIMALAGENT_NB_OTEL="on",
    )
    assert set(found) == {"invoke_agent fix", "chat scripted"}


@pytest.mark.parametrize("memory", ["sqlite:///s.sqlite3", "none"])
def test_what_redact_names_is_not_traced(tmp_path: Path, memory: str) -> None:
    found = spans(
        tmp_path,
        *ASK,
        MINIMALAGENT_NB_OTEL="content",
        MINIMALAGENT_NB_REDACT="sk|ne",
        MINIMALAGENT_NB_MEMORY=memory,
    )
    told = found["invoke_agent agent"]
    assert "A[redacted]." in told["gen_ai.input.messages"]
    assert "O[redacted]." in told["gen_ai.output.messages"]


def test_by_config_and_off_by_default(tmp_path: Path) -> None:
    assert spans(tmp_path, *ASK) == {}
    assert "chat scripted" in spans(tmp_path, "%config AgentMagics.otel = 'on'", *ASK)


@pytest.mark.parametrize(
    ("otel", "content"), [("on", ""), ("content", "spans"), ("events", "events")]
)
def test_where_the_content_of_a_setting_goes(
    monkeypatch: pytest.MonkeyPatch, otel: str, content: str
) -> None:
    monkeypatch.delenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", raising=False)
    settings = resolve_settings({"otel": otel, "memory": "none"})
    agent = Workbench({"m": ScriptedModel([])}).agent(replace(settings, model="m"), Options())
    (hook,) = agent.on_event
    assert isinstance(hook, OpenTelemetry)
    assert hook.content == content
