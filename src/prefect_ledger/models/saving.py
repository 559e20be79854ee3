"""Floor 4. Saves a model as a folder in the MLmodel format: what it is, what it eats, what it needs, and an example of its input."""

from __future__ import annotations

import fnmatch
import os
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.masking import mask_text, mask_value, quoted
from prefect_ledger.models import digests, examples, flavors
from prefect_ledger.models.columns import LIST, ROWS, SPARSE
from prefect_ledger.models.flavors.base import Flavor, Saved
from prefect_ledger.models.model_file import FUNCTION, ModelFile, now_text
from prefect_ledger.models.predictor import TAKES, Predictor

if TYPE_CHECKING:
    from prefect_ledger.models.schema import Signature

CODE = "code"
_SECRET = (".env*", ".netrc", ".pypirc", ".git-credentials", ".ssh", ".aws")  # what holds secrets by custom
_SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".git", ".venv", "node_modules", *_SECRET)
_IDLE: Mapping[str, Any] = {}


class ModelWarning(UserWarning):
    """Something about how a model was saved that a person should know."""


@dataclass(frozen=True)
class Request:
    """What is to be saved with a model, as the caller of ``log_model`` or ``save_model`` said it."""

    flavor: str = "auto"
    signature: Any = "auto"
    input_example: Any = None
    requirements: Any = "auto"
    metadata: Mapping[str, Any] | None = None
    code_paths: Sequence[str | os.PathLike[str]] | None = None


def build(model: Any, folder: Path, asked: Request) -> tuple[ModelFile, str]:
    """Save ``model`` in the empty folder ``folder``; the MLmodel file is for the caller to write. Also what a person should know of it.

    Raises:
        InvalidValue: the model, or something said of it, cannot be saved. MissingExtra: its framework is not installed.
    """
    flavor, form = _flavor(model, asked.flavor)
    metadata = _metadata(asked.metadata)
    saved = flavor.save(model, folder, form)
    code = _code(folder, saved, asked.code_paths or ())
    sums = digests.of_folder(folder)
    data, params = examples.split(asked.input_example)
    signature = _signature(model, flavor, saved, asked.signature, data, params)
    example, lost = _example(folder, data, params)
    needs = _environment(model, folder, saved, asked.requirements, example)
    file = ModelFile(
        flavors=_entries(flavor, saved, code),
        signature=signature,
        created=now_text(),
        example=example,
        metadata=metadata,
        extra={**_as_given(flavor, signature, data if data is not None else _inputs(asked.signature)), digests.KEY: sums},
    )
    odd = _asked_again(model, flavor, saved, file, folder, params)
    return file, "; ".join(note for note in (saved.note, needs, lost, odd) if note)


