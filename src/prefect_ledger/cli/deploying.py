"""Floor 6. ``prefect-ledger deploy``: models where they serve."""

from __future__ import annotations

import json as documents
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from prefect_ledger.cli.options import Json
from prefect_ledger.cli.render import cell, dim, pairs, print_json, say, show, table, warn
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.formats import MISSING, clean, moment, short

if TYPE_CHECKING:
    from prefect_ledger.deploying import Deployment

_LIMIT = 64 << 20  # bytes of a request's data
_STYLES = {"serving": "green", "starting": "cyan", "written": "blue", "stopped": "yellow", "failed": "red"}

app = App(name="deploy", help="Deploy models: here, as images, to Kubernetes, to SageMaker.")
Where = Annotated[str, Parameter(help="Where: local, docker, kubernetes, sagemaker, or another of `deploy targets`.")]
Name = Annotated[str, Parameter(help="What the deployment is called: small letters, digits and '-'.")]
Config = Annotated[
    tuple[str, ...],
    Parameter(
        name=["--config", "-C"], negative="", help="An option of the target, as key=value; again for more. `deploy targets` lists them."
    ),
]


@app.command
def create(
    target: Where, name: Name, model: Annotated[str, Parameter(help="The model.")], /, *, config: Config = (), json: Json = False
) -> int:
    """Deploy a model under a name; comes back when it serves.

    MODEL is as in models:/churn/7, models:/m-..., runs:/RUN/NAME, or a folder
    or URL. Its files are checked and copied; what is served is that copy and
    nothing else.

    For example:

        prefect-ledger deploy create local churn runs:/8f2c51aa/churn -C port=8001
        prefect-ledger deploy create docker churn runs:/8f2c51aa/churn -C image=registry.example/churn:7
        prefect-ledger deploy create kubernetes churn runs:/8f2c51aa/churn -C image=registry.example/churn:7
    """
    one = _target(target)
    return _said(one.create(name, model, _config(config, one.options)), json)


@app.command
def update(
    target: Where,
    name: Name,
    model: Annotated[str | None, Parameter(help="The model; what the same reference means now if not said.")] = None,
    /,
    *,
    config: Config = (),
    json: Json = False,
) -> int:
    """Bring another model, or other options, into place.

    What serves goes on until the new one does, where the target can. Options
    that are not given stay as they are.

    For example:

        prefect-ledger deploy update local churn runs:/03b7d2e9/churn
        prefect-ledger deploy update local churn -C workers=2
    """
    one = _target(target)
    return _said(one.update(name, model, _config(config, one.options)), json)


@app.command
def delete(target: Where, name: Name, /) -> None:
    """Stop a deployment and remove what belongs to it.

    For example:

        prefect-ledger deploy delete local churn
    """
    _target(target).delete(name)
    say(f"deleted {clean(name)} of {clean(target)}")


@app.command(name="list")
def list_(target: Annotated[str | None, Parameter(help="Only those of this target.")] = None, /, *, json: Json = False) -> None:
    """Deployments and how they are, of all targets or of one.

    Of all targets, those that cannot be asked are named on stderr.

    For example:

        prefect-ledger deploy list
        prefect-ledger deploy list local --json
    """
    from prefect_ledger.deploying import target_names

    found: list[Deployment] = []
    wrong: dict[str, str] = {}
    for one in [target] if target else target_names():
        try:
            found += _target(one).list()
        except LedgerError as error:
            if target:
                raise
            wrong[one] = str(error)
    if json:
        print_json({"deployments": [record(one) for one in found], "not_asked": wrong})
    elif found:
        show(_table(found))
    else:
        dim("no deployments; prefect-ledger deploy create makes one")
    for one, words in wrong.items():
        dim(f"{clean(one)} was not asked: {clean(words)}")


@app.command
def get(target: Where, name: Name, /, *, json: Json = False) -> int:
    """One deployment as it is now. Exits with 1 when it has failed.

    For example:

        prefect-ledger deploy get local churn
    """
    return _said(_target(target).get(name), json)


@app.command
def predict(
    target: Where,
    name: Name,
    /,
    *,
    data: Annotated[str, Parameter(allow_leading_hyphen=True, help="A file of JSON or CSV (by its name), or - for JSON from stdin.")],
    param: Annotated[tuple[str, ...], Parameter(negative="", help="A parameter for the model, as name=value; again for more.")] = (),
) -> None:
    """Ask a deployed model; its answer is one JSON document on stdout.

    JSON is a list of rows, a list of records, an object of columns, or an
    object with one of dataframe_split, dataframe_records, instances, inputs.

    For example:

        prefect-ledger deploy predict local churn --data customers.csv
        echo '[[5.1, 3.5]]' | prefect-ledger deploy predict local churn --data -
    """
    rows, params = _data(data)
    given = {**params, **_config(param, {}, "--param")}
    print_json({"predictions": _target(target).predict(name, rows, given or None)})


