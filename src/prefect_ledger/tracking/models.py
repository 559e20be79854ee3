"""Floor 5. Models of runs: logging one, and loading one by reference.

A model's files are artifacts of the run that logged it, below ``models/<name>/<id>/``; its MLmodel file is said last, so that a model
that is known is whole. What is loaded is a private copy, every file of which had the digest that was recorded, and whose list of files is
the one that was logged.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import names
from prefect_ledger.artifact_store import ArtifactStore, Wanted
from prefect_ledger.entities import LoggedModel, to_datetime
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, InvalidName, ModelNotFound
from prefect_ledger.events import ABOUT_MODEL, MODEL, MODEL_FILE, ArtifactLogged, Noted
from prefect_ledger.masking import mask_value
from prefect_ledger.models.manifest import Listed, digest
from prefect_ledger.models.model_file import FUNCTION, NAME
from prefect_ledger.names import MODELS
from prefect_ledger.tracking.references import Reference, parse
from prefect_ledger.tracking.runs import now

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import Stored
    from prefect_ledger.models.opening import Opened
    from prefect_ledger.models.predictor import Predictor
    from prefect_ledger.models.saving import Request
    from prefect_ledger.tracking.ledger import Ledger
    from prefect_ledger.tracking.runs import ActiveRun

_kept: list[Any] = []  # folders of opened models that read from them as they are asked; removed when the process ends


# --- logging -------------------------------------------------------------------------------------------------------------


class Prepared:
    """A model that was saved in a folder aside, to be logged; the folder goes when nobody holds this any more, or by ``drop``."""

    def __init__(self, model: Any, asked: Request) -> None:
        from prefect_ledger.models.saving import build

        self.folder = Path(tempfile.mkdtemp(prefix="prefect-ledger-model-"))
        self.drop = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.file, self.note = build(model, self.folder, asked)


def log_prepared(run: ActiveRun, prepared: Prepared, name: str, register: object = None) -> LoggedModel:
    """Log what was saved aside as a model of ``run``."""
    from prefect_ledger.tracking.keeping import keep

    model_id, at = f"m-{uuid.uuid4().hex}", now()
    base = f"{MODELS}/{name}/{model_id}"
    told: list[LoggedModel] = []

    try:
        file = replace(prepared.file, model_id=model_id, run_id=run.id, name=name).write(prepared.folder)
        flavor = next((key for key in file.flavors if key != FUNCTION), FUNCTION)
        about: dict[str, Any] = {"flavors": sorted(file.flavors), "metadata": mask_value("", file.metadata)}
        if file.signature is not None:
            about["signature"] = file.signature.to_mlmodel()
        if register:
            about["register"] = name if register is True else register

        def put(store: ArtifactStore, uri: str) -> list[Stored]:
            stored = store.put_folder(uri, base, prepared.folder)
            files = [Listed(one.path[len(base) + 1 :], one.size, one.sha256) for one in stored]
            size = sum(one.size for one in files)
            when, where = to_datetime(at), (run.id, base, digest(files), flavor, size, run.attempt, run.task_run_id)
            told[:] = [LoggedModel(model_id, name, *where, logged_at=when, details=about)]
            return sorted(stored, key=lambda one: one.path.endswith(f"/{NAME}"))

        def logged(stored: Stored) -> ArtifactLogged:
            last = stored.path == f"{base}/{NAME}"
            details: dict[str, Any] = {}
            if last:
                one = told[0]
                details = {ABOUT_MODEL: {"id": one.id, "name": one.name, "digest": one.digest, "flavor": flavor, "size": one.size, **about}}
            what = (stored.path, stored.uri, stored.size, stored.sha256, MODEL if last else MODEL_FILE)
            return ArtifactLogged(run.id, at, run.attempt, *what, task=run.task_run_id, metadata=details)

        keep(run._ledger, run, put, logged, at)
    finally:
        prepared.drop()
    if prepared.note:
        run.say(Noted(run=run.id, at=now(), text=f"model {name!r}: {prepared.note}"))
        run._ledger.journal.tell(f"model {name}", f"model {name!r}: {prepared.note}")
    return told[0]


# --- loading -------------------------------------------------------------------------------------------------------------


def load_model(ref: str | os.PathLike[str], *, trust: bool = False) -> Any:
    """The model that ``ref`` means, as its framework's own object.

    ``ref`` is a version in the registry (``models:/churn/7``, ``models:/churn@champion``, ``models:/churn/production``,
    ``models:/churn/latest``), ``models:/m-<id>``, ``runs:/<run id>/<model's name>``, or the folder or URL of a model in the MLmodel format,
    MLflow's too.
    Every file's digest is checked before anything is opened. A model whose opening runs code (a pickle, code of its own) is opened only
    when it comes from this ledger, as it was logged, or with ``trust=True``.

    Raises:
        ModelNotFound: no such model. ArtifactCorrupt: a file is not what was logged. UntrustedModel: it would run code that nobody answers
        for. InvalidValue: a folder holds no model, or one that does not open. MissingExtra: its framework is not installed.
        InvalidName: not a reference. StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> from prefect_ledger import load_model, start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = run.log_model(lambda data: [2 * x for x in data], "double")
        >>> load_model(logged.uri)([1, 2])
        [2, 4]
    """
    return _open(ref, trust)[0].model


def load_predictor(ref: str | os.PathLike[str], *, trust: bool = False) -> Predictor:
    """The model that ``ref`` means, to be asked by ``predict(data, params=None)`` whatever its framework; see :func:`load_model`.

    Data and parameters are checked against the model's signature, and brought to its types where nothing is lost.

    Raises:
        As :func:`load_model`.

    Example:
        >>> from prefect_ledger import load_predictor, start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = run.log_model(lambda data: [2 * x for x in data], "double")
        >>> load_predictor(logged.uri).predict([1, 2])
        [2, 4]
    """
    opened, about = _open(ref, trust)
    return opened.predictor(about)


def find_model(ref: str) -> LoggedModel:
    """The logged model that ``ref`` means; what this process logged is brought into the store first. Raises as :func:`load_model`."""
    from prefect_ledger.tracking.ledger import ledger

    meant = parse(ref)
    if meant.kind == "place":
        raise ModelNotFound(f"{ref} is a place, not a model of the ledger; references look like models:/m-… and runs:/<run id>/<name>")
    return _find(ledger(), meant)


def search_models(
    experiment: str | int | Sequence[str | int] | None = None, *, name: str | None = None, limit: int = 1000
) -> list[LoggedModel]:
    """The models that active runs logged, those logged last first; of one name, or of the runs of some experiments.

    ``experiment`` is a name or an id, or several; None asks all. ``limit`` is at most 50,000.

    Raises:
        ExperimentNotFound: with near names. InvalidValue: of the limit. StoreUnavailable.

    Example:
        >>> from prefect_ledger import search_models, start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = run.log_model(lambda data: [3 * x for x in data], "triple")
        >>> [one.id == logged.id for one in search_models("docs", name="triple", limit=1)]
        [True]
    """
    from prefect_ledger.tracking.ledger import ledger

    one = ledger()
    one.flush()
    return one.reader.search_models(experiment, name, limit)


def _open(ref: str | os.PathLike[str], trust: bool) -> tuple[Opened, dict[str, Any]]:
    opened, about, folder = open_copy(ref, trust)
    if folder is not None:
        _kept.append(folder)
    return opened, about


def open_copy(ref: str | os.PathLike[str], trust: bool) -> tuple[Opened, dict[str, Any], tempfile.TemporaryDirectory[str] | None]:
    """The model that ``ref`` means, what is said of it, and the private copy that it may still read from: for the caller to keep so long.

    Raises:
        As :func:`load_model`; no copy is left then.
    """
    from prefect_ledger.models.opening import open_folder

    meant = parse(os.fspath(ref))
    if meant.kind == "place" and "://" not in meant.text:
        return open_folder(Path(meant.text), trusted=trust), {"uri": meant.text}, None
    folder = tempfile.TemporaryDirectory(prefix="prefect-ledger-model-", ignore_cleanup_errors=True)
    try:
        about: dict[str, Any]
        if (model := _fetched(meant, Path(folder.name))) is None:
            opened, about = open_folder(Path(folder.name), trusted=trust, place=meant.text), {"uri": meant.text}
        else:
            opened = open_folder(Path(folder.name), trusted=True, place=model.uri)
            about = {"uri": model.uri, "model_id": model.id, "run_id": model.run_id, "name": model.name, "digest": model.digest}
    except BaseException:
        folder.cleanup()
        raise
    if opened.needs_folder:
        return opened, about, folder
    folder.cleanup()
    return opened, about, None


def copy_to(ref: str | os.PathLike[str], folder: Path) -> LoggedModel | None:
    """Copy the files of the model that ``ref`` means into the empty ``folder``; which model of the ledger it is, None for one from a place.

    Raises:
        As :func:`load_model`, but nothing is opened.
    """
    meant = parse(os.fspath(ref))
    if meant.kind != "place" or "://" in meant.text:
        return _fetched(meant, folder)
    source = Path(meant.text)
    if not (source / NAME).is_file():
        raise ModelNotFound(f"no model in {source}: there is no {NAME} file")
    if links := [path for path in source.rglob("*") if path.is_symlink()]:
        raise InvalidName(f"{links[0]} is a link: what it leads to is no part of the model; put a copy in its place")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    return None


def _fetched(meant: Reference, folder: Path) -> LoggedModel | None:
    from prefect_ledger.tracking.ledger import ledger

    if meant.kind == "place":
        _copy(meant.text, folder)
        return None
    model = _find(ledger(), meant)
    fetch(ledger(), model, folder)
    return model


def _find(one: Ledger, meant: Reference) -> LoggedModel:
    one.flush()
    if meant.kind == "model":
        return one.reader.model(meant.text)
    if meant.kind == "run":
        run = one.reader.run(meant.run)
        if found := [model for model in one.reader.models(run.id) if model.name == meant.text]:
            return found[-1]
        there = sorted({model.name for model in one.reader.models(run.id)})
        raise ModelNotFound(f"run {run.id} has no model {meant.text!r}; it has: {', '.join(map(repr, there)) or 'none'}")
    return one.reader.version(meant.text, meant.selector)[1]


def fetch(one: Ledger, model: LoggedModel, folder: Path) -> None:
    """Copy a logged model into ``folder``, every file checked, and their list too.

    Raises:
        ArtifactCorrupt: it is not what was logged. ModelNotFound: its files are not there.
    """
    files = one.reader.model_files(model)
    start = len(model.path) + 1
    listed = [Listed(file.path[start:], file.size, file.sha256) for file in files]
    if digest(listed) != model.digest:
        raise ArtifactCorrupt(
            f"model {model.name!r} ({model.id}) is not what was logged: the digests of its {len(files)} files make {digest(listed)}, "
            f"recorded is {model.digest}; restore the store from a backup, or log it again"
        )
    try:
        wanted = [Wanted(file.uri, folder / names.check_path(file.path[start:]), file.sha256) for file in files]
        one.artifacts.download_many(wanted, progress=None)
    except InvalidName as error:
        raise ArtifactCorrupt(f"model {model.name!r} ({model.id}) has a file that none can have: {error}") from error
    except ArtifactNotFound as error:
        raise ModelNotFound(f"files of model {model.name!r} ({model.id}) are gone: {error}") from error


def _copy(url: str, folder: Path) -> None:
    """Copy what is below ``url``, which nobody has digests of."""
    url = url.rstrip("/")
    store = ArtifactStore(url.rpartition("/")[0])
    paths = store.list(url)
    if NAME not in paths:
        raise ModelNotFound(f"no model at {url}: there is no {NAME} file")
    store.download_many([Wanted(uri := f"{url}/{path}", folder / names.check_path(path), store.digest(uri)[1]) for path in paths])
