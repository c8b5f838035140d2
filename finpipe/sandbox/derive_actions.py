"""Maintainer's command `python -m finpipe.sandbox.derive_actions`: writes data/actions.csv anew."""

from __future__ import annotations

from finpipe.files import write_atomic
from finpipe.sandbox.actions import derive_actions
from finpipe.sandbox.packaged import ACTIONS_FILE, packaged_bars


def actions_csv() -> str:
    """What data/actions.csv holds: one row for each split or dividend of the packaged bars."""
    return derive_actions(packaged_bars()).write_csv()


if __name__ == "__main__":
    write_atomic(ACTIONS_FILE, actions_csv().encode())
