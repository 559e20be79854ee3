"""Floor 5. The first files of a project: the table in ``pyproject.toml``, and a script to be replaced."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from prefect_ledger.errors import InvalidValue
from prefect_ledger.projects import mlproject, native
from prefect_ledger.projects.environments.interpreters import minor

SCRIPT = "train.py"
_TABLE = """[tool.prefect-ledger.project]
name = {name}
python = "{python}"
dependencies = []  # such as "scikit-learn>=1.6"; with "prefect-ledger" the script logs into its run

[tool.prefect-ledger.project.entry-points.main]
command = "python {script} --depth {{depth}} --rate {{rate}}"
parameters.depth = {{ type = "int", default = 6 }}
parameters.rate = {{ type = "float", default = 0.1 }}
"""
_EXAMPLE = '''"""An entry point of the project: prefect-ledger project run . -P depth=8"""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, required=True)
parser.add_argument("--rate", type=float, required=True)
asked = parser.parse_args()

# With prefect-ledger among the dependencies, values go into the run of the project:
#     from prefect_ledger import log_metric
#     log_metric("loss", 0.25, step=0)
print(f"training with depth {asked.depth} and rate {asked.rate}")
'''


def begin(folder: Path, name: str | None = None) -> list[Path]:
    """Write the files of a project into ``folder``, made where it is not there; returns those that were written.

    A ``pyproject.toml`` that is there keeps all it has, and a script of the same name stays.

    Raises:
        InvalidValue: the folder describes a project already, or its ``pyproject.toml`` does not parse.
    """
    file = folder / native.FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if native.find(folder) is not None or mlproject.find(folder) is not None:
            raise InvalidValue(f"{folder} describes a project already; prefect-ledger project check says how it stands with it")
        native.parse(before)
        called = json.dumps(name or folder.resolve().name, ensure_ascii=False)
        table = _TABLE.format(name=called, python=minor(platform.python_version()), script=SCRIPT)
        file.write_text(f"{before.rstrip()}\n\n{table}" if before.strip() else table, encoding="utf-8")
        written = [file]
        if not (folder / SCRIPT).exists():
            (folder / SCRIPT).write_text(_EXAMPLE, encoding="utf-8")
            written.append(folder / SCRIPT)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{folder} cannot be written, or {native.FILE} not read: {error}") from error
    return written
