"""CatBoost: its models come back the same from its own format, without running code."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_wine

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue
from prefect_ledger.models import digests, rehearsal
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import save_model

X, Y = load_wine(return_X_y=True)
WORDS = pd.DataFrame({"word": [f"w{number % 5}" for number in range(len(Y))], "size": X[:, 0]})
SMALL: dict[str, Any] = {"iterations": 3, "depth": 3, "thread_count": 1, "verbose": False, "allow_writing_files": False}
GROUPS = np.repeat(np.arange(len(Y) // 2), 2)
MODELS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "CatBoostClassifier": (catboost.CatBoostClassifier(**SMALL), X, {}),
    "CatBoostRegressor": (catboost.CatBoostRegressor(**SMALL, cat_features=["word"]), WORDS, {}),
    "CatBoostRanker": (catboost.CatBoostRanker(**SMALL), X, {"group_id": GROUPS}),
    "CatBoost": (catboost.CatBoost({**SMALL, "loss_function": "Logloss"}), X, {}),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_without_running_code(kind: str, tmp_path: Path) -> None:
    """As the class it was, of numbers and of categories, with the parameters that its ``predict`` knows."""
    model, data, more = MODELS[kind]
    model.fit(data, (Y > 0).astype(int) if kind == "CatBoost" else Y, **more)
    params = {"prediction_type": "Probability"} if kind == "CatBoostClassifier" else {}
    saved = save_model(model, tmp_path / "m", input_example=(data, params) if params else data)
    entry = saved.flavors["catboost"]
    assert (entry["model_type"], entry["save_format"], entry["data"]) == (kind, "cbm", "model.cb")
    assert "catboost==" in (tmp_path / "m" / "requirements.txt").read_text()
    opened = open_folder(tmp_path / "m")
    assert type(opened.model) is type(model)
    np.testing.assert_array_equal(opened.predictor().predict(data, params), model.predict(data, **params))


def _edit(folder: Path, **change: Any) -> None:
    told = yaml.safe_load((folder / "MLmodel").read_text())
    told.pop(digests.KEY, None)
    told["flavors"]["catboost"].update(change)
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


@pytest.fixture(scope="module")
def fitted() -> Any:
    """A small one."""
    return catboost.CatBoostRegressor(**SMALL).fit(X, Y)


def test_what_mlflow_saves_as_json_is_opened(fitted: Any, tmp_path: Path) -> None:
    """The other format of CatBoost's that it reads back."""
    save_model(fitted, tmp_path / "m", requirements=[])
    fitted.save_model(str(tmp_path / "m" / "model.cb"), format="json")
    _edit(tmp_path / "m", save_format="json")
    np.testing.assert_allclose(open_folder(tmp_path / "m").predictor().predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "Pool"},
        {"model_type": ["CatBoost"]},
        {"model_type": "core"},
        {"save_format": "python"},
        {"save_format": {}},
        {"data": "../m/model.cb"},
        {"data": "MLmodel"},
    ],
)
def test_what_the_mlmodel_file_says_wrong_is_refused(change: dict[str, Any], fitted: Any, tmp_path: Path) -> None:
    """Another class, a format that is not CatBoost's to read, a file outside, and one that is no model."""
    save_model(fitted, tmp_path / "m", requirements=[])
    _edit(tmp_path / "m", **change)
    with pytest.raises(InvalidValue):
        open_folder(tmp_path / "m", trusted=True)


def test_a_file_that_was_cut_or_altered_is_named(fitted: Any, tmp_path: Path) -> None:
    """By its digest; where none is known, as of MLflow's models, what was cut is."""
    save_model(fitted, tmp_path / "m", requirements=[])
    file = tmp_path / "m" / "model.cb"
    good = file.read_bytes()
    file.write_bytes(good[:-9] + b"\1" + good[-8:])
    with pytest.raises(ArtifactCorrupt, match=r"model\.cb"):
        open_folder(tmp_path / "m")
    _edit(tmp_path / "m")
    for size in range(0, len(good), len(good) // 20):
        file.write_bytes(good[:size])
        with pytest.raises(InvalidValue, match=r"model\.cb does not open as CatBoost's"):
            open_folder(tmp_path / "m", rehearsed=True)
    with pytest.raises(InvalidValue, match=r"model\.cb does not open as CatBoost's"):
        open_folder(tmp_path / "m")


_OPENED = "import resource, sys; from pathlib import Path; from prefect_ledger.models.opening import open_folder; "
_OPENED += "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
_OPENED += "open_folder(Path(sys.argv[1]), rehearsed=True); print('opened')"


@pytest.mark.parametrize(("numbers", "opens"), [((3, 3, 3, 9, 1 << 27), False), ((1 << 27, 3, 3), True)], ids=["opened", "asked"])
@pytest.mark.long
def test_damage_that_ends_the_process_is_refused_by_one_that_lives(
    numbers: tuple[int, ...], opens: bool, fitted: Any, tmp_path: Path
) -> None:
    """Without a digest; CatBoost follows a split, or the depth of a tree, out of its memory, at once or when it is asked."""
    save_model(fitted, tmp_path / "m", requirements=[])
    _edit(tmp_path / "m")
    file = tmp_path / "m" / "model.cb"
    good = file.read_bytes()
    at = good.index(struct.pack("<5I", 3, 3, 3, 3, 9)) + 4  # how many trees, the depth of each, how many splits, and these
    bad = struct.pack(f"<{len(numbers)}I", *numbers)
    file.write_bytes(good[:at] + bad + good[at + len(bad) :])
    done = subprocess.run([sys.executable, "-c", _OPENED, tmp_path / "m"], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == ((0, b"opened") if opens else (-signal.SIGSEGV, b""))
    for trusted in (False, True):
        with pytest.raises(InvalidValue, match=r"model\.cb is not opened: a process that was to open it first ended with .* Copy it again"):
            open_folder(tmp_path / "m", trusted=trusted)
    file.write_bytes(good)
    np.testing.assert_array_equal(open_folder(tmp_path / "m").predictor().predict(X), fitted.predict(X))


def test_only_a_file_without_a_digest_is_opened_by_another_process_first(
    fitted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has its digest opens where no process can be started; else that is said, and that it took too long is, too."""
    save_model(fitted, tmp_path / "m", requirements=[])
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "none"))
        np.testing.assert_array_equal(open_folder(tmp_path / "m").predictor().predict(X), fitted.predict(X))
        _edit(tmp_path / "m")
        with pytest.raises(InvalidValue, match=r"model\.cb is not opened: .* none could be started \(No such file"):
            open_folder(tmp_path / "m")
    monkeypatch.setattr(rehearsal, "_SECONDS", 0.0)
    with pytest.raises(InvalidValue, match=r"model\.cb is not opened: .* did not end within 0 seconds"):
        open_folder(tmp_path / "m")


def test_one_that_was_not_fitted_is_not_saved(tmp_path: Path) -> None:
    """And leaves no folder."""
    with pytest.raises(InvalidValue, match="this CatBoostRegressor cannot be saved"):
        save_model(catboost.CatBoostRegressor(), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
