from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finpipe.errors import StorageError
from finpipe.files import locked, write_atomic


def test_write_atomic_replaces_the_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert write_atomic(path, b"one")
    assert write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_write_atomic_keeps_what_is_there_when_asked_to_create(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert write_atomic(path, b"one", keep_existing=True)
    assert not write_atomic(path, b"two", keep_existing=True)
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomic_has_one_winner_among_racing_creators(tmp_path: Path) -> None:
    for round_number in range(30):
        path = tmp_path / str(round_number)
        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(lambda n, p=path: write_atomic(p, b"%d" % n, keep_existing=True), range(8)))
        assert created.count(True) == 1
        assert path.read_bytes() == b"%d" % created.index(True)


def test_write_atomic_names_the_path_and_leaves_nothing_when_the_disk_refuses(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a directory is needed")
    with pytest.raises(StorageError, match="blocked"):
        write_atomic(tmp_path / "blocked" / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["blocked"]


def test_write_atomic_never_shows_a_part_when_killed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    script = (
        "import sys, itertools, pathlib; from finpipe.files import write_atomic\n"
        "for n in itertools.count(): write_atomic(pathlib.Path(sys.argv[1]), bytes([n % 256]) * 3_000_000)"
    )
    for round_number in range(4):
        writer = subprocess.Popen([sys.executable, "-c", script, str(path)])
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.03 * (round_number + 1))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert len(set(content)) == 1


def test_locked_lets_one_holder_in_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    seen: list[int] = []

    def enter(number: int) -> None:
        with locked(tmp_path / "locks" / "a.lock"):
            inside.append(number)
            seen.append(len(inside))
            time.sleep(0.002)
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enter, range(24)))
    assert seen == [1] * 24
