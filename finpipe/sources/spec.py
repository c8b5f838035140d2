"""The typed model of a source file (its JSON Schema is published for editors by `finpipe sources schema`)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal

import jsonpath
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from finpipe.errors import UnknownName
from finpipe.schemas import STAGED
from finpipe.sources.grammar import Availability, ChoiceRule, Condition, Duration, Timezone

UNIVERSE = "universe"

Action = Literal["rate_limited", "quota_exhausted", "not_published", "retry", "blocked", "fail", "fail_config"]


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError(f"{text!r} is not a name; use lower-case letters, digits and _")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


def _path(text: str) -> str:
    try:
        jsonpath.compile(text)
    except jsonpath.JSONPathError as error:
        raise ValueError(f"{text!r} is not a JSONPath (RFC 9535): {error.args[0]}") from error
    return text


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]
JsonPath = Annotated[str, AfterValidator(_path)]
# A provider's field, the alternatives it is known by, or =literal.
Mapping = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class Model(BaseModel):
    """Base of every part: frozen, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_timedelta="iso8601")


class Licence(Model):
    """What the provider allows to be done with its data."""

    redistribution: bool = False
    note: str = ""


class NoAuth(Model):
    """The source asks for no key."""

    type: Literal["none"] = "none"


class ApiKey(Model):
    """A key in a header or in the query; `secret` names the environment variable that holds it."""

    type: Literal["api_key"]
    name: str
    location: Literal["header", "query"]
    secret: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Client(Model):
    """How the provider is reached."""

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")]
    auth: Annotated[NoAuth | ApiKey, Field(discriminator="type")] = NoAuth()
    headers: dict[str, str] = {}
    timeout: Duration = timedelta(seconds=30)
    max_bytes: Annotated[int, Field(gt=0)] = 64 * 1024 * 1024


class Window(Model):
    """At most `limit` requests in any span of `period`."""

    limit: Annotated[int, Field(gt=0)]
    period: Duration


class Quota(Model):
    """At most `limit` requests a calendar day of `timezone`; what is over waits for the next day."""

    limit: Annotated[int, Field(gt=0)]
    per: Literal["day"] = "day"
    timezone: Timezone = "UTC"
    on_exhausted: Literal["park"] = "park"


class Limits(Model):
    """All hold at once, over all processes that share a home."""

    scope: Literal["api_key", "ip", "host"] = "host"
    windows: tuple[Window, ...] = ()
    quota: tuple[Quota, ...] = ()
    concurrency: Annotated[int, Field(gt=0)] = 4


class Retries(Model):
    """When a request is asked again: attempt k waits base x factor^(k-1), at most `max`, with full jitter."""

    max_attempts: Annotated[int, Field(gt=0)] = 5
    base: Duration = timedelta(seconds=1)
    factor: Annotated[float, Field(ge=1)] = 2.0
    max: Duration = timedelta(minutes=5)


class Cadence(Model):
    """When a session's data can be had, and when it is worth asking again."""

    calendar: str
    available: Availability
    timezone: Timezone
    grace: Duration = timedelta(hours=2)  # later than available + grace is late
    recheck: tuple[Duration, ...] = ()  # asked again this long after it became available
    gives_up: Duration = timedelta(days=5)  # not published by then: the provider does not have it


class ResponseAction(Model):
    """Classifies an answer that is not data; the first whose every condition matches wins."""

    status: int | None = None
    content: Pattern | None = None
    action: Action

    @model_validator(mode="after")
    def _has_a_condition(self) -> ResponseAction:
        if self.status is None and self.content is None:
            raise ValueError("an action needs a status or a content to match")
        return self


class Records(Model):
    """Where the records are in a body."""

    path: JsonPath = "$"
    key_as: str | None = None  # an object of records: its keys become this field


