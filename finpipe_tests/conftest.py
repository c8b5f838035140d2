"""Fixtures every folder may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines are noisy: a deadline would test them, not finpipe.
settings.register_profile("finpipe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("finpipe")

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the developer's own home, profile or keys."""
    for variable in ("FINPIPE_PROFILE", "FINPIPE_SOURCES", "FINPIPE_START", "FINPIPE_SCHEDULES", "ALPHA_VANTAGE_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FINPIPE_HOME", str(tmp_path / "home"))
