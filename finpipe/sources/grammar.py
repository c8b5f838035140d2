"""The small words of a source file: durations, availability, conditions. Each parses from one string."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
OTHERWISE = "otherwise"


def duration(text: object) -> timedelta:
    """`250ms`, `1s`, `5m`, `2h` or `1d` as a timedelta above zero."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", str(text)) if not isinstance(text, timedelta) else None
    if isinstance(text, timedelta):
        return text
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit: 250ms, 1s, 5m, 2h, 1d")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(duration)]


def timezone(text: object) -> str:
    """The name of an IANA time zone."""
    try:
        return ZoneInfo(str(text)).key
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{text!r} is not an IANA time zone such as America/New_York or UTC") from error


Timezone = Annotated[str, BeforeValidator(timezone)]


@dataclass(frozen=True)
class Available:
    """When a session's data is out: `T+<lag> HH:MM`, the lag in sessions, the time in the cadence's zone."""

    lag: int
    time: time

    @classmethod
    def parse(cls, text: object) -> Available:
        """Read `T+0 18:00`."""
        if isinstance(text, cls):
            return text
        match = re.fullmatch(r"T\+(\d) ((?:[01]\d|2[0-3]):[0-5]\d)", str(text))
        if match is None:
            raise ValueError(f"{text!r} is not an availability; write it as T+0 18:00 (sessions after, local time)")
        return cls(int(match[1]), time.fromisoformat(match[2]))


Availability = Annotated[Available, BeforeValidator(Available.parse)]


@dataclass(frozen=True)
class Comparison:
    """`name op value`, such as `dividend > 0` or `kind == 'split'`."""

    name: str
    symbol: str
    value: float | str

    @classmethod
    def parse(cls, text: object) -> Comparison:
        """Read a comparison with a number or a quoted word."""
        if isinstance(text, cls):
            return text
        match = re.fullmatch(r"(\w+) (<=|>=|==|!=|<|>) (?:'([^']*)'|(-?\d+(?:\.\d+)?))", str(text))
        if match is None:
            raise ValueError(f"{text!r} is not a condition; write: name > 0, or name == 'word'")
        return cls(match[1], match[2], match[3] if match[3] is not None else float(match[4]))

    def holds(self, value: float | str) -> bool:
        """Whether `value op self.value`."""
        return bool(_OPERATORS[self.symbol](value, self.value))


Condition = Annotated[Comparison, BeforeValidator(Comparison.parse)]


@dataclass(frozen=True)
class Choice:
    """When a parameter takes one of its values: `missing <= 100 sessions`, or `otherwise`."""

    limit: Comparison | None

    @classmethod
    def parse(cls, text: object) -> Choice:
        """Read the condition of one alternative."""
        if isinstance(text, cls):
            return text
        if text == OTHERWISE:
            return cls(None)
        match = re.fullmatch(r"(missing (?:<=|>=|==|!=|<|>) \d+) sessions", str(text))
        if match is None:
            raise ValueError(f"{text!r} is not a choice; write: missing <= 100 sessions, or: otherwise")
        return cls(Comparison.parse(match[1]))

    def holds(self, missing: int) -> bool:
        """Whether the alternative fits a request that must cover `missing` sessions."""
        return self.limit is None or self.limit.holds(missing)


ChoiceRule = Annotated[Choice, BeforeValidator(Choice.parse)]
