from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from finpipe.fetch import policy
from finpipe.fetch.policy import Parked, QuotaRule, Rules, Slot, State, WindowRule, reserve

WALL = datetime(2013, 3, 2, 0, 30, tzinfo=UTC)
TOLERANCE = 0.0011  # a departure within a millisecond of its slot counts as on time


def take(state: State, rules: Rules, now: float, wall: datetime = WALL) -> Slot:
    slot = reserve(state, rules, now, wall)
    assert isinstance(slot, Slot)
    return slot


def test_reserve_is_at_once_within_the_limit_and_then_a_period_later() -> None:
    state, rules = State(), Rules((WindowRule(2, 10.0),))
    assert [take(state, rules, 100.0).at for _ in range(5)] == [100.0, 100.0, 110.0, 110.0, 120.0]


def test_reserve_obeys_every_window_at_once() -> None:
    state, rules = State(), Rules((WindowRule(1, 1.0), WindowRule(3, 10.0)))
    assert [take(state, rules, 0.0).at for _ in range(5)] == [0.0, 1.0, 2.0, 10.0, 11.0]


def test_reserve_waits_for_a_block() -> None:
    state, rules = State(), Rules((WindowRule(5, 1.0),))
    policy.block(state, 60.0)
    policy.block(state, 30.0)  # a shorter one does not end it
    assert take(state, rules, 0.0).at == 60.0


def test_reserve_parks_until_the_zone_s_midnight_when_a_quota_is_spent() -> None:
    rules = Rules(quotas=(QuotaRule(2, "America/New_York"),))
    state = State()
    take(state, rules, 0.0)
    take(state, rules, 0.0)
    midnight = datetime(2013, 3, 2, 5, 0, tzinfo=UTC)
    assert reserve(state, rules, 0.0, WALL) == Parked(midnight)
    assert isinstance(reserve(state, rules, 0.0, midnight - timedelta(microseconds=1)), Parked)
    assert isinstance(reserve(state, rules, 0.0, midnight), Slot)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param(date(2013, 3, 10), 23, id="clocks go forward"),
        pytest.param(date(2013, 11, 3), 25, id="clocks go back"),
        pytest.param(date(2013, 6, 1), 24, id="ordinary day"),
    ],
)
def test_quota_day_is_as_long_as_its_zone_says(day: date, hours: int) -> None:
    zone = "America/New_York"
    begin = datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
    rules, state = Rules(quotas=(QuotaRule(1, zone),)), State()
    take(state, rules, 0.0, begin)
    end = begin + timedelta(hours=hours)
    assert reserve(state, rules, 0.0, end - timedelta(seconds=1)) == Parked(end)
    assert isinstance(reserve(state, rules, 0.0, end), Slot)


def test_quota_counts_a_slot_in_the_day_it_is_sent_in() -> None:
    rules = Rules((WindowRule(1, 3600.0),), (QuotaRule(1, "UTC"),))
    state = State()
    late = datetime(2013, 3, 2, 23, 30, tzinfo=UTC)
    take(state, rules, 0.0, late)
    assert take(state, rules, 0.0, late).at == 3600.0  # half past midnight: tomorrow's
    assert reserve(state, rules, 0.0, late) == Parked(datetime(2013, 3, 4, tzinfo=UTC))


def test_quota_is_not_renewed_by_a_clock_set_back_over_midnight() -> None:
    rules, state = Rules(quotas=(QuotaRule(1, "UTC"),)), State()
    before = datetime(2013, 3, 1, 23, 50, tzinfo=UTC)
    take(state, rules, 0.0, before)
    take(state, rules, 0.0, before + timedelta(hours=1))
    assert isinstance(reserve(state, rules, 0.0, before), Parked)


@pytest.mark.parametrize("jump_hours", [-1, 1])
def test_windows_do_not_look_at_the_wall_clock(jump_hours: int) -> None:
    rules = Rules((WindowRule(2, 5.0),))
    steady, jumping = State(), State()
    for n in range(6):
        expected = take(steady, rules, n * 0.5)
        wall = WALL + timedelta(hours=jump_hours if n % 2 else 0)
        assert take(jumping, rules, n * 0.5, wall).at == expected.at


def test_give_back_makes_slot_and_quota_available_again() -> None:
    rules, state = Rules((WindowRule(1, 10.0),), (QuotaRule(2, "UTC"),)), State()
    policy.give_back(state, take(state, rules, 0.0))
    assert take(state, rules, 1.0).at == 1.0
    assert policy.used_today(state, rules.quotas[0], WALL) == 1


def test_give_back_twice_changes_nothing_more() -> None:
    rules, state = Rules((WindowRule(2, 10.0),)), State()
    take(state, rules, 0.0)
    slot = take(state, rules, 1.0)
    policy.give_back(state, slot)
    policy.give_back(state, slot)
    assert state.log == [0.0]


def test_depart_of_a_late_request_moves_those_after_it() -> None:
    rules, state = Rules((WindowRule(1, 10.0),)), State()
    first, second = take(state, rules, 0.0), take(state, rules, 0.0)
    assert policy.depart(state, rules, first, 4.0, WALL)
    assert not policy.depart(state, rules, second, 10.0, WALL)
    assert take(state, rules, 10.0).at == 14.0


def test_depart_of_a_request_later_than_its_successor_waits_for_another_slot() -> None:
    rules, state = Rules((WindowRule(1, 10.0),)), State()
    first, second = take(state, rules, 0.0), take(state, rules, 0.0)
    assert policy.depart(state, rules, second, 10.0, WALL)
    assert not policy.depart(state, rules, first, 10.5, WALL)


