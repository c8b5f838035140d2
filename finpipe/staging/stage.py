"""From raw objects of a dataset to versions, quarantine and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from finpipe.errors import ContractError
from finpipe.raw.receipt import Receipt, item_key
from finpipe.schemas import LINEAGE, STAGED
from finpipe.sources.spec import Dataset
from finpipe.staging.accounting import ACCOUNTS, COUNTS, QUARANTINE, counts_of
from finpipe.staging.decode import Decoded, decode
from finpipe.staging.fold import fold
from finpipe.staging.observe import Delivery, Observed, SessionContext, observe

UNDECODABLE = "undecodable"

# Records decoded at once: enough that frames pay, few enough that their objects stay small (about 100 MB).
_BATCH_RECORDS = 65_536
_SHOWN_CHARACTERS = 500


@dataclass(frozen=True)
class Staged:
    """What raw objects become.

    Attributes:
        versions: Table -> its columns and LINEAGE, ascending by key and receipt.
        quarantine: QUARANTINE, ascending by receipt, record and table.
        accounts: ACCOUNTS, one row per receipt, ascending.
    """

    versions: Mapping[str, pl.DataFrame]
    quarantine: pl.DataFrame
    accounts: pl.DataFrame


def stage(
    dataset: Dataset,
    objects: Iterable[tuple[Receipt, bytes]],
    existing: Mapping[str, pl.DataFrame] | None,
    context: SessionContext,
) -> Staged:
    """Stage raw objects, in any order and however often each is given.

    The result is a function of the receipts and `existing` alone. A window dataset's slices (items) and a
    session dataset's (sessions) do not touch each other's keys, so each can be staged by itself.

    Args:
        dataset: Whose raw objects they are.
        objects: Receipts of one source, each with its body. Bodies are read one by one.
        existing: Versions already staged of the slices touched, older ones or others may be among them;
            `objects` then hold only what was received later. None: `objects` hold everything ever
            received of their slices, and the result is all versions.
        context: The dataset's calendar and cadence.

    Raises:
        ContractError: An object was not received after the existing version of a key it holds.
    """
    received: list[_Received] = []
    remembering = context.remembering()
    parts = [observe(dataset, batch, remembering) for batch in _batches(dataset, objects, received)]
    received.sort(key=lambda one: one.receipt.id)
    observed = _joined(parts, received)
    _require_later(observed, existing or {}, received)
    folded = fold(observed.observations, existing or {}, context.grace)
    return Staged(
        {name: _with_lineage(name, frame, received) for name, frame in folded.versions.items()},
        _quarantine(observed.quarantine, received),
        _accounts(received, pl.concat([observed.standings, folded.standings])),
    )


@dataclass(frozen=True)
class _Received:
    """A receipt that was decoded, by the number that stood for it then."""

    number: int
    receipt: Receipt
    records: int
    truncated: bool


def _batches(
    dataset: Dataset, objects: Iterable[tuple[Receipt, bytes]], received: list[_Received]
) -> Iterator[list[Delivery]]:
    """Decode the objects batch by batch, at least one; each is noted in `received`."""
    batch: list[Delivery] = []
    records = 0
    seen: set[str] = set()
    for receipt, body in objects:
        if receipt.id in seen:
            continue
        seen.add(receipt.id)
        decoded = _whole(decode(dataset.response, body), body)
        number = len(received)
        received.append(_Received(number, receipt, len(decoded.records), decoded.truncated))
        batch.append(Delivery(number, decoded, receipt.item, receipt.received_at, receipt.first, receipt.last))
        records += len(decoded.records)
        if records >= _BATCH_RECORDS:
            yield batch
            batch, records = [], 0
    yield batch


def _whole(decoded: Decoded, body: bytes) -> Decoded:
    """A body that could not be decoded is one record, so that it is accounted for and seen."""
    if decoded.problem is None:
        return decoded
    beginning = body[:_SHOWN_CHARACTERS].decode(errors="replace")
    return Decoded([{"problem": decoded.problem, "body": beginning}], {0: UNDECODABLE})


def _joined(parts: Sequence[Observed], received: Sequence[_Received]) -> Observed:
    """The parts as one, numbered in the order received."""
    position = {one.number: place for place, one in enumerate(received)}
    order = pl.Series([position[number] for number in range(len(received))], dtype=pl.Int32)

    def numbered(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        frame = pl.concat(frames)
        return frame.with_columns(order.gather(frame["number"]).alias("number"))

    return Observed(
        {name: numbered(part.observations[name] for part in parts) for name in parts[0].observations},
        numbered(part.quarantine for part in parts),
        numbered(part.standings for part in parts),
    )


def _require_later(observed: Observed, existing: Mapping[str, pl.DataFrame], received: Sequence[_Received]) -> None:
    """Refuse what a fold over the latest versions would get wrong."""
    for name in observed.observations.keys() & existing.keys():
        key = list(STAGED[name].key)
        earliest = observed.observations[name].group_by(key).agg(pl.col("number").min())
        earliest = earliest.with_columns(earliest_receipt=_receipts(earliest["number"], received))
        late = existing[name].join(earliest, on=key).filter(pl.col("receipt") >= pl.col("earliest_receipt"))
        if not late.is_empty():
            known, new = late.select("receipt", "earliest_receipt").row(0)
            raise ContractError(
                f"{name}: receipt {new} is not later than {known}, whose versions are staged; "
                "stage all receipts of its slice anew"
            )


def _receipts(number: pl.Series, received: Sequence[_Received]) -> pl.Series:
    return pl.Series([one.receipt.id for one in received], dtype=pl.String).gather(number)


def _with_lineage(table: str, versions: pl.DataFrame, received: Sequence[_Received]) -> pl.DataFrame:
    source = received[0].receipt.source if received else ""
    receipt = _receipts(versions["number"], received)
    columns = (*STAGED[table].schema.names(), *(column.name for column in LINEAGE))
    return versions.with_columns(source=pl.lit(source), receipt=receipt).select(columns)


def _quarantine(rows: pl.DataFrame, received: Sequence[_Received]) -> pl.DataFrame:
    receipt = _receipts(rows["number"], received)
    return (
        rows.with_columns(receipt=receipt)
        .select(QUARANTINE.names())
        .sort("receipt", "record", "table", maintain_order=True)
    )


def _accounts(received: Sequence[_Received], standings: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {
            "number": number,
            "receipt": one.receipt.id,
            "sha256": one.receipt.sha256,
            "item": item_key(one.receipt.item),
            "first": one.receipt.first,
            "last": one.receipt.last,
            "received_at": one.receipt.received_at,
            "records": one.records,
            "truncated": one.truncated,
        }
        for number, one in enumerate(received)
    ]
    given = {name: dtype for name, dtype in ACCOUNTS.items() if name not in COUNTS}
    return counts_of(standings, pl.DataFrame(rows, schema={"number": pl.Int32, **given})).select(ACCOUNTS.names())