class TableMapping(Model):
    """One canonical table that a record feeds: its column -> the provider's field."""

    table: str
    when: Condition | None = None
    columns: dict[str, Mapping]

    @model_validator(mode="after")
    def _names_are_known(self) -> TableMapping:
        if self.table not in STAGED:
            raise ValueError(str(UnknownName("table", self.table, STAGED)))
        known = {column.name for column in STAGED[self.table].columns}
        for name in sorted(self.columns.keys() - known):
            raise ValueError(str(UnknownName(f"column of {self.table}", name, known)))
        if self.when is not None:
            self.fields_of(self.when.name)
        return self

    def fields_of(self, name: str) -> Mapping:
        """The provider's fields a condition's name means: a column's, or the only ones that hold the word.

        Raises:
            ValueError: No mapped field, or more than one, holds it.
        """
        if name in self.columns:
            return self.columns[name]
        fields = [m for m in self.columns.values() if any(name in re.findall(r"\w+", f) for f in m if f[0] != "=")]
        if len(fields) != 1:
            raise ValueError(f"{name!r} names {len(fields) or 'none'} of the mapped fields; use a column's name")
        return fields[0]


class Response(Model):
    """How a body is recognised and read. Success is the presence of `require`; wording only classifies failures."""

    format: Literal["json", "text_table", "csv"]
    require: JsonPath | None = None
    echo: dict[str, JsonPath] = {}  # what the body says of itself; must agree with what was asked
    until: JsonPath | None = None  # the last session the body reaches
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    trailer: Literal["record_count"] | None = None
    date_format: str = "%Y-%m-%d"
    actions: tuple[ResponseAction, ...] = ()
    records: Records = Records()
    tables: Annotated[tuple[TableMapping, ...], Field(min_length=1)]


class Endpoint(Model):
    """What is asked: `{name}` in path and params is filled from for_each, `{session:%Y%m%d}` from the slice."""

    path: str
    params: dict[str, str] = {}
    choose: dict[str, dict[str, ChoiceRule]] = {}  # parameter -> its values, each with when it is taken


class Dataset(Model):
    """One thing a source offers."""

    name: Name
    description: str = ""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"  # of its prices, unless a column says so
    venue: str = "US"  # where its symbols are listed: a MIC, or US for the consolidated tape
    cadence: Cadence
    span: Literal["session", "window", "snapshot"]
    start: date | None = None  # the first session the provider has
    for_each: dict[Name, Literal["universe"] | tuple[str, ...]] = {}
    endpoint: Endpoint
    response: Response

    @model_validator(mode="after")
    def _fields_are_known(self) -> Dataset:
        known = {*self.for_each, "session"}
        texts = [self.endpoint.path, *self.endpoint.params.values()]
        used = {match for text in texts for match in re.findall(r"{(\w+)", text)}
        if unknown := used - known:
            raise ValueError(f"{{{min(unknown)}}} is not known; known are {', '.join(sorted(known))}")
        if self.span != "session" and "session" in used:
            raise ValueError("{session} needs span: session")
        return self

    @model_validator(mode="after")
    def _required_columns_are_mapped(self) -> Dataset:
        given = {*self.for_each, *self.response.echo, self.response.records.key_as, "currency"}
        if self.span == "session":
            given.add("session")
        for mapping in self.response.tables:
            for column in STAGED[mapping.table].columns:
                if not column.is_nullable and column.name not in given | mapping.columns.keys():
                    raise ValueError(f"table {mapping.table} needs the column {column.name!r}, which is not mapped")
        return self


class Source(Model):
    """A provider: one file."""

    source: Name
    homepage: str
    licence: Licence = Licence()
    client: Client
    limits: Limits = Limits()
    retries: Retries = Retries()
    datasets: Annotated[tuple[Dataset, ...], Field(min_length=1)]

    @property
    def name(self) -> str:
        return self.source

    def dataset(self, name: str) -> Dataset | None:
        """The dataset of that name."""
        return next((dataset for dataset in self.datasets if dataset.name == name), None)

    def paced(self, time_scale: float) -> Source:
        """The same source in a world whose cooldowns pass `time_scale` times as fast (the sandbox's)."""
        windows = [w.model_copy(update={"period": w.period / time_scale}) for w in self.limits.windows]
        retries = {"base": self.retries.base / time_scale, "max": self.retries.max / time_scale}
        return self.model_copy(
            update={
                "limits": self.limits.model_copy(update={"windows": tuple(windows)}),
                "retries": self.retries.model_copy(update=retries),
            }
        )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a source file, for editors."""
    return Source.model_json_schema()
