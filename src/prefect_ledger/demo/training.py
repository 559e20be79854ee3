"""Floor 6. The demo's first half: the flows of ``prefect_ledger.flows.digits``, and what they left in the ledger.

Everything shown is read back from the ledger, while it runs too: as any other process could.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import LedgerError, MissingExtra

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from prefect_ledger.entities import Run

EXPERIMENT = "digits"
_LOOK_SECONDS = 0.4
_WIDE = 126  # characters that the whole leaderboard takes
_HEAVY = ("sklearn.datasets", "sklearn.ensemble", "sklearn.linear_model", "sklearn.neural_network", "matplotlib.figure")
# For this process alone, and only where nothing else was said: Prefect stays quiet, has time for its first start (it makes its
# tables then) and reports home nothing.
_QUIET = {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL"}
_CALM = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


class DemoFailed(LedgerError):
    """The demo's flow did not complete."""


def train(console: Console, *, ephemeral: bool = False, verbose: bool = False) -> tuple[str, Sequence[Run]]:
    """Run the flow, show its progress, then the leaderboard; returns the id of the flow's run, and its children, the best first.

    Raises:
        MissingExtra: scikit-learn or matplotlib is not installed. DemoFailed: the flow did not complete.
    """
    _check_extra()
    _prepare(ephemeral=ephemeral, verbose=verbose)
    console.print("Training on handwritten digits: three families of models, eight candidates, each a run of its own.\n", soft_wrap=True)
    flow, candidates = _flow()
    with _followed(console, len(candidates)):
        run_id = _run(flow)
    return run_id, show_leaderboard(run_id, console)


def _check_extra() -> None:
    for module, package in (("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(package, "demo", need="the demo")


def _prepare(*, ephemeral: bool, verbose: bool) -> None:
    for name, value in {**_CALM, **({} if verbose else _QUIET)}.items():
        os.environ.setdefault(name, value)
    if ephemeral:
        os.environ["PREFECT_API_URL"] = ""
        os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "true"


def _flow() -> tuple[Any, Sequence[str]]:
    # Before Prefect: one of its dependencies puts a hook into Python's import that compiles every later module anew, and scikit-learn has
    # a thousand (measured: 3.4 s instead of 0.9).
    for module in _HEAVY:
        importlib.import_module(module)
    # By name: flows stand above everything else in the house, and below only for whoever runs them.
    flows = importlib.import_module("prefect_ledger.flows.digits")
    return flows.digits, list(flows.CANDIDATES)


def _run(flow: Any) -> str:
    try:
        state = asyncio.run(_state_of(flow))
    except Exception as error:  # whatever keeps Prefect from starting is one sentence for the person who tries the demo
        raise DemoFailed(
            f"Prefect could not run the demo ({type(error).__name__}: {error}); prefect-ledger doctor looks for the reason,"
            " prefect-ledger demo --ephemeral leaves a configured API alone"
        ) from error
    if not state.is_completed():
        raise DemoFailed(f"the demo's flow ended as {state.name}: {state.message}; prefect-ledger demo --verbose shows Prefect's log")
    return str(state.state_details.flow_run_id)


async def _state_of(flow: Any) -> Any:
    return await flow(return_state=True)


# --- progress -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _followed(console: Console, total: int) -> Iterator[None]:
    """A bar that a thread moves by what it finds in the ledger."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    done = threading.Event()
    with Progress(*columns, console=console, transient=True) as bar:
        thread = threading.Thread(target=_follow, args=(bar, total, done), name="demo-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(5.0)


def _follow(bar: Progress, total: int, done: threading.Event) -> None:
    from prefect_ledger import search_runs

    began = datetime.now(UTC)
    task = bar.add_task("starting Prefect; the first time it makes its tables, about ten seconds", total=total)
    while not done.wait(_LOOK_SECONDS):
        with contextlib.suppress(LedgerError):  # a look that fails is made again
            parents = search_runs(EXPERIMENT, "parent_run_id is null", limit=1)
            if parents and parents[0].started_at is not None and parents[0].started_at >= began:
                children = parents[0].children
                finished = sum(child.status.final for child in children)
                bar.update(task, completed=finished, description=_doing(children))


def _doing(children: Sequence[Run]) -> str:
    if not children:
        return "fetching the data"
    latest = children[-1]
    accuracy = latest.metrics.get("val.accuracy")
    return latest.name if accuracy is None else f"{latest.name}  val.accuracy {accuracy:.3f}"


# --- results ------------------------------------------------------------------------------------------------------


def leaderboard(runs: Sequence[Run], *, width: int = _WIDE) -> Table:
    """Runs of the demo in a table, the best first; narrow terminals get fewer columns."""
    from rich import box
    from rich.table import Table

    wide = width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, title="leaderboard", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    for name in ("candidate", *(("family", "options") if wide else ())):
        table.add_column(name, no_wrap=True)
    for name in ("val.accuracy", "val.loss", "best loss", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("run", style="dim", no_wrap=True, min_width=8)
    for place, run in enumerate(runs, 1):
        about = (run.params.get("family", ""), _options(run)) if wide else ()
        style = "bold green" if place == 1 else ""
        table.add_row(str(place), run.name, *about, *_scores(run), run.id[:8], style=style)
    return table


def _scores(run: Run) -> tuple[str, ...]:
    loss = run.summaries["val.loss"]
    best = f"{loss.min:.4f} @{loss.min_step}" if loss.min is not None else ""
    took = "" if run.duration is None else f"{run.duration:.1f} s" if run.duration < 10 else f"{run.duration:.0f} s"
    return f"{run.metrics['val.accuracy']:.4f}", f"{run.metrics['val.loss']:.4f}", best, took


def _options(run: Run) -> str:
    return ", ".join(f"{key.removeprefix('options.')}={value}" for key, value in sorted(run.params.items()) if key.startswith("options."))


def show_leaderboard(run_id: str, console: Console) -> Sequence[Run]:
    """Print the leaderboard of one demo; returns its runs, the best first."""
    from prefect_ledger import get_run, search_runs

    runs = search_runs(EXPERIMENT, f"parent_run_id = '{run_id}'", order_by=["metrics.val.accuracy desc", "metrics.val.loss"])
    console.print(leaderboard(runs, width=console.width))
    parent = get_run(run_id)
    retried = [task for task in parent.task_runs if task.tries > 1]
    console.print(
        f"{parent.tags.get('winner')} reads {parent.metrics['test.accuracy']:.2%} of the test images right."
        + "".join(f" Task {task.name} failed once and was tried again." for task in retried)
    )
    return runs


def show_next(console: Console, run_id: str, runs: Sequence[Run]) -> None:
    """What to type to see more of the runs."""
    first, second = runs[0].id[:8], runs[1].id[:8]
    console.print("What to type next:", style="bold")
    for command, why in (
        (f"prefect-ledger runs show {first}", "all of the winner: curves, model, confusion matrix"),
        (f"prefect-ledger runs compare {first} {second}", "the first two, and only what differs"),
        (f"prefect-ledger runs show {run_id[:8]}", "the flow: its children, the task that was retried"),
        ('prefect-ledger runs list -f "max(metrics.val.accuracy) > 0.97"', "search all your runs"),
        (f"prefect-ledger serve runs:/{run_id[:8]}/best", "the winner over HTTP: http://127.0.0.1:8000/docs says how to ask it"),
        ("prefect-ledger doctor", "where all this is kept"),
    ):
        console.print(f"  {command}", style="cyan", soft_wrap=True)
        console.print(f"      {why}", style="dim", soft_wrap=True)
