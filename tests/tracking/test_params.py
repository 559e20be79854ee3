"""Parameters: whatever is passed becomes flat, short, masked text, and no argument ends the run that was given it."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import math
import os
import pathlib
import signal
import subprocess
import sys
import threading
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from prefect_ledger import create_experiment
from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.masking import MASK
from prefect_ledger.names import PARAM_VALUE_LIMIT, check_key
from prefect_ledger.tracking.params import DEPTH, KEYS, flatten
from prefect_ledger.tracking.tags import tag_texts

LAW = settings(max_examples=150, deadline=None)


class Color(enum.Enum):
    RED = "red"
    ODD = object()


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: float


@dataclasses.dataclass
class Optimizer:
    name: str = "adam"
    betas: tuple[float, float] = (0.9, 0.999)
    state: Any = dataclasses.field(default="internal", repr=False)


@attrs.define
class Schedule:
    warmup: int = 100
    key_material: str = attrs.field(default="xyz", repr=False)


class Database(pydantic.BaseModel):
    url: str = "postgresql://bob:hunter2@db/runs"
    password: pydantic.SecretStr = pydantic.SecretStr("hunter2")
    pin: pydantic.SecretStr = pydantic.SecretStr("1234")
    retries: int = 3
    internal: str = pydantic.Field(default="not for dumps", exclude=True)

    @pydantic.field_serializer("pin")
    def open_pin(self, pin: pydantic.SecretStr) -> str:
        return pin.get_secret_value()

    @property
    def slow(self) -> str:
        raise AssertionError("a property was run")


class Layers(pydantic.RootModel[list[int]]):
    pass


class Loose(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


class Silent:
    """An object whose repr is its address."""


class Hostile:
    def __str__(self) -> str:
        raise SystemError("no text")

    __repr__ = __str__

    def __len__(self) -> int:
        raise AssertionError("len() was asked")

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("it was iterated")

    def __eq__(self, _other: object) -> bool:
        raise AssertionError("it was compared")

    __hash__ = None  # type: ignore[assignment]


class HostileMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("not now")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("not now")

    def __len__(self) -> int:
        raise RuntimeError("not now")


class Endless(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield f"k{number}"
            number += 1

    def __len__(self) -> int:
        return 1


class LyingFloat(float):
    def __repr__(self) -> str:
        return "secret"


def one(value: Any, *, strict: bool = False) -> str:
    """The text of a single parameter."""
    flat = flatten({"v": value}, strict=strict)
    assert list(flat) == ["v"], flat
    return flat["v"]


PLAIN = [
    (None, "None"),
    (True, "True"),
    (3, "3"),
    (10**400, str(10**400)),
    (0.1, "0.1"),
    (1e-300, "1e-300"),
    (math.nan, "nan"),
    (-math.inf, "-inf"),
    (2 + 3j, "(2+3j)"),
    ("adam", "adam"),
    ("", ""),
    (Color.RED, "red"),
    (Color.ODD, "ODD"),
    (Level.HIGH, "3"),
    (pathlib.Path("/data/x.csv"), "/data/x.csv"),
    (dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), "2026-01-02T03:04:00+00:00"),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (dt.time(3, 4), "03:04:00"),
    (dt.timedelta(days=1), "1 day, 0:00:00"),
    (decimal.Decimal("1.10"), "1.10"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (range(3), "range(0, 3)"),
    (np.float64(0.1), "0.1"),
    (np.float32(0.5), "0.5"),
    (np.int64(7), "7"),
    (np.bool_(True), "True"),
    (np.str_("s"), "s"),
    (np.datetime64("2026-01-02T03:04"), "2026-01-02T03:04"),
    (np.longdouble(0.5), "0.5"),
    (np.array(1.5), "1.5"),
    (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
    (np.mean, "numpy.mean"),
    (math.sqrt, "math.sqrt"),
    (len, "len"),
    (dict, "dict"),
    (collections.OrderedDict, "collections.OrderedDict"),
    (math, "math"),
    (LyingFloat(2.5), "2.5"),
    (LogisticRegression(C=0.1), "LogisticRegression(C=0.1)"),
    (np.dtype("float32"), "float32"),
]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("value", "text"), PLAIN, ids=[f"{i}-{type(v).__name__}" for i, (v, _) in enumerate(PLAIN)])
def test_plain_values(value: Any, text: str, strict: bool) -> None:
    """A plain value is written as a person would write it, in both manners."""
    assert one(value, strict=strict) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 2, 3], "[1, 2, 3]"),
        ((0.9, 0.999), "[0.9, 0.999]"),
        (["a", None, True, Color.RED], "['a', None, True, red]"),
        ([[64, 64], [32]], "[[64, 64], [32]]"),
        (collections.deque([1, 2]), "[1, 2]"),
        ({"b", "a", "c"}, "['a', 'b', 'c']"),
        (np.array([1, 2])[0:1].tolist(), "[1]"),
        ([], "[]"),
        ({}, "{}"),
        ([np.float64(0.5), np.int8(1)], "[0.5, 1]"),
    ],
)
def test_lists_of_scalars_are_one_compact_text(value: Any, text: str) -> None:
    """Lists, tuples, sets and lists of lists stay one parameter; an empty one does not vanish."""
    assert one(value, strict=True) == text


def test_nested_values_become_dotted_keys() -> None:
    """Mappings, dataclasses, models, attrs classes, named tuples, namespaces and partials all nest as ``a.b``."""
    flat = flatten(
        {
            "opt": Optimizer(),
            "sched": Schedule(),
            "db": Database(),
            "layers": Layers([64, 32]),
            "loose": Loose.model_validate({"extra": 1}),
            "at": Point(1, 2.5),
            "args": argparse.Namespace(epochs=3),
            "loss": functools.partial(math.pow, 2),
            "by_class": {0: 0.5, Color.RED: 1, np.int64(4): 2, None: 3},
            "blocks": [{"units": 8}, {"units": 4}],
        }
    )
    assert flat == {
        "opt.name": "adam",
        "opt.betas": "[0.9, 0.999]",
        "opt.state": MASK,
        "sched.warmup": "100",
        "sched.key_material": MASK,
        "db.url": "postgresql://bob:********@db/runs",
        "db.password": MASK,
        "db.pin": MASK,
        "db.retries": "3",
        "layers": "[64, 32]",
        "loose.extra": "1",
        "at.x": "1",
        "at.y": "2.5",
        "args.epochs": "3",
        "loss.func": "math.pow",
        "loss.args": "[2]",
        "by_class.0": "0.5",
        "by_class.red": "1",
        "by_class.4": "2",
        "by_class.None": "3",
        "blocks.0.units": "8",
        "blocks.1.units": "4",
    }


def test_a_model_of_pydantic_version_1_nests_too() -> None:
    """Models of the old pydantic are read by their fields as well."""
    from pydantic import v1

    class Old(v1.BaseModel):
        depth: int = 3
        token: v1.SecretStr = v1.SecretStr("abc")

    assert flatten({"m": Old()}) == {"m.depth": "3", "m.token": MASK}


def test_a_field_that_was_never_set_is_left_out() -> None:
    """A declared field without a value is no error."""

    @dataclasses.dataclass
    class Late:
        now: int = 1
        later: int = dataclasses.field(init=False)

    assert flatten({"x": Late()}) == {"x.now": "1"}


# --- secrets -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_secrets_are_masked_wherever_they_stand(strict: bool) -> None:
    """By name, by type, by shape, inside lists, command lines, environments, keys' neighbours and below a secret name."""
    flat = flatten(
        {
            "api_key": "hunter2",
            "password": ["hunter2", "hunter2"],
            "credentials": {"user": "bob", "pw": "hunter2"},
            "plain": pydantic.SecretStr("hunter2"),
            "secrets": [pydantic.SecretStr("hunter2")],
            "many": [pydantic.SecretStr("hunter2"), 1],
            "url": "s3://bob:hunter2@bucket",
            "urls": ["https://bob:hunter2@host/a"],
            "argv": ["train.py", "--api-key", "hunter2"],
            "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "MODE", "value": "fast"}],
            "path": pathlib.Path("s3://bob:hunter2@bucket/x"),
            "deep": {"a": [{"token": "hunter2"}]},
            "raw_token": b"hunter2",
            "settings": types.SimpleNamespace(password="hunter2"),
            "max_tokens": 512,
        },
        strict=strict,
    )
    assert "hunter2" not in repr(flat)
    assert flat["max_tokens"] == "512"
    assert flat["env.1.value"] == "fast"


