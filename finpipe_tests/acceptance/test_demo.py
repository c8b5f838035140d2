"""The newcomer's path: `finpipe demo` twice, then the commands of the README."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from finpipe.sandbox.packaged import packaged_bars
from finpipe.stores.lake import Lake

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent.parent
FINPIPE = (sys.executable, "-m", "finpipe")


def run(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FINPIPE_HOME": str(home)}
    return subprocess.run(
        [*FINPIPE, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
    )


def requests_sent(text: str) -> int:
    found = re.search(r", (\d+) requests sent", text)
    assert found, text
    return int(found[1])


def count(home: Path, query: str) -> str:
    return run(home, "sql", query, "--csv").stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo") / "home"
    ran = run(home, "demo")
    assert ran.returncode == 0, ran.stderr
    assert requests_sent(ran.stdout) >= 20 + 9  # symbols and session files; more, where this machine stalled
    assert "new_low_52w │ AAPL" in ran.stdout
    return home


def test_demo_again_sends_nothing_and_changes_no_table(
    home: Path, fingerprints: Callable[[Lake], dict[str, str]]
) -> None:
    before = fingerprints(Lake(home / "lake"))
    ran = run(home, "demo")
    assert ran.returncode == 0, ran.stderr
    assert requests_sent(ran.stdout) == 0
    assert fingerprints(Lake(home / "lake")) == before
    assert len(before) == 18


def test_demo_of_other_bars_is_refused_in_the_same_home(home: Path, tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    packaged_bars().head(5).write_csv(bars)
    ran = run(home, "demo", "--bars", bars)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "FINPIPE_HOME" in ran.stderr


@contextmanager
def sandbox_of(home: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [*FINPIPE, "sandbox", "--port", "0", "--time-scale", "60"],
        env={**os.environ, "FINPIPE_HOME": str(home)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("sandbox at ")
        yield
        process.terminate()


def test_commands_of_the_readme_run(home: Path) -> None:
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.startswith("finpipe ")]
    assert len(commands) == 5
    with sandbox_of(home):
        for command in commands:
            ran = run(home, *shlex.split(command)[1:])
            assert ran.returncode == 0, f"{command}: {ran.stderr}"
            assert ran.stdout


def dirty_bars(path: Path) -> tuple[int, int]:
    """A small set with the kinds of dirt that real ones have; its rows, and how many of them are impossible."""
    bars = packaged_bars().filter(pl.col("session").dt.year() == 2012).drop("adjusted_close")
    number = pl.int_range(pl.len())
    bars = bars.with_columns(
        open=pl.when(number % 101 != 3).then("open"),
        high=pl.when(number % 103 == 5).then(pl.min_horizontal("open", "close") * 0.99).otherwise("high"),
    )
    bars.write_parquet(path)
    is_bad = pl.col("open").is_null() | (pl.col("high") < pl.max_horizontal("open", "close", "low"))
    return len(bars), bars.select(is_bad.sum()).item()


def test_demo_of_own_bars_accounts_for_every_record(tmp_path: Path, shared_data: Path | None) -> None:
    generated = tmp_path / "dirty.parquet"
    sets = [(generated, 5, *dirty_bars(generated))]
    if shared_data:
        sets.append((shared_data / "prices" / "sp500_daily_2013_2018.parquet", 505, 619_040, 23))
    for number, (bars, symbols, records, impossible) in enumerate(sets):
        home = tmp_path / f"home{number}"
        ran = run(home, "demo", "--bars", bars)
        assert ran.returncode == 0, ran.stderr
        totals = "select sum(records), sum(new), sum(quarantined) from accounts where source = 'alpha_vantage'"
        assert count(home, totals) == f"{records},{records - impossible},{impossible}"
        assert count(home, "select count(*), count(distinct symbol) from bars") == f"{records - impossible},{symbols}"
        quarantined = "select count(*), count(distinct receipt || record), min(len(rules)) from quarantine"
        assert count(home, quarantined) == f"{impossible},{impossible},1"
