"""Returned values: what an annotation says is what is logged, and misuse is told by function and annotation."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import functools
import hashlib
import io
import json
import os
import pathlib
import pickle
import threading
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Optional, Union

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pydantic
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import InvalidName, InvalidValue, LedgerError, MissingExtra
from prefect_ledger.models import pickles
from prefect_ledger.tracking.datasets import describe
from prefect_ledger.tracking.figures import render
from prefect_ledger.tracking.hints import Names, Unknown
from prefect_ledger.tracking.returns import Artifact, Dataset, Metrics, Model, ReturnSpec, log_returned, parse_returns

if TYPE_CHECKING:
    from nowhere import Booster, frames  # type: ignore[import-not-found]

    from prefect_ledger.tracking.models import Prepared

mpl.use("Agg")
LAW = settings(max_examples=120, deadline=None)


class Kept:
    """A run that keeps what is logged into it, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.metrics: dict[str, float] = {}
        self.files: dict[str, bytes] = {}
        self.details: dict[str, tuple[str, Any]] = {}
        self.datasets: list[tuple[Any, ...]] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        assert step is None
        self.metrics |= metrics

    def log_text(self, text: str, path: str) -> None:
        self.log_bytes(text.encode(), path, kind="text")

    def log_dict(self, data: Any, path: str) -> None:
        self.log_bytes(json.dumps(data).encode(), path, kind="dict")

    def log_figure(self, figure: Any, path: str) -> None:
        self.log_bytes(render(figure, path), path, kind="figure")

    def log_bytes(self, data: bytes, path: str, *, kind: str = "file", metadata: Mapping[str, Any] | None = None) -> None:
        assert type(data) is bytes
        self.files[path], self.details[path] = data, (kind, metadata)

    def log_artifact(self, local_path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        local = pathlib.Path(local_path)
        self.log_bytes(local.read_bytes(), f"{artifact_path}/{local.name}" if artifact_path else local.name)

    def log_artifacts(self, local_folder: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        for local in sorted(pathlib.Path(local_folder).iterdir()):
            self.log_artifact(local, artifact_path)

    def log_prepared_model(self, prepared: Prepared, name: str, register: object = None) -> None:
        for local in sorted(prepared.folder.iterdir()):
            if local.is_file():
                self.log_bytes(local.read_bytes(), f"{name}/{local.name}", metadata={"register": register})

    def record_dataset(
        self,
        name: str,
        digest: str,
        *,
        context: str = "",
        source: str = "",
        rows: int | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> None:
        self.datasets.append((name, digest, context, source, rows, schema))

    @property
    def empty(self) -> bool:
        """Whether nothing was logged."""
        return not (self.metrics or self.files or self.datasets)


def logged(annotation: Any, value: Any, *, is_flow: bool = False) -> Kept:
    """What a function called ``train`` that returns ``value`` under ``annotation`` logs."""

    def train() -> None: ...

    if annotation is not None:
        train.__annotations__["return"] = annotation
    run = Kept()
    log_returned(run, parse_returns(train), value, is_flow=is_flow)
    return run


def marks(fn: Callable[..., Any]) -> Any:
    """The annotations of ``fn``: of the whole, or of each part of a tuple."""
    spec = parse_returns(fn)
    return [item.marks for item in spec.whole.items] if spec.whole.items else spec.whole.marks


# --- the annotations themselves ----------------------------------------------------------------------------------------------


def test_annotations_are_frozen_values() -> None:
    """Equal, hashable, picklable, unchangeable."""
    for mark in (Metrics("val"), Artifact("a.html"), Model("m", register=True), Dataset("d", context="train")):
        assert pickle.loads(pickle.dumps(mark)) == mark
        assert hash(mark) == hash(dataclasses.replace(mark))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(mark, dataclasses.fields(mark)[0].name, "other")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Metrics("a*b"),
        lambda: Metrics(None),  # type: ignore[arg-type]
        lambda: Metrics("../x"),
        lambda: Artifact("../x"),
        lambda: Artifact("/abs"),
        lambda: Artifact(""),
        lambda: Artifact(3),  # type: ignore[arg-type]
        lambda: Model(""),
        lambda: Model("a/b"),
        lambda: Model("a@b"),
        lambda: Model("a:b"),
        lambda: Model(".."),
        lambda: Model(None),  # type: ignore[arg-type]
        lambda: Model("m", register="yes"),  # type: ignore[arg-type]
        lambda: Dataset(""),
        lambda: Dataset("a\nb"),
        lambda: Dataset("d", context=3),  # type: ignore[arg-type]
        lambda: Dataset("d", context="x" * 300),
    ],
)
def test_nonsense_refuses_to_be_made(make: Callable[[], Any]) -> None:
    """A bad name, path, prefix, switch or context raises where it is written."""
    with pytest.raises((InvalidName, InvalidValue)):
        make()


# --- reading annotations ---------------------------------------------------------------------------------------------------------


def whole() -> Annotated[dict[str, float], Metrics]: ...  # type: ignore[empty-body]
def instance() -> Annotated[dict[str, float], Metrics(prefix="val")]: ...  # type: ignore[empty-body]
def unknown() -> Annotated[Booster, Model("churn")]: ...
def unknown_module() -> Annotated[frames.LazyFrame[int] | None, Dataset("train")]: ...
def two() -> Annotated[pd.DataFrame, Dataset("train"), "a word of others", Artifact("train.csv")]: ...  # type: ignore[empty-body]
def parts() -> tuple[Annotated[Booster, Model("m")], int, Annotated[dict[str, Booster], Metrics] | None]: ...  # type: ignore[empty-body]
def optional() -> Optional[Annotated[dict[str, float], Metrics]]: ...  # noqa: UP045  # the old spelling is what is tested
def union() -> Union[None, Annotated[dict[str, float], Metrics]]: ...  # noqa: UP007, RUF036  # as above
def text() -> "Annotated[dict[str, float], Metrics]": ...  # type: ignore[empty-body]  # noqa: UP037  # a text within a text
def nested() -> tuple[tuple[Annotated[dict[str, float], Metrics], str], str]: ...  # type: ignore[empty-body]
def waited() -> Awaitable[Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]
def routine() -> Coroutine[Any, Any, Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]
def stream() -> Generator[int, None, Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]
async def later() -> Annotated[dict[str, float], Metrics]: ...  # type: ignore[empty-body]


METRICS = (Metrics(),)


@pytest.mark.parametrize(
    ("fn", "found"),
    [
        (whole, METRICS),
        (instance, (Metrics("val"),)),
        (unknown, (Model("churn"),)),
        (unknown_module, (Dataset("train"),)),
        (two, (Dataset("train"), Artifact("train.csv"))),
        (parts, [(Model("m"),), (), METRICS]),
        (optional, METRICS),
        (union, METRICS),
        (text, METRICS),
        (waited, METRICS),
        (routine, METRICS),
        (stream, METRICS),
        (later, METRICS),
    ],
)
def test_annotations_are_found(fn: Callable[..., Any], found: Any) -> None:
    """As class or object, alone or several, in tuples, optional, awaited, returned by generators, and beside names nobody knows."""
    assert marks(fn) == found
    assert parse_returns(fn).annotated
    assert parse_returns(fn).function == fn.__name__


def test_tuples_may_be_nested() -> None:
    """A part of a part is found."""
    assert parse_returns(nested).whole.items[0].items[0].marks == METRICS


def test_annotations_are_found_through_wrappers() -> None:
    """Partials, methods, static and class methods, callable objects and functools.wraps all lead to what was written."""

    class Trainer:
        def fit(self) -> Annotated[dict[str, float], Metrics]: ...  # type: ignore[empty-body]

        @classmethod
        def make(cls) -> Annotated[dict[str, float], Metrics]: ...  # type: ignore[empty-body]

        @staticmethod
        def plain() -> Annotated[dict[str, float], Metrics]: ...  # type: ignore[empty-body]

        def __call__(self) -> Annotated[dict[str, float], Metrics]: ...  # type: ignore[empty-body]

    @functools.wraps(whole)
    def wrapped() -> Any: ...

    for fn in (Trainer().fit, Trainer.make, Trainer.plain, Trainer(), wrapped, functools.partial(whole), vars(Trainer)["make"]):
        assert marks(fn) == METRICS
    assert parse_returns(Trainer().fit).function == "Trainer.fit"


def test_our_names_are_known_where_only_the_type_checker_imports_them() -> None:
    """Linters move such imports below TYPE_CHECKING; the annotation must not be lost by that."""
    names: dict[str, Any] = {}
    exec(
        "from __future__ import annotations\n"
        "def train() -> Annotated[Booster | None, Model('churn')] | None: ...\n"
        "def other() -> Optional[Annotated[Mapping[str, float], Metrics]]: ...\n",
        names,
    )
    assert marks(names["train"]) == (Model("churn"),)
    assert marks(names["other"]) == METRICS


def test_names_of_enclosing_functions_are_known() -> None:
    """What the function closes over, and what its caller hands in."""
    path = "inner.html"

    def report() -> Annotated[str, Artifact(path)]:
        return path

    assert marks(report) == (Artifact("inner.html"),)
    local = Artifact("local.html")

    def other() -> Annotated[str, local]: ...  # type: ignore[empty-body]

    assert marks(other) == ()
    assert parse_returns(other, local=locals()).whole.marks == (local,)


def test_a_type_that_holds_itself_ends() -> None:
    """Recursive aliases are followed once, and annotations in an alias are found."""
    json_like = typing_extensions.TypeAliasType("json_like", "dict[str, json_like] | None")  # type: ignore[misc]
    marked = typing_extensions.TypeAliasType("marked", Annotated[dict[str, float], Metrics])

    def train() -> None: ...

    for annotation, found in ((json_like, ()), (marked, METRICS), (marked | None, METRICS)):
        train.__annotations__["return"] = annotation
        assert parse_returns(train, local=locals()).whole.marks == found


class Broken:
    @property
    def __origin__(self) -> Any:
        raise RuntimeError("not now")

    __metadata__ = 3


@pytest.mark.parametrize(
    "annotation",
    [
        "1/0",
        "not a type at all (",
        "Booster",
        "Booster | None",
        "list[Booster]",
        "None | Unheard.Of[int]()",
        Broken(),
        np.zeros(3),
        3,
        None,
        Any,
        "Literal['Metrics']",
        Literal["Metrics"],
        typing.ForwardRef("Booster"),
        Callable[[int], str],
        Callable[..., Any],
        "Model",
        Metrics,
        tuple[()],
        dict[str, int],
    ],
)
def test_what_others_annotate_never_raises(annotation: Any) -> None:
    """Unresolvable, broken or strange annotations mean nothing to us; nor does our class as a plain type."""

    def train() -> None: ...

    train.__annotations__["return"] = annotation
    assert parse_returns(train) == ReturnSpec("train", parse_returns(train).whole)
    assert not parse_returns(train).annotated


@pytest.mark.parametrize("fn", [print, int, len, lambda: 1, functools.partial(print), object(), types.SimpleNamespace])
def test_functions_without_hints_are_taken(fn: Any) -> None:
    """Builtins, classes and lambdas say nothing."""
    assert not parse_returns(fn).annotated


def needs_name() -> Annotated[Booster, Model]: ...
def needs_path() -> Annotated[str, Artifact]: ...  # type: ignore[empty-body]
def no_argument() -> Annotated[str, Artifact()]: ...  # type: ignore[empty-body]
def bad_path() -> Annotated[str, Artifact("../x")]: ...  # type: ignore[empty-body]
def in_list() -> list[Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]
def in_dict() -> dict[str, Annotated[str, Artifact("x.txt")]]: ...  # type: ignore[empty-body]
def open_tuple() -> tuple[Annotated[dict[str, float], Metrics], ...]: ...  # type: ignore[empty-body]
def either() -> Annotated[dict[str, float], Metrics] | str: ...  # type: ignore[empty-body]
def yielded() -> Iterator[Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]
def sent() -> Generator[Annotated[dict[str, float], Metrics], None, str]: ...  # type: ignore[empty-body]
def dripping() -> AsyncIterator[Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]
def called() -> Callable[[Annotated[dict[str, float], Metrics]], str]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("fn", "why"),
    [
        (needs_name, r'Model needs to know more: write Model\("churn"\)'),
        (needs_path, r'Artifact needs to know more: write Artifact\("roc.html"\)'),
        (no_argument, r"cannot be read: .*missing 1 required positional argument: 'path'"),
        (bad_path, r"artifact path '../x' must stay inside its run"),
        (in_list, r"inside list\[\.\.\.\] are not logged"),
        (in_dict, r"inside dict\[\.\.\.\] are not logged"),
        (open_tuple, r"inside tuple\[\.\.\.\] are not logged.*known length"),
        (either, "which value is meant; annotate the whole union"),
        (yielded, r"inside Iterator\[\.\.\.\]"),
        (sent, r"inside Generator\[\.\.\.\]"),
        (dripping, r"inside AsyncIterator\[\.\.\.\]"),
        (called, r"inside Callable\[\.\.\.\]"),
    ],
)
def test_misused_annotations_raise_at_once(fn: Callable[..., Any], why: str) -> None:
    """Where nothing would be logged, or without its arguments: told at the decorator, with the function's name."""
    with pytest.raises((InvalidName, InvalidValue), match=rf"(?s)^{fn.__name__}\(\): .*{why}"):
        parse_returns(fn)


