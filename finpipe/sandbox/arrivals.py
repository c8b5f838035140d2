"""The log of arrivals: what reached the sandbox, when, and whether it came too early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl, urlencode

import orjson

from finpipe.errors import SandboxError


@dataclass(frozen=True)
class Arrival:
    """One request.

    Attributes:
        source: The provider asked, or plain/NAME.
        monotonic: Host-wide seconds since boot, taken when the request's head was complete.
        virtual_time: The sandbox's time, UTC.
        path: Path and query, the API key left out.
        status: HTTP status of the answer; None while there is none.
        in_window: Arrivals in the window that was fullest for its limit, this one included.
        violation: Whether it passed a window or the daily quota.
    """

    source: str
    monotonic: float
    virtual_time: datetime
    path: str
    status: int | None
    in_window: int
    violation: bool


class ArrivalLog:
    """Arrivals in order of arrival; optionally each answered one as a line of JSON in a file.

    Raises:
        SandboxError: The file cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._arrivals: list[Arrival] = []
        self._file = None if path is None else _open_for_append(path)

    def note(self, arrival: Arrival) -> int:
        """Add an arrival; returns its number, for `answered`."""
        self._arrivals.append(arrival)
        return len(self._arrivals) - 1

    def answered(self, number: int, status: int) -> None:
        arrival = replace(self._arrivals[number], status=status)
        self._arrivals[number] = arrival
        if self._file is not None:
            self._file.write(orjson.dumps(arrival) + b"\n")

    def of(self, source: str | None = None) -> list[Arrival]:
        """All arrivals, or those of one source."""
        return [arrival for arrival in self._arrivals if source in (None, arrival.source)]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def redact_query(query: str) -> str:
    """A query string whose API key is replaced, however the name is spelt or escaped."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, "REDACTED" if name.lower() == "apikey" else value) for name, value in pairs])


def _open_for_append(path: Path) -> BinaryIO:
    try:
        # Unbuffered: a reader sees each line whole, and a kill loses none.
        return path.open("ab", buffering=0)
    except OSError as error:
        raise SandboxError(
            f"cannot write the log of arrivals to {path}: {error.strerror}; give another path to --log"
        ) from error
