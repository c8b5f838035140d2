"""The user's exceptions: days a venue closes, opens or closes early that the data file does not know.

    XNYS:
      closed: [2025-01-09]
      open: [2025-01-11]
      early_close: {2025-07-02: "13:00"}

Read node by node, so that whatever is wrong is reported with its line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path
from types import MappingProxyType

import yaml

from finpipe.calendars.calendar import Calendar
from finpipe.errors import CalendarError, UnknownName

_FIELDS = ("closed", "open", "early_close")
_WALL_TIME = re.compile(r"\d\d:\d\d")  # fromisoformat alone takes seconds and time zones too


def apply_overrides(path: Path, text: str, calendars: Mapping[str, Calendar]) -> dict[str, Calendar]:
    """The calendars that an override file names, with its exceptions.

    Args:
        path: Where the text comes from, for messages.
        text: The whole file.
        calendars: The packaged calendars by name.

    Raises:
        CalendarError: Something in the file cannot be; says file, line and field.
    """
    root = _parsed(path, text)
    if root is None:
        return {}
    changed = {}
    for venue, body in _Entry(root, path).items("calendars by name"):
        if venue.text not in calendars:
            raise venue.fault(str(UnknownName("calendar", venue.text, calendars)))
        changed[venue.text] = _changed(calendars[venue.text], body)
    return changed


@dataclass(frozen=True)
class _Entry:
    """One node of the file, and the field it belongs to."""

    node: yaml.Node
    path: Path
    field: str = ""

    def fault(self, problem: str) -> CalendarError:
        field = f"{self.field}: " if self.field else ""
        return CalendarError(f"{self.path}:{self.node.start_mark.line + 1}: {field}{problem}")

    def items(self, expected: str) -> Iterator[tuple[_Entry, _Entry]]:
        """Key and value of each item of a mapping; a key stands once."""
        if self.is_empty:
            return
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fault(f"expected {expected}")
        seen: set[str] = set()
        for key_node, value_node in self.node.value:
            key = replace(self, node=key_node)
            if key.text in seen:
                raise key.fault(f"{key.text!r} stands twice")
            seen.add(key.text)
            yield key, _Entry(value_node, self.path, f"{self.field}.{key.text}".lstrip("."))

    def elements(self) -> Iterator[_Entry]:
        if self.is_empty:
            return
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fault("expected a list of dates like [2025-01-09]")
        yield from (replace(self, node=node) for node in self.node.value)

    @property
    def is_empty(self) -> bool:
        """Whether nothing follows the key, as when every line below it is commented out."""
        return self.node.tag == "tag:yaml.org,2002:null"

    @property
    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.fault("expected a plain value")
        return str(self.node.value)

    def date(self) -> date:
        try:
            return date.fromisoformat(self.text)
        except ValueError as error:
            raise self.fault(f"{self.text!r} is not a date like 2025-01-09") from error

    def time(self) -> time:
        try:
            return time.fromisoformat(self.text if _WALL_TIME.fullmatch(self.text) else "")
        except ValueError as error:
            raise self.fault(f'{self.text!r} is not a time like "13:00"') from error


def _parsed(path: Path, text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CalendarError(f"{path}:{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise CalendarError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    return node


def _changed(calendar: Calendar, body: _Entry) -> Calendar:
    fields = {}
    for key, value in body.items(f"fields: {', '.join(_FIELDS)}"):
        if key.text not in _FIELDS:
            raise key.fault(str(UnknownName("field", key.text, _FIELDS)))
        fields[key.text] = value
    opened = _with_days(calendar, fields.get("closed"), fields.get("open"))
    changed = replace(opened, early_closes=_early_closes(opened, fields.get("early_close")))
    if changed == calendar:
        return calendar
    return replace(changed, version=f"{calendar.version}+{_digest(changed)}")


def _with_days(calendar: Calendar, closed_entry: _Entry | None, open_entry: _Entry | None) -> Calendar:
    closed = {day for day, _ in _days(calendar, closed_entry)}
    opened = set()
    for day, place in _days(calendar, open_entry):
        if day in closed:
            raise place.fault(f"{day} is also listed as closed")
        opened.add(day)
    usual = {day for day in closed | opened if calendar.weekdays[day.weekday()] == "1"}
    return replace(
        calendar,
        closed=(calendar.closed | closed & usual) - opened,
        extra=(calendar.extra - closed) | opened - usual,
    )


def _days(calendar: Calendar, entry: _Entry | None) -> Iterator[tuple[date, _Entry]]:
    for element in entry.elements() if entry else ():
        yield _day(calendar, element), element


def _day(calendar: Calendar, entry: _Entry) -> date:
    day = entry.date()
    if not calendar.first <= day <= calendar.last:
        raise entry.fault(f"{day} is outside the calendar, which knows {calendar.first} to {calendar.last}")
    return day


def _early_closes(calendar: Calendar, entry: _Entry | None) -> Mapping[date, time]:
    early = {day: at for day, at in calendar.early_closes.items() if calendar.is_session(day)}
    for key, value in entry.items('times by date like {2025-07-02: "13:00"}') if entry else ():
        early[_session(calendar, key)] = _early_time(calendar, value)
    return MappingProxyType(early)


def _session(calendar: Calendar, entry: _Entry) -> date:
    day = _day(calendar, entry)
    if not calendar.is_session(day):
        raise entry.fault(f"{day} is not a session, so it cannot close early")
    return day


def _early_time(calendar: Calendar, entry: _Entry) -> time:
    at = entry.time()
    closes_next_date = calendar.closes <= calendar.opens
    if at <= calendar.opens or not (closes_next_date or at < calendar.closes):
        raise entry.fault(f"{at:%H:%M} is not between {calendar.opens:%H:%M} and {calendar.closes:%H:%M}")
    return at


def _digest(calendar: Calendar) -> str:
    """Eight digits that differ when the days do, whatever the file's comments and order."""
    early = sorted((day, at) for day, at in calendar.early_closes.items())
    content = f"{sorted(calendar.closed)} {sorted(calendar.extra)} {early}"
    return hashlib.sha256(content.encode()).hexdigest()[:8]
