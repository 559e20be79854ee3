"""Floor 5. A canary as people read it: Markdown for a page or an artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_ledger.promotion.report import escaped

if TYPE_CHECKING:
    from prefect_ledger.promotion.canary import Asked
    from prefect_ledger.promotion.canary_watch import Watched

_WORDS = {"go on": "goes on", "go back": "goes back", "wait": "not decided"}


def markdown(one: Watched) -> str:
    """The verdict, why, and both models side by side.

    Example:
        >>> from prefect_ledger.promotion.canary import Judged
        >>> from prefect_ledger.promotion.canary_watch import Watched
        >>> print(markdown(Watched("churn", 8, "http://127.0.0.1:8000", Judged("wait", ("nothing was counted",)))).splitlines()[0])
        ### Canary churn 8: not decided
    """
    parts = [f"### Canary {escaped(one.name)} {one.version}: {_WORDS[one.judged.word]}"]
    parts += [f"{escaped(reason[:1].upper() + reason[1:])}." for reason in one.judged.reasons]
    if (counts := one.counts) is not None:
        rows = ["| | model | requests | failed | 99th percentile |", "| --- | --- | --- | --- | --- |"]
        parts.append("\n".join([*rows, _row("champion", counts.champion), _row("challenger", counts.challenger)]))
        if counts.pairs is not None:
            words = f"{counts.agree} of {counts.pairs} answers agree; the greatest difference is {counts.greatest_difference:g}"
            parts.append(f"{words}; {counts.dropped} requests were not put to the shadow.")
    return "\n\n".join([*parts, f"Watched for {one.seconds:.0f} s at {escaped(one.url)}"]) + "\n"


def _row(side: str, one: Asked) -> str:
    p99 = "" if one.p99 is None else f"{one.p99 * 1e3:.3g} ms"
    return f"| {side} | {escaped(one.model)} | {one.count} | {one.errors} ({one.error_rate:.2%}) | {p99} |"