@app.command
def targets(*, json: Json = False) -> None:
    """Where models can be deployed, and the options that -C takes there.

    For example:

        prefect-ledger deploy targets
    """
    from prefect_ledger.deploying import target_names

    options: dict[str, dict[str, Any]] = {}
    for name in target_names():
        try:
            options[name] = dict(_target(name).options)
        except LedgerError as error:  # one of another package
            warn(clean(error))
    if json:
        print_json({"targets": options})
        return
    columns = table([("target", "text"), ("option", "text"), ("if not said", "text")])
    for name, known in options.items():
        for position, (option, default) in enumerate(known.items()):
            shown = MISSING if default is None else documents.dumps(default)
            columns.add_row(cell(name if position == 0 else "", "bold"), cell(option), cell(shown))
    show(columns)


def record(one: Deployment) -> dict[str, Any]:
    """A deployment as JSON has it."""
    keys = ("name", "target", "state", "model", "model_id", "digest", "url", "created", "details")
    return {key: getattr(one, key) for key in keys}


def _target(name: str) -> Any:
    from prefect_ledger.deploying import get_target

    return get_target(name)


def _said(one: Deployment, json: bool) -> int:
    if json:
        print_json(record(one))
    else:
        details = [(key, value if isinstance(value, str) else documents.dumps(value, default=str)) for key, value in one.details.items()]
        known = [
            ("model", one.model),
            ("model id", one.model_id),
            ("digest", one.digest),
            ("url", one.url),
            ("created", moment(one.created)),
        ]
        rows = [(key, value) for key, value in [*known, *details] if value not in ("", MISSING)]
        show(pairs([("name", f"{one.name} ({one.target})"), ("state", cell(one.state, _STYLES.get(one.state, ""))), *rows]))
    return 1 if one.state == "failed" else 0


def _table(found: Sequence[Deployment]) -> object:
    columns = table([("target", "text"), ("name", "text"), ("state", "text"), ("model", "text"), ("url", "text"), ("created", "text")])
    for one in found:
        state = cell(one.state, _STYLES.get(one.state, ""))
        model = cell(short(one.model, 60))
        columns.add_row(cell(one.target), cell(one.name, "bold"), state, model, cell(one.url or MISSING), cell(moment(one.created)))
    return columns


def _config(given: Sequence[str], options: Mapping[str, Any], option: str = "-C") -> dict[str, Any]:
    """KEY=VALUE of each: text where the option is text, else JSON where it reads as such.

    Raises:
        InvalidValue: one is written otherwise, or twice.
    """
    found: dict[str, Any] = {}
    for text in given:
        key, said, value = text.partition("=")
        if not said or not key or key in found:
            raise InvalidValue(f"{option} {text!r:.120}: write key=value, each key once, as in {option} port=8001")
        if key in options and (options[key] is None or isinstance(options[key], str)):
            found[key] = value or options[key]
            continue
        try:
            found[key] = documents.loads(value)
        except (ValueError, RecursionError):
            found[key] = value
    return found


def _data(place: str) -> tuple[Any, dict[str, Any]]:
    """What a file holds, as a target is asked about it, and the parameters beside it."""
    if place.lower().endswith(".csv"):
        return _csv(Path(place)), {}
    raw = sys.stdin.buffer.read(_LIMIT + 1) if place == "-" else _bytes(Path(place))
    if len(raw) > _LIMIT:
        raise InvalidValue(f"--data has more than {_LIMIT >> 20} MB: prefect-ledger score asks a model about many rows")
    try:
        found = documents.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"--data {place} is no JSON: {error}") from None
    forms = [form for form in ("dataframe_split", "dataframe_records", "instances", "inputs") if isinstance(found, dict) and form in found]
    if len(forms) != 1:
        return found, {}
    params = found.get("params") or {}
    if not isinstance(params, dict):
        raise InvalidValue(f"--data {place}: params is an object of names and values")
    return _form(forms[0], found[forms[0]]), params


def _form(form: str, value: Any) -> Any:
    if form != "dataframe_split":
        return value
    from prefect_ledger.models.frames import pandas

    try:
        return pandas("dataframe_split").DataFrame(value["data"], columns=value.get("columns"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidValue(f"dataframe_split is no frame: {error}") from None


def _csv(path: Path) -> Any:
    import io

    from prefect_ledger.models.frames import pandas

    raw = _bytes(path)
    if len(raw) > _LIMIT:
        raise InvalidValue(f"{path} has more than {_LIMIT >> 20} MB: prefect-ledger score asks a model about many rows")
    try:
        return pandas("a CSV file").read_csv(io.BytesIO(raw))
    except ValueError as error:
        raise InvalidValue(f"{path} is no CSV: {error}") from None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT + 1)
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error.strerror}") from None
