"""`finpipe sources`: what sources there are, whether a file is right, what a body holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finpipe.cli import show

if TYPE_CHECKING:
    from finpipe.sources.spec import Source

app = typer.Typer(help="Sources: list them, check a file, read a body.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(name="list")
def list_sources(*, json: Json = False) -> None:
    """List sources and their datasets; a broken file is named with its fault."""
    import polars as pl

    from finpipe.settings import Settings
    from finpipe.sources.reading import read_catalogue

    catalogue = read_catalogue(Settings.read().sources, (), None)
    rows = [
        {
            "dataset": f"{source.name}/{dataset.name}",
            "span": dataset.span,
            "available": f"T+{dataset.cadence.available.lag} {dataset.cadence.available.time:%H:%M}",
            "timezone": dataset.cadence.timezone,
            "limits": _limits(source),
            "tables": ", ".join(dict.fromkeys(mapping.table for mapping in dataset.response.tables)),
            "description": dataset.description,
        }
        for source, dataset in catalogue.datasets()
    ]
    broken = [str(fault) for fault in catalogue.broken]
    if json:
        show.as_json({"datasets": rows, "broken": broken})
        return
    show.table(pl.DataFrame(rows))
    for fault in broken:
        typer.echo(f"broken: {fault}", err=True)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A source file.")], *, json: Json = False) -> None:
    """Check one source file: exit 0 when it is right, 2 with file, line and field when it is not."""
    from finpipe.errors import SourceFileError

    try:
        source = _checked(file)
    except SourceFileError as error:
        if not json:
            raise
        fault = {"file": str(error.path), "line": error.line, "field": error.field, "problem": error.problem}
        show.as_json({"ok": False, "error": fault})
        raise typer.Exit(2) from error
    names = [dataset.name for dataset in source.datasets]
    if json:
        show.as_json({"ok": True, "source": source.name, "datasets": names})
    else:
        typer.echo(f"{file}: right. Source {source.name} with {len(names)} datasets: {', '.join(names)}")


@app.command()
def parse(
    dataset: Annotated[str, typer.Argument(metavar="SOURCE/DATASET")],
    file: Annotated[Path, typer.Argument(help="A body as the provider sent it.")],
    *,
    item: Annotated[list[str] | None, typer.Option(help="What was asked, as name=value (symbol=IBM).")] = None,
    json: Json = False,
) -> None:
    """Read a body without fetching: its rows, what is quarantined, or the outcome that the body is."""
    import polars as pl

    from finpipe.settings import Settings
    from finpipe.sources.reading import read_catalogue
    from finpipe.staging.parse import parse as parse_body

    _, chosen = read_catalogue(Settings.read().sources, (), None).one(dataset)
    parsed = parse_body(chosen, _read(file), _items(item or []))
    content = parsed.as_json()
    if json:
        show.as_json(content)
        return
    typer.echo(f"outcome: {content['outcome']}{' (truncated)' if content['truncated'] else ''}")
    for title in ("rows", "quarantined"):
        if content[title]:
            frame = pl.DataFrame(content[title], infer_schema_length=None, strict=False)
            show.table(frame, f"{len(frame)} {title}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a source file, for editors."""
    from finpipe.sources.spec import json_schema

    show.as_json(json_schema())


def _checked(file: Path) -> Source:
    from finpipe import calendars
    from finpipe.errors import SourceFileError, UnknownName
    from finpipe.sources.reading import read_source

    source = read_source(file)
    for dataset in source.datasets:
        if dataset.cadence.calendar not in calendars.known():
            fault = UnknownName("calendar", dataset.cadence.calendar, calendars.known())
            raise SourceFileError(file, str(fault), field=f"datasets.{dataset.name}.cadence.calendar")
    return source


def _limits(source: Source) -> str:
    windows = [f"{w.limit}/{w.period.total_seconds():g}s" for w in source.limits.windows]
    return ", ".join([*windows, *(f"{q.limit}/{q.per}" for q in source.limits.quota)])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from error


def _items(texts: list[str]) -> dict[str, str] | None:
    pairs = [text.partition("=") for text in texts]
    for (name, equals, _), text in zip(pairs, texts, strict=True):
        if not (name and equals):
            raise typer.BadParameter(f"{text!r} is not name=value")
    return {name: value for name, _, value in pairs} or None
