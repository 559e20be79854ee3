"""Floor 5. Starting what was recorded, in its code and its environment, and knowing which run came of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prefect_ledger.capture import REPEATED
from prefect_ledger.errors import NotReproducible
from prefect_ledger.projects import environments, trees
from prefect_ledger.projects.environments import Asked, Environment
from prefect_ledger.projects.spec import EnvironmentSpec
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.rerun.checkout import check_out
from prefect_ledger.rerun.plan import OURS, Plan
from prefect_ledger.rerun.recorded import Recorded, masked
from prefect_ledger.tracking import begun, seeds, uses


@contextmanager
def environment(plan: Plan, manager: str | None, *, home: Path, say: Say = silent) -> Iterator[Environment]:
    """The packages of the run: those that are here, where they are the same, else an environment of exactly them.

    Raises:
        EnvironmentFailed: a version is gone, or was made for another platform. MissingExtra: no uv.
    """
    recorded = plan.recorded
    if manager == "local" or (manager is None and (not recorded.packages or not different(plan))):
        yield environments.prepare(EnvironmentSpec(), "local", Asked(home, say=say))
        return
    lines = [f"{name}=={version}" for name, version in plan.packages.items() if name != OURS]
    lines += list(_elsewhere(recorded.origins))
    lines.append(_ourselves(recorded.packages.get(OURS, ""), home / "wheels"))
    spec = EnvironmentSpec("python", folder=home, python=recorded.python, requirements=tuple(lines))
    yield environments.prepare(spec, manager or "uv", Asked(home, name=f"run {recorded.id[:8]}", say=say))


def different(plan: Plan) -> dict[str, tuple[str, str]]:
    """Packages that are not here as they were: the version then and the one now, "" for none. What came since does not count."""
    import platform

    from prefect_ledger import capture

    now = capture.packages()
    found = {name: (version, now.get(name, "")) for name, version in plan.recorded.packages.items() if now.get(name) != version}
    if plan.recorded.python and plan.recorded.python != platform.python_version():
        found["python"] = (plan.recorded.python, platform.python_version())
    return found


def _elsewhere(origins: Mapping[str, str]) -> Iterator[str]:
    for name, where in origins.items():
        if name != OURS:
            yield f"{name} @ {where.removeprefix('-e ')}"


def _ourselves(version: str, kept: Path) -> str:
    """This package, for the environment: of an index where it came from there, else a wheel of what runs here, by its content in ``kept``.

    What decides an environment is the lines it is made of, so the same wheel has to lie in the same place.
    """
    from prefect_ledger.deploying import wheels

    if version and wheels.from_index():
        return f"{OURS}=={version}"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="part-", dir=kept) as part:
        wheel = wheels.build(Path(part))
        place = kept / hashlib.sha256(wheel.read_bytes()).hexdigest()[:16] / wheel.name
        uses.hold(place.parent / "used")
        if not place.exists():
            wheel.rename(place)
    return str(place)


@contextmanager
def code(plan: Plan, *, home: Path, say: Say = silent) -> Iterator[Path]:
    """The working tree while the block runs: a checkout of the commit, else the folder where the code lay.

    Raises:
        NotReproducible: the commit cannot be had, or the code is not where it was.
    """
    recorded = plan.recorded
    if recorded.code.commit:
        with tempfile.TemporaryDirectory(prefix="prefect-ledger-") as folder:
            yield check_out(recorded.code, Path(folder, "code"), home=home, say=say)
        return
    file = Path(plan.entry["file"])
    if not file.is_file():
        raise NotReproducible(f"{file} is not there any more, and it was in no git repository")
    yield Path(recorded.working_folder or file.parent)


def start(plan: Plan, tree: Path, made: Environment) -> tuple[str, int]:
    """Start it and wait for its end; returns the id of the run that came of it, "" where none did, and the exit code."""
    recorded = plan.recorded
    with tempfile.TemporaryDirectory(prefix="prefect-ledger-rerun-") as notes:
        told = Path(notes, "told")
        variables = _store() | ({} if recorded.seed is None else {seeds.VARIABLE: str(recorded.seed)})
        surroundings = _as_before(recorded, made.seen(variables))
        words = _words(plan, tree, Path(notes), told, made)
        if plan.entry["kind"] == "script":
            surroundings[begun.FILE] = str(told)
        code = _run(words, _folder(plan, tree), surroundings)
        said = told.read_text(encoding="utf-8") if told.exists() else ""
        if plan.entry["kind"] == "script":
            return begun.read(said).get(int(plan.entry.get("place", 0)), ""), code
        return str(json.loads(said)["run"]) if said else "", code


def _as_before(recorded: Recorded, env: Mapping[str, str]) -> dict[str, str]:
    """``env`` with the variables that results hang on as the run had them, and without those that it had not."""
    if recorded.variables is None:
        return dict(env)
    kept = {name: value for name in REPEATED if (value := recorded.variables.get(name)) is not None and not masked(value)}
    return {name: value for name, value in env.items() if name not in REPEATED} | kept


def _store() -> dict[str, str]:
    """Where it logs: to where this process reads, whatever the settings are that lie beside the code."""
    from prefect_ledger.settings import PREFIX
    from prefect_ledger.tracking.ledger import ledger

    known = ledger().settings
    return {f"{PREFIX}{name.upper()}": value for name, value in {**known.travelling(), "home": str(known.home)}.items()}


def _words(plan: Plan, tree: Path, notes: Path, told: Path, made: Environment) -> list[str]:
    entry, python = plan.entry, made.executable or sys.executable
    file = _moved(plan, tree, entry["file"])
    if entry["kind"] == "flow":
        spec = {"file": str(file), "told": str(told), **{name: entry[name] for name in ("module", "function", "parameters")}}
        (notes / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        return [python, "-m", "prefect_ledger.rerun.program", str(notes / "spec.json")]
    what = ["-m", entry["module"]] if entry.get("module") else [str(file)]
    return [python, *what, *entry["arguments"]]


def _moved(plan: Plan, tree: Path, path: str) -> Path:
    """Where a path of the run lies now."""
    within = plan.recorded.code.within(path) if plan.recorded.code.commit else None
    if plan.recorded.code.commit and within is None:
        raise NotReproducible(f"{path} lay outside of the repository of the run's code, and is not kept")
    found = tree / within if within is not None else Path(path)
    if not found.exists():
        raise NotReproducible(f"{within or path} is not in the code that the run recorded: it was not committed, and not kept")
    return found


def _folder(plan: Plan, tree: Path) -> Path:
    """The working folder, as far as there is one in the tree."""
    within = plan.recorded.code.within(plan.recorded.working_folder) if plan.recorded.working_folder else None
    found = tree / within if within is not None else tree
    return found if found.is_dir() else tree


def _run(words: list[str], folder: Path, env: Mapping[str, str]) -> int:
    process = subprocess.Popen(words, cwd=folder, env=env, start_new_session=True)
    try:
        return process.wait()
    except BaseException:  # Ctrl-C, above all: nothing of it goes on
        trees.end(process.pid)
        process.wait()
        raise
