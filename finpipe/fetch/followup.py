"""What follows from an outcome: done, again later, parked, or given up. Pure; the engine carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from finpipe.fetch.classify import Outcome, Verdict
from finpipe.fetch.ledger import Claim, RequestState
from finpipe.fetch.policy import next_day
from finpipe.sources.spec import Dataset, Retries, Source

_UNEXPECTED_ATTEMPTS = 2
"""A page of somebody's proxy passes; a changed format does not."""

_BLOCKED = timedelta(hours=6)
"""A source that turned us away is left alone for so long."""

_SOONEST, _LATEST = timedelta(minutes=15), timedelta(hours=6)
"""How long after a look for unpublished data the next one follows."""

_LONGEST_COOLDOWN_SECONDS = 86400.0


@dataclass(frozen=True)
class Circumstances:
    """What an attempt's consequences depend on besides its verdict."""

    now: datetime
    strikes: int  # how often in a row the source said that we ask too often, this time included
    jitter: float  # evenly drawn from 0..1


@dataclass(frozen=True)
class Followup:
    """What the engine does about an attempt."""

    state: RequestState
    due: datetime
    attempt: int  # failed ones, this one included when it counts
    outcome: Outcome
    reached: date | None = None  # last session covered
    cooldown_seconds: float = 0.0  # for the whole source
    parks_until: datetime | None = None  # the whole source
    is_stop: bool = False  # the source is not asked again in this run


def follow_up(  # noqa: PLR0911 - one return per outcome
    verdict: Verdict, claim: Claim, source: Source, dataset: Dataset, given: Circumstances
) -> Followup:
    """Decide what follows.

    An answer that does not reach the last session asked for covers what it reaches; the request is asked
    again, ever less often, until `gives_up` after the session was to be out. Passing faults spend attempts;
    being told to slow down does not.
    """
    match verdict.outcome:
        case Outcome.OK:
            return _answered(verdict, claim, dataset, given.now)
        case Outcome.NOT_PUBLISHED:
            return _unpublished(claim, dataset, given.now, None)
        case Outcome.RATE_LIMITED:
            seconds = _cooldown_seconds(verdict, source, given.strikes)
            due = given.now + timedelta(seconds=seconds)
            return Followup(RequestState.READY, due, claim.attempt, verdict.outcome, cooldown_seconds=seconds)
        case Outcome.QUOTA_EXHAUSTED:
            return _parked(verdict.outcome, claim, _next_quota(source, given.now))
        case Outcome.BLOCKED:
            return _parked(verdict.outcome, claim, given.now + _BLOCKED)
        case Outcome.RETRY | Outcome.TRUNCATED | Outcome.UNEXPECTED:
            return _again(verdict.outcome, claim, source.retries, given)
        case Outcome.FAIL:
            return Followup(RequestState.DEAD, given.now, claim.attempt + 1, verdict.outcome)
        case Outcome.FAIL_CONFIG:
            return Followup(RequestState.READY, given.now, claim.attempt, verdict.outcome, is_stop=True)
        case _:
            assert_never(verdict.outcome)


def _answered(verdict: Verdict, claim: Claim, dataset: Dataset, now: datetime) -> Followup:
    request = claim.request
    reached = request.last if verdict.reaches is None else verdict.reaches
    if reached >= request.last:
        return Followup(RequestState.DONE, now, claim.attempt, Outcome.OK, reached)
    return _unpublished(claim, dataset, now, reached if reached >= request.first else None)


def _unpublished(claim: Claim, dataset: Dataset, now: datetime, reached: date | None) -> Followup:
    available = claim.request.available
    if now >= available + dataset.cadence.gives_up:
        return Followup(RequestState.DEAD, now, claim.attempt, Outcome.NOT_PUBLISHED, reached)
    wait = min(max((now - available) / 2, _SOONEST), _LATEST)
    return Followup(RequestState.READY, now + wait, claim.attempt, Outcome.NOT_PUBLISHED, reached)


def _again(outcome: Outcome, claim: Claim, retries: Retries, given: Circumstances) -> Followup:
    attempt = claim.attempt + 1
    most = min(retries.max_attempts, _UNEXPECTED_ATTEMPTS) if outcome is Outcome.UNEXPECTED else retries.max_attempts
    if attempt >= most:
        return Followup(RequestState.DEAD, given.now, attempt, outcome)
    longest = min(retries.base * retries.factor ** (attempt - 1), retries.max)
    # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    return Followup(RequestState.READY, given.now + longest * given.jitter, attempt, outcome)


def _parked(outcome: Outcome, claim: Claim, until: datetime) -> Followup:
    return Followup(RequestState.PARKED, until, claim.attempt, outcome, parks_until=until)


def _cooldown_seconds(verdict: Verdict, source: Source, strikes: int) -> float:
    """What the provider asked for or one longest window, and longer each time that was not enough."""
    longest_window = max((window.period for window in source.limits.windows), default=source.retries.base)
    least = longest_window.total_seconds() if verdict.retry_after_seconds is None else verdict.retry_after_seconds
    grown = source.retries.base.total_seconds() * 2.0**strikes
    return min(max(least, grown), _LONGEST_COOLDOWN_SECONDS)


def _next_quota(source: Source, now: datetime) -> datetime:
    zones = [quota.timezone for quota in source.limits.quota] or ["UTC"]
    return max(next_day(zone, now) for zone in zones)