def test_a_spec_travels_to_workers() -> None:
    """Specs are plain values that pickle."""
    assert pickle.loads(pickle.dumps(parse_returns(parts))) == parse_returns(parts)


@LAW
@given(st.text(alphabet="abM[](),.|'\" =:*", max_size=25))
def test_no_text_of_an_annotation_breaks_the_decorator(said: str) -> None:
    """Whatever stands there, it is a type, something unknown, or our own error."""

    def train() -> None: ...

    train.__annotations__["return"] = said
    assert not parse_returns(train).annotated


def test_unknown_names_take_part_in_types() -> None:
    """They can be indexed, called, asked for attributes and joined with ``|``, from both sides."""
    names = Names(whole)
    for said in ("Nobody", "Nobody.Knows[int].this(3)", "Nobody['x']"):
        assert isinstance(names.evaluate(said), Unknown)
    for said in ("Nobody | None", "None | Nobody", "int | Nobody", "Optional[Nobody]", "Union[int, Nobody]"):
        assert typing.get_origin(names.evaluate(said)) is Union


# --- metrics ------------------------------------------------------------------------------------------------------------------------


class Scores(pydantic.BaseModel):
    auc: float = 0.9
    by_class: dict[int, float] = {0: 0.5, 1: 0.75}


@dataclasses.dataclass
class Report:
    loss: float
    hidden: float = dataclasses.field(default=2.0, repr=False)


