"""Floor 4. What has to be installed for a model: found out, pinned, and written in the three files that MLflow writes."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from prefect_ledger.models import imports

FILE, PYTHON_ENV, CONDA = "requirements.txt", "python_env.yaml", "conda.yaml"
_OWN = "prefect_ledger"
_CODE = "prefect_ledger_model"  # the loader in a Python model's code folder
_known: dict[str, list[str]] = {}


class Found(NamedTuple):
    """Requirements as lines for pip, and modules of the model's own that no installed package has: they have to travel with it."""

    lines: tuple[str, ...]
    own: tuple[str, ...]


def find(model: object, folder: Path, modules: Iterable[str], code: Path | None = None) -> Found:
    """What the model saved in ``folder`` needs: ``modules``, and what its files, types and code import, at the installed versions.

    Nothing is imported to find it out. What these packages need themselves is left to pip. ``code`` is the model's code folder: what is
    in it is not missing.
    """
    names = imports.foreign({*modules, *imports.of_folder(folder), *imports.of_model(model)}) - {_OWN, _CODE}
    if code is not None:
        names -= {path.stem for path in code.iterdir()}
    installed = _distributions(names)
    own = sorted(names - installed.keys())
    pins = {pin for name in names for package in installed.get(name, ()) if (pin := pinned(package))}
    return Found(tuple(sorted(pins, key=str.lower)), tuple(own))


def pinned(package: str) -> str:
    """A distribution at its installed version, without a local label such as "+cpu", which no index has; "" where it is not installed.

    Example:
        >>> pinned("cloudpickle").startswith("cloudpickle==")
        True
    """
    try:
        return f"{package}=={metadata.version(package).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return ""


def write(folder: Path, lines: Sequence[str]) -> None:
    """Write ``requirements.txt``, ``python_env.yaml`` and ``conda.yaml`` into a model's folder."""
    import yaml

    version = platform.python_version()
    pip = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    (folder / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    environment = {"python": version, "build_dependencies": ["pip", "setuptools", "wheel"], "dependencies": [f"-r {FILE}"]}
    (folder / PYTHON_ENV).write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")
    conda = {"channels": ["conda-forge"], "dependencies": [f"python={version}", "pip", {"pip": pip}], "name": "mlflow-env"}
    (folder / CONDA).write_text(yaml.safe_dump(conda, sort_keys=False), encoding="utf-8")


def _distributions(names: set[str]) -> dict[str, list[str]]:
    """The installed distributions that have a top-level module of each of these names.

    ``importlib.metadata.packages_distributions`` knows it of all modules, and takes a second; the lists of files, searched for a few names,
    take a few hundredths.
    """
    unknown = {name: (f"\n{name}/", f"\n{name}.py,", f"\n{name}.") for name in names if name not in _known}
    found: dict[str, set[str]] = {name: set() for name in unknown}
    for one in metadata.distributions() if unknown else ():
        files = f"\n{one.read_text('RECORD') or one.read_text('installed-files.txt') or ''}"
        for name, marks in unknown.items():
            if marks[0] in files or marks[1] in files or (marks[2] in files and _extension(files, marks[2])):
                found[name].add(one.name)
    _known.update({name: sorted(packages) for name, packages in found.items()})
    return {name: _known[name] for name in names if _known[name]}


def _extension(files: str, mark: str) -> bool:
    line = files[files.index(mark) + 1 :].partition(",")[0]
    return line.endswith((".so", ".pyd"))
