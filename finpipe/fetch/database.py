"""SQLite as fetch uses it: one file, several processes, short transactions, no half-made schema."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from finpipe.errors import StorageError
from finpipe.files import locked

_BUSY_SECONDS = 30.0


class Database:
    """A connection that the threads of a process share, one transaction at a time."""

    def __init__(self, path: Path, schema: str, *, synchronous: Literal["FULL", "NORMAL"]) -> None:
        """Open the file, making it and its tables when they are not there.

        Args:
            path: Of the file; missing parent directories are made.
            schema: Statements that change nothing when they ran before.
            synchronous: FULL survives a power loss to the last commit; NORMAL may lose the last ones.

        Raises:
            StorageError: It cannot be opened.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            # Two processes may start at once: the switch to WAL does not wait for a busy file.
            with locked(path.with_suffix(".lock")):
                self._connection = sqlite3.connect(
                    path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
                )
                self._connection.row_factory = sqlite3.Row
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute(f"PRAGMA synchronous = {synchronous}")
                self._connection.executescript(schema)
        except (sqlite3.Error, OSError) as error:
            raise self._trouble(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the file's write lock from its first statement on."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; each statement sees one state."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()

    def _trouble(self, error: Exception) -> StorageError:
        return StorageError(f"{self._path}: {error}. Check free space and permissions of {self._path.parent}.")
