"""Keys, names, ids and paths: what is let through is harmless and comes back as it was."""

from __future__ import annotations

import json
import os
import posixpath
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prefect_ledger import names
from prefect_ledger.errors import InvalidName
from prefect_ledger.events import ParamsLogged, pack, unpack

RUN = "8f2c51aa-3b1e-4c58-9b7e-0d6a5f3c2e11"
pathlike = st.lists(
    st.sampled_from(
        ["..", ".", "", "~", "a", "b.txt", "C:", "con", "\\", "%2e%2e", "..%2f", "…", "\uff0e\uff0e", "\0", "\n", "a b", "file://x", "é"]
    ),
    max_size=6,
).map("/".join)
nested = [None, 3, 1.5, b"a", ["a"], True, Path("a")]


def accepted(check: Callable[[object], str], value: object) -> bool:
    """Whether a check lets a value through; it gives it back unchanged then, and else raises InvalidName alone."""
    try:
        assert check(value) == value
    except InvalidName:
        return False
    return True


@settings(max_examples=300)
@given(pathlike | st.text(max_size=40))
@example("../../etc/passwd")
@example("a/../../b")
@example("/etc/passwd")
@example("..\\..\\x")
def test_an_accepted_path_stays_inside(path: str) -> None:
    """A path that is let through names a place below the root it is joined to, on every kind of store, and is what it reads as."""
    if not accepted(names.check_path, path):
        return
    root = "/root/run/artifacts"
    assert posixpath.normpath(posixpath.join(root, path)) == f"{root}/{path}"
    assert Path(os.path.abspath(f"{root}/{path}")).is_relative_to(root)
    assert not set(path) & {"\\", "\0", "\n", "\r"}
    assert "://" not in path
    assert path.encode().decode() == path


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "/", "a/", "a//b", "./a", "a/.", "../a", "a/../b", "~/a", "C:/a", "c:a", "\\\\srv\\x", "s3://b/k", "a\0b", "a\nb"]
    + ["a" * 256, "/".join(["é" * 100] * 6), "\ud800", "\x7f", *nested],
)
def test_paths_that_are_refused(path: Any) -> None:
    """Absolute, climbing, foreign, too long, or not text at all: refused."""
    assert not accepted(names.check_path, path)


@pytest.mark.parametrize(
    "path", ["a", "a/b/c.txt", "plots/roc curve.png", ".hidden", "..a", "a..b", "a~", "xy:z", "é/\U0001f600.json", "-rf"]
)
def test_paths_that_are_taken(path: str) -> None:
    """Ordinary and merely odd paths are taken."""
    assert accepted(names.check_path, path)


@settings(max_examples=300)
@given(st.text(max_size=30) | st.text("ab/. -:_é\t", max_size=12))
def test_an_accepted_key_comes_back(key: str) -> None:
    """A key that is let through survives the journal's JSON and is its own normal path, as MLflow demands."""
    if not accepted(names.check_key, key):
        return
    assert json.loads(json.dumps([RUN, key, 1, "", 1]))[1] == key
    event = ParamsLogged(run=RUN, at=1, attempt=1, values={key: "1"})
    assert unpack(pack(event)) == event
    assert posixpath.normpath(key) == key
    assert not key.startswith(("/", ".."))
    assert key.isprintable() or any(c.isalnum() for c in key)


@pytest.mark.parametrize("key", ["loss", "val/auc", "a.b.c", "train loss", "a:b", "a-b_c", "é", "损失", "x" * 250, " ", "1"])
def test_keys_that_are_taken(key: str) -> None:
    """Keys that MLflow takes are taken."""
    assert accepted(names.check_key, key)


@pytest.mark.parametrize(
    "key", ["", "x" * 251, "a//b", "/a", "a/", "..", "../a", "./a", ".", "a;b", "a'b", 'a"b', "a\n", "a\0", "a`b", "a%b", *nested]
)
def test_keys_that_are_refused(key: Any) -> None:
    """Keys with other characters, of other types, or that a path would change."""
    assert not accepted(names.check_key, key)


