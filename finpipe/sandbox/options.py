"""What a sandbox can be asked for, checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from finpipe.errors import SandboxError, UnknownName
from finpipe.sandbox.limits import PLANS, Limit, parse_limit

PLAIN_PREFIX = "plain/"
MAX_SYNTHETIC = 26 * 26
MAX_PORT = 65535


@dataclass(frozen=True)
class SandboxOptions:
    """What to serve, where, when and how strictly.

    Attributes:
        port: 0 takes any free port.
        host: A loopback address; the sandbox is not made to face a network.
        now: The virtual instant at the start, time zone aware; None: 00:30 UTC after the last session.
        time_scale: Every limit's period is divided by it; the virtual time itself runs at 1x.
        seed: Of the synthetic exchange and of all short volumes.
        synthetic: How many synthetic instruments stand beside the real ones.
        bars: A parquet or CSV file that replaces real and synthetic instruments.
        plans: Plan by source; `free` where nothing is said.
        limits: Limits by source, in the place of its plan's.
        fail: Sources that answer every request with 500.
        latency_seconds: Real seconds every source waits before it answers.
        log: A file to which each answered arrival is appended as a line of JSON.

    Raises:
        SandboxError: A value that cannot be served.
        UnknownName: A source or plan that the sandbox does not have.
    """

    port: int = 8765
    host: str = "127.0.0.1"
    now: datetime | None = None
    time_scale: float = 1.0
    seed: int = 7
    synthetic: int = 15
    bars: Path | None = None
    plans: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    fail: frozenset[str] = frozenset()
    latency_seconds: float = 0.0
    log: Path | None = None

    def __post_init__(self) -> None:
        for holds, problem in (
            (0 <= self.port <= MAX_PORT, f"port {self.port} does not exist: give one of 0 (any free) to {MAX_PORT}"),
            (_is_loopback(self.host), f"host {self.host!r} is not a loopback address: give 127.0.0.1 or ::1"),
            (self.time_scale > 0, f"time scale {self.time_scale:g} stops the clock: give a number above 0"),
            (self.seed >= 0, f"seed {self.seed} cannot be used: give 0 or more"),
            (
                0 <= self.synthetic <= MAX_SYNTHETIC,
                f"{self.synthetic} synthetic instruments cannot be named: give 0 to {MAX_SYNTHETIC}",
            ),
            (self.latency_seconds >= 0, f"latency {self.latency_seconds:g} s is in the past: give 0 or more"),
            (
                self.now is None or self.now.tzinfo is not None,
                f"now {self.now} has no time zone: write it as 2013-03-02T00:30:00+00:00",
            ),
        ):
            if not holds:
                raise SandboxError(f"the sandbox cannot start: {problem}")
        for source in (*self.plans, *self.limits, *self.fail):
            _require_source(source)
        for source, plan in self.plans.items():
            _require_plan(source, plan)

    def limits_of(self, source: str) -> tuple[Limit, ...]:
        """The limits in force for a source; a plain source has none but those given."""
        if source in self.limits:
            return self.limits[source]
        return PLANS.get(source, {}).get(self.plans.get(source, "free"), ())


def parse_plans(texts: Iterable[str]) -> dict[str, str]:
    """Read `SOURCE=PLAN` texts. Raises SandboxError for a text of another form."""
    plans: dict[str, str] = {}
    for text in texts:
        source, _, plan = text.partition("=")
        if not source or not plan:
            raise SandboxError(f"cannot read the plan {text!r}: expected SOURCE=PLAN, as alpha_vantage=premium")
        plans[source] = plan
    return plans


def parse_limits(texts: Iterable[str]) -> dict[str, tuple[Limit, ...]]:
    """Read `SOURCE=10/1s` texts; several for one source hold at once. Raises SandboxError."""
    limits: dict[str, tuple[Limit, ...]] = {}
    for source, given in map(parse_limit, texts):
        limits[source] = (*limits.get(source, ()), *given)
    return limits


def _require_source(source: str) -> None:
    is_plain = source.startswith(PLAIN_PREFIX) and len(source) > len(PLAIN_PREFIX)
    if source not in PLANS and not is_plain:
        raise UnknownName("sandbox source", source, [*PLANS, f"{PLAIN_PREFIX}NAME"])


def _require_plan(source: str, plan: str) -> None:
    plans = PLANS.get(source, {})
    if plan not in plans:
        raise UnknownName(f"plan of {source}", plan, plans)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
