"""Models that were cut, altered, forged or mixed up: refused by name, without a crash and without a framework's traceback."""

from __future__ import annotations

import json
import os
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
import yaml
from sklearn.datasets import load_wine
from sklearn.tree import DecisionTreeClassifier

from prefect_ledger import load_model, start_run
from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, UntrustedModel
from prefect_ledger.models import digests
from prefect_ledger.models.flavors import ubjson
from prefect_ledger.models.model_file import parse
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import save_model

X, Y = load_wine(return_X_y=True)


def _lightgbm(**params: Any) -> Any:
    return lightgbm.train({"verbose": -1, "num_threads": 1, **params}, lightgbm.Dataset(X, Y), 2)


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "sklearn": (lambda: DecisionTreeClassifier().fit(X, Y), "sklearn:skops"),
    "sklearn, pickled": (lambda: DecisionTreeClassifier().fit(X, Y), "sklearn:cloudpickle"),
    "xgboost": (lambda: xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, Y), "auto"),
    "xgboost, JSON": (lambda: xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(X, Y), "xgboost:json"),
    "xgboost, booster": (lambda: xgboost.train({}, xgboost.DMatrix(X, Y), 2), "auto"),
    "lightgbm": (lambda: lightgbm.LGBMRegressor(n_estimators=2, verbose=-1, n_jobs=1).fit(X, Y), "auto"),
    "lightgbm, booster": (_lightgbm, "auto"),
    "python": (lambda: lambda data: data, "python"),
}
MAY_CRASH = ("xgboost", "xgboost, JSON", "xgboost, booster", "lightgbm, booster")  # their own readers, without what stands before them


def _saved(name: str, folder: Path, *, sums: bool) -> Path:
    """The file of a model in ``folder``, whose MLmodel file knows its digest or, as one of MLflow's, does not."""
    make, flavor = MODELS[name]
    save_model(make(), folder, flavor=flavor, requirements=[])
    if not sums:
        _edit(folder, lambda told: told.pop(digests.KEY))
    return next(path for path in folder.iterdir() if path.name.startswith(("model.", "python_model.")))


def _edit(folder: Path, change: Callable[[Any], Any]) -> None:
    told = yaml.safe_load((folder / "MLmodel").read_text())
    change(told)
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


def _damaged(data: bytes) -> Iterator[bytes]:
    chance = random.Random(7)
    yield b""
    yield b"\0" * len(data)
    for _ in range(40):
        at = chance.randrange(len(data))
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        yield data[:at] + b"\0" * 40 + data[at + 40 :]
        yield data[:at] + chance.randbytes(3) + data[at:]


@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_is_not_what_was_saved_is_named(name: str, tmp_path: Path) -> None:
    """Whatever was done to it, before its framework sees it."""
    file = _saved(name, tmp_path / "m", sums=True)
    data = file.read_bytes()
    for damaged in (b"", data[:-1], data + b"\0", data.replace(data[40:44], b"zzzz", 1)):
        file.write_bytes(damaged)
        with pytest.raises(ArtifactCorrupt, match=re.escape(file.name)):
            open_folder(tmp_path / "m", trusted=True)


@pytest.mark.parametrize("name", MAY_CRASH)
def test_without_a_digest_damage_is_refused_or_harmless(name: str, tmp_path: Path) -> None:
    """As with a model that MLflow saved: it does not open, or it opens and answers; the process lives, and the error names the file."""
    file = _saved(name, tmp_path / "m", sums=False)
    refused, answered, tried = 0, 0, list(_damaged(file.read_bytes()))
    for damaged in tried:
        file.write_bytes(damaged)
        try:
            opened = open_folder(tmp_path / "m", rehearsed=True)
        except InvalidValue as error:
            refused += str(file) in str(error)
            continue
        opened.predictor().predict(X)
        answered += 1
    assert refused + answered == len(tried)
    assert refused > 80


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("xgboost, JSON", b'"id":1', b'"id":7'),
        ("lightgbm, booster", b"\nnum_cat=", b"\nfum_cat="),
        ("lightgbm, booster", b"\nshrinkage=", b"\nshrinkage9"),
    ],
)
def test_what_their_own_readers_end_the_process_at_is_refused(name: str, good: bytes, bad: bytes, tmp_path: Path) -> None:
    """By its number or its line, before they see it."""
    file = _saved(name, tmp_path / "m", sums=False)
    file.write_bytes(file.read_bytes().replace(good, bad, 1))
    with pytest.raises(InvalidValue, match=re.escape(str(file)) + " does not open as .*: tree "):
        open_folder(tmp_path / "m", rehearsed=True)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm, booster"])