@pytest.mark.parametrize(("name", "fine"), [("churn", True), ("a/b; 'c'", True), ("x" * 500, True), ("x" * 501, False), ("", False)])
def test_names_of_experiments_and_runs(name: str, fine: bool) -> None:
    """Names are any printable text that is not blank."""
    assert accepted(names.check_name, name) == fine


@pytest.mark.parametrize("name", [" ", "\t", "a\nb", "a\0", "\ud800", *nested])
def test_names_that_are_refused(name: Any) -> None:
    """Blank names, control characters, half characters, and what is not text."""
    assert not accepted(names.check_name, name)


@given(st.uuids())
def test_every_form_of_a_run_id_is_the_same_id(value: uuid.UUID) -> None:
    """A UUID, its 36 characters, its 32 digits, in capitals or not, are one id; its beginnings are beginnings of it."""
    whole = str(value)
    for form in (value, whole, value.hex, whole.upper(), value.hex.upper()):
        assert names.run_id(form) == whole
        assert names.run_id_prefix(form) == whole
    for length in range(8, 37):
        assert whole.startswith(names.run_id_prefix(whole[:length]))
        assert len(names.run_id_prefix(whole[:length]).replace("-", "")) == len(whole[:length].replace("-", ""))


@pytest.mark.parametrize(
    "text", ["", "8f2c", "x" * 36, "8f2c51a_", "%" * 8, "8f2c51aa'; --", "1_" * 16, "\uff18" * 32, None, 5, "8f2c51aa" * 5]
)
def test_what_is_no_run_id_is_refused(text: Any) -> None:
    """Too short, too long, other characters or types: refused as an id and as the beginning of one."""
    for check in (names.run_id, names.run_id_prefix):
        with pytest.raises(InvalidName):
            check(text)


@given(st.text(min_size=1, max_size=30).filter(lambda text: accepted(names.check_name, text)))
def test_the_id_of_an_experiment_follows_from_its_name(name: str) -> None:
    """The derived id is the same each time, is positive, and fits in 64 bits andin 18 digits."""
    assert names.experiment_id(name) == names.experiment_id(name)
    assert (names.experiment_id(name) == 0) == (name == "Default")
    assert 0 <= names.experiment_id(name) < 10**18


@settings(max_examples=200)
@given(st.text(max_size=40) | st.integers(490, 600).map("x".__mul__))
def test_a_fitted_name_is_a_name(name: str) -> None:
    """Whatever the name, its fitted form can name an experiment, and fitting that again changes nothing; a good one stays as it is."""
    fitted = names.fitted_name(name)
    assert names.check_name(fitted) == fitted == names.fitted_name(fitted)
    assert not accepted(names.check_name, name) or fitted == name


def test_two_long_names_stay_two() -> None:
    """Names that differ only beyond what is kept have different fitted forms."""
    assert names.fitted_name("x" * 600 + "a") != names.fitted_name("x" * 600 + "b")


def test_messages_say_a_and_an() -> None:
    """The article fits what is named."""
    with pytest.raises(InvalidName, match="the name of an experiment"):
        names.check_name("")
    with pytest.raises(InvalidName, match="the name of a run"):
        names.check_name("", "run")


@pytest.mark.parametrize("check", [names.run_id, names.run_id_prefix, names.check_key])
def test_a_refusal_is_short_whatever_was_given(check: Callable[[object], str]) -> None:
    """A list of thousands given where one text belongs, as all ids of a search, does not fill the screen."""
    with pytest.raises(InvalidName) as caught:
        check(["8f2c51aa"] * 5_000)
    assert len(str(caught.value)) < 250


def test_a_refusal_speaks_of_an_image() -> None:
    """The article fits the noun."""
    with pytest.raises(InvalidName, match="an image key has 1 to 250 characters"):
        names.check_key("", "image")