class Pair(NamedTuple):
    first: float
    second: float


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"auc": 0.9, "n": 3}, {"auc": 0.9, "n": 3.0}),
        ({"macro avg": {"f1-score": 0.5}, "0": {"f1-score": 1}}, {"macro avg.f1-score": 0.5, "0.f1-score": 1.0}),
        (Scores(), {"auc": 0.9, "by_class.0": 0.5, "by_class.1": 0.75}),
        (Report(0.5), {"loss": 0.5, "hidden": 2.0}),
        (Pair(1, 2), {"first": 1.0, "second": 2.0}),
        (types.MappingProxyType({"a": np.float32(0.5)}), {"a": 0.5}),
        ({"a": np.array(2.5), "b": np.int64(1), "c": decimal.Decimal("0.25")}, {"a": 2.5, "b": 1.0, "c": 0.25}),
        (collections.OrderedDict(a=float("inf")), {"a": float("inf")}),
        ({}, {}),
    ],
)
def test_metrics_of_every_kind_of_mapping(value: Any, found: dict[str, float]) -> None:
    """Flat, nested, dataclasses, models, named tuples; numbers of any library as floats."""
    run = logged(Annotated[Any, Metrics], value)
    assert run.metrics == found
    assert all(type(number) is float for number in run.metrics.values())
    prefixed = logged(Annotated[Any, Metrics(prefix="val")], value)
    assert prefixed.metrics == {f"val.{key}": number for key, number in found.items()}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"auc": "high"}, r"metric 'auc' takes a number, not 'high' \(str\)"),
        ({"auc": 1.0, "ok": True}, r"metric 'ok' takes a number, not True \(bool\)"),
        ({"deep": {"x": None}}, r"metric 'deep\.x' takes one number, not NoneType"),
        ({"roc": [1, 2]}, r"metric 'roc' takes one number, not list"),
        ({"grid": np.zeros(3)}, r"metric 'grid' takes one number, not ndarray"),
        ({"z": 1 + 2j}, "metric 'z' takes one number"),
        ({"a*b": 1}, r"metric key 'a\*b': only letters"),
        ({"": 1}, "1 to 250 characters"),
        ({(1, 2): 1}, "metric names are text, not tuple"),
        ({"a.b": 1, "a": {"b": 2}}, r"metric 'a\.b' is there twice"),
        (0.9, "a mapping of names to numbers, a dataclass or a pydantic model, not float"),
        ([("auc", 0.9)], "not list"),
        (pd.DataFrame({"a": [1]}), r"not pandas\.DataFrame"),
    ],
)
def test_what_is_no_metric_is_refused_by_name(value: Any, why: str) -> None:
    """The message names the function, the annotation, the key and the value's type; nothing is logged."""
    run = Kept()
    with pytest.raises(InvalidValue, match=rf"^whole\(\) returns Metrics: .*{why}"):
        log_returned(run, parse_returns(whole), value, is_flow=True)
    assert run.empty


