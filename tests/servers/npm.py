"""Packages of npm that tests need: each unpacked once into the user's cache."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import platformdirs


class UnavailableError(Exception):
    """A package cannot be had here; the message says why."""


def unpacked(package: str, part: str, wanted: str) -> Path:
    """The folder `part` of a package ("name@version"), which holds the file `wanted`."""
    target = platformdirs.user_cache_path("minimalagent_nb-tests") / package
    if not (target / wanted).is_file():
        _fetch(package, part, wanted, target)
    return target


def _fetch(package: str, part: str, wanted: str, target: Path) -> None:
    """Put the package's folder at `target`, whole or not at all."""
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError(f"npm is missing, which brings {package}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        packed = subprocess.run(
            [npm, "pack", package], cwd=scratch, capture_output=True, text=True, check=False
        )
        if packed.returncode:
            raise UnavailableError(f"npm pack {package} failed: {packed.stderr[-300:]}")
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
            archive.extractall(scratch, filter="data")
        try:
            (Path(scratch) / part).rename(target)
        except OSError:
            # Another test run was faster.
            if not (target / wanted).is_file():
                raise
