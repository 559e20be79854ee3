"""Models of runs: logged whole, found by reference, loaded only as they were logged, and not opened when nobody answers for them."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

from prefect_ledger import (
    Predictor,
    get_run,
    load_model,
    load_predictor,
    save_model,
    start_run,
)
from prefect_ledger.errors import ArtifactCorrupt, InvalidName, InvalidValue, ModelNotFound, RunFinished, UntrustedModel
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.references import Reference, parse

X, Y = load_wine(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def fitted() -> LogisticRegression:
    return LogisticRegression(max_iter=5000).fit(X, Y)


class Doubles:
    def predict(self, data: Any) -> Any:
        return [2 * x for x in data]


def _folder(uri: str, ledger: Ledger) -> Path:
    files = ledger.reader.model_files(ledger.reader.model(uri.removeprefix("models:/")))
    return Path(files[0].uri).parent


@pytest.mark.usefixtures("store_url")
@pytest.mark.long
def test_a_model_that_was_logged_is_loaded_by_every_reference(fresh_ledger: Ledger, fitted: LogisticRegression) -> None:
    """By its own id, and by its run and name; as itself and as a predictor, which answer alike; and the run shows it."""
    with start_run(experiment="models") as run:
        logged = run.log_model(fitted, "wine", input_example=X.head(3), metadata={"team": "risk"})
    shown = get_run(run.id).models
    assert shown == [logged]
    assert (logged.name, logged.flavor, logged.run_id, logged.attempt) == ("wine", "sklearn", run.id, 1)
    assert logged.details["metadata"] == {"team": "risk"}
    expected = fitted.predict(X)
    for ref in (logged.uri, f"runs:/{run.id}/wine", f"runs:/{run.id[:8]}/wine"):
        np.testing.assert_array_equal(load_model(ref).predict(X), expected)
        asked = load_predictor(ref)
        np.testing.assert_array_equal(asked.predict(X), expected)
        assert asked.about["model_id"] == logged.id
        assert asked.file.run_id == run.id


def test_each_call_makes_a_model_of_its_own(fresh_ledger: Ledger) -> None:
    """Two of one name in one run are both there, and the name means the later one."""
    with start_run() as run:
        first, second = run.log_model(Doubles(), "m"), run.log_model(lambda data: data, "m")
    assert [one.id for one in get_run(run.id).models] == [first.id, second.id]
    assert load_predictor(f"runs:/{run.id}/m").predict([1]) == [1]
    assert load_predictor(first.uri).predict([1]) == [2]


def test_a_file_that_was_changed_is_refused_before_anything_is_opened(fresh_ledger: Ledger) -> None:
    """A model that would tell on itself when it is unpickled stays silent; the message names the file."""
    with start_run() as run:
        logged = run.log_model(Doubles(), "m")
    get_run(run.id)
    file = _folder(logged.uri, fresh_ledger) / "python_model.pkl"
    told = file.parent / "told"
    file.chmod(0o600)
    file.write_bytes(pickle.dumps(_Tells(str(told))))
    with pytest.raises(ArtifactCorrupt, match=r"python_model\.pkl is not what was logged"):
        load_model(logged.uri)
    assert not told.exists()


class _Tells:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


def test_a_row_that_was_changed_is_refused(fresh_ledger: Ledger) -> None:
    """Bytes and digest of a file exchanged together do not make the list of files that was logged."""
    from prefect_ledger.database import execute

    with start_run() as run:
        logged = run.log_model(Doubles(), "m")
    get_run(run.id)
    with fresh_ledger.database.write() as tx:
        execute(tx, "DELETE FROM artifacts WHERE run_id = ? AND path LIKE '%requirements.txt'", [run.id])
    with pytest.raises(ArtifactCorrupt, match="is not what was logged: the digests of its"):
        load_model(logged.uri)


def test_a_store_whose_rows_lead_out_of_the_folder_is_not_believed(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """Where path, digest of the list and all fit together, a file that would be written beside the model's folder is refused still."""
    from prefect_ledger.database import execute
    from prefect_ledger.models import manifest

    with start_run() as run:
        logged = run.log_model(Doubles(), "m")
    get_run(run.id)
    out = f"{'../' * 20}{tmp_path.relative_to('/')}/escaped"
    with fresh_ledger.database.write() as tx:
        moved = [f"{logged.path}/{out}", run.id, f"{logged.path}/requirements.txt"]
        execute(tx, "UPDATE artifacts SET path = ? WHERE run_id = ? AND path = ?", moved)
    files = fresh_ledger.reader.model_files(logged)
    listed = [manifest.Listed(one.path[len(logged.path) + 1 :], one.size, one.sha256) for one in files]
    with fresh_ledger.database.write() as tx:
        execute(tx, "UPDATE models SET digest = ? WHERE id = ?", [manifest.digest(listed), logged.id])
    with pytest.raises(ArtifactCorrupt, match="has a file that none can have"):
        load_model(logged.uri)
    assert not (tmp_path / "escaped").exists()


