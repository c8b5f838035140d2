"""`finpipe demo`: raw to report against the sandbox, in the very Dagster instance that the UI shows."""

from __future__ import annotations

import json as jsonlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finpipe.cli import show
from finpipe.errors import HomeError, SandboxError

if TYPE_CHECKING:
    from finpipe.definitions import StepEvent
    from finpipe.home import Home

_DAYS = 14  # partitions the demo asks for; the bars' whole history comes along with the first request
_TIME_SCALE = 60.0  # a minute's cooldown passes in a second
_MARK = "# the symbols of the demo; written by `finpipe demo`\n"


def demo(
    *,
    bars: Annotated[
        Path | None, typer.Option(help="Your own bars (parquet or CSV) instead of the built-in ones.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Daily partitions to run, up to the newest.")] = _DAYS,
) -> None:
    """Run everything offline: pull two sources from the sandbox, build the tables, show the reports."""
    from finpipe.home import Home
    from finpipe.settings import Profile, Settings

    settings = Settings.read()
    if settings.profile is not Profile.DEV:
        raise HomeError(f"the demo needs FINPIPE_PROFILE=dev, not {settings.profile}.")
    home = Home.open(settings.home, settings.profile)
    world = _world_of(bars)
    _claim(home, world)
    with _sandbox(bars) as sandbox:
        _write_universe(home, sandbox.symbols)
        first = max(sandbox.last_session - timedelta(days=days - 1), sandbox.first_session)
        typer.echo(
            f"sandbox: {len(sandbox.symbols)} symbols, {sandbox.first_session} to {sandbox.last_session}; "
            f"running the partitions {first} to {sandbox.last_session}"
        )
        is_right = _run(first, sandbox.last_session)
    if not is_right:
        raise typer.Exit(1)
    _show_reports()
    _show_next(home)


@dataclass(frozen=True)
class _Sandbox:
    symbols: tuple[str, ...]
    first_session: date
    last_session: date


def _run(first: date, last: date) -> bool:
    from finpipe import definitions
    from finpipe.settings import Settings

    home, started = Settings.read().home, time.perf_counter()
    before = _receipts(home)
    is_right = definitions.run_jobs(Settings.read(), first, last, on_event=_tell)
    sent, seconds = _receipts(home) - before, time.perf_counter() - started
    typer.echo(f"{'done' if is_right else 'failed'} in {seconds:.1f} s, {sent} requests sent\n")
    return is_right


def _tell(event: StepEvent) -> None:
    if event.state != "started":
        typer.echo(f"  {event}")


def _receipts(home: Path) -> int:
    """How many attempts were recorded: one receipt each."""
    return sum(1 for _ in (home / "raw" / "receipts").rglob("*.json"))


def _show_reports() -> None:
    from finpipe.pipeline.report import read_report
    from finpipe.pipeline.workspace import Workspace
    from finpipe.settings import Settings

    workspace = Workspace.open(Settings.read())
    for name in ("market_summary", "movers", "insights", "data_health"):
        shown = read_report(workspace, name)
        show.table(shown.for_people(), f"{name} ({shown.basis})")


def _show_next(home: Home) -> None:
    typer.echo(f"\neverything lies in {home.root}; next:")
    finpipe = _shortest(Path(sys.argv[0]))
    for arguments, purpose in _NEXT:
        command = arguments if arguments.startswith("make") else f"{finpipe} {arguments}"
        typer.echo(f"  {command:78} {purpose}")


def _shortest(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


_NEXT = (
    ("make up", "Dagster's UI: lineage, backfills, schedules"),
    ("report insights --history", "every insight since the first bar"),
    ("report market_summary --as-of 2008-10-01", "as it stood then"),
    ('sql "select symbol, count(*) from bars group by symbol"', "SQL over all tables"),
    ("sources list", "sources, limits, cadences"),
)


@contextmanager
def _sandbox(bars: Path | None) -> Iterator[_Sandbox]:
    """The sandbox as a process of its own, gone when the block ends."""
    command = [sys.executable, "-m", "finpipe", "sandbox", "--json", "--port", "0", "--time-scale", str(_TIME_SCALE)]
    if bars is not None:
        command += ["--bars", str(bars), "--plan", "alpha_vantage=premium"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield _announced(process)
    finally:
        process.terminate()
        process.wait()


def _announced(process: subprocess.Popen[str]) -> _Sandbox:
    output, errors = process.stdout, process.stderr
    if output is None or errors is None:
        raise SandboxError("the sandbox was started without pipes.")
    text = ""
    while not text.rstrip().endswith("}"):
        line = output.readline()
        if not line:
            raise SandboxError(errors.read().strip().removeprefix("finpipe: ") or "the sandbox did not start.")
        text += line
    state = jsonlib.loads(text)
    sessions = (date.fromisoformat(state[name]) for name in ("first_session", "last_session"))
    return _Sandbox(tuple(state["symbols"]), *sessions)


def _world_of(bars: Path | None) -> str:
    """What tells one demo world from another."""
    if bars is None:
        return "built-in"
    try:
        return sha256(bars.read_bytes()).hexdigest()
    except OSError as error:
        raise SandboxError(
            f"the bars file {bars} cannot be read: {error.strerror}. Give a parquet or CSV file."
        ) from error


def _claim(home: Home, world: str) -> None:
    """A home holds one world: prices of another would look like restatements."""
    from finpipe.files import write_atomic

    path = home.state / "demo.json"
    if not path.exists():
        write_atomic(path, jsonlib.dumps({"world": world}).encode())
    found = jsonlib.loads(path.read_text())["world"]
    if found != world:
        raise HomeError(
            f"the home {home.root} holds the demo of other bars. "
            "Set FINPIPE_HOME to a new directory, or delete that one."
        )


def _write_universe(home: Home, symbols: tuple[str, ...]) -> None:
    """Follow the sandbox's symbols, unless the user wrote a universe of their own."""
    from finpipe.files import write_atomic

    if home.universe.exists() and not home.universe.read_text().startswith(_MARK):
        typer.echo(f"keeping your own {home.universe}")
        return
    write_atomic(home.universe, (_MARK + "\n".join(symbols) + "\n").encode())