def save_model(
    model: Any,
    path: str | os.PathLike[str],
    *,
    flavor: str = "auto",
    signature: Any = "auto",
    input_example: Any = None,
    requirements: Any = "auto",
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | os.PathLike[str]] | None = None,
) -> ModelFile:
    """Save ``model`` as the folder ``path``, in the MLmodel format; MLflow opens it too. The folder appears whole or not at all.

    ``flavor`` is told by the model's type, or named: ``"sklearn"``, ``"sklearn:cloudpickle"``, ``"python"``. ``signature`` says what the
    model eats and gives: found by asking it with ``input_example`` (data, or ``(data, params)``), from the type hints of a Python model, or
    from the data given here: inputs, or ``(inputs, outputs)``; None for none. ``requirements`` are found by looking at what the model
    imports, or given as lines or as the path of a file. ``code_paths`` are files and folders that the model's own code needs; files that
    hold secrets by custom, such as ``.env``, stay behind. Secrets in ``metadata`` and in the parameters of an example are masked.

    Raises:
        InvalidValue: the folder is there and not empty, or the model cannot be saved so. MissingExtra: a package is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = save_model(lambda data: [2 * x for x in data], f"{folder}/double", input_example=[1.0, 2.0])
        ...     sorted(saved.flavors)
        ['python_function']
    """
    final = Path(path)
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise InvalidValue(f"{final} is there already: give a folder that is new or empty")
    asked = Request(flavor, signature, input_example, requirements, metadata, code_paths)
    final.parent.mkdir(parents=True, exist_ok=True)
    aside = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        aside.mkdir()
        file, note = build(model, aside, asked)
        file = file.write(aside)
        aside.replace(final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if note:
        warnings.warn(f"the model in {final}: {note}", ModelWarning, stacklevel=2)
    return file


def _flavor(model: Any, asked: str) -> tuple[Flavor, str]:
    if model is None:
        raise InvalidValue("None is no model: a fit() that changes the model in place gives nothing back")
    name, form = flavors.parse_request(asked)
    flavor = flavors.choose(model) if name == "auto" else flavors.named(name)
    if name not in ("auto", FUNCTION) and not flavor.claims(model):
        raise InvalidValue(f"a {type(model).__name__} is no model of the flavor {name!r}; flavor='auto' finds its own")
    return flavor, flavors.form_of(flavor, form)


def _entries(flavor: Flavor, saved: Saved, code: str | None) -> dict[str, Mapping[str, Any]]:
    import platform

    function = {
        **saved.function,
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "python_version": platform.python_version(),
        **({"code": code} if code else {}),
    }
    if flavor.name == FUNCTION:
        return {FUNCTION: {**saved.entry, **function}}
    own: dict[str, Mapping[str, Any]] = {flavor.name: {**saved.entry, **({"code": code} if code else {})}}
    return own | {FUNCTION: function} if saved.function else own


def _metadata(metadata: Any) -> Mapping[str, Any]:
    if metadata is None:
        return _IDLE
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise InvalidValue(f"metadata is a mapping with texts for keys, not {quoted('metadata', metadata)}")
    masked: Mapping[str, Any] = mask_value("", metadata)
    return masked


def _signature(model: Any, flavor: Flavor, saved: Saved, asked: Any, data: Any, params: Mapping[str, Any] | None) -> Signature | None:
    from prefect_ledger.models.schema import Signature

    if asked is None or isinstance(asked, Signature):
        return asked
    from prefect_ledger.models import inference

    if not isinstance(asked, str):
        inputs, outputs = _pair(asked)
        return inference.infer(inputs, outputs, params and mask_value("", params))
    if asked != "auto":
        raise InvalidValue(f"signature is 'auto', None, a Signature or data to find it from, not {asked!r:.80}")
    if data is not None:
        answer = _answer(model, flavor, saved, data, params or _IDLE)
        return inference.infer(data, answer, params and mask_value("", params))
    return inference.from_hints(getattr(model, "predict", model)) if flavor.name == FUNCTION else None


def _pair(asked: Any) -> tuple[Any, Any]:
    """Data that a signature is to be found from, as inputs and outputs."""
    return asked if isinstance(asked, tuple) and len(asked) == 2 else (asked, None)


def _inputs(asked: Any) -> Any:
    """The inputs that a signature is found from; None where it is found or given otherwise."""
    from prefect_ledger.models.schema import Signature

    return None if isinstance(asked, str | Signature) else _pair(asked)[0]


def _as_given(flavor: Flavor, signature: Signature | None, data: Any) -> Mapping[str, Any]:
    """What has MLflow give a Python model its data as the caller gives it, not a frame made of it: a list, or rows like the example's."""
    if signature is None or signature.inputs is None or signature.inputs.tensors:
        return _IDLE
    rows = signature.inputs.named
    if flavor.name != FUNCTION:  # it was asked with these mappings and took them, as a pipeline with a DictVectorizer does
        return {TAKES: ROWS} if rows and isinstance(data, list) else _IDLE
    if rows and not isinstance(data, list | Mapping):
        return _IDLE
    given = {"is_signature_from_type_hint": not rows, "type_hint_from_example": rows}
    if rows or not (data is None or isinstance(data, list)):
        return given
    from prefect_ledger.models.scalars import missing

    return given | {TAKES: SPARSE if any(map(missing, data or ())) else LIST}


def _answer(model: Any, flavor: Flavor, saved: Saved, data: Any, params: Mapping[str, Any]) -> Any:
    try:
        return flavor.predictor(model, {**saved.function, **saved.entry})(data, params)
    except Exception as error:  # the model's own code, asked with the caller's example
        raise InvalidValue(f"the model cannot be asked with its input example: {type(error).__name__}: {error}") from error


def _example(folder: Path, data: Any, params: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], str]:
    """Keep the example; or say why it is not kept: the model is worth more than that."""
    if data is None:
        return _IDLE, ""
    try:
        return examples.write(folder, data, params and mask_value("", params)), ""
    except InvalidValue as error:
        return _IDLE, f"its input example is not kept: {error}"


