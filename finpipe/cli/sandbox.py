"""`finpipe sandbox`: the local upstream, and the note it leaves in the home."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finpipe.cli import dates, show

if TYPE_CHECKING:
    from finpipe.sandbox.options import SandboxOptions

_PREMIUM_CONCURRENCY = 4


def sandbox(
    *,
    port: Annotated[int, typer.Option(help="0 takes any free port.")] = 8765,
    bars: Annotated[
        Path | None, typer.Option(help="Serve these bars (parquet or CSV) instead of the built-in ones.")
    ] = None,
    now: Annotated[str | None, typer.Option(help="The virtual instant it starts at.")] = None,
    time_scale: Annotated[float, typer.Option(help="Cooldowns pass this many times as fast.")] = 1.0,
    synthetic: Annotated[int, typer.Option(help="Synthetic instruments beside the real ones.")] = 15,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic exchange.")] = 7,
    plan: Annotated[list[str] | None, typer.Option(help="SOURCE=free or SOURCE=premium.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="SOURCE=10/1s in place of its plan's limits.")] = None,
    fail: Annotated[list[str] | None, typer.Option(help="A source that answers 500 always.")] = None,
    latency: Annotated[float, typer.Option(help="Seconds every answer waits.")] = 0.0,
    log: Annotated[Path | None, typer.Option(help="Append every arrival to this file, as JSON lines.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Serve the local upstream until it is stopped; the home learns where it is."""
    from finpipe.sandbox.options import SandboxOptions, parse_limits, parse_plans

    options = SandboxOptions(
        port=port,
        bars=bars,
        now=dates.instant(now) if now else None,
        time_scale=time_scale,
        synthetic=synthetic,
        seed=seed,
        plans=parse_plans(plan or []),
        limits=parse_limits(limit or []),
        fail=frozenset(fail or []),
        latency_seconds=latency,
        log=log,
    )
    _serve(options, json=json)


def _serve(options: SandboxOptions, *, json: bool) -> None:
    from finpipe.errors import SettingsError
    from finpipe.home import Home
    from finpipe.pipeline.workspace import SandboxState
    from finpipe.sandbox import server
    from finpipe.settings import Profile, Settings

    settings = Settings.read()
    if settings.profile is not Profile.DEV:
        raise SettingsError(f"the sandbox belongs to FINPIPE_PROFILE=dev, not {settings.profile}.")
    home = Home.open(settings.home, settings.profile)

    def announce(ready: server.SandboxState) -> None:
        SandboxState(ready.base_url, ready.now_offset_seconds, ready.time_scale, _sold(options)).write(home)
        if json:
            show.as_json(asdict(ready))
            return
        typer.echo(
            f"sandbox at {ready.base_url}: {len(ready.symbols)} symbols, {ready.first_session} to {ready.last_session}"
        )

    server.serve(options, on_ready=announce)


def _sold(options: SandboxOptions) -> dict[str, object]:
    """The limits of plans other than the free one, as an overlay of the source files."""
    from finpipe.sandbox.limits import Window

    overlay: dict[str, object] = {}
    for source, plan in options.plans.items():
        if plan == "free":
            continue
        windows = [limit for limit in options.limits_of(source) if isinstance(limit, Window)]
        periods = [{"limit": window.limit, "period": f"{window.period_seconds:g}s"} for window in windows]
        overlay[source] = {"limits": {"windows": periods, "quota": [], "concurrency": _PREMIUM_CONCURRENCY}}
    return overlay
