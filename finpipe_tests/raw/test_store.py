"""Bodies by content, and receipts that sort by time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finpipe.errors import CorruptObject
from finpipe.raw.receipt import Receipt, item_key, new_receipt_id
from finpipe.raw.store import RawStore

AT = datetime(2013, 3, 1, 23, 30, 0, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> RawStore:
    return RawStore(tmp_path / "raw")


def receipt(at: datetime = AT, **changes: object) -> Receipt:
    return replace(
        Receipt(
            id=new_receipt_id(at),
            source="source_x",
            dataset="daily",
            request="key",
            item={"symbol": "IBM"},
            first=date(2013, 2, 1),
            last=date(2013, 3, 1),
            url="https://example.org/?apikey=***",
            status=200,
            headers={"content-type": "text/plain"},
            asked_at=at - timedelta(seconds=1),
            received_at=at,
            outcome="ok",
        ),
        **changes,  # type: ignore[arg-type]  # fields by name
    )


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 4096], ids=["empty", "one byte", "1 MB"])
def test_store_gives_back_what_was_put(store: RawStore, body: bytes) -> None:
    sha256 = store.put(body)
    assert sha256 == hashlib.sha256(body).hexdigest()
    assert store.get(sha256) == body


def test_store_keeps_equal_bytes_once(store: RawStore) -> None:
    first = store.put(b"same")
    kept = (store.root / "objects" / f"{first}.zst").stat()
    assert store.put(b"same") == first
    assert (store.root / "objects" / f"{first}.zst").stat().st_ino == kept.st_ino
    assert len(list((store.root / "objects").iterdir())) == 1


def test_store_keeps_equal_bytes_once_when_put_at_once(store: RawStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(store.put, [b"same"] * 32))) == 1
    assert [path.suffix for path in (store.root / "objects").iterdir()] == [".zst"]


@pytest.mark.parametrize("damage", [b"", b"garbage", None], ids=["emptied", "overwritten", "other content"])
def test_store_refuses_an_object_that_is_not_what_its_name_says(store: RawStore, damage: bytes | None) -> None:
    sha256, other = store.put(b"true"), store.put(b"other")
    objects = store.root / "objects"
    (objects / f"{sha256}.zst").write_bytes((objects / f"{other}.zst").read_bytes() if damage is None else damage)
    with pytest.raises(CorruptObject, match=sha256):
        store.get(sha256)


def test_store_refuses_an_object_that_is_not_there(store: RawStore) -> None:
    with pytest.raises(CorruptObject, match="cannot be read"):
        store.get("0" * 64)


def test_store_gives_receipts_by_time_received(store: RawStore) -> None:
    times = [AT + timedelta(days=days) for days in (3, 0, 400, 1)]
    for at in times:
        store.record(receipt(at))
    store.record(receipt(AT, dataset="other"))
    assert [found.received_at for found in store.receipts("source_x", "daily")] == sorted(times)
    assert store.receipt_ids("source_x", "nothing") == []


def test_store_keeps_a_receipt_under_its_day(store: RawStore) -> None:
    kept = receipt()
    store.record(kept)
    assert (store.root / "receipts/source_x/daily/2013-03-01" / f"{kept.id}.json").is_file()
    assert store.receipt("source_x", "daily", kept.id) == kept


def test_store_refuses_a_receipt_that_is_not_there(store: RawStore) -> None:
    with pytest.raises(CorruptObject, match="cannot be read"):
        store.receipt("source_x", "daily", new_receipt_id(AT))


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b'{"id": 1}', b"null", b"\xff"])
def test_receipt_refuses_what_is_none(content: bytes) -> None:
    with pytest.raises(CorruptObject, match="cannot be read"):
        Receipt.from_json(content)


@given(
    status=st.none() | st.integers(100, 599),
    error=st.text(st.characters(codec="utf-8")),
    item=st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))),
)
def test_receipt_survives_being_written(status: int | None, error: str, item: dict[str, str]) -> None:
    written = receipt(status=status, error=error, item=item)
    assert Receipt.from_json(written.to_json()) == written


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=100_000)), min_size=2))
def test_receipt_ids_sort_as_the_times_they_name(since: list[timedelta]) -> None:
    times = [AT + later for later in since]
    assert sorted(times, key=new_receipt_id) == sorted(times)


def test_receipt_ids_are_unique() -> None:
    assert len({new_receipt_id(AT) for _ in range(100)}) == 100


def test_item_key_does_not_depend_on_the_order_of_keys() -> None:
    assert item_key({"b": "2", "a": "1"}) == item_key({"a": "1", "b": "2"}) == '{"a":"1","b":"2"}'