def _asked_again(model: Any, flavor: Flavor, saved: Saved, file: ModelFile, folder: Path, params: Mapping[str, Any] | None) -> str:
    """Ask the model as others will, with its example as that comes back from its file; returns what it then says against it.

    A frame loses its categories in JSON, as in CSV and in what a signature can say, and there are models that insist on them.
    """
    if file.signature is None or not file.example or not (file.example.get("type") == "dataframe" or file.extra.get(TAKES) == ROWS):
        return ""
    try:
        data, _ = examples.read(folder, file.example)
        Predictor(flavor.predictor(model, {**saved.function, **saved.entry}), file).predict(data, params, json=True)
    except Exception as error:  # noqa: BLE001  # the model's own code
        return (
            f"it does not take its input example as that comes from a file or a request, without categories and other types of pandas "
            f"({type(error).__name__}: {mask_text(str(error))[:200]}); ask it with a frame like the example"
        )
    return ""


def _code(folder: Path, saved: Saved, paths: Iterable[str | os.PathLike[str]]) -> str | None:
    """Copy the code that travels with the model; the folder's name, where there is some."""
    target = folder / CODE
    for name, data in saved.code.items():
        target.mkdir(exist_ok=True)
        (target / name).write_bytes(data)
    if isinstance(paths, str | os.PathLike):
        raise InvalidValue(f"code_paths is a list of paths, such as [{os.fspath(paths)!r}]")
    for path in paths:
        source = Path(path)
        target.mkdir(exist_ok=True)
        if any(fnmatch.fnmatch(source.name, one) for one in _SECRET):
            raise InvalidValue(
                f"code_paths: {source.name} holds secrets by custom, and whoever opens the model could read it: leave it out"
            )
        if (to := target / source.resolve().name).exists():
            raise InvalidValue(f"code_paths has the name {to.name!r} twice, or it is the loader's own")
        if source.is_dir():
            shutil.copytree(source, to, ignore=_SKIPPED)
        elif source.is_file():
            shutil.copy2(source, to)
        else:
            raise InvalidValue(f"code_paths: there is nothing at {source}")
    return CODE if target.is_dir() else None


def _environment(model: Any, folder: Path, saved: Saved, asked: Any, example: Mapping[str, Any]) -> str:
    """Write what has to be installed; returns what a person should know of it."""
    from prefect_ledger.models import requirements

    if isinstance(asked, str) and asked == "auto":
        code = folder / CODE
        frames = ("pandas",) if example.get("type") == "dataframe" else ()
        found = requirements.find(model, folder, (*saved.modules, *frames), code if code.is_dir() else None)
        requirements.write(folder, found.lines)
        missing = ", ".join(found.own)
        return (
            f"it uses {missing}, which no installed package has: give it in code_paths, or it opens only where that is found"
            if missing
            else ""
        )
    lines = _lines(asked)
    requirements.check(lines)
    requirements.write(folder, lines)
    return ""


def _lines(asked: Any) -> tuple[str, ...]:
    """Requirements as the caller gave them: lines, or a file of lines."""
    if isinstance(asked, str | os.PathLike):
        path = Path(asked)
        if not path.is_file():
            raise InvalidValue(f"requirements is 'auto', a list of lines such as ['scikit-learn==1.6.1'], or a file; none is at {path}")
        return tuple(path.read_text(encoding="utf-8").splitlines())
    lines = tuple(asked)
    if not all(isinstance(line, str) for line in lines):
        raise InvalidValue(f"requirements are lines of text such as 'scikit-learn==1.6.1', not {asked!r:.80}")
    return lines
