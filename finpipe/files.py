"""The one atomic write, and the one lock between processes. Everything that is not a Delta table uses them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from finpipe.errors import StorageError


def write_atomic(path: Path, content: bytes, *, keep_existing: bool = False) -> bool:
    """Write `content` so that readers, kills and power loss see all of it or none.

    A temporary file in the same directory is synced, moved into place, and the directory synced.

    Args:
        path: Where the content shall stand; missing parent directories are made.
        content: The whole of it.
        keep_existing: Create only: a file that is already there stays as it is.

    Returns:
        Whether this call put the file there.

    Raises:
        StorageError: The system refused (no space, not writable ...); nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(temporary, content)
            written = _move(temporary, path, keep_existing=keep_existing)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}. Check free space and permissions of {path.parent}."
        ) from error
    return written


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the system frees it when a holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _move(temporary: Path, path: Path, *, keep_existing: bool) -> bool:
    if not keep_existing:
        temporary.replace(path)
        return True
    try:
        os.link(temporary, path)  # fails when the file is there, which rename would overwrite
    except FileExistsError:
        return False
    return True


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
