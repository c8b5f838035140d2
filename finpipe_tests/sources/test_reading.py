from __future__ import annotations

from pathlib import Path

import pytest

from finpipe.errors import SourceFileError, UnknownName
from finpipe.sources.reading import CATALOGUE, PROFILES, read_catalogue, read_overlay, read_source
from finpipe.sources.spec import json_schema

ALPHA_VANTAGE = (CATALOGUE / "alpha_vantage.yaml").read_text()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path


def write(directory: Path, text: str, name: str = "alpha_vantage.yaml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_catalogue_ships_sources_that_are_right() -> None:
    catalogue = read_catalogue(None, (), None)
    assert catalogue.broken == ()
    assert [f"{s.name}/{d.name}" for s, d in catalogue.datasets()] == [
        "alpha_vantage/daily_adjusted",
        "finra_short_volume/daily",
    ]


def test_catalogue_states_the_providers_limits() -> None:
    limits = read_catalogue(None, (), None).source("alpha_vantage").limits
    assert [(w.limit, w.period.total_seconds()) for w in limits.windows] == [(1, 1), (5, 60)]
    assert [(q.limit, q.timezone) for q in limits.quota] == [(25, "America/New_York")]


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "hint"),
    [
        ("limits:", "limts:", 5, "limts", "did you mean 'limits'?"),
        ("period: 1m", "perod: 1m", 9, "limits.windows[1].perod", "did you mean 'period'?"),
        ("span: window", "span: windw", 17, "datasets[0].span", "'session', 'window' or 'snapshot'"),
        ("period: 1s", "period: 1x", 8, "limits.windows[0].period", "250ms, 1s"),
        ("limit: 5", "limit: 0", 9, "limits.windows[1].limit", "greater than 0"),
        ("limit: 5", "limit: five", 9, "limits.windows[1].limit", "integer"),
        ("America/New_York, on", "America/NewYork, on", 11, "limits.quota[0].timezone", "IANA"),
        ("type: api_key", "type: api_kye", 4, "client.auth", "api_key"),
        ("secret: ALPHA_VANTAGE_KEY", "secret: abc123", 4, "client.auth.secret", "pattern"),
        ("https://www.alphavantage.co,", "ftp://www.alphavantage.co,", 4, "client.base_url", "pattern"),
        ("table: bars", "table: barz", "table: barz", "datasets[0].response.tables[0]", "did you mean 'bars'?"),
        ('open: "1. open", ', "", 14, "datasets[0]", "needs the column 'open'"),
        ("{open:", "{opne:", "table: bars", "datasets[0].response.tables[0]", "did you mean 'open'"),
        (
            'when: "amount > 0"',
            'when: "amount >> 0"',
            'when: "amount >> 0"',
            "datasets[0].response.tables[1].when",
            "not a condition",
        ),
        (
            'when: "amount > 0"',
            'when: "gift > 0"',
            "table: corporate_actions",
            "datasets[0].response.tables[1]",
            "'gift' names none",
        ),
        ('symbol: "{symbol}"', 'symbol: "{ticker}"', 14, "datasets[0]", "{ticker} is not known"),
        (
            "['Time Series (Daily)']\"\n      echo",
            "['Time\"\n      echo",
            26,
            "datasets[0].response.require",
            "JSONPath",
        ),
        ("spreading out|", "spreading (out|", 30, "datasets[0].response.actions[0].content", "regular expression"),
        ('"T+0 18:00"', '"6 pm"', 16, "datasets[0].cadence.available", "T+0 18:00"),
        ("source: alpha_vantage", "source: other", 1, "source", "must be called other.yaml"),
        ("name: daily_adjusted", "name: Daily Adjusted", 14, "datasets[0].name", "lower-case"),
        ("start: 1999-11-01", "start: yesterday", 18, "datasets[0].start", "date"),
        ("source: alpha_vantage", "source: [alpha", 2, None, "is not YAML"),
        ("limit: 5, period: 1m", "limit: 5, period: 1m, limit: 50", 9, None, "'limit' stands here twice"),
    ],
)
def test_source_file_fault_names_file_line_field_and_what_is_allowed(
    own: Path, old: str, new: str, line: int | str, field: str | None, hint: str
) -> None:
    assert old in ALPHA_VANTAGE
    path = write(own, ALPHA_VANTAGE.replace(old, new, 1))
    with pytest.raises(SourceFileError) as caught:
        read_source(path)
    lines = path.read_text().splitlines()
    number = line if isinstance(line, int) else next(n for n, text in enumerate(lines, 1) if line in text)
    assert (caught.value.path, caught.value.line, caught.value.field) == (path, number, field)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- a list",
        b"just text",
        b"\xff\xfe",
        b"a: &x [*x, *y]",
        b"a: !!python/object:os.x 1",
        b"a: 2013-99-99",
        b"a: &x {b: *x}",
        b"[" * 5000,
        b"? [a]\n: 1",
    ],
)
def test_source_file_that_is_no_mapping_is_one_fault(own: Path, content: bytes) -> None:
    path = own / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(SourceFileError, match=r"odd\.yaml"):
        read_source(path)


