"""Reading source files: YAML to the typed model, each fault with its file, line and field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from finpipe.errors import SourceFileError, UnknownName
from finpipe.sources.spec import Dataset, Source

CATALOGUE = Path(__file__).parent / "catalogue"
PROFILES = Path(__file__).parent / "profiles"

Overlay = Mapping[str, Any]
Place = str | int


@dataclass(frozen=True)
class Catalogue:
    """The sources that could be read, and the faults of those that could not."""

    sources: Mapping[str, Source]
    broken: tuple[SourceFileError, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    def source(self, name: str) -> Source:
        """The source of that name.

        Raises:
            UnknownName: There is none; offers near names.
            SourceFileError: Its file is there but broken.
        """
        for fault in self.broken:
            if fault.path.stem == name:
                raise fault
        if name not in self.sources:
            raise UnknownName("source", name, self.sources)
        return self.sources[name]

    def select(self, text: str) -> list[tuple[Source, Dataset]]:
        """The datasets that `SOURCE` or `SOURCE/DATASET` names.

        Raises:
            UnknownName: No such source or dataset.
        """
        source_name, _, dataset_name = text.partition("/")
        source = self.source(source_name)
        if not dataset_name:
            return [(source, dataset) for dataset in source.datasets]
        dataset = source.dataset(dataset_name)
        if dataset is None:
            raise UnknownName(f"dataset of {source_name}", dataset_name, [d.name for d in source.datasets])
        return [(source, dataset)]

    def one(self, text: str) -> tuple[Source, Dataset]:
        """The dataset that `SOURCE/DATASET` names; the source alone will do when it has only one.

        Raises:
            UnknownName: No such source or dataset, or the source has several.
        """
        chosen = self.select(text)
        if len(chosen) > 1:
            raise UnknownName("dataset", text, [f"{source.name}/{dataset.name}" for source, dataset in chosen])
        return chosen[0]

    def datasets(self) -> list[tuple[Source, Dataset]]:
        """Every dataset of every source, by name."""
        return [(source, dataset) for _, source in sorted(self.sources.items()) for dataset in source.datasets]


def read_catalogue(user_directory: Path | None, overlays: Sequence[Overlay], sandbox: str | None) -> Catalogue:
    """Read the shipped files and the user's own.

    Args:
        user_directory: More files; one of the same source name replaces the shipped one. Overlays leave
            them as they are: a user's file is never redirected to the sandbox.
        overlays: Laid over the shipped files, in order: source -> what differs (see `overlaid`).
        sandbox: Base URL that stands for `{sandbox}` in overlays.

    Raises:
        UnknownName: An overlay names a source or dataset that is not shipped.
        SourceFileError: `user_directory` is not a directory.
    """
    if user_directory is not None and not user_directory.is_dir():
        raise SourceFileError(user_directory, "FINPIPE_SOURCES is not a directory; make it, or unset the variable")
    shipped = sorted(CATALOGUE.glob("*.yaml"))
    own = sorted(user_directory.glob("*.y*ml")) if user_directory else []
    for name in {name for overlay in overlays for name in overlay}:
        if name not in {path.stem for path in shipped}:
            raise UnknownName("source in the profile", name, [path.stem for path in shipped])
    sources: dict[str, Source] = {}
    files: dict[str, Path] = {}
    broken: list[SourceFileError] = []
    for path in [*shipped, *own]:
        try:
            source = read_source(path, overlays if path in shipped else (), sandbox)
        except SourceFileError as error:
            broken.append(error)
            continue
        sources[source.name], files[source.name] = source, path
    return Catalogue(sources, tuple(broken), files)


def read_source(path: Path, overlays: Iterable[Overlay] = (), sandbox: str | None = None) -> Source:
    """Read one file.

    Raises:
        SourceFileError: It cannot be read, or does not fit the model.
    """
    node, content = _loaded(path)
    for overlay in overlays:
        if path.stem in overlay:
            content = overlaid(content, overlay[path.stem], path)
    try:
        source = Source.model_validate(_filled(content, sandbox))
    except ValidationError as error:
        # A misspelt field is both unknown and missing: the unknown one is the fault.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise _fault(path, node, faults[0]) from error
    if source.name != path.stem:
        problem = f"the file of the source {source.name!r} must be called {source.name}.yaml"
        raise SourceFileError(path, problem, line=_line(node, ("source",)), field="source")
    return source


def read_overlay(path: Path) -> Overlay:
    """Read a profile's overlay; a file that is not there lays nothing over.

    Raises:
        SourceFileError: It is malformed.
    """
    if not path.exists():
        return {}
    return _loaded(path)[1]


def overlaid(content: Mapping[str, Any], overlay: Any, path: Path) -> dict[str, Any]:
    """Lay what differs over a file's content: mappings merge, all else is replaced, datasets go by name."""
    merged = dict(content)
    for key, value in overlay.items() if isinstance(overlay, Mapping) else ():
        if key == "datasets" and isinstance(value, Mapping):
            merged[key] = _overlaid_datasets(merged[key], value, path)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlaid(merged[key], value, path)
        else:
            merged[key] = value
    return merged


