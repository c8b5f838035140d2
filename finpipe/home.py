"""FINPIPE_HOME: where everything finpipe keeps lies, and to which profile it belongs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from finpipe.errors import HomeError, StorageError
from finpipe.files import write_atomic

STAMP = "home.json"


@dataclass(frozen=True)
class Home:
    """A home that was opened: it can be written to and belongs to `profile`."""

    root: Path
    profile: str

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def universe(self) -> Path:
        """The symbols to follow, one a line; `#` begins a comment."""
        return self.root / "universe.txt"

    @property
    def calendar_overrides(self) -> Path:
        return self.root / "calendar_overrides.yaml"

    @classmethod
    def open(cls, root: Path, profile: str) -> Home:
        """Open a home, making and stamping it when it is new.

        Raises:
            HomeError: It cannot be written, its stamp cannot be read, or it belongs to another profile.
        """
        stamp, profile = root / STAMP, str(profile)
        if not stamp.exists():
            _stamp(stamp, profile)
        found = _profile_of(stamp)
        if found != profile:
            raise HomeError(
                f"the home {root} belongs to the profile {found!r}, not {profile!r}. "
                f"Set FINPIPE_PROFILE={found}, or FINPIPE_HOME to another directory."
            )
        return cls(root, profile)


def _stamp(stamp: Path, profile: str) -> None:
    try:
        write_atomic(stamp, json.dumps({"profile": profile}).encode(), keep_existing=True)
    except StorageError as error:
        raise HomeError(
            f"the home {stamp.parent} cannot be written ({error.__cause__}). Set FINPIPE_HOME to a directory you own."
        ) from error


def _profile_of(stamp: Path) -> str:
    try:
        return str(json.loads(stamp.read_text())["profile"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"{stamp} cannot be read as a home's stamp ({error}). Restore it, or set FINPIPE_HOME to another directory."
        ) from error
