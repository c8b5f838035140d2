"""Dagster's own home inside ours. No Dagster is imported here: the command line needs only the files."""

from __future__ import annotations

from pathlib import Path

from finpipe.files import write_atomic
from finpipe.home import Home

WORKSPACE_FILE = Path(__file__).with_name("workspace.yaml")
_INSTANCE_FILE = Path(__file__).with_name("dagster.yaml")


def ensure_instance(home: Home) -> Path:
    """Put the shipped `dagster.yaml` into `<home>/dagster`, which is DAGSTER_HOME, where it is absent or another.

    Raises:
        StorageError: The home cannot be written.
    """
    directory = home.root / "dagster"
    content = _INSTANCE_FILE.read_bytes()
    target = directory / _INSTANCE_FILE.name
    if not target.exists() or target.read_bytes() != content:
        write_atomic(target, content)
    return directory
