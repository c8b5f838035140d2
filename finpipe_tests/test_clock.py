from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from finpipe.clock import ManualClock, SystemClock, boot_id


def test_system_clock_is_moved_by_its_offset() -> None:
    difference = SystemClock(timedelta(days=-3)).now() - SystemClock().now()
    assert abs(difference + timedelta(days=3)) < timedelta(seconds=5)
    assert SystemClock().now().tzinfo is UTC


def test_monotonic_is_the_same_for_another_process() -> None:
    script = "from finpipe.clock import *; print(SystemClock().monotonic(), boot_id())"
    before = SystemClock().monotonic()
    other, boot = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert before <= float(other) <= SystemClock().monotonic()
    assert boot == boot_id()


def test_manual_clock_stands_until_it_is_moved() -> None:
    clock = ManualClock(datetime(2013, 3, 1, tzinfo=UTC))
    seconds = clock.monotonic()
    clock.advance(90)
    assert clock.now() == datetime(2013, 3, 1, 0, 1, 30, tzinfo=UTC)
    assert clock.monotonic() == seconds + 90
