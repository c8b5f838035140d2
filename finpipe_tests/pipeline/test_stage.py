"""Staging into the lake: any delivery of the same receipts makes the same tables, also after kills."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finpipe.home import Home
from finpipe.pipeline import names
from finpipe.pipeline.core import build_core, build_instruments, read_core
from finpipe.pipeline.stage import stage_dataset
from finpipe.pipeline.workspace import Workspace
from finpipe.raw.receipt import Receipt
from finpipe.schemas import BARS
from finpipe.settings import Settings
from finpipe.sources.spec import Dataset, Source
from finpipe.stores.lake import Lake

SESSIONS = [date(2013, 1, 30), date(2013, 1, 31), date(2013, 2, 1)]
EVENING = datetime(2013, 2, 2, tzinfo=UTC)
_numbers = itertools.count()


def body(symbol: str, closes: Sequence[float | None], dividend: float = 0.0) -> bytes:
    """What the provider would answer; a close of None leaves the session out."""
    days = {
        f"{session:%Y-%m-%d}": {
            "1. open": "10.0", "2. high": "99.0", "3. low": "1.0", "4. close": str(close), "5. adjusted close": "1",
            "6. volume": "100", "7. dividend amount": str(dividend), "8. split coefficient": "1.0",
        }
        for session, close in zip(SESSIONS, closes, strict=True)
        if close is not None
    }  # fmt: skip
    meta = {"2. Symbol": symbol, "3. Last Refreshed": "2013-02-01"}
    return json.dumps({"Meta Data": meta, "Time Series (Daily)": days}).encode()


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workspace]:
    return lambda: Workspace.open(replace(Settings.read(), home=tmp_path_factory.mktemp(f"home{next(_numbers)}")))


def deliver(workspace: Workspace, symbol: str, content: bytes, received_at: datetime, mark: int = 0) -> None:
    sha256 = workspace.raw.put(content)
    receipt = Receipt(
        id=f"{received_at:%Y%m%dT%H%M%S%fZ}-{mark:08x}", source="alpha_vantage", dataset="daily_adjusted",
        request="r", item={"symbol": symbol}, first=SESSIONS[0], last=SESSIONS[-1], url="", status=200, headers={},
        asked_at=received_at, received_at=received_at, outcome="ok", sha256=sha256, length=len(content),
    )  # fmt: skip
    workspace.raw.record(receipt)


def dataset_of(workspace: Workspace) -> tuple[Source, Dataset]:
    return workspace.catalogue.one("alpha_vantage")


CLOSES = st.lists(st.sampled_from([20.0, 21.0, None]), min_size=3, max_size=3)
DELIVERIES = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), CLOSES, st.sampled_from([0.0, 0.5])), min_size=2, max_size=5
)


@given(DELIVERIES, st.randoms(use_true_random=False))
@settings(max_examples=8)
def test_any_order_repetition_or_split_of_delivery_makes_identical_tables(
    new_home: Callable[[], Workspace], fingerprints: Callable[[Lake], dict[str, str]],
    deliveries: list[tuple[str, list[float | None], float]], chance: random.Random,
) -> None:  # fmt: skip
    parcels = [
        (symbol, body(symbol, closes, dividend), EVENING + timedelta(hours=number), number)
        for number, (symbol, closes, dividend) in enumerate(deliveries)
    ]
    at_once, mixed = new_home(), new_home()
    for parcel in parcels:
        deliver(at_once, *parcel)
    stage_dataset(at_once, *dataset_of(at_once))
    shuffled = parcels + chance.sample(parcels, 1)  # one comes twice
    chance.shuffle(shuffled)
    for parcel in shuffled:
        deliver(mixed, *parcel)
        if chance.random() < 0.6:
            stage_dataset(mixed, *dataset_of(mixed))
    stage_dataset(mixed, *dataset_of(mixed))
    assert fingerprints(mixed.lake) == fingerprints(at_once.lake)


def test_staging_again_stages_nothing(new_home: Callable[[], Workspace]) -> None:
    workspace = new_home()
    deliver(workspace, "A", body("A", [20.0, 21.0, 22.0]), EVENING)
    assert stage_dataset(workspace, *dataset_of(workspace)).new == 3
    versions = {name: workspace.lake.table(name).version() for name in workspace.lake.names()}
    again = stage_dataset(workspace, *dataset_of(workspace))
    assert (again.receipts, again.records, again.is_accounted) == (0, 0, True)
    assert {name: workspace.lake.table(name).version() for name in workspace.lake.names()} == versions


def test_rows_of_a_run_killed_before_its_accounts_are_not_doubled(
    new_home: Callable[[], Workspace], fingerprints: Callable[[Lake], dict[str, str]]
) -> None:
    killed, whole = new_home(), new_home()
    for workspace in (killed, whole):
        deliver(workspace, "A", body("A", [20.0, 21.0, None]), EVENING)
        stage_dataset(workspace, *dataset_of(workspace))
        deliver(workspace, "A", body("A", [20.0, 25.0, 22.0]), EVENING + timedelta(hours=1))
    accounts = killed.lake.table(names.staged(*dataset_of(killed), "accounts"))
    before = accounts.read(accounts.snapshot().empty.schema)
    stage_dataset(killed, *dataset_of(killed))
    accounts.replace_months(before, set(before["month"]))  # as if the kill had come before this last write
    outcome = stage_dataset(killed, *dataset_of(killed))
    assert (outcome.unchanged, outcome.restated, outcome.new) == (1, 1, 1)
    stage_dataset(whole, *dataset_of(whole))
    assert fingerprints(killed.lake) == fingerprints(whole.lake)


def test_retracted_dividend_leaves_no_action(new_home: Callable[[], Workspace]) -> None:
    workspace = new_home()
    deliver(workspace, "A", body("A", [20.0, None, None], dividend=0.5), EVENING)
    deliver(workspace, "A", body("A", [20.0, None, None], dividend=0.0), EVENING + timedelta(hours=1))
    stage_dataset(workspace, *dataset_of(workspace))
    build_instruments(workspace)
    build_core(workspace, "corporate_actions")
    versions = read_core(workspace, "corporate_actions").sort("receipt")
    assert versions["is_retracted"].to_list() == [False, True]
    assert versions["amount"].to_list() == [0.5, None]


def test_core_table_follows_a_new_mapping_of_an_old_symbol(new_home: Callable[[], Workspace]) -> None:
    workspace = new_home()
    deliver(workspace, "A", body("A", [20.0, 21.0, 22.0]), EVENING)
    stage_dataset(workspace, *dataset_of(workspace))
    build_instruments(workspace)
    build_core(workspace, BARS.name)
    instruments = workspace.lake.table(names.INSTRUMENTS)
    rows = instruments.read(instruments.snapshot().empty.schema)
    instruments.replace_months(rows.with_columns(instrument_id=pl.lit("i_other")), {"all"})
    assert build_core(workspace, BARS.name).rows == 3
    assert read_core(workspace, BARS.name)["instrument_id"].unique().to_list() == ["i_other"]


@pytest.mark.integration
def test_ten_kills_of_a_staging_run_lose_double_and_tear_nothing(
    new_home: Callable[[], Workspace], fingerprints: Callable[[Lake], dict[str, str]]
) -> None:
    killed, whole = new_home(), new_home()
    for workspace in (killed, whole):
        for number in range(40):
            content = body(f"S{number}", [20.0, 21.0, 22.0 + number])
            deliver(workspace, f"S{number}", content, EVENING + timedelta(minutes=number))
    stage_dataset(whole, *dataset_of(whole))
    chance = random.Random(7)  # noqa: S311 - kills need no secrecy
    kills = 0
    while kills < 10:
        # A later receipt each round, so that there is always something to stage.
        moment = EVENING + timedelta(days=1, minutes=kills)
        for workspace in (killed, whole):
            deliver(workspace, f"S{kills}", body(f"S{kills}", [20.0, 30.0 + kills, 22.0]), moment)
        kills += _killed_while_staging(killed.home, seconds=chance.uniform(0.0, 0.25))
    stage_dataset(killed, *dataset_of(killed))
    stage_dataset(whole, *dataset_of(whole))
    assert fingerprints(killed.lake) == fingerprints(whole.lake)


_STAGE = """
import sys
from finpipe.pipeline.stage import stage_dataset
from finpipe.pipeline.workspace import Workspace
from finpipe.settings import Settings
from finpipe.staging import contract
contract.contract_of("bars")
workspace = Workspace.open(Settings.read())
print("ready", flush=True)
stage_dataset(workspace, *workspace.catalogue.one("alpha_vantage"))
"""


def _killed_while_staging(home: Home, *, seconds: float) -> bool:
    """Start a staging run and kill it after it began; whether the kill found it alive."""
    environment = {**os.environ, "FINPIPE_HOME": str(home.root)}
    run = subprocess.Popen([sys.executable, "-c", _STAGE], env=environment, stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        time.sleep(seconds)
        was_alive = run.poll() is None
        os.kill(run.pid, signal.SIGKILL)
    return was_alive