@pytest.mark.long
def test_a_whole_file_without_a_digest_opens(name: str, tmp_path: Path) -> None:
    """Another process opens it first, and lives."""
    _saved(name, tmp_path / "m", sums=False)
    assert open_folder(tmp_path / "m").predictor().predict(X).shape == Y.shape


@pytest.mark.parametrize("name", ["sklearn", "lightgbm"])
def test_a_packed_file_checks_itself(name: str, tmp_path: Path) -> None:
    """Skops' files have a checksum for each part, so that damage is found though no digest is known."""
    file = _saved(name, tmp_path / "m", sums=False)
    for damaged in list(_damaged(file.read_bytes()))[:40]:
        file.write_bytes(damaged)
        try:
            opened = open_folder(tmp_path / "m")
        except (InvalidValue, UntrustedModel):
            continue
        assert opened.predictor().predict(X).shape == Y.shape


@pytest.mark.parametrize("name", ["sklearn, pickled", "python"])
def test_a_pickle_that_was_cut_is_named(name: str, tmp_path: Path) -> None:
    """Once somebody answers for it."""
    file = _saved(name, tmp_path / "m", sums=False)
    data = file.read_bytes()
    for size in (0, 1, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:size])
        with pytest.raises(InvalidValue, match=f"{file.name} does not unpickle here"):
            open_folder(tmp_path / "m", trusted=True)


@pytest.mark.usefixtures("fresh_ledger")
def test_a_file_altered_in_the_ledger_is_refused(home: Path) -> None:
    """By the digest that the store has, for a file that the model's own folder says nothing of too."""
    with start_run(experiment="damage") as run:
        logged = run.log_model(DecisionTreeClassifier().fit(X, Y), "tree")
    for name in ("model.skops", "requirements.txt", "MLmodel"):
        (path,) = home.rglob(f"artifacts/**/{logged.id}/{name}")
        good = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(good[:-1] + b"\1")
        with pytest.raises(ArtifactCorrupt, match=re.escape(name)):
            load_model(logged.uri)
        path.write_bytes(good)
    np.testing.assert_array_equal(load_model(logged.uri).predict(X), load_model(f"runs:/{run.id}/tree").predict(X))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("categories", {"categorical_feature": [0, 4]}),
        ("linear", {"linear_tree": True}),
        ("one leaf", {"min_data_in_leaf": 1000}),
        ("classes", {"objective": "multiclass", "num_class": 3}),
        ("forest", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
        ("dart", {"boosting": "dart"}),
    ],
)
def test_every_kind_of_lightgbms_trees_passes(kind: str, params: dict[str, Any], tmp_path: Path) -> None:
    """What stands before its reader refuses nothing that it wrote."""
    data = X.round() if kind == "categories" else X
    categories = params.pop("categorical_feature", "auto")
    training = lightgbm.Dataset(data, Y, categorical_feature=categories, params={"verbose": -1, **params})
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, **params}, training, 3)
    save_model(booster, tmp_path / "m", requirements=[])
    np.testing.assert_array_equal(open_folder(tmp_path / "m").predictor().predict(data), booster.predict(data))