def test_a_mapping_that_holds_itself_is_refused() -> None:
    """Not followed for ever."""
    ring: dict[str, Any] = {}
    ring["a"] = ring
    with pytest.raises(InvalidValue, match="holding itself"):
        logged(Annotated[Any, Metrics], ring)


@LAW
@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,3})?", fullmatch=True), st.floats(allow_nan=False), min_size=1, max_size=6))
def test_metrics_come_through_unchanged(values: dict[str, float]) -> None:
    """By annotation, and for a flow without one: every name and number, once."""
    assert logged(Annotated[Any, Metrics], values).metrics == values
    assert logged(None, values, is_flow=True).metrics == values
    assert logged(None, values, is_flow=False).empty


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": True},
        {"a": 1, "b": "x"},
        {"a": None},
        {"a": {"b": 1}},
        {"a*b": 1},
        {1: 1.0},
        {"a": 10**400},
        {"a": 1j},
        {"a": np.zeros(2)},
        {"a": np.bool_(True)},
        {f"k{n}": n for n in range(1_001)},
        {"a": decimal.Decimal(1)},
        Scores(),
        [1.0],
        0.5,
        None,
        "x",
        pd.DataFrame({"a": [1]}),
        pd.Series({"a": 1}),
    ],
)
def test_other_values_of_a_flow_are_not_metrics(value: Any) -> None:
    """Silently: nobody asked for them."""
    assert logged(None, value, is_flow=True).empty