def test_depart_on_the_day_after_is_refused() -> None:
    rules, state = Rules(quotas=(QuotaRule(1, "UTC"),)), State()
    late = datetime(2013, 3, 2, 23, 59, 59, tzinfo=UTC)
    slot = take(state, rules, 0.0, late)
    assert not policy.depart(state, rules, slot, 2.0, late + timedelta(seconds=2))
    assert policy.used_today(state, rules.quotas[0], late) == 0


def test_log_stays_short_and_never_forgets_the_limit_th_slot_back() -> None:
    rules, state = Rules((WindowRule(3, 1.0),)), State()
    slots = [take(state, rules, 0.0) for _ in range(500)]
    assert len(state.log) == rules.longest_log
    for slot in slots[-20:]:
        policy.give_back(state, slot)
    assert take(state, rules, 0.0).at == slots[-20].at


def test_state_of_used_days_stays_short() -> None:
    rules, state = Rules(quotas=(QuotaRule(1, "UTC"),)), State()
    for day in range(400):
        take(state, rules, 0.0, WALL + timedelta(days=day))
    assert len(state.used) <= 4


def test_rules_of_a_source_add_the_guard() -> None:
    from finpipe.sources.spec import Limits

    limits = Limits.model_validate({"windows": [{"limit": 5, "period": "1m"}], "quota": [{"limit": 25, "per": "day"}]})
    assert Rules.of(limits) == Rules((WindowRule(5, 60.02),), (QuotaRule(25, "UTC"),))


_WINDOWS = st.lists(
    st.builds(WindowRule, st.integers(1, 8), st.sampled_from([0.5, 1.0, 2.0, 10.0, 60.0])), min_size=1, max_size=3
)


class Limiter(RuleBasedStateMachine):
    """Whatever happens: no window and no quota day over its limit, and no slot later than needed."""

    @initialize(windows=_WINDOWS, quota=st.none() | st.integers(1, 30))
    def begin(self, windows: list[WindowRule], quota: int | None) -> None:
        quotas = () if quota is None else (QuotaRule(quota, "America/New_York"),)
        self.limits = Rules(tuple(windows), quotas)
        self.state, self.now, self.jump = State(), 1000.0, timedelta(0)
        self.waiting: list[Slot] = []
        self.departed: list[Slot] = []
        self.blocked_until = 0.0

    @property
    def wall(self) -> datetime:
        return datetime(2013, 3, 9, 20, tzinfo=UTC) + timedelta(seconds=self.now) + self.jump

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.9, 1.0, 7.3, 3600.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(hours=st.sampled_from([-1, 1]))
    def jump_wall_clock(self, hours: int) -> None:
        self.jump += timedelta(hours=hours)

    @rule(seconds=st.sampled_from([0.5, 30.0]))
    def block(self, seconds: float) -> None:
        policy.block(self.state, self.now + seconds)
        self.blocked_until = max(self.blocked_until, self.now + seconds)

    @rule(times=st.integers(1, 12))
    def reserve(self, times: int) -> None:
        for _ in range(times):
            decision = reserve(self.state, self.limits, self.now, self.wall)
            if isinstance(decision, Parked):
                assert decision.until > self.wall
                return
            assert abs(decision.at - self._earliest()) < TOLERANCE
            self.waiting.append(decision)

    @precondition(lambda self: bool(self.waiting))
    @rule(data=st.data(), late=st.sampled_from([0.0, 0.0, 0.0005, 0.015, 0.5, 20.0]))
    def depart(self, data: st.DataObject, late: float) -> None:
        slot = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self.now = max(self.now, slot.at) + late
        if policy.depart(self.state, self.limits, slot, self.now, self.wall):
            assert self.now >= self.blocked_until
            self.departed.append(Slot(self.now, slot.days))
            self._check_windows()
            self._check_quotas()

    @precondition(lambda self: bool(self.waiting))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        slot = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        policy.give_back(self.state, slot)

    def _earliest(self) -> float:
        ats = sorted(slot.at for slot in [*self.waiting, *self.departed])
        reasons = [self.now, self.blocked_until, *ats[-1:]]
        reasons += [ats[-w.limit] + w.period for w in self.limits.windows if len(ats) >= w.limit]
        return max(reasons)

    def _check_windows(self) -> None:
        ats = sorted(slot.at for slot in self.departed)
        for window in self.limits.windows:
            assert all(b - a >= window.period - TOLERANCE for a, b in zip(ats, ats[window.limit :], strict=False))

    def _check_quotas(self) -> None:
        for quota in self.limits.quotas:
            used = Counter(day for slot in self.departed for day in slot.days)
            assert all(count <= quota.limit for count in used.values())


TestLimiter = Limiter.TestCase
TestLimiter.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(delays=st.lists(st.floats(0, 0.7), min_size=2, max_size=60), limit=st.integers(1, 10))
def test_arrivals_keep_the_limit_when_each_is_late_by_less_than_the_guard(delays: list[float], limit: int) -> None:
    guard, period = 1.0, 5.0
    rules = replace(Rules((WindowRule(limit, period + guard),)), guard=guard)
    state, now, arrivals = State(), 0.0, []
    for delay in delays:
        slot = take(state, rules, now)
        now = max(now, slot.at)
        arrivals.append(now + delay * guard)
    arrivals.sort()
    assert all(b - a >= period for a, b in zip(arrivals, arrivals[limit:], strict=False))
