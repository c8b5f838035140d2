"""One frozen object read from `FINPIPE_*` at the edge and passed down; no other module reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from finpipe.errors import MissingSecret, SettingsError


class Profile(StrEnum):
    """Which world a home belongs to."""

    DEV = "dev"  # the sandbox: no key, no network
    STAGING = "staging"  # the real providers, apart from production
    PROD = "prod"


@dataclass(frozen=True)
class Settings:
    """Everything that differs by deployment.

    Each field is read from the variable named beside it; defaults run all of finpipe on one machine.
    """

    home: Path = Path("data")  # FINPIPE_HOME
    profile: Profile = Profile.DEV  # FINPIPE_PROFILE
    sources: Path | None = None  # FINPIPE_SOURCES: a directory with the user's own source files
    start: date = date(2000, 1, 1)  # FINPIPE_START: first partition offered
    patience_seconds: float = 600.0  # FINPIPE_PATIENCE_SECONDS: a run waits no longer for a cooldown
    log_level: str = "WARNING"  # FINPIPE_LOG_LEVEL
    schedules_running: bool = False  # FINPIPE_SCHEDULES: on | off, whether schedules start switched on
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # where secrets are looked up

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: A variable holds a value that cannot be used; names it and what is allowed.
        """
        env = dict(os.environ if environment is None else environment)
        sources = env.get("FINPIPE_SOURCES")
        return cls(
            home=Path(env.get("FINPIPE_HOME") or "data").expanduser().absolute(),
            profile=_profile(env.get("FINPIPE_PROFILE") or "dev"),
            sources=Path(sources).expanduser().absolute() if sources else None,
            start=_date("FINPIPE_START", env.get("FINPIPE_START") or "2000-01-01"),
            patience_seconds=_seconds("FINPIPE_PATIENCE_SECONDS", env.get("FINPIPE_PATIENCE_SECONDS") or "600"),
            log_level=_choice("FINPIPE_LOG_LEVEL", (env.get("FINPIPE_LOG_LEVEL") or "WARNING").upper(), LOG_LEVELS),
            schedules_running=_choice("FINPIPE_SCHEDULES", env.get("FINPIPE_SCHEDULES") or "off", ("on", "off"))
            == "on",
            environment=env,
        )

    def secret(self, source: str, variable: str) -> str:
        """The secret a source names.

        In the dev profile every secret has a value: the sandbox takes any key, and no real one should go there.

        Raises:
            MissingSecret: It is not in the environment.
        """
        if self.profile is Profile.DEV:
            return f"sandbox-{variable.lower()}"
        value = self.environment.get(variable, "")
        if not value:
            raise MissingSecret(source, variable)
        return value


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _profile(text: str) -> Profile:
    return Profile(_choice("FINPIPE_PROFILE", text, tuple(Profile)))


def _choice(variable: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise SettingsError(f"{variable} is {value!r}; allowed are {', '.join(allowed)}.")
    return value


def _date(variable: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{variable} is {text!r}; it must be a date such as 2000-01-01.") from error


def _seconds(variable: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{variable} is {text!r}; it must be a number of seconds, 0 or more.")
    return value
