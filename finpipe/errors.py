"""Every error finpipe raises on purpose. A message says what happened, where, and how to mend it.

FinpipeError
├── UserError                  something the user can mend: the CLI prints one line and exits with 2
│   ├── SettingsError          a `FINPIPE_*` variable or the profile
│   ├── HomeError              the home cannot be used (not writable, of another profile)
│   ├── UnknownName            a source, dataset, table, report ... that does not exist
│   ├── InvalidDate            a date or range that cannot be read
│   ├── SourceFileError        a source file is malformed (file, line, field)
│   ├── CalendarError          a calendar or its override file
│   ├── MissingSecret          a secret a source names is not in the environment
│   ├── SandboxError           the local upstream cannot start or serve
│   ├── MetricInputError       a frame that a metric cannot be computed from
│   └── QueryError             a SQL query of the user
├── StorageError               disk or table trouble below us
│   └── CorruptObject          a raw object whose bytes are not what its name says
└── ContractError              finpipe's own promise broken: a bug, never the user's fault
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class FinpipeError(Exception):
    """Base class of every error finpipe raises on purpose."""


class UserError(FinpipeError):
    """Something the user can mend; the CLI prints it as one line and exits with 2."""


class SettingsError(UserError):
    """An environment variable or profile has a value that cannot be used."""


class HomeError(UserError):
    """The home directory cannot be used."""


class UnknownName(UserError):
    """A name that is not known; offers near names and lists the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = get_close_matches(name, self.known, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
        listed = ", ".join(self.known) or "none"
        super().__init__(f"unknown {kind} {name!r}{hint} Known: {listed}")


class InvalidDate(UserError):
    """A date, partition or range that cannot be read."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"cannot read {text!r} as a date: expected {expected}")
        self.text = text


class SourceFileError(UserError):
    """A source file is malformed; names file, line and field."""

    def __init__(self, path: Path, problem: str, *, line: int | None = None, field: str | None = None) -> None:
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {field + ': ' if field else ''}{problem}")
        self.path, self.problem, self.line, self.field = path, problem, line, field


class CalendarError(UserError):
    """A calendar was asked outside its range, or its override file is malformed."""


class MissingSecret(UserError):
    """A secret that a source names is not in the environment; only that source fails."""

    def __init__(self, source: str, variable: str) -> None:
        super().__init__(
            f"{source}: the secret {variable} is not set. Put it into the environment "
            f"(export {variable}=...) and run the command again."
        )
        self.source, self.variable = source, variable


class SandboxError(UserError):
    """The local upstream cannot start or serve what it was asked to."""


class MetricInputError(UserError):
    """A frame that a metric cannot be computed from."""


class QueryError(UserError):
    """A SQL query that the engine refused."""


class StorageError(FinpipeError):
    """Disk or table trouble below us."""


class CorruptObject(StorageError):
    """A raw object whose bytes do not hash to its name, or whose receipt cannot be read."""


class ContractError(FinpipeError):
    """A promise of finpipe's own was broken; please report it."""