@pytest.mark.parametrize("form", ["ubj", "json"])
@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart"},
        {"booster": "gblinear"},
        {"objective": "multi:softprob", "num_class": 3},
        {"grow_policy": "lossguide", "max_leaves": 5},
        {"tree_method": "approx"},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"multi_strategy": "multi_output_tree"},
        {"enable_categorical": True},
    ],
    ids=lambda one: next(iter(one.values())) if isinstance(one, dict) else str(one),
)
@pytest.mark.filterwarnings("ignore::UserWarning:xgboost")
def test_every_kind_of_xgboosts_trees_passes(params: dict[str, Any], form: str, tmp_path: Path) -> None:
    """What stands before its reader refuses nothing that it wrote."""
    many = np.c_[Y, 2 * Y, -Y] if "multi_strategy" in params else Y
    data: Any = X
    if params == {"enable_categorical": True}:
        import pandas as pd

        data = pd.DataFrame(X).astype({0: "int"}).astype({0: "category"}).rename(columns=str)
    matrix = xgboost.DMatrix(data, many, enable_categorical="enable_categorical" in params)
    known = {key: value for key, value in params.items() if key != "enable_categorical"}
    booster = xgboost.train({"nthread": 1, **known}, matrix, 3)
    save_model(booster, tmp_path / "m", flavor=f"xgboost:{form}", requirements=[])
    np.testing.assert_array_equal(open_folder(tmp_path / "m").model.predict(matrix), booster.predict(matrix))


def test_universal_binary_json_is_read_as_xgboost_writes_it(tmp_path: Path) -> None:
    """Both of its formats say the same."""
    model = xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, Y)
    model.save_model(tmp_path / "m.ubj")
    model.save_model(tmp_path / "m.json")
    told = json.loads((tmp_path / "m.json").read_text())
    read = ubjson.read((tmp_path / "m.ubj").read_bytes())
    assert set(read["learner"]) == set(told["learner"])
    ours, theirs = (one["learner"]["gradient_booster"]["model"]["trees"] for one in (read, told))
    for mine, other in zip(ours, theirs, strict=True):
        assert set(mine) == set(other)
        np.testing.assert_array_equal(mine["left_children"], other["left_children"])
        np.testing.assert_allclose(mine["split_conditions"], other["split_conditions"])


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[$", b"[#", b"[$D#L" + b"\xff" * 8, b"SL" + b"\x7f" * 8, b"[" * 100_000, b"x", b"TT", b"[$T#i\2"]
)
def test_binary_json_that_is_none_is_refused(data: bytes) -> None:
    """Without taking the memory that it claims, and without going down as deep as it wants."""
    with pytest.raises(ValueError, match=r"byte|nested|after its end"):
        ubjson.read(data)


def test_a_packed_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    """By the sizes that it claims, before anything is unpacked."""
    file = _saved("sklearn", tmp_path / "m", sums=False)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as packed, packed.open("bomb.npy", "w", force_zip64=True) as inside:
        for _ in range(100):
            inside.write(bytes(1 << 20))
    with pytest.raises(InvalidValue, match=r"unpacks to 10\d,\d{3},\d{3} bytes"):
        open_folder(tmp_path / "m")


def test_types_in_the_file_that_nobody_asked_for_are_refused(tmp_path: Path) -> None:
    """The MLmodel file may leave out what the packed file holds: it is what is in the file that counts."""
    file = _saved("sklearn", tmp_path / "m", sums=False)
    with zipfile.ZipFile(file) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    parts["schema.json"] = parts["schema.json"].replace(b"DecisionTreeClassifier", b"NoSuchThing").replace(b"sklearn.tree._classes", b"os")
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    with pytest.raises(InvalidValue, match=r"os\.NoSuchThing"):
        open_folder(tmp_path / "m")


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(pickled_model="../model.skops"),
        lambda entry: entry.update(pickled_model="/etc/passwd"),
        lambda entry: entry.update(pickled_model=["model.skops"]),
        lambda entry: entry.update(pickled_model={}),
        lambda entry: entry.update(pickled_model="a\0b"),
        lambda entry: entry.update(pickled_model="x" * 100_000),
        lambda entry: entry.update(pickled_model="."),
        lambda entry: entry.pop("pickled_model"),
        lambda entry: entry.update(skops_trusted_types=5),
        lambda entry: entry.update(code="../.."),
        lambda entry: entry.update(code="model.skops"),
        lambda entry: entry.update(code=["code"]),
    ],
)
def test_an_mlmodel_file_that_says_nonsense_is_refused(change: Callable[[Any], Any], tmp_path: Path) -> None:
    """Paths that lead outside, that are none or of another type, and lists that are none; also when somebody answers for the model."""
    _saved("sklearn", tmp_path / "m", sums=False)
    _edit(tmp_path / "m", lambda told: change(told["flavors"]["sklearn"]))
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m", trusted=True)


