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
class Variable:
    """An environment variable that finpipe reads."""

    name: str
    default: str
    meaning: str


VARIABLES = (
    Variable("FINPIPE_HOME", "data", "directory with everything finpipe keeps"),
    Variable("FINPIPE_PROFILE", "dev", "dev (the sandbox), staging or prod (the real providers)"),
    Variable("FINPIPE_SOURCES", "", "directory with your own source files; none when empty"),
    Variable("FINPIPE_START", "2000-01-01", "first partition that is offered"),
    Variable("FINPIPE_PATIENCE_SECONDS", "600", "a run waits no longer than this for a cooldown"),
    Variable("FINPIPE_LOG_LEVEL", "WARNING", "DEBUG, INFO, WARNING or ERROR"),
    Variable("FINPIPE_SCHEDULES", "off", "on or off: whether schedules start switched on"),
)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """Everything that differs by deployment (see `VARIABLES`); defaults run all of finpipe on one machine."""

    home: Path
    profile: Profile
    sources: Path | None
    start: date
    patience_seconds: float
    log_level: str
    schedules_running: bool
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # where secrets are looked up

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: A variable holds a value that cannot be used; names it and what is allowed.
        """
        env = dict(os.environ if environment is None else environment)
        text = {variable.name: env.get(variable.name) or variable.default for variable in VARIABLES}
        sources = text["FINPIPE_SOURCES"]
        return cls(
            home=Path(text["FINPIPE_HOME"]).expanduser().absolute(),
            profile=Profile(_choice("FINPIPE_PROFILE", text["FINPIPE_PROFILE"], tuple(Profile))),
            sources=Path(sources).expanduser().absolute() if sources else None,
            start=_date("FINPIPE_START", text["FINPIPE_START"]),
            patience_seconds=_seconds("FINPIPE_PATIENCE_SECONDS", text["FINPIPE_PATIENCE_SECONDS"]),
            log_level=_choice("FINPIPE_LOG_LEVEL", text["FINPIPE_LOG_LEVEL"].upper(), LOG_LEVELS),
            schedules_running=_choice("FINPIPE_SCHEDULES", text["FINPIPE_SCHEDULES"], ("on", "off")) == "on",
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