def test_numbers_of_numpy_are_a_flows_metrics() -> None:
    """Real numbers of any library count, NaN among them."""
    run = logged(None, {"a": np.float32(0.5), "b": np.int8(3), "c": float("nan")}, is_flow=True)
    assert run.metrics["a"] == 0.5
    assert run.metrics["b"] == 3.0
    assert run.metrics["c"] != run.metrics["c"]


def test_an_annotation_ends_the_guessing() -> None:
    """A flow that annotates something is taken at its word."""
    run = logged(tuple[Annotated[str, Artifact("a.txt")], dict[str, float]], ("text", {"auc": 1.0}), is_flow=True)
    assert run.metrics == {}
    assert run.files == {"a.txt": b"text"}


def test_a_mapping_that_raises_does_not_end_the_flow() -> None:
    """Looking whether it is metrics is our idea, so its errors are ours to swallow."""

    class Angry(dict[str, float]):
        def values(self) -> Any:
            raise RuntimeError("not now")

    assert logged(None, Angry(a=1.0), is_flow=True).empty


# --- artifacts ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["a.html", "a.TXT", "b/report.md", "notes", "x.json", "q.sql"])
def test_text_is_logged_as_text(path: str) -> None:
    """Where the suffix says so, or says nothing."""
    run = logged(Annotated[str, Artifact(path)], "héllo")
    assert run.files == {path: "héllo".encode()}
    assert run.details[path][0] == "text"