def test_a_secret_is_masked_before_its_text_is_cut() -> None:
    """A URL that the cut would leave without its ``@`` does not show the beginning of its password."""
    for padding in range(PARAM_VALUE_LIMIT - 60, PARAM_VALUE_LIMIT, 7):
        text = "x" * padding + " postgresql://bob:hunter2hunter2hunter2@db/runs" + "y" * 100
        assert "hunter" not in one(text)


def test_a_strangers_text_is_masked() -> None:
    """What an unknown object says of itself goes through the mask, too."""

    class Client:
        def __repr__(self) -> str:
            return "Client(url='https://bob:hunter2@host')"

    assert one(Client(), strict=True) == "Client(url='https://bob:********@host')"


# --- bounds --------------------------------------------------------------------------------------------------------------


def test_a_structure_that_holds_itself_is_cut_there() -> None:
    """A cycle ends in a marker, or in an error when a person logged it; the same thing twice is no cycle."""
    ring: dict[str, Any] = {"n": 1}
    ring["self"] = [{"again": ring}]
    assert flatten({"r": ring}, strict=False) == {"r.n": "1", "r.self.0.again": "… (it holds itself)"}
    with pytest.raises(InvalidValue, match=r"'r\.self\.0\.again': it holds itself"):
        flatten({"r": ring})
    shared = {"a": 1}
    assert flatten({"x": shared, "y": [shared]}) == {"x.a": "1", "y.0.a": "1"}
    loop: list[Any] = []
    loop.append(loop)
    assert "holds itself" in next(iter(flatten({"l": loop}, strict=False).values()))