def _overlaid_datasets(datasets: Any, overlay: Mapping[str, Any], path: Path) -> list[Any]:
    names = [dataset["name"] for dataset in datasets]
    for name in overlay.keys() - set(names):
        raise UnknownName(f"dataset of {path.stem} in the profile", name, names)
    return [overlaid(dataset, overlay.get(dataset["name"], {}), path) for dataset in datasets]


def _filled(content: Any, sandbox: str | None) -> Any:
    base_url = content.get("client", {}).get("base_url") if isinstance(content, dict) else None
    if sandbox is None or not isinstance(base_url, str):
        return content
    return {**content, "client": {**content["client"], "base_url": base_url.replace("{sandbox}", sandbox)}}


def _loaded(path: Path) -> tuple[yaml.MappingNode, dict[str, Any]]:
    """A file's mapping, as nodes that know their lines and as values."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise SourceFileError(path, "must be a mapping that begins with `source: NAME`", line=1)
        _refuse_repeated_keys(path, node)
        return node, cast(dict[str, Any], loader.construct_document(node))
    except OSError as error:
        raise SourceFileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceFileError(path, "is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SourceFileError(path, f"is not YAML: {error.problem}", line=line) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceFileError(path, f"is not YAML: {str(error).splitlines()[0]}") from error


def _refuse_repeated_keys(path: Path, node: yaml.Node) -> None:
    """YAML lets the last of two equal keys win; here it is a slip of the pen."""
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise SourceFileError(path, f"{name!r} stands here twice", line=key.start_mark.line + 1)
            seen.add(name)
    for child in children:
        _refuse_repeated_keys(path, child)


def _fault(path: Path, node: yaml.Node, error: ErrorDetails) -> SourceFileError:
    # Tags of unions ("api_key") stand in a location but not in the file.
    location = tuple(part for part in error["loc"] if part not in ("none", "api_key"))
    problem = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        problem = "is not a known field" + _alternatives(location)
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return SourceFileError(path, problem, line=_line(node, location), field=name or None)


def _alternatives(location: Sequence[Place]) -> str:
    known = sorted(_fields_at(Source, location[:-1]))
    near = get_close_matches(str(location[-1]), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Known here: {', '.join(known)}" if known else ""


def _fields_at(model: type[BaseModel], location: Sequence[Place]) -> set[str]:
    """Names of the fields a file may hold at a place."""
    names = [part for part in location if isinstance(part, str)]
    if not names:
        return set(model.model_fields)
    annotation = model.model_fields[names[0]].annotation if names[0] in model.model_fields else None
    models = _models_in(annotation)
    return {name for inner in models for name in _fields_at(inner, names[1:])}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _line(node: yaml.Node, location: Sequence[Place]) -> int:
    """Line of the deepest part of `location` that stands in the file."""
    line = node.start_mark.line + 1
    for part in location:
        child = _child(node, part)
        if child is None:
            break
        key, node = child
        line = key.start_mark.line + 1
    return line


def _child(node: yaml.Node, part: Place) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
