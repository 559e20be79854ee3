"""Floor 5. ``python -m prefect_ledger.rerun.program SPEC``: calls a flow of a file with parameters, in the environment it is started in.

SPEC is a JSON file with ``file``, ``module``, ``function`` and ``parameters``. The id of the flow's run goes to the file that ``told``
names.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def main(path: str) -> int:
    """Call it; 0 when the flow completed."""
    spec = json.loads(Path(path).read_text(encoding="utf-8"))
    flow = load(Path(spec["file"]), spec["module"], spec["function"])
    state: Any = flow(**spec["parameters"], return_state=True)
    Path(spec["told"]).write_text(json.dumps({"run": str(state.state_details.flow_run_id)}), encoding="utf-8")
    return 0 if state.is_completed() else 1


def load(file: Path, module: str, function: str) -> Any:
    """The flow ``function`` of ``module``, whose code lies in ``file``: imported by its name where that fits the file, else as a file.

    Raises:
        SystemExit: there is no such flow.
    """
    if "<locals>" in function:
        raise SystemExit(f"{function} is defined inside a function, where nobody else can reach it")
    found: Any = _module(file, module)
    for part in function.split("."):
        found = getattr(found, part, None)
    if not callable(found) or not hasattr(found, "with_options"):
        raise SystemExit(f"{file.name} has no flow {function!r}")
    return found


def _module(file: Path, name: str) -> ModuleType:
    parts = name.split(".")
    package = parts if file.stem != "__init__" else [*parts, "__init__"]
    if list(file.with_suffix("").parts[-len(package) :]) == package:
        sys.path.insert(0, str(file.parents[len(package) - 1]))
        return importlib.import_module(name)
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # what is pickled for other processes is looked for here
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
