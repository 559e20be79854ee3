"""Floor 4. What has to be installed for a model: found out, pinned, and written in the three files that MLflow writes."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prefect_ledger.errors import InvalidValue
from prefect_ledger.masking import mask_text
from prefect_ledger.models import distributions, imports

FILE, PYTHON_ENV, CONDA = "requirements.txt", "python_env.yaml", "conda.yaml"
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]{1,128}\}")  # pip's
_BUILD = ("pip", "setuptools", "wheel")


class Found(NamedTuple):
    """Requirements as lines for pip, and packages that no index has: code that has to travel with the model."""

    lines: tuple[str, ...]
    own: tuple[str, ...]


def find(model: object, folder: Path, modules: Iterable[str], code: Path | None = None) -> Found:
    """What the model saved in ``folder`` needs: ``modules``, and what its files, types and code import, at the installed versions.

    Nothing is imported to find it out. Everything that the model itself names is pinned, also where another of these packages would bring
    it: pickles mind the version of NumPy. What only those packages name is left to pip. ``code`` is the model's code folder: what is in it
    is not missing.
    """
    packages = imports.foreign({*modules, *imports.of_folder(folder), *imports.of_types(model)})
    for path in code.iterdir() if code is not None else ():
        packages.pop(path.name.partition(".")[0], None)
    known = distributions.lines(packages)
    every = {line for found in known.values() for line in found}
    return Found(tuple(sorted(every)), tuple(sorted(top for top, found in known.items() if not found)))


def check(lines: Iterable[str]) -> None:
    """Refuse lines with credentials: whoever opens the model reads them.

    Raises:
        InvalidValue: one has some.

    Example:
        >>> check(["numpy==2.4", "--index-url https://${NAME}:${TOKEN}@packages.example/simple"])
    """
    for number, line in enumerate(lines, 1):
        plain = _VARIABLE.sub("", line)
        if (masked := mask_text(plain)) != plain:
            raise InvalidValue(
                f"requirements, line {number}: {masked!r:.200} has credentials, which go wherever the model goes: leave them out, or name "
                f"variables, which pip fills in: https://${{NAME}}:${{TOKEN}}@host"
            )


def write(folder: Path, lines: Sequence[str]) -> None:
    """Write ``requirements.txt``, ``python_env.yaml`` and ``conda.yaml`` into a model's folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder), ["scikit-learn==1.6.1"])
        ...     Path(folder, "requirements.txt").read_text()
        'scikit-learn==1.6.1\\n'
    """
    import yaml

    python = platform.python_version()
    build = [distributions.pinned(package) or package for package in _BUILD]
    (folder / FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    environment = {"python": python, "build_dependencies": build, "dependencies": [f"-r {FILE}"]}
    (folder / PYTHON_ENV).write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")
    dependencies = [f"python={python}", build[0].replace("==", "<="), {"pip": list(_whole(lines))}]
    conda = {"channels": ["conda-forge"], "dependencies": dependencies, "name": "mlflow-env"}
    (folder / CONDA).write_text(yaml.safe_dump(conda, sort_keys=False), encoding="utf-8")


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """The requirements: lines that go on are joined, comments are gone."""
    before = ""
    for line in lines:
        text = line.partition(" #")[0].strip() if not line.lstrip().startswith("#") else ""
        if text.endswith("\\"):
            before += text[:-1].rstrip() + " "
        elif whole := (before + text).strip():
            yield whole
            before = ""
