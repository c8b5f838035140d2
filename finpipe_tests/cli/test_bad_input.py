"""Bad input: one clear line (what, where, how to mend), exit code 2, nothing half-written."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finpipe.home import Home
from finpipe.pipeline.workspace import SandboxState
from finpipe.sources.reading import CATALOGUE


def files_below(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Home.open(tmp_path / "home", "dev")
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fetch", "alpha_vantge", "--last", "14d"], "did you mean 'alpha_vantage'?"),
        (["fetch", "alpha_vantage/daily", "--last", "14d"], "did you mean 'daily_adjusted'?"),
        (["fetch", "alpha_vantage", "--partition", "2013-02-30"], "'2013-02-30'"),
        (["fetch", "alpha_vantage", "--partition", "today"], "2013-02-08"),
        (["fetch", "alpha_vantage", "--range", "2013-02-08"], "2013-02-01..2013-02-28"),
        (["fetch", "alpha_vantage", "--range", "2013-02-08..2013-02-01"], "not before its beginning"),
        (["fetch", "alpha_vantage", "--last", "fortnight"], "14d"),
        (["fetch", "alpha_vantage", "--last", "0d"], "14d"),
        (["fetch", "alpha_vantage", "--last", "14d"], "finpipe sandbox"),
        (["report", "movrs"], "did you mean 'movers'?"),
        (["report", "movers"], "finpipe fetch"),
        (["report", "movers", "--as-of", "noon"], "2013-02-08T23:00:00Z"),
        (["report", "data_health", "--as-of", "2013-02-08"], "no --as-of"),
        (["sql", "select * from barz"], "barz"),
        (["sql", "selec 1"], "syntax error"),
        (["sql", "select * from read_csv('/etc/hostname')"], "disabled"),
        (["sandbox", "--bars", "absent.parquet"], "absent.parquet"),
        (["sandbox", "--plan", "alpha_vantage=gold"], "premium"),
        (["sandbox", "--limit", "alpha_vantage=often"], "often"),
        (["sandbox", "--now", "yesterday"], "yesterday"),
        (["demo", "--bars", "absent.parquet"], "absent.parquet"),
        (["sources", "parse", "nasdaq/x", "/dev/null"], "unknown source"),
        (["sources", "check", "absent.yaml"], "absent.yaml"),
    ],
)  # fmt: skip
def test_bad_argument_is_one_line_and_exit_code_2(run, home: Path, arguments: list[str], says: str) -> None:
    before = files_below(home)
    ran = run(*arguments)
    assert ran.code == 2
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert ran.err.startswith("finpipe: ")
    assert ran.out == ""
    assert files_below(home) == before


@pytest.mark.parametrize(
    "arguments",
    [["fetch", "alpha_vantage"], ["fetch", "alpha_vantage", "--last", "1d", "--partition", "x"], ["nonsense"]],
)
def test_wrong_usage_is_exit_code_2(run, home: Path, arguments: list[str]) -> None:
    assert run(*arguments).code == 2


def test_malformed_source_file_names_file_line_and_field(run, tmp_path: Path) -> None:
    path = tmp_path / "alpha_vantage.yaml"
    path.write_text((CATALOGUE / "alpha_vantage.yaml").read_text().replace("limits:", "limts:"))
    ran = run("sources", "check", path)
    known = "client, datasets, homepage, licence, limits, retries, source"
    said = f"{path}:5: limts: is not a known field; did you mean 'limits'? Known here: {known}"
    assert (ran.code, ran.err) == (2, f"finpipe: {said}\n")


def test_broken_source_file_takes_down_only_itself(
    run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "broken.yaml").write_text("source: broken\nhomepag: x\n")
    monkeypatch.setenv("FINPIPE_SOURCES", str(own))
    ran = run("sources", "list")
    assert ran.code == 0
    assert "alpha_vantage/daily_adjusted" in ran.out
    assert "broken.yaml:2: homepag" in ran.err
    assert "broken.yaml:2" in run("fetch", "broken", "--last", "1d").err


def test_home_that_cannot_be_written_says_where(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINPIPE_HOME", str(tmp_path / "file" / "home"))
    ran = run("sql", "select 1")
    assert ran.code == 2
    assert str(tmp_path / "file" / "home") in ran.err
    assert ran.err.count("\n") == 1


def test_home_of_another_profile_is_refused(run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPIPE_PROFILE", "prod")
    ran = run("sql", "select 1")
    assert ran.code == 2
    assert "belongs to the profile 'dev', not 'prod'" in ran.err
    assert "FINPIPE_PROFILE=dev" in ran.err


def test_unknown_profile_lists_those_there_are(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINPIPE_PROFILE", "production")
    assert "dev, staging, prod" in run("sql", "select 1").err


def test_missing_secret_fails_only_its_source_at_run_time(
    run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyed source beside one without a key that cannot be reached: each tells its own trouble, nothing raises."""
    monkeypatch.setenv("FINPIPE_PROFILE", "prod")
    monkeypatch.setenv("FINPIPE_HOME", str(tmp_path / "prod"))
    monkeypatch.setenv("FINPIPE_PATIENCE_SECONDS", "0")
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod" / "universe.txt").write_text("IBM\n")
    ran = run("fetch", "alpha_vantage", "--last", "3d")
    assert ran.code == 3
    assert "ALPHA_VANTAGE_KEY is not set" in ran.err
    assert run("sql", "select 1").code == 0


@pytest.mark.parametrize("universe", [None, "", "# only a comment\n"])
def test_universe_that_names_nothing_says_so(
    run, home: Path, universe: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINPIPE_PROFILE", "prod")
    monkeypatch.setenv("FINPIPE_HOME", str(tmp_path / "prod"))
    if universe is not None:
        (tmp_path / "prod").mkdir()
        (tmp_path / "prod" / "universe.txt").write_text(universe)
    ran = run("fetch", "alpha_vantage", "--last", "3d")
    assert ran.code == 2
    assert "universe.txt" in ran.err


def test_port_in_use_says_which(run, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("sandbox", "--port", port)
    assert ran.code == 2
    assert str(port) in ran.err
    assert ran.err.count("\n") == 1
    assert not (home / "state" / "sandbox.json").exists()


@pytest.mark.parametrize("content", [b"", b"not a table", b"symbol,date\nA,2013-01-02\n", b"PAR1 broken PAR1"])
def test_unreadable_bars_file_says_what_is_wrong(run, home: Path, tmp_path: Path, content: bytes) -> None:
    for name in ("bars.csv", "bars.parquet"):
        path = tmp_path / name
        path.write_bytes(content)
        ran = run("sandbox", "--bars", path)
        assert ran.code == 2
        assert name in ran.err
        assert ran.err.startswith("finpipe: ")


def test_sandbox_that_does_not_run_is_named_as_the_likely_cause(run, home: Path) -> None:
    offset = datetime(2013, 3, 2, 0, 30, tzinfo=UTC) - datetime.now(UTC)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    SandboxState(f"http://127.0.0.1:{port}", offset.total_seconds(), 1000.0, {}).write(Home.open(home, "dev"))
    ran = run("fetch", "finra_short_volume", "--partition", "2013-03-01")
    assert ran.code == 3
    assert "finpipe sandbox" in ran.err
