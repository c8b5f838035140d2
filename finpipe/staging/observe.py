"""What raw objects say, each taken alone: observations of keys, what is quarantined, what is left aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

import polars as pl

from finpipe.errors import CalendarError
from finpipe.schemas import STAGED, Table
from finpipe.sources.spec import Dataset
from finpipe.staging.accounting import Standing
from finpipe.staging.contract import contract_of, violations_of
from finpipe.staging.decode import Decoded, content_of
from finpipe.staging.mapping import GIVEN, given_names, mapped, texts_of

NOT_A_SESSION = "not_a_session"
CONFLICTING_DUPLICATE = "conflicting_duplicate"

_INSTANT = pl.Datetime("us", "UTC")
_ASKED = {
    "number": pl.Int32(),
    "received_at": _INSTANT,
    "first": pl.Date(),
    "last": pl.Date(),
    "is_contradicted": pl.Boolean(),
}
_SESSIONS = pl.Schema({"session": pl.Date(), "is_session": pl.Boolean(), "available_at": _INSTANT})


@dataclass(frozen=True)
class SessionContext:
    """What a dataset's calendar and cadence say of a session.

    Attributes:
        available_at: When the session's data is out (UTC); asked of sessions only.
        is_session: Whether the venue opens on a date. A `CalendarError`, of a date beyond the calendar or
            so near its end that its availability lies beyond, counts as no.
        grace: What came no later than this after `available_at` came in time.
    """

    available_at: Callable[[date], datetime]
    is_session: Callable[[date], bool]
    grace: timedelta

    def remembering(self) -> SessionContext:
        """The same, asking no date twice."""
        return SessionContext(cache(self.available_at), cache(self.is_session), self.grace)


@dataclass(frozen=True)
class Delivery:
    """A decoded raw object, and what was asked.

    `received_at`, `first` and `last` (the sessions its request was to cover) are None where nothing is
    known but the body; nothing is not final or out of those sessions then.
    """

    number: int  # which stands for it in frames
    decoded: Decoded
    item: Mapping[str, str]
    received_at: datetime | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Observed:
    """What deliveries say.

    Attributes:
        observations: Table -> number, record, the table's columns, `present`, `received_at`,
            `available_at`; at most one row per delivery and key.
        quarantine: QUARANTINE, with `number` in place of `receipt`.
        standings: STANDINGS of the rows that are no observations.
    """

    observations: Mapping[str, pl.DataFrame]
    quarantine: pl.DataFrame
    standings: pl.DataFrame


def observe(dataset: Dataset, deliveries: Sequence[Delivery], context: SessionContext | None) -> Observed:
    """Sort what each delivery says into observations and what is none.

    A row is left aside when its symbol or session is not what was asked, or when its session was not
    available yet. What remains is quarantined when it breaks a rule: a value that cannot be read, the
    table's contract, a date that is no session, one key with two contents in one raw object.

    Args:
        dataset: Whose raw objects they are.
        deliveries: Any number; equal results however they are split over calls.
        context: None: every date is a session, and was available.
    """
    records = _records(dataset, deliveries)
    usable = records.filter(pl.col("fault").is_null())
    rows: dict[str, list[pl.DataFrame]] = {m.table: [] for m in dataset.response.tables}
    violations: dict[str, list[pl.DataFrame]] = {m.table: [] for m in dataset.response.tables}
    for part, mapping in enumerate(dataset.response.tables):
        found = mapped(dataset, mapping, usable, part * usable.height)
        rows[mapping.table].append(_placed(dataset, found.rows, usable, context))
        violations[mapping.table].append(found.violations)
    checked = [_checked(STAGED[name], pl.concat(rows[name]), pl.concat(violations[name])) for name in rows]
    quarantine = pl.concat([_unusable(records), *(table.quarantine for table in checked)])
    return Observed(
        dict(zip(rows, (table.observations for table in checked), strict=True)),
        quarantine.with_columns(content=_contents(quarantine, deliveries)),
        pl.concat([_standings(quarantine, Standing.QUARANTINED), *(table.standings for table in checked)]),
    )


def _records(dataset: Dataset, deliveries: Sequence[Delivery]) -> pl.DataFrame:
    """number, record, fault, the columns of `texts_of`, and what is known of the whole raw object."""
    sizes = [len(delivery.decoded.records) for delivery in deliveries]
    place = pl.Series([place for place, size in enumerate(sizes) for _ in range(size)], dtype=pl.UInt32)
    index = pl.Series("record", [record for size in sizes for record in range(size)], dtype=pl.Int32)
    texts = texts_of(dataset, [record for delivery in deliveries for record in delivery.decoded.records])
    faults = pl.Series(
        "fault",
        [d.decoded.faults.get(record) for d, size in zip(deliveries, sizes, strict=True) for record in range(size)],
        dtype=pl.String,
    )
    return _known(dataset, deliveries)[place].hstack([index, faults]).hstack(texts)


def _known(dataset: Dataset, deliveries: Iterable[Delivery]) -> pl.DataFrame:
    names, date_format = given_names(dataset), dataset.response.date_format
    given = {GIVEN + name: pl.String for name in names}
    rows = [
        (
            d.number,
            d.received_at,
            d.first,
            d.last,
            _is_contradicted(d),
            *(_given(d, name, date_format) for name in names),
        )
        for d in deliveries
    ]
    return pl.DataFrame(rows, schema={**_ASKED, **given}, orient="row")


def _given(delivery: Delivery, name: str, date_format: str) -> str | None:
    if name == "session" and delivery.first is not None:
        return delivery.first.strftime(date_format)
    return delivery.item.get(name, delivery.decoded.echo.get(name))


def _is_contradicted(delivery: Delivery) -> bool:
    """Whether the body says that it is of another item than was asked."""
    return any(delivery.item.get(name, said) != said for name, said in delivery.decoded.echo.items())


def _placed(
    dataset: Dataset, rows: pl.DataFrame, records: pl.DataFrame, context: SessionContext | None
) -> pl.DataFrame:
    """`rows` with is_out_of_scope, is_not_final, is_session, available_at and received_at."""
    known = records.select(pl.exclude(*rows.columns, "fault"))
    names = [name for name in given_names(dataset) if name in rows.columns and name != "session"]
    other = [pl.col(name) != pl.col(GIVEN + name) for name in names]
    if dataset.span == "session":
        other.append(~pl.col("session").is_between("first", "last"))
    out_of_scope = pl.any_horizontal("is_contradicted", *other).fill_null(value=False)
    not_final = (pl.col("available_at") > pl.col("received_at")).fill_null(value=False)
    return (
        rows.hstack(known)
        .join(_sessions(rows["session"], context), on="session", how="left", maintain_order="left")
        .with_columns(is_out_of_scope=out_of_scope, is_not_final=~out_of_scope & not_final)
        .select(*rows.columns, "is_out_of_scope", "is_not_final", "is_session", "available_at", "received_at")
    )


def _sessions(dates: pl.Series, context: SessionContext | None) -> pl.DataFrame:
    distinct: list[date] = dates.unique().drop_nulls().to_list()
    return pl.DataFrame([(day, *_session(day, context)) for day in distinct], schema=_SESSIONS, orient="row")


def _session(day: date, context: SessionContext | None) -> tuple[bool, datetime | None]:
    if context is None:
        return True, None
    try:
        return (True, context.available_at(day)) if context.is_session(day) else (False, None)
    except CalendarError:
        return False, None


@dataclass(frozen=True)
class _Checked:
    observations: pl.DataFrame
    quarantine: pl.DataFrame
    standings: pl.DataFrame


def _checked(table: Table, rows: pl.DataFrame, unread: pl.DataFrame) -> _Checked:
    asked = rows.filter(~pl.col("is_out_of_scope") & ~pl.col("is_not_final"))
    repeated = asked.filter(asked.select("number", *table.key).is_duplicated())
    violations = _violations(table, asked, _conflicts(table, repeated, unread), unread)
    good = asked.join(violations, on="row", how="anti", maintain_order="left")
    first = good if repeated.is_empty() else good.unique(["number", *table.key], keep="first", maintain_order=True)
    standings = [
        _standings(rows.filter("is_out_of_scope"), Standing.OUT_OF_SCOPE),
        _standings(rows.filter("is_not_final"), Standing.NOT_FINAL),
        _standings(good.join(first, on="row", how="anti"), Standing.DUPLICATE),
    ]
    return _Checked(
        first.select("number", "record", *table.schema.names(), "present", "received_at", "available_at"),
        _quarantined(table, asked, violations),
        pl.concat(standings),
    )


def _violations(table: Table, asked: pl.DataFrame, conflicts: pl.DataFrame, unread: pl.DataFrame) -> pl.DataFrame:
    broken = {NOT_A_SESSION: asked.filter(~pl.col("is_session")), CONFLICTING_DUPLICATE: conflicts}
    for name in table.key:  # a present row's are the contract's to find
        broken[f"{name}|not_null"] = asked.filter(~pl.col("present") & pl.col(name).is_null())
    found = violations_of({rule: rows["row"] for rule, rows in broken.items()})
    violations = pl.concat([unread.join(asked, on="row", how="semi", maintain_order="left"), found])
    # A value that cannot be read is null by now: what the contract would say of it is no news.
    readable = asked.filter("present").join(violations, on="row", how="anti", maintain_order="left")
    return pl.concat([violations, contract_of(table.name).violations(readable)])


def _conflicts(table: Table, repeated: pl.DataFrame, unread: pl.DataFrame) -> pl.DataFrame:
    """Rows whose key stands in the same raw object with another content."""
    is_unread = pl.col("row").is_in(unread["row"].implode())
    contents = pl.struct(*table.values, "present", is_unread.alias("is_unread")).n_unique()
    return repeated.filter(contents.over("number", *table.key) > 1)


def _quarantined(table: Table, rows: pl.DataFrame, violations: pl.DataFrame) -> pl.DataFrame:
    rules = violations.group_by("row", maintain_order=True).agg(rules="rule")
    bad = rows.join(rules, on="row", maintain_order="left")
    return bad.select("number", "record", "symbol", "session", "rules", table=pl.lit(table.name))


def _unusable(records: pl.DataFrame) -> pl.DataFrame:
    symbol = pl.col(GIVEN + "symbol") if GIVEN + "symbol" in records.columns else pl.lit(None, dtype=pl.String)
    return records.filter(pl.col("fault").is_not_null()).select(
        "number",
        "record",
        symbol=symbol,
        session=pl.lit(None, dtype=pl.Date),
        rules=pl.concat_list("fault"),
        table=pl.lit(None, dtype=pl.String),
    )


def _contents(quarantine: pl.DataFrame, deliveries: Iterable[Delivery]) -> pl.Series:
    records = {delivery.number: delivery.decoded.records for delivery in deliveries}
    places = quarantine.select("number", "record").iter_rows()
    return pl.Series([content_of(records[number][record]) for number, record in places], dtype=pl.String)


def _standings(rows: pl.DataFrame, standing: Standing) -> pl.DataFrame:
    return rows.select("number", "record", standing=pl.lit(int(standing), dtype=pl.Int8))
