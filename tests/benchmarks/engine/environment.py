"""The virtual environment with the libraries to measure. Imports the standard library only."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
LIBRARIES = ["minimalagent==0.2.7", "strands-agents", "pydantic-ai-slim[bedrock]"]
"""Beside this package; the newest of those that name no version, when it is made."""
NAMES = {
    "minimalagent_nb": "minimalagent-nb",
    "minimalagent": "minimalagent",
    "strands": "strands-agents",
    "pydantic_ai": "pydantic-ai-slim",
    "boto3": "boto3",
}


def environment(cache: Path) -> Path:
    """The interpreter of the environment, which is made where it is not there yet."""
    mark = "\n".join([*LIBRARIES, str(REPOSITORY), sys.version])
    home = cache / hashlib.sha256(mark.encode()).hexdigest()[:12]
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = home / "complete"
    if not done.exists():
        print(f"Installing {', '.join(LIBRARIES)} into {home} ...", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *LIBRARIES, "-e", str(REPOSITORY)], check=True)
        done.touch()
    return python


def versions(python: Path) -> dict[str, str]:
    """What is installed there, by the names of this benchmark."""
    script = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({n: m.version(d) for n, d in json.loads(sys.argv[1]).items()}))"
    )
    told = subprocess.run(
        [str(python), "-c", script, json.dumps(NAMES)], check=True, capture_output=True, text=True
    )
    return dict(json.loads(told.stdout))