def test_a_deep_structure_is_cut() -> None:
    """Ten levels are kept; below stands a marker."""
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"d": deep}
    ((key, text),) = flatten({"x": deep}, strict=False).items()
    assert key.count(".d") == DEPTH
    assert text == f"… (nested deeper than {DEPTH} levels)"
    with pytest.raises(InvalidValue, match="nested deeper than 10 levels"):
        flatten({"x": deep})


def test_a_wide_structure_is_cut() -> None:
    """A thousand keys are kept and a marker, at the branch or at the top; an endless mapping ends."""
    wide = {f"k{n}": n for n in range(KEYS + 1)}
    flat = flatten({"w": wide}, strict=False)
    assert len(flat) == KEYS + 1
    assert flat["w"] == "… (over 1,000 keys, the rest was left out)"
    assert flatten(wide, strict=False)["left_out"].startswith("… (over 1,000 keys")
    assert len(flatten({"e": Endless(), "f": 1}, strict=False)) == KEYS + 1
    assert len(flatten({f"k{n}": n for n in range(KEYS)})) == KEYS
    with pytest.raises(InvalidValue, match="over 1,000 keys"):
        flatten(wide)


def test_a_long_text_is_cut_with_its_length() -> None:
    """Cut to exactly the limit with an ellipsis and how long it was; refused, with the verb to use, when a person logged it."""
    assert one("x" * PARAM_VALUE_LIMIT, strict=True) == "x" * PARAM_VALUE_LIMIT
    for length in (PARAM_VALUE_LIMIT + 1, 1_000_000):
        text = one("x" * length)
        assert len(text) == PARAM_VALUE_LIMIT
        assert text.endswith(f"x… ({length:,} characters)")
        with pytest.raises(InvalidValue, match=f"parameter 'v': {length:,} characters, at most 6,000: log_text"):
            one("x" * length, strict=True)


def test_a_long_list_is_cut_between_two_items() -> None:
    """The items that fit are shown whole, and how many there are."""
    text = one(list(range(100_000)))
    assert len(text) <= PARAM_VALUE_LIMIT
    shown, _, rest = text.removeprefix("[").partition(", …")
    assert [int(n) for n in shown.split(", ")] == list(range(len(shown.split(", "))))
    assert rest == " (100,000 items)]"
    with pytest.raises(InvalidValue, match="a list of 100,000 items is too long"):
        one(list(range(100_000)), strict=True)


def test_much_shared_structure_takes_no_exponential_time() -> None:
    """Lists that hold one list twice, forty levels up, are bounded like everything else."""
    twice: list[Any] = [1]
    for _ in range(40):
        twice = [twice, twice]
    assert flatten({"v": twice}, strict=False)


def test_a_number_too_long_for_text_is_described() -> None:
    """Python refuses to print such numbers; the ledger says how large they are."""
    assert one(10**6000, strict=True) == "int of 19,932 bits"


