"""Floor 0. What a run says of itself, as frozen values that travel through the journal as JSON.

Events are facts with a time, never commands: the store folds them in any order to the same rows, because a worker's journal may
arrive before its parent's. ``unpack(pack(e)) == e``; fields a newer writer added are ignored, kinds it added come back as None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

from prefect_ledger.errors import InvalidValue

Json = Mapping[str, Any]
_BEYOND = 1 << 63


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run, or a further attempt of it, began. ``owner`` says that the writing process is the one whose death ends the run."""

    TAG: ClassVar[str] = "start"
    run: str
    at: int
    attempt: int = 1
    experiment: str = "Default"
    name: str = ""
    kind: str = "script"
    user: str = ""
    parent: str | None = None
    artifact_uri: str | None = None
    owner: bool = True
    status: str = "RUNNING"


@dataclass(frozen=True, slots=True)
class RunAttached:
    """Another process works for this run; says what it knows in case it is heard first."""

    TAG: ClassVar[str] = "attach"
    run: str
    at: int
    attempt: int = 1
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class RunStatusSeen:
    """The run's status at a time. ``attempt`` 0 means whichever is the last. ``provisional``: a guess that any later word overrules."""

    TAG: ClassVar[str] = "status"
    run: str
    at: int
    status: str
    attempt: int = 0
    reason: str = ""
    provisional: bool = False
    exception: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunDescribed:
    """Surroundings of the run: merged key by key, later words win. ``packages`` is kept once per content."""

    TAG: ClassVar[str] = "facts"
    run: str
    at: int
    facts: Json = field(default_factory=dict)
    packages: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParamsLogged:
    """Parameters of an attempt, as text; ``numbers`` has those that are numbers. The first value of a key stays."""

    TAG: ClassVar[str] = "params"
    run: str
    at: int
    attempt: int
    values: Json = field(default_factory=dict)
    task: str = ""


@dataclass(frozen=True, slots=True)
class TagsSet:
    """Tags; None removes. The latest word by time stays."""

    TAG: ClassVar[str] = "tags"
    run: str
    at: int
    values: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunEdited:
    """Somebody gave the run another name, or wrote what it is about; None leaves as it is. The latest word by time stays."""

    TAG: ClassVar[str] = "edit"
    run: str
    at: int
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class TaskRunSeen:
    """A task run in some state. Earlier start, later end and the later state win. ``parent``: the task run whose body called it."""

    TAG: ClassVar[str] = "task"
    run: str
    at: int
    id: str
    name: str
    state: str
    attempt: int = 1
    tries: int = 1
    cached: bool = False
    started: int | None = None
    ended: int | None = None
    exception: Json = field(default_factory=dict)
    parent: str = ""


@dataclass(frozen=True, slots=True)
class ResultSeen:
    """The task run ``task`` computed the result that Prefect keeps under ``key``; or, ``cached``, was given it and did not run."""

    TAG: ClassVar[str] = "result"
    run: str
    at: int
    attempt: int
    task: str
    key: str
    cached: bool = False


MODEL = "model"  # the kind of the artifact that is a model's MLmodel file: said last, when all other files stand
MODEL_FILE = "model file"  # the kind of those others
ABOUT_MODEL = "model"  # in the metadata of the MLmodel file: what the ledger's row of the model says


@dataclass(frozen=True, slots=True)
class ArtifactLogged:
    """Bytes that stand whole in the artifact store."""

    TAG: ClassVar[str] = "artifact"
    run: str
    at: int
    attempt: int
    path: str
    uri: str
    size: int
    sha256: str
    kind: str = "file"
    task: str = ""
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetLogged:
    """Data the run used or made."""

    TAG: ClassVar[str] = "dataset"
    run: str
    at: int
    attempt: int
    name: str
    digest: str
    context: str = ""
    source: str = ""
    rows: int | None = None
    schema: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """What this process used until now for a task run, or (``task`` empty) for the run outside of tasks: µs, which only grow."""

    TAG: ClassVar[str] = "usage"
    run: str
    at: int
    attempt: int
    task: str = ""
    waited: int = 0
    ran: int = 0
    retried: int = 0
    cpu: int = 0
    gpu: int = 0


@dataclass(frozen=True, slots=True)
class Alerted:
    """The run's code wants somebody to know something now. ``level`` is info, warning or error."""

    TAG: ClassVar[str] = "alert"
    run: str
    at: int
    attempt: int
    title: str
    text: str = ""
    level: str = "info"
    task: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about the run that a person should know."""

    TAG: ClassVar[str] = "note"
    run: str
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class JournalClosed:
    """The writing process ended in order; what it still owned and did not end is not crashed."""

    TAG: ClassVar[str] = "close"
    at: int
    run: str = ""


Event = (
    RunStarted
    | RunAttached
    | RunStatusSeen
    | RunDescribed
    | ParamsLogged
    | TagsSet
    | RunEdited
    | TaskRunSeen
    | ResultSeen
    | ArtifactLogged
    | DatasetLogged
    | UsageSeen
    | Alerted
    | Noted
    | JournalClosed
)
_KINDS: dict[str, type[Any]] = {
    k.TAG: k
    for k in (
        RunStarted,
        RunAttached,
        RunStatusSeen,
        RunDescribed,
        ParamsLogged,
        TagsSet,
        RunEdited,
        TaskRunSeen,
        ResultSeen,
        ArtifactLogged,
        DatasetLogged,
        UsageSeen,
        Alerted,
        Noted,
        JournalClosed,
    )
}


def clean(text: str) -> str:
    """``text`` as every database takes it: lone surrogates and NUL become U+FFFD."""
    if text.isascii():
        return text.replace("\0", "�") if "\0" in text else text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "�")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(k)): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no word for it
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not -_BEYOND <= value < _BEYOND:
        return hex(value)  # no database has such integers, and Python writes long ones in decimal no more
    return value if value is None or isinstance(value, bool | int | float) else clean(str(value))


def pack(event: Event) -> bytes:
    """The event as UTF-8 JSON, with its defaults left out.

    Raises:
        InvalidValue: a field is of another type. Who reads would pass over the event without a word.
    """
    out: dict[str, Any] = {"t": event.TAG}
    kind = type(event)
    types = _TYPES[kind]
    for name, default in _DEFAULTS[kind]:
        value = getattr(event, name)
        if default is MISSING or value != default:
            out[name] = value = value if type(value) is int and -_BEYOND <= value < _BEYOND else _clean(value)
            if type(value) not in types[name] and not (isinstance(value, str) and str in types[name]):
                wanted = " or ".join(one.__name__ for one in types[name])
                raise InvalidValue(f"this cannot be kept: {kind.__name__}.{name} is {wanted}, not {type(value).__name__}")
    return _ENCODE(out).encode()


def unpack(data: bytes) -> Event | None:
    """The event of ``data``; None when its kind is one that this version does not know, or when it is no such event at all."""
    try:
        got = json.loads(data)
        kind = _KINDS.get(got.pop("t", ""))
        if kind is None:
            return None
        types = _TYPES[kind]
        known = {name: value for name, value in got.items() if name in types}
        if any(type(value) not in types[name] for name, value in known.items()):
            return None
        event: Event = kind(**known)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return event


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_DEFAULTS = {
    kind: [(f.name, {} if f.default is MISSING and f.default_factory is not MISSING else f.default) for f in fields(kind)]
    for kind in _KINDS.values()
}
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "Json": (dict,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
}
_TYPES = {kind: {f.name: _JSON_TYPES[str(f.type)] for f in fields(kind)} for kind in _KINDS.values()}