@pytest.mark.parametrize("value", [b"\x00\x01", bytearray(b"\x00\x01"), memoryview(b"\x00\x01")])
def test_bytes_are_logged_as_they_are(value: Any) -> None:
    """Under any suffix."""
    assert logged(Annotated[bytes, Artifact("a/b.bin")], value).files == {"a/b.bin": b"\x00\x01"}


def test_a_path_is_copied_under_the_annotated_name(tmp_path: pathlib.Path) -> None:
    """With its own name or another, at the top or in a folder; a folder with all it holds. The original stays."""
    file = tmp_path / "made.html"
    file.write_bytes(b"<p>")
    for path in ("made.html", "report.html", "plots/roc.html", "plots/made.html"):
        assert logged(Annotated[pathlib.Path, Artifact(path)], file).files == {path: b"<p>"}
    assert logged(Annotated[pathlib.Path, Artifact("all")], tmp_path).files == {"all/made.html": b"<p>"}
    assert file.read_bytes() == b"<p>"
    assert not file.is_symlink()
    with pytest.raises(InvalidValue, match=r"train\(\) returns Artifact\(path='x.html'\): there is no file at .*gone"):
        logged(Annotated[pathlib.Path, Artifact("x.html")], tmp_path / "gone")


def test_a_file_under_another_name_reaches_the_real_store(tmp_path: pathlib.Path) -> None:
    """The artifact store takes the file whole, with the digest of its bytes."""
    file = tmp_path / "made.bin"
    file.write_bytes(os.urandom(100_000))
    store = ArtifactStore(str(tmp_path / "root"))
    base = store.uri(1, "00000000-0000-0000-0000-000000000001")

    class Real(Kept):
        def log_artifact(self, local_path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
            stored = store.put_file(base, f"{artifact_path}/{pathlib.Path(local_path).name}", local_path)
            self.files[stored.path] = store.read_bytes(stored.uri, sha256=hashlib.sha256(file.read_bytes()).hexdigest())

    run = Real()
    spec = parse_returns(_returning(Annotated[pathlib.Path, Artifact("models/weights.bin")]))
    log_returned(run, spec, file, is_flow=False)
    assert run.files == {"models/weights.bin": file.read_bytes()}


def _returning(annotation: Any) -> Callable[[], None]:
    def train() -> None: ...

    train.__annotations__["return"] = annotation
    return train


def test_figures_are_drawn() -> None:
    """matplotlib's figures and axes as pictures, plotly's as pages."""
    figure = Figure(figsize=(1, 1))
    axes = figure.subplots()
    for drawn in (figure, axes):
        assert logged(Annotated[Any, Artifact("p/roc.png")], drawn).files["p/roc.png"].startswith(b"\x89PNG")
    assert b"<svg" in logged(Annotated[Any, Artifact("roc.svg")], figure).files["roc.svg"]
    page = logged(Annotated[Any, Artifact("roc.html")], go.Figure(go.Scatter(x=[1], y=[2])))
    assert b"<html" in page.files["roc.html"]
    with pytest.raises(InvalidValue, match=r"train\(\) returns Artifact\(path='roc.nope'\)"):
        logged(Annotated[Any, Artifact("roc.nope")], figure)


def test_pictures_are_encoded() -> None:
    """Pillow's, and arrays, for paths that end as a picture's; checked as ``log_image`` does it."""
    for picture in (np.full((2, 3), 0.5), Image.new("L", (3, 2), 128)):
        run = logged(Annotated[Any, Artifact("p/guess.png")], picture)
        assert run.files["p/guess.png"].startswith(b"\x89PNG")
        assert run.details["p/guess.png"] == ("image", {"width": 3, "height": 2})
    with pytest.raises(InvalidValue, match=r"train\(\) returns Artifact\(path='guess.png'\): pixels that are fractions are 0 to 1"):
        logged(Annotated[Any, Artifact("guess.png")], np.full((2, 2), 7.5))


@pytest.mark.parametrize("value", [{"a": [1, None]}, [1, "x"], []])
def test_mappings_and_lists_become_json(value: Any) -> None:
    """For a path that ends in .json."""
    run = logged(Annotated[Any, Artifact("a.json")], value)
    assert json.loads(run.files["a.json"]) == value
    assert run.details["a.json"][0] == "dict"


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "<é>"]})


