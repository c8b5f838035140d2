"""A file of one session that does not repeat the date: the slice says which session it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from finpipe.raw.receipt import Receipt
from finpipe.sources.spec import Dataset
from finpipe.staging.observe import SessionContext
from finpipe.staging.stage import stage


@pytest.fixture
def undated(shorts: Dataset) -> Dataset:
    (mapping,) = shorts.response.tables
    columns = {name: fields for name, fields in mapping.columns.items() if name != "session"}
    content = shorts.model_dump(mode="json")
    content["response"]["tables"] = [{"table": mapping.table, "columns": columns}]
    content["cadence"] |= {"available": "T+0 18:00", "grace": "4h", "recheck": [], "gives_up": "5d"}
    return Dataset.model_validate(content)


def test_session_of_an_undated_file_is_the_slice_asked_for(
    undated: Dataset, context: SessionContext, received: Callable[..., tuple[Receipt, bytes]]
) -> None:
    body = b"Symbol|ShortVolume|ShortExemptVolume|TotalVolume|Market\r\nIBM|1|0|2|N\r\n1\r\n"
    friday = date(2013, 3, 1)
    staged = stage(
        undated, [received(body, datetime(2013, 3, 2, tzinfo=UTC), sessions=(friday, friday))], None, context
    )
    assert staged.versions["short_volume"]["session"].to_list() == [friday]
    assert staged.accounts["new"].to_list() == [1]
