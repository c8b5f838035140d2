"""Reading the dates and ranges a user types."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from finpipe.errors import InvalidDate

_DAY = "a date such as 2013-02-08"


def day(text: str) -> date:
    """One date.

    Raises:
        InvalidDate: It is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidDate(text, _DAY) from error


def instant(text: str) -> datetime:
    """An instant: ISO 8601; without a zone it is UTC; a date alone is its midnight UTC.

    Raises:
        InvalidDate: It is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidDate(text, "an instant such as 2013-02-08T23:00:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def span(text: str) -> tuple[date, date]:
    """`A..B`, both inclusive.

    Raises:
        InvalidDate: It is none, or B lies before A.
    """
    first, dots, last = text.partition("..")
    if not dots:
        raise InvalidDate(text, "a range such as 2013-02-01..2013-02-28")
    days = day(first), day(last)
    if days[1] < days[0]:
        raise InvalidDate(text, "a range whose end is not before its beginning")
    return days


def last(text: str, today: date) -> tuple[date, date]:
    """`14d`, `2w`: so many days up to and with `today`.

    Raises:
        InvalidDate: It is neither.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([dw])", text)
    if match is None:
        raise InvalidDate(text, "a number of days or weeks such as 14d or 2w")
    days = int(match[1]) * (7 if match[2] == "w" else 1)
    return today - timedelta(days=days - 1), today


def days_between(first: date, end: date) -> list[date]:
    """Every day from `first` to `end`, both inclusive."""
    return [first + timedelta(days=n) for n in range((end - first).days + 1)]