def test_frames_are_written_by_their_own_writers() -> None:
    """CSV, TSV, Parquet, JSON and HTML come back as the frame; a counting index is left out, one with meaning is kept."""

    def bytes_of(path: str, value: Any) -> bytes:
        return logged(Annotated[Any, Artifact(path)], value).files[path]

    assert bytes_of("t.csv", FRAME).decode() == "a,b\n1,x\n2,<é>\n"
    assert bytes_of("t.tsv", FRAME).decode() == "a\tb\n1\tx\n2\t<é>\n"
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(bytes_of("t.parquet", FRAME))), FRAME)
    assert json.loads(bytes_of("t.json", FRAME)) == {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "<é>"}}
    assert "&lt;é&gt;" in bytes_of("t.html", FRAME).decode()
    named = FRAME.set_index("b")
    assert bytes_of("t.csv", named).decode() == "b,a\nx,1\n<é>,2\n"
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(bytes_of("t.parquet", named))), named)
    assert bytes_of("t.csv", FRAME["a"]).decode() == "a\n1\n2\n"


def test_arrow_tables_are_written() -> None:
    """As CSV and Parquet."""
    table = pa.table({"a": [1, 2]})
    assert logged(Annotated[Any, Artifact("t.csv")], table).files["t.csv"] == b'"a"\n1\n2\n'
    back = pd.read_parquet(io.BytesIO(logged(Annotated[Any, Artifact("t.parquet")], table).files["t.parquet"]))
    assert back["a"].tolist() == [1, 2]


def test_a_frame_its_writer_refuses_is_told() -> None:
    """The framework's own error, with function and annotation before it."""
    with pytest.raises(InvalidValue, match=r"train\(\) returns Artifact\(path='t.parquet'\): this pandas\.DataFrame cannot be written"):
        logged(Annotated[Any, Artifact("t.parquet")], pd.DataFrame({"c": [object()]}))


def test_a_missing_parquet_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which package, which extra."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'prefect-ledger\[data\]'"):
        logged(Annotated[Any, Artifact("t.parquet")], FRAME)


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("a.png", "/tmp/plot.png", "str"),
        ("a.html", {"a": 1}, "dict"),
        ("a.html", 3, "int"),
        ("a.json", {1, 2}, "set"),
        ("a.xlsx", FRAME, "pandas.DataFrame"),
        ("a.csv", [[1, 2]], "list"),
        ("a.npy", np.zeros(2), "numpy.ndarray"),
        ("a", object(), "object"),
    ],
)
def test_what_cannot_be_written_is_refused(path: str, value: Any, kind: str) -> None:
    """The message names function, annotation, type and suffix."""
    suffix = pathlib.PurePosixPath(path).suffix or "a path without suffix"
    with pytest.raises(InvalidValue) as caught:
        logged(Annotated[Any, Artifact(path)], value)
    assert str(caught.value).startswith(f"train() returns Artifact(path={path!r}): a {kind} cannot be written as {suffix}: ")


# --- models ------------------------------------------------------------------------------------------------------------------------------


class Doubles:
    def predict(self, data: list[int]) -> list[int]:
        return [2 * x for x in data]


def test_a_model_is_saved_as_its_flavor_saves_it() -> None:
    """A Python object by cloudpickle: also what pickle cannot, such as a local class; with what is to be registered."""

    class Local(Doubles):
        pass

    run = logged(Annotated[Any, Model("churn", register=True)], Local())
    assert pickle.loads(run.files["churn/python_model.pkl"]).predict([1]) == [2]
    assert run.details["churn/python_model.pkl"] == ("file", {"register": True})


def test_what_cannot_be_pickled_is_refused() -> None:
    """With its type and the pickler's own reason."""
    with pytest.raises(InvalidValue, match=r"train\(\) returns Model\(name='m'.*a lock cannot be pickled \(TypeError: .*lock"):
        logged(Annotated[Any, Model("m")], threading.Lock())