# --- data and strangers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((3, 4)), "ndarray float64 (3, 4)"),
        (np.zeros(0, np.int8), "ndarray int8 (0,)"),
        (pd.DataFrame({"a": [1, 2]}), "DataFrame (2, 1)"),
        (pd.Series([1.5]), "Series float64 (1,)"),
        (pd.Index([1, 2]), "Index int64 (2,)"),
        (pd.Categorical(["a"]), "Categorical category (1,)"),
    ],
)
def test_data_is_described_and_not_read(value: Any, text: str) -> None:
    """An array among parameters is its shape, also deep inside; a person who logs one is told of datasets."""
    assert one(value) == text
    assert flatten({"a": {"b": [value]}}, strict=False) == {"a.b.0": text}
    with pytest.raises(InvalidValue, match=rf"'v': a .*{type(value).__name__} is data, not a parameter: log it with a Dataset annotation"):
        one(value, strict=True)


def test_lazy_data_is_named_only() -> None:
    """A class that speaks an array protocol but is not known to be cheap is not asked for its shape."""

    class Remote:
        def __array__(self) -> None:
            raise AssertionError("it was read")

        @property
        def shape(self) -> None:
            raise AssertionError("it was computed")

        def __repr__(self) -> str:
            raise AssertionError("it was printed")

    assert one(Remote()).endswith("Remote")


def test_bytes_are_counted() -> None:
    """Bytes have no text; a person is asked to decode them."""
    assert one(b"abc") == "bytes (3)"
    assert one(memoryview(b"abcd")) == "memoryview (4)"
    with pytest.raises(InvalidValue, match="bytes are not text: decode them"):
        one(b"abc", strict=True)


@pytest.mark.parametrize("value", [Silent(), threading.Lock(), iter([1]), object(), Hostile(), lambda: None, os.environ.get])
def test_strangers_never_end_the_run(value: Any) -> None:
    """An object without a text, or whose text raises, is its type's or its own name: no address, no iteration, no comparison."""
    text = one(value)
    assert "0x" not in text
    assert text


@pytest.mark.parametrize("value", [Silent(), threading.Lock(), Hostile(), HostileMapping(), [Hostile()]])
def test_strangers_are_refused_by_name_when_a_person_logs_them(value: Any) -> None:
    """The message names the key and the type."""
    stranger = value[0] if isinstance(value, list) else value
    with pytest.raises(InvalidValue, match=rf"parameter 'v(\.0)?': a \S*{type(stranger).__name__} "):
        one(value, strict=True)


def test_a_mapping_that_raises_keeps_its_neighbours() -> None:
    """One bad argument does not cost the others."""
    assert flatten({"a": 1, "bad": HostileMapping(), "z": 2}, strict=False) == {
        "a": "1",
        "bad": f"{__name__}.HostileMapping",
        "z": "2",
    }
    assert flatten(HostileMapping(), strict=False) == {}


def test_only_mappings_are_parameters() -> None:
    """Anything else is refused in both manners, by its type."""
    for strict in (True, False):
        with pytest.raises(InvalidValue, match="not list"):
            flatten([1], strict=strict)  # type: ignore[arg-type]


# --- keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "made"),
    [("a*b", "a_b"), ("/a", "_a"), ("..", "__"), ("a//b", "a__b"), ("", "_"), ("a\nb", "a_b"), ("x" * 300, "x" * 250), ((1, 2), "_1_ 2_")],
)
def test_bad_keys_are_made_valid_or_refused(key: Any, made: str) -> None:
    """Automatic logging makes a key of it; a person is told."""
    assert flatten({key: 1}, strict=False) == {made: "1"}
    with pytest.raises(InvalidName, match="parameter"):
        flatten({key: 1})


def test_two_keys_that_become_one() -> None:
    """Refused when a person logged them, else numbered; nothing is lost."""
    assert flatten({"a.b": 1, "a": {"b": 2}, "a*b": 3, "a?b": 4}, strict=False) == {"a.b": "1", "a.b_2": "2", "a_b": "3", "a_b_2": "4"}
    with pytest.raises(InvalidValue, match=r"parameter 'a\.b' is given twice"):
        flatten({"a.b": 1, "a": {"b": 2}})
    with pytest.raises(InvalidValue, match="parameter '1' is given twice"):
        flatten({1: 1, "1": 2})  # type: ignore[dict-item]
    long = {"y" * 250 + str(n): n for n in range(30)}
    assert sorted(flatten(long, strict=False).values()) == sorted(str(n) for n in range(30))


