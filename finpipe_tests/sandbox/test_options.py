"""What a sandbox refuses to be asked for."""

from __future__ import annotations

from datetime import datetime

import pytest

from finpipe.errors import SandboxError, UnknownName
from finpipe.sandbox.limits import PLANS, DailyQuota, Window
from finpipe.sandbox.options import SandboxOptions, parse_limits, parse_plans


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 65536}, "port 65536"),
        ({"host": "0.0.0.0"}, "not a loopback address"),  # noqa: S104  # what shall be refused
        ({"host": "example.org"}, "not a loopback address"),
        ({"time_scale": 0.0}, "time scale 0"),
        ({"time_scale": float("nan")}, "time scale nan"),
        ({"seed": -1}, "seed -1"),
        ({"synthetic": 677}, "0 to 676"),
        ({"latency_seconds": -1.0}, "latency -1"),
        ({"now": datetime(2013, 3, 1)}, "no time zone"),  # noqa: DTZ001  # what shall be refused
    ],
)
def test_options_refuse(given: dict[str, object], said: str) -> None:
    with pytest.raises(SandboxError, match=said):
        SandboxOptions(**given)  # type: ignore[arg-type]  # each case names one field


@pytest.mark.parametrize(
    "given",
    [{"limits": {"alpha_vantge": ()}}, {"plans": {"plane/a": "free"}}, {"fail": frozenset({"finra_short_volum"})}],
)
def test_options_offer_near_names_for_an_unknown_source(given: dict[str, object]) -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        SandboxOptions(**given)  # type: ignore[arg-type]  # each case names one field


def test_options_list_the_plans_of_a_source() -> None:
    with pytest.raises(UnknownName, match="Known: free, premium"):
        SandboxOptions(plans={"alpha_vantage": "gold"})


def test_limits_are_those_given_else_the_plans_else_the_free_plans() -> None:
    given = parse_limits(["plain/a=10/1s", "plain/a=100/m", "finra_short_volume=9/s"])
    options = SandboxOptions(plans=parse_plans(["alpha_vantage=premium"]), limits=given)
    assert options.limits_of("plain/a") == (Window(10, 1.0), Window(100, 60.0))
    assert options.limits_of("finra_short_volume") == (Window(9, 1.0),)
    assert options.limits_of("alpha_vantage") == (Window(75, 60.0),)
    assert options.limits_of("plain/unheard_of") == ()
    assert SandboxOptions().limits_of("alpha_vantage") == (Window(1, 1.0), Window(5, 60.0), DailyQuota(25))


def test_every_provider_has_a_free_plan() -> None:
    assert all("free" in plans for plans in PLANS.values())


@pytest.mark.parametrize("text", ["alpha_vantage", "=premium", "alpha_vantage="])
def test_parse_plans_names_the_text_it_cannot_read(text: str) -> None:
    with pytest.raises(SandboxError, match=text):
        parse_plans([text])
