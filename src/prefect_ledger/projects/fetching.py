"""Floor 5. Values of parameters that are paths or URIs: local ones made absolute, those from elsewhere copied to this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prefect_ledger.artifact_store import ArtifactStore, Wanted
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.masking import mask_text
from prefect_ledger.names import check_path
from prefect_ledger.projects.spec import EntryPoint
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.projects.values import SCHEME, is_remote


def local_problems(point: EntryPoint, values: Mapping[str, str], project: Path) -> list[str]:
    """What of the paths of this machine is not there."""
    found = []
    for parameter in point.parameters:
        value = values.get(parameter.name, "")
        if parameter.type == "path" and not is_remote(value) and _place(value, parameter.default, project) is None:
            found.append(f"parameter {parameter.name!r}: there is no file or folder {value!r:.200}")
    return found


def placed(point: EntryPoint, values: Mapping[str, str], project: Path, target: Path, say: Say = silent) -> dict[str, str]:
    """``values`` with paths absolute: a copy below ``target`` where they lie somewhere else.

    A path that was given is one from where the caller stands, a default one from the project's folder on, and if there is none, too from
    where the caller stands, as MLflow takes both.

    Raises:
        InvalidValue: nothing is there, or it cannot be copied.
    """
    if wrong := local_problems(point, values, project):
        raise InvalidValue("; ".join(wrong))
    found = dict(values)
    for number, parameter in enumerate(point.parameters):
        value = values.get(parameter.name)
        if value is None or parameter.type != "path":
            continue
        if is_remote(value):
            found[parameter.name] = str(_copied(parameter.name, value, target / f"param_{number}", say))
        else:
            found[parameter.name] = str(_place(value, parameter.default, project))
    return found


def _place(value: str, default: str | None, project: Path) -> Path | None:
    text = unquote(urlsplit(value).path) if SCHEME.match(value) else value
    path = Path(text).expanduser()
    starts = [project, Path.cwd()] if value == default else [Path.cwd()]
    return next((whole for start in starts if (whole := start.absolute() / path).exists()), None)


def _copied(name: str, url: str, target: Path, say: Say) -> Path:
    """A file or folder from elsewhere, through whatever reads artifacts.

    Raises:
        InvalidValue.
    """
    target.mkdir(parents=True)
    base, _, last = url.rstrip("/").rpartition("/")
    if not last or not base.partition("://")[2]:
        raise InvalidValue(f"parameter {name!r}: {mask_text(url)!r:.200} names no file")
    say(f"copying {mask_text(url)}")
    try:
        store = ArtifactStore(base)
        if store.exists(url):
            store.download_many([Wanted(url, target / check_path(last), store.digest(url)[1])], progress=None)
            return target / last
        paths = store.list(url)
        if not paths:
            raise InvalidValue("nothing is there")
        store.download_many(
            [Wanted(uri := f"{url.rstrip('/')}/{path}", target / last / check_path(path), store.digest(uri)[1]) for path in paths],
            progress=None,
        )
    except LedgerError as error:
        raise InvalidValue(f"parameter {name!r}: {mask_text(url)!r:.200} cannot be copied here: {error}") from error
    return target / last