# --- laws -----------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.complex_numbers(),
    st.dates(),
    st.datetimes(),
    st.decimals(),
    st.uuids(),
    st.sampled_from([Hostile, Silent, HostileMapping, Point, pd.DataFrame, threading.Lock]).map(
        lambda make: make(1, 2) if make is Point else make()
    ),
    st.sampled_from([Color.RED, len, np.float32(1), np.datetime64("NaT")]),
)
KEY = st.one_of(st.text(max_size=20), st.text(alphabet="./ab:_ ", max_size=8), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEY, inner, max_size=4),
        st.tuples(inner, inner),
        st.builds(Optimizer, name=inner, betas=inner),
        st.builds(Point, x=inner, y=inner),
        st.builds(types.SimpleNamespace, a=inner),
    ),
    max_leaves=20,
)


@LAW
@example(values={"": {}})
@given(st.dictionaries(KEY, VALUES, max_size=5))
def test_automatic_flattening_never_raises(values: dict[Any, Any]) -> None:
    """Whatever the arguments are: valid keys, bounded texts, and something for every argument."""
    flat = flatten(values, strict=False)
    assert len(flat) >= (1 if values else 0)
    for key, text in flat.items():
        assert check_key(key, "parameter") == key
        assert len(text) <= PARAM_VALUE_LIMIT


@LAW
@given(st.dictionaries(KEY, VALUES, max_size=5))
def test_strict_flattening_agrees_or_refuses(values: dict[Any, Any]) -> None:
    """Where strict accepts, both manners say the same; where it refuses, it is with our own errors."""
    try:
        flat = flatten(values)
    except (InvalidName, InvalidValue):
        return
    assert flat == flatten(values, strict=False)


@LAW
@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.one_of(st.integers(), st.floats(), st.booleans()), max_size=8))
def test_numbers_come_back(values: dict[str, Any]) -> None:
    """A number's text is the number, exactly."""
    for key, text in flatten({f"n_{key}": value for key, value in values.items()}).items():
        value = values[key.removeprefix("n_")]
        assert text == repr(value)


def test_sets_read_the_same_in_every_process() -> None:
    """The order of a set differs from process to process; its text does not."""
    program = "from prefect_ledger.tracking.params import flatten; print(flatten({'s': set('abcdefgh')}))"
    said = {
        subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


class Waiting:
    """An object whose text takes long enough for a signal to come."""

    def __str__(self) -> str:
        os.kill(os.getpid(), signal.SIGUSR1)
        return "done"


@pytest.mark.parametrize(
    "call", [lambda: flatten({"a": Waiting()}), lambda: flatten({"a": Waiting()}, strict=False), lambda: tag_texts({"a": Waiting()})]
)
def test_what_a_signal_handler_raises_goes_on(call: Callable[[], object]) -> None:
    """A timeout that a signal tells is neither swallowed nor taken for a mistake of the value that was being read."""

    class Alarm:
        def __call__(self, number: int, frame: object) -> None:
            raise TimeoutError("enough")

    def late(number: int, frame: object) -> None:
        raise TimeoutError("enough")

    before = signal.getsignal(signal.SIGUSR1)
    try:
        for handler in (late, functools.partial(late), Alarm(), Alarm().__call__):
            signal.signal(signal.SIGUSR1, handler)
            with pytest.raises(TimeoutError, match="enough"):
                call()
    finally:
        signal.signal(signal.SIGUSR1, before)


class Unreadable:
    """An object whose text raises."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def test_a_tag_that_cannot_be_read_is_refused_as_a_parameter_is() -> None:
    """Whatever a value's own text raises, the caller gets one class of error, with the tag's name."""
    with pytest.raises(InvalidValue, match=r"tag 'a': a .*Unreadable that cannot be read: ZeroDivisionError"):
        tag_texts({"a": Unreadable()})
    with pytest.raises(InvalidValue, match="tag 'a'"):
        create_experiment("odd", tags={"a": Unreadable()})
    with pytest.raises(InvalidValue, match="parameter 'a'"):
        flatten({"a": Unreadable()})
