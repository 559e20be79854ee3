"""Floor 6. ``prefect-ledger gc``: what it says of what goes, and of what it left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect_ledger.cli.render import console, dim, print_json, say, warn
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import clean, count, listed, short, size

if TYPE_CHECKING:
    from prefect_ledger.garbage import Garbage, Unused

_SHOWN = 20


def clear(
    *,
    dry_run: bool,
    retention_days: float,
    retention: Sequence[str],
    grace_days: float,
    caches_days: float,
    unknown_runs: bool,
    json: bool,
) -> int:
    """Collect garbage and say what it was; returns 1 when something had to be left, else 0."""
    from prefect_ledger.tracking.cleaning import collect_garbage

    own = dict(_days(text) for text in retention)
    with _looking() as step:
        found = collect_garbage(
            dry_run=dry_run,
            retention_days=retention_days,
            retention=own,
            grace_days=grace_days,
            caches_days=caches_days,
            unknown_runs=unknown_runs,
            step=step,
        )
    if json:
        print_json({**asdict(found), "size": found.size, "caches_size": found.caches_size})
    else:
        _report(found)
    return 1 if found.left else 0


def _days(text: str) -> tuple[str, float]:
    name, _, days = text.rpartition("=")
    try:
        return name, float(days)
    except ValueError:
        raise InvalidValue(f"--retention {text!r}: write NAME=DAYS, as in scratch=1") from None


@contextlib.contextmanager
def _looking() -> Iterator[Callable[[str], object]]:
    if not console("err").is_terminal:
        yield str
        return
    with console("err").status("looking") as status:
        yield lambda what: status.update(f"looking at {what}")


def _report(found: Garbage) -> None:
    for run in found.runs[:_SHOWN]:
        what = f"{count(run.files, 'artifact')}, {size(run.size)}" if run.files else "no artifacts"
        say(f"run {run.id[:8]}  {short(run.name, 40)}  in {clean(run.experiment) or 'no experiment'}: {what}")
    _more(found.runs)
    for name in found.experiments:
        say(f"experiment {clean(name)}")
    for stray in found.strays[:_SHOWN]:
        say(f"{clean(stray.path)}  {size(stray.size)}  {stray.why}")
    _more(found.strays)
    for what, paths in (
        ("unfinished upload", found.uploads),
        ("journal of a dead process", found.journals),
        ("left folder", found.folders),
    ):
        for path in paths[:_SHOWN]:
            say(f"{what} {clean(path)}")
        _more(paths)
    for cache in found.caches[:_SHOWN]:
        say(f"{cache.kind} {clean(cache.path)}  {size(cache.size)}  {_unused(cache)}")
    _more(found.caches)
    if found.deliveries:
        say(f"{count(found.deliveries, 'delivery', 'deliveries')} of webhooks, long at an end")
    _sum(found)


def _unused(cache: Unused) -> str:
    if cache.kind == "remains":
        return "left by a gc that was killed"
    return f"used last {count(int(max(0.0, time.time() - cache.used / 1e6) // 86_400), 'day')} ago"


def _more(things: Sequence[object]) -> None:
    if len(things) > _SHOWN:
        dim(f"and {len(things) - _SHOWN:,} more")


def _sum(found: Garbage) -> None:
    if found.nothing:
        say("nothing to take away")
    else:
        parts = [(len(found.runs), "run"), (len(found.strays), "file without a row"), (len(found.uploads), "upload")]
        parts.append((len(found.caches), "unused folder"))
        what = listed([count(n, noun, "files without a row" if "file" in noun else "") for n, noun in parts if n] or ["nothing"])
        total = size(found.size + found.caches_size)
        if found.dry_run:
            dim(f"a dry run: {what} and {total} would go, nothing did; --yes takes it away")
        else:
            dim(f"gone: {what}, {total}")
    if found.unknown_runs:
        dim(
            f"left alone: {size(found.unknown_size)} of {count(found.unknown_runs, 'run')} that this store never heard of"
            " (another ledger's? --unknown-runs takes them)"
        )
    for sentence in found.left:
        warn(f"left: {clean(sentence)}", style="red")