def test_a_pickle_from_elsewhere_is_opened_only_when_somebody_answers_for_it(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """The same folder: from the ledger it opens, as a place it is refused and nothing of it runs, and trust=True opens it."""
    with start_run() as run:
        logged = run.log_model(Doubles(), "m")
    assert load_model(logged.uri).predict([2]) == [4]
    copy = shutil.copytree(_folder(logged.uri, fresh_ledger), tmp_path / "copy")
    for open_ in (load_model, load_predictor):
        with pytest.raises(UntrustedModel, match=r"a pickle \(python_model\.pkl\) and code that came with it \(code/\).*trust=True"):
            open_(copy)
    assert load_model(copy, trust=True).predict([2]) == [4]
    (copy / "python_model.pkl").write_bytes(pickle.dumps(_Tells(str(tmp_path / "told"))))
    with pytest.raises(UntrustedModel):
        load_model(str(copy))
    assert not (tmp_path / "told").exists()


def test_a_model_that_only_holds_data_opens_from_anywhere(tmp_path: Path, fitted: LogisticRegression) -> None:
    """Saved by skops, it needs nobody's word: as a folder and as a file: URL."""
    save_model(fitted, tmp_path / "wine", input_example=X.head(2))
    np.testing.assert_array_equal(load_model(tmp_path / "wine").predict(X), fitted.predict(X))
    asked = load_predictor(f"file://{tmp_path}/wine")
    assert isinstance(asked, Predictor)
    np.testing.assert_array_equal(asked.predict(X), fitted.predict(X))


def test_a_url_is_copied_and_opened(fitted: LogisticRegression, tmp_path: Path) -> None:
    """A model below any root that a driver is there for."""
    from prefect_ledger.artifact_store import ArtifactStore

    save_model(fitted, tmp_path / "wine")
    store = ArtifactStore("memory://elsewhere")
    store.put_folder(f"{store.root}/models", "wine", tmp_path / "wine")
    np.testing.assert_array_equal(load_model("memory://elsewhere/models/wine").predict(X), fitted.predict(X))
    with pytest.raises(ModelNotFound, match="no model at memory://elsewhere/other: there is no MLmodel file"):
        load_model("memory://elsewhere/other")


def test_what_no_reference_means_is_said(fresh_ledger: Ledger) -> None:
    """With what the run has, and with the forms a reference can have."""
    with start_run() as run:
        run.log_model(Doubles(), "m")
    with pytest.raises(ModelNotFound, match=r"has no model 'other'; it has: 'm'"):
        load_model(f"runs:/{run.id}/other")
    with pytest.raises(ModelNotFound, match="no model has the id"):
        load_model(f"models:/m-{'0' * 32}")
    with pytest.raises(ModelNotFound, match="no model is registered as 'churn'"):
        load_model("models:/churn@champion")
    for wrong in ("models:/", "models:/churn", "models:/churn@", "models:/a/b/c", "runs:/", "runs:/8f2c51aa", "runs:/zz/m", ""):
        with pytest.raises(InvalidName):
            load_model(wrong)
    with pytest.raises(InvalidValue, match="no model in"):
        load_model("/nowhere/at/all")


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", "a@b", "..", "a%2fb", "x" * 251, "a\n", 3, None])
def test_a_name_that_no_reference_could_say_is_refused(fresh_ledger: Ledger, name: Any) -> None:
    """Before anything is saved."""
    with start_run() as run, pytest.raises(InvalidName):
        run.log_model(Doubles(), name)


def test_a_finished_run_takes_no_model(fresh_ledger: Ledger) -> None:
    """As it takes no other value."""
    with start_run() as run:
        pass
    with pytest.raises(RunFinished):
        run.log_model(Doubles(), "m")


def test_references_are_read_the_same_everywhere() -> None:
    """Each form once."""
    assert parse("models:/churn/7") == Reference("registry", "churn", selector="7")
    assert parse("models:/churn@champion") == Reference("registry", "churn", selector="@champion")
    assert parse("models:/churn/production") == Reference("registry", "churn", selector="production")
    assert parse(f"models:/m-{'a' * 32}") == Reference("model", f"m-{'a' * 32}")
    assert parse("runs:/8f2c51aa/churn") == Reference("run", "churn", run="8f2c51aa")
    assert parse("s3://bucket/churn") == Reference("place", "s3://bucket/churn")
    assert parse("file:///data/churn") == Reference("place", "/data/churn")


def test_the_bytes_of_a_frame_example_come_back(tmp_path: Path, fitted: LogisticRegression) -> None:
    """The input example is a frame with the names it had."""
    from prefect_ledger.models import examples, model_file

    save_model(fitted, tmp_path / "wine", input_example=X.head(2))
    data, params = examples.read(tmp_path / "wine", model_file.read(tmp_path / "wine").example)
    pd.testing.assert_frame_equal(data, X.head(2))
    assert params is None