def test_broken_file_takes_down_only_itself(own: Path) -> None:
    write(own, "source: broken\n", "broken.yaml")
    write(own, ALPHA_VANTAGE.replace("alpha_vantage", "mine", 1), "mine.yaml")
    catalogue = read_catalogue(own, (), None)
    assert sorted(catalogue.sources) == ["alpha_vantage", "finra_short_volume", "mine"]
    assert [fault.path.name for fault in catalogue.broken] == ["broken.yaml"]
    with pytest.raises(SourceFileError, match=r"broken\.yaml"):
        catalogue.source("broken")


def test_own_file_is_never_redirected_to_the_sandbox(own: Path) -> None:
    write(own, ALPHA_VANTAGE)
    overlays = [read_overlay(PROFILES / "dev.yaml")]
    shipped = read_catalogue(None, overlays, "http://127.0.0.1:1").source("alpha_vantage")
    mine = read_catalogue(own, overlays, "http://127.0.0.1:1").source("alpha_vantage")
    assert shipped.client.base_url == "http://127.0.0.1:1/alpha_vantage"
    assert mine.client.base_url == "https://www.alphavantage.co"


def test_overlay_changes_what_it_names_and_keeps_the_rest() -> None:
    overlay = {"alpha_vantage": {"limits": {"windows": [{"limit": 75, "period": "1m"}], "quota": []}}}
    plain, overlaid = (read_catalogue(None, o, None).source("alpha_vantage") for o in ((), [overlay]))
    assert [w.limit for w in overlaid.limits.windows] == [75]
    assert overlaid.limits.quota == ()
    assert (overlaid.limits.concurrency, overlaid.datasets) == (plain.limits.concurrency, plain.datasets)


@pytest.mark.parametrize("overlay", [{"alpha_vantge": {}}, {"alpha_vantage": {"datasets": {"daily_adjust": {}}}}])
def test_overlay_of_an_unknown_name_is_refused(overlay: dict[str, object]) -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        read_catalogue(None, [overlay], None)


def test_missing_directory_of_own_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match="FINPIPE_SOURCES"):
        read_catalogue(tmp_path / "absent", (), None)


def test_selection_offers_near_names() -> None:
    catalogue = read_catalogue(None, (), None)
    with pytest.raises(UnknownName, match="did you mean 'alpha_vantage'"):
        catalogue.select("alpha_vantag")
    with pytest.raises(UnknownName, match="did you mean 'daily_adjusted'"):
        catalogue.select("alpha_vantage/daily_adjustd")
    assert [d.name for _, d in catalogue.select("finra_short_volume")] == ["daily"]


def test_paced_source_divides_periods_and_keeps_counts() -> None:
    source = read_catalogue(None, (), None).source("alpha_vantage").paced(60)
    assert [(w.limit, w.period.total_seconds()) for w in source.limits.windows] == [
        (1, pytest.approx(1 / 60, abs=1e-6)),
        (5, 1),
    ]
    assert source.limits.quota[0].limit == 25


def test_json_schema_knows_every_field() -> None:
    assert {"source", "client", "limits", "retries", "datasets"} <= json_schema()["properties"].keys()
