"""Floor 6. ``prefect-ledger score``: a bar while it goes on, and what came of it."""

from __future__ import annotations

import contextlib
import json as documents
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.render import console, dim, print_json, say
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import clean, count

if TYPE_CHECKING:
    from prefect_ledger.scoring.job import Progress


def score_source(model: str, source: str, output: str, *, param: Sequence[str], json: bool, **options: Any) -> int:
    """Score and say what came of it; returns 0."""
    from prefect_ledger.scoring.job import score

    with _bar() as progress:
        done = score(model, source, output, params=dict(_param(text) for text in param) or None, progress=progress, **options)
    if json:
        print_json(asdict(done))
    else:
        say(f"{count(done.rows, 'row')} in {done.seconds:,.1f} s: {clean(done.output)}")
        dim(f"run {done.run_id[:8]}, model {clean(done.model.get('name') or done.model.get('uri', ''))}")
    return 0


def _param(text: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is JSON where it reads as such, else text."""
    name, given, value = text.partition("=")
    if not given or not name:
        raise InvalidValue(f"--param {text!r}: write NAME=VALUE, as in threshold=0.7")
    try:
        return name, documents.loads(value)
    except ValueError:
        return name, value


@contextlib.contextmanager
def _bar() -> Iterator[Progress | None]:
    """A bar of rows on the error stream, where a person watches it."""
    if not console("err").is_terminal:
        yield None
        return
    from rich import progress

    columns = (progress.TextColumn("scoring"), progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeRemainingColumn())
    with progress.Progress(*columns, console=console("err"), transient=True) as bar:
        task = bar.add_task("scoring", total=None)
        yield lambda rows, total: bar.update(task, completed=rows, total=total)
