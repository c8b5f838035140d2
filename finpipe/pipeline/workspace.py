"""Everything a step works with, opened once at the edge: settings, home, clock, sources, stores."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from finpipe import calendars
from finpipe.calendars import Calendar
from finpipe.clock import Clock, SystemClock
from finpipe.errors import HomeError, UserError
from finpipe.fetch.ledger import Ledger
from finpipe.fetch.limits import LimitStore
from finpipe.fetch.limits.sqlite import SqliteLimits
from finpipe.files import write_atomic
from finpipe.home import Home
from finpipe.raw.store import RawStore
from finpipe.redaction import Redactor
from finpipe.settings import Profile, Settings
from finpipe.sources.reading import CATALOGUE, PROFILES, Catalogue, Overlay, read_catalogue, read_overlay
from finpipe.sources.spec import ApiKey, Source
from finpipe.stores.lake import Lake

_DEFAULT_SANDBOX = "http://127.0.0.1:8765"
_WRITE_UNIVERSE = "Write the symbols to follow, one a line."


@dataclass(frozen=True)
class SandboxState:
    """Where the sandbox of a dev home is, and how its world differs from ours."""

    base_url: str
    now_offset_seconds: float  # its now minus ours
    time_scale: float  # how much faster its cooldowns pass
    overlay: Overlay  # what it sells otherwise than the source files say: the limits of a larger plan

    @classmethod
    def read(cls, home: Home) -> SandboxState | None:
        """The state that `finpipe sandbox` left in the home; None before its first start."""
        path = _sandbox_file(home)
        if not path.exists():
            return None
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise HomeError(f"{path} cannot be read ({error}). Delete it and start `finpipe sandbox` again.") from error

    def write(self, home: Home) -> None:
        """Leave the state in the home, for every process that works in it."""
        write_atomic(_sandbox_file(home), json.dumps(asdict(self), indent=2).encode())


@dataclass(frozen=True)
class Workspace:
    """An opened home with all that belongs to it."""

    settings: Settings
    home: Home
    clock: Clock
    catalogue: Catalogue
    sandbox: SandboxState | None

    @classmethod
    def open(cls, settings: Settings) -> Workspace:
        """Open the home that the settings name.

        Raises:
            HomeError: It cannot be used.
            SourceFileError: The profile's overlay is malformed (a broken source file takes down only itself).
        """
        home = Home.open(settings.home, settings.profile)
        sandbox = SandboxState.read(home) if settings.profile is Profile.DEV else None
        return cls(
            settings=settings,
            home=home,
            clock=SystemClock(timedelta(seconds=sandbox.now_offset_seconds) if sandbox else timedelta(0)),
            catalogue=_catalogue(settings, home, sandbox),
            sandbox=sandbox,
        )

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.home.lake)

    @cached_property
    def raw(self) -> RawStore:
        return RawStore(self.home.raw)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.home.state / "ledger.sqlite", self.clock)

    @cached_property
    def limits(self) -> LimitStore:
        return SqliteLimits(self.home.state / "limits.sqlite", self.clock)

    def calendar(self, name: str) -> Calendar:
        """A calendar, with the home's overrides."""
        overrides = self.home.calendar_overrides
        return calendars.load(name, overrides if overrides.exists() else None)

    def lacks_sandbox(self, source: Source) -> bool:
        """Whether a source's address is the sandbox's, and none was ever started in this home."""
        is_shipped = self.catalogue.files[source.name].is_relative_to(CATALOGUE)
        return self.settings.profile is Profile.DEV and self.sandbox is None and is_shipped

    def lock_file(self, name: str) -> Path:
        """The file whose lock guards what `name` says."""
        return self.home.state / "locks" / f"{name.replace('/', '.')}.lock"

    def universe(self) -> list[str]:
        """The symbols to follow, each once, in the file's order.

        Raises:
            HomeError: The file is missing, unreadable or empty.
        """
        path = self.home.universe
        try:
            lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise HomeError(f"the universe {path} cannot be read ({error}). {_WRITE_UNIVERSE}") from error
        symbols = list(dict.fromkeys(line for line in lines if line))
        if not symbols:
            raise HomeError(f"the universe {path} names no symbol. {_WRITE_UNIVERSE}")
        return symbols

    def redactor(self) -> Redactor:
        """Knows the secrets of every source that are set."""
        secrets = []
        for source in self.catalogue.sources.values():
            if isinstance(source.client.auth, ApiKey):
                try:
                    secrets.append(self.settings.secret(source.name, source.client.auth.secret))
                except UserError:  # not set: nothing to hide
                    continue
        return Redactor(secrets)


def _sandbox_file(home: Home) -> Path:
    return home.state / "sandbox.json"


def _catalogue(settings: Settings, home: Home, sandbox: SandboxState | None) -> Catalogue:
    shipped = [read_overlay(PROFILES / "dev.yaml")] if settings.profile is Profile.DEV else []
    sold = [sandbox.overlay] if sandbox else []
    base_url = sandbox.base_url if sandbox else _DEFAULT_SANDBOX
    overlays = [*shipped, *sold, read_overlay(home.root / "profile.yaml")]
    catalogue = read_catalogue(settings.sources, overlays, base_url)
    if sandbox is None:
        return catalogue
    paced = {
        name: source.paced(sandbox.time_scale) if catalogue.files[name].is_relative_to(CATALOGUE) else source
        for name, source in catalogue.sources.items()
    }
    return Catalogue(paced, catalogue.broken, catalogue.files)