@pytest.mark.parametrize(
    "change",
    [
        {"model_class": "os.system"},
        {"model_class": ["xgboost.core.Booster"]},
        {"model_class": "xgboost.sklearn.XGBRegressor.load_model"},
    ],
)
def test_a_class_that_is_not_the_frameworks_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """The MLmodel file names which of XGBoost's classes it is, and no other."""
    _saved("xgboost", tmp_path / "m", sums=False)
    _edit(tmp_path / "m", lambda told: told["flavors"]["xgboost"].update(change))
    with pytest.raises(UntrustedModel):
        open_folder(tmp_path / "m")
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m", trusted=True)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Though the name is one that a model has."""
    file = _saved("sklearn", tmp_path / "m", sums=False)
    file.rename(tmp_path / "elsewhere.skops")
    file.symlink_to(tmp_path / "elsewhere.skops")
    with pytest.raises(InvalidValue, match="outside of it"):
        open_folder(tmp_path / "m")


def _bomb(levels: int, key: str = "model_id", last: str = "[x]") -> str:
    lines = [f"a0: &a0 {last}", *(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels))]
    return "\n".join([*lines, "flavors: {python_function: {}}", f"{key}: *a{levels - 1}"])


@pytest.mark.parametrize(
    "text",
    [
        _bomb(9),
        _bomb(9, "artifact_path"),
        _bomb(40, "metadata"),
        _bomb(3, last="y" * 100_000),
        "flavors: {python_function: &me {again: *me}}",
        "flavors: {python_function: {}}\n<<: &me {<<: *me}",
        "flavors: {python_function: {}}\nmodel_id: [1, 2]",
        "flavors: {python_function: {}}\nrun_id: {a: b}",
        "flavors: {python_function: {}}\nrun_id: 0x" + "f" * 100_000,
        "flavors: {python_function: {}}\nrun_id: !!timestamp x",
        "flavors: {python_function: {}}\nrun_id: !!bool x",
        "flavors: {? [[[a]]] : {}}",
        "",
        "- " * 100_000,
    ],
    ids=range(14),
)
def test_yaml_that_says_more_than_it_holds_is_refused(text: str) -> None:
    """At once: aliases that unfold without end or stand for themselves, and what is no text where one is wanted."""
    with pytest.raises(InvalidValue, match="MLmodel"):
        parse(text.encode())


def test_numbers_in_parts_of_sixty_are_texts_and_few_aliases_are_fine() -> None:
    """A long one is not computed; a list that a dumper saw twice is read, as MLflow may write it."""
    long = ":".join(["59"] * 200_000)
    read = parse(f"flavors: {{python_function: {{}}}}\nrun_id: {long}\nartifact_path: {long}.5\nmodel_id: !!int {long}".encode())
    assert {read.run_id, read.model_id, read.name.removesuffix(".5")} == {long}
    shared = ["a", "b"]
    read = parse(yaml.safe_dump({"flavors": {"python_function": {}}, "metadata": {"one": shared, "two": shared}}).encode())
    assert read.metadata == {"one": shared, "two": shared}


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    """A pipe that nobody writes to and a link to an endless device, in place of the MLmodel file or of the model's own."""
    file = _saved("sklearn", tmp_path / "m", sums=True)
    told = tmp_path / "m" / "MLmodel"
    for path, wants in ((file, "pipe or device"), (told, "no regular file")):
        path.rename(tmp_path / "aside")
        os.mkfifo(path)
        with pytest.raises(InvalidValue, match=wants):
            open_folder(tmp_path / "m", trusted=True)
        path.unlink()
        (tmp_path / "aside").rename(path)
    told.unlink()
    told.symlink_to("/dev/zero")
    with pytest.raises(InvalidValue, match="is a link"):
        open_folder(tmp_path / "m", trusted=True)
