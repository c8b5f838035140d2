"""Calendars by name: the packaged data file, and the user's overrides over it."""

from __future__ import annotations

import tomllib
from datetime import date, time
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finpipe.calendars.calendar import Calendar
from finpipe.errors import CalendarError, UnknownName

DATA = Path(__file__).parent / "data"


def known() -> list[str]:
    """Names of the calendars that can be loaded, sorted."""
    return sorted(_name(path) for path in DATA.glob("*.toml"))


def load(name: str, overrides: Path | None = None) -> Calendar:
    """The calendar of that name; the same object again while its override file stays the same.

    Args:
        name: One of `known()`.
        overrides: The user's file of exceptions; a file that does not exist holds none.

    Raises:
        UnknownName: No calendar has that name.
        CalendarError: The override file cannot be read, or says what cannot be (file, line, field).
    """
    if name not in known():
        raise UnknownName("calendar", name, known())
    if overrides is None or not overrides.exists():
        return packaged(name)
    return _overridden(overrides, _text(overrides)).get(name) or packaged(name)


@cache
def packaged(name: str) -> Calendar:
    """A calendar exactly as its data file states it."""
    return calendar_of(tomllib.loads(data_file(name).read_text(encoding="utf-8")))


def data_file(name: str) -> Path:
    """Where the data of a calendar lies; `/` cannot stand in a file's name."""
    return DATA / f"{name.replace('/', '-')}.toml"


def calendar_of(document: dict[str, Any]) -> Calendar:
    """The calendar that a parsed data file describes."""
    early: dict[str, list[date]] = document["early_closes"]
    return Calendar(
        name=document["name"],
        timezone=document["timezone"],
        version=str(document["version"]),
        first=document["first"],
        last=document["last"],
        weekdays=document["weekdays"],
        opens=document["opens"],
        closes=document["closes"],
        closed=frozenset(document["closed"]),
        extra=frozenset(document["extra"]),
        early_closes=MappingProxyType({day: time.fromisoformat(at) for at, days in early.items() for day in days}),
    )


def _name(path: Path) -> str:
    return path.stem.replace("-", "/")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CalendarError(f"{path}: cannot be read as text ({error})") from error


@lru_cache(maxsize=8)
def _overridden(path: Path, text: str) -> dict[str, Calendar]:
    # yaml costs 0.15 CPU-seconds to import, and most homes hold no override file.
    from finpipe.calendars.overrides import apply_overrides

    return apply_overrides(path, text, {name: packaged(name) for name in known()})