def test_a_model_that_is_too_large_is_refused_before_it_fills_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is told, and nothing is left."""
    monkeypatch.setattr(pickles, "LIMIT", 10_000)
    bad = Doubles()
    bad.weights = [os.urandom(6_000), os.urandom(6_000)]  # type: ignore[attr-defined]
    with pytest.raises(InvalidValue, match="the pickled Doubles has more than 10,000 bytes: save it in its framework's own format"):
        logged(Annotated[Any, Model("m")], bad)


# --- datasets, and all together -------------------------------------------------------------------------------------------------------


def test_a_dataset_is_described() -> None:
    """By name and context of the annotation, digest and schema of the data."""
    expected = describe(FRAME, name="train", context="fit")
    assert logged(Annotated[pd.DataFrame, Dataset("train", context="fit")], FRAME).datasets == [
        ("train", expected.digest, "fit", "pandas.DataFrame", 2, {"a": "int64", "b": "str"})
    ]
    with pytest.raises(InvalidValue, match=r"train\(\) returns Dataset\(name='t', context=''\): dataset 't': a builtins.int is not data"):
        logged(Annotated[Any, Dataset("t")], 3)


def test_one_value_may_be_several_things() -> None:
    """A frame as dataset and as file."""
    run = logged(Annotated[pd.DataFrame, Dataset("train"), Artifact("train.csv")], FRAME)
    assert len(run.datasets) == 1
    assert list(run.files) == ["train.csv"]


def test_the_parts_of_a_tuple_are_logged_each() -> None:
    """Nested tuples too; parts without annotation are left alone; a list stands for a tuple."""
    annotation = tuple[Annotated[Any, Model("m")], int, tuple[Annotated[Any, Metrics], Annotated[str, Artifact("a.txt")] | None]]
    for value in ((Doubles(), 3, ({"auc": 1}, "text")), [Doubles(), 3, ({"auc": 1}, "text")]):
        run = logged(annotation, value)
        assert "m/python_model.pkl" in run.files
        assert list(run.files)[-1] == "a.txt"
        assert run.metrics == {"auc": 1.0}


def test_nothing_is_logged_when_a_part_is_wrong() -> None:
    """All is checked before the first is written."""
    run = Kept()
    spec = parse_returns(_returning(tuple[Annotated[str, Artifact("a.txt")], Annotated[Any, Metrics], Annotated[Any, Dataset("d")]]))
    for value in (("text", {"auc": "x"}, FRAME), ("text", {"auc": 1}, 3), ("text", {"auc": 1}), "text", None):
        with pytest.raises(InvalidValue, match=r"^train\(\) return"):
            log_returned(run, spec, value, is_flow=True)
    assert run.empty


@pytest.mark.parametrize("got", [("a",), ("a", "b", "c"), "ab", {"a": 1}])
def test_a_tuple_of_another_length_is_told(got: Any) -> None:
    """How many came and how many were announced."""
    with pytest.raises(InvalidValue, match=r"train\(\) returned (\d values|a \w+), annotated as a tuple of 2"):
        logged(tuple[Annotated[str, Artifact("a.txt")], str], got)


def test_none_is_passed_over_only_where_it_is_announced() -> None:
    """Optional in any spelling; otherwise a function that forgot to return is told so."""
    for annotation in (
        Annotated[dict[str, float], Metrics] | None,
        Annotated[dict[str, float] | None, Metrics],
        Annotated[Any, Model("m")],
        "Annotated[Booster | None, Model('m')]",
        "Annotated[Booster, Model('m')]",
        tuple[Annotated[str, Artifact("a.txt")], str] | None,
    ):
        assert logged(annotation, None).empty
    with pytest.raises(InvalidValue, match=r"train\(\) returned None, annotated as Metrics: add `\| None`"):
        logged(Annotated[dict[str, float], Metrics], None)
    with pytest.raises(InvalidValue, match=r"returned None, annotated as a tuple"):
        logged(tuple[Annotated[str, Artifact("a.txt")], str], None)


def test_errors_of_the_run_itself_stay_what_they_are() -> None:
    """A finished run is a finished run, not a wrong value."""

    class Finished(LedgerError):
        pass

    class Closed(Kept):
        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            raise Finished("over")

    with pytest.raises(Finished):
        log_returned(Closed(), parse_returns(whole), {"a": 1}, is_flow=True)
