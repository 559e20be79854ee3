"""Results as a table for the eye, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Absent, Result, Row, Sample

DISTURBED = 0.25  # cores that others used: above that, a row is worth doing again
_HEAD = ("what", "ours", "raw", "ours / raw", "limit", "", "spread", "note")


def number(value: float, unit: str) -> str:
    """A number with its unit, three digits that count."""
    if unit == "points/s":
        return f"{value / 1e6:.2f} M/s" if value >= 1e5 else f"{value / 1e3:.1f} k/s" if value >= 1e3 else f"{value:.0f}/s"
    if unit == "%" or abs(value) >= 100:
        return f"{value:,.1f} {unit}" if unit == "%" else f"{value:,.0f} {unit}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f} {unit}"


def cells(row: Row | Absent) -> list[str]:
    """A row's cells under the table's head."""
    if isinstance(row, Absent):
        return [row.what, "not there", "", "", "", "", "", row.why]
    theirs = "" if row.raw is None else f"{number(row.raw.median, row.unit)} ({row.beside})"
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    limit = "" if row.limit is None else f"{'≥' if row.more else '≤'} {number(row.limit, row.unit)}"
    verdict = {None: "", True: "met", False: "MISSED"}[row.met]
    return [row.what, number(row.ours.median, row.unit), theirs, ratio, limit, verdict, spread(row.ours, row.unit), row.note]


def spread(sample: Sample, unit: str) -> str:
    """Least and greatest, and of how many."""
    if len(sample.values) == 1:
        return "once"
    return f"{number(min(sample.values), unit)} to {number(max(sample.values), unit)} of {len(sample.values)}"


def growth(results: Iterable[Result]) -> list[list[str]]:
    """How cost grows: a line a family, with the value at each amount of work."""
    families: dict[tuple[str, str], dict[int, Row]] = {}
    for result in results:
        for row in result.rows:
            if isinstance(row, Row) and row.grows is not None:
                families.setdefault((row.grows[0], row.unit), {}).setdefault(row.grows[1], row)
    lines = []
    for (name, unit), steps in families.items():
        if len(steps) > 1:
            amounts = sorted(steps)
            told = ", ".join(f"{amount:,}: {number(steps[amount].ours.median, unit)}{_beside(steps[amount])}" for amount in amounts)
            lines.append([name, told, f"{steps[amounts[-1]].ours.median / steps[amounts[0]].ours.median:.2f}"])
    return lines


def _beside(row: Row) -> str:
    return "" if row.raw is None else f" (raw {number(row.raw.median, row.unit)})"


def markdown(machine: dict[str, Any], results: Sequence[Result]) -> str:
    """Everything as Markdown."""
    lines = [_machine(machine), ""]
    for result in results:
        disturbed = " **disturbed**" if result.others > DISTURBED else ""
        lines += [f"**{result.name}**: {_conditions(result)}{disturbed}", ""]
        lines += _table(_HEAD, [cells(row) for row in result.rows])
        lines.append("")
    if grown := growth(results):
        lines += ["How cost grows", "", *_table(("what", "at each amount", "last / first"), grown), ""]
    return "\n".join([*lines, summary(results), ""])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def text(result: Result) -> str:
    """One benchmark's rows for a terminal."""
    lines = [f"{result.name}: {_conditions(result)}{'  DISTURBED' if result.others > DISTURBED else ''}"]
    for row in result.rows:
        what, ours, theirs, ratio, limit, verdict, width, note = cells(row)
        lines.append(f"  {what:<78.78} {ours:>12}  {limit:>12} {verdict:<6}")
        more = "; ".join(part for part in (f"raw {theirs}, {ratio}" if theirs else "", width, note) if part)
        lines.append(f"      {more}")
    return "\n".join(lines)


def summary(results: Iterable[Result]) -> str:
    """How many limits are met, and which are not."""
    rows = [row for result in results for row in result.rows]
    limited = [row for row in rows if isinstance(row, Row) and row.met is not None]
    missed = [row for row in limited if not row.met]
    absent = [row for row in rows if isinstance(row, Absent)]
    lines = [f"{len(limited) - len(missed)} of {len(limited)} limits met"]
    lines += [f"missed: {row.what}: {number(row.ours.median, row.unit)}" for row in missed]
    lines += [f"not there: {row.what}: {row.why}" for row in absent]
    return "\n".join(lines)


def heading(machine: dict[str, Any]) -> str:
    """The machine, in one line."""
    return _machine(machine)


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(
        f"{name} {machine[name]}" for name in ("python", "sqlite", "postgresql", "prefect", "numpy", "sqlalchemy", "psycopg")
    )
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; {versions}"


def _conditions(result: Result) -> str:
    before, after = result.load
    return f"{result.seconds:.0f} s, load {before:.1f} → {after:.1f}, others used {result.others:.2f} cores"


# --- JSON ---------------------------------------------------------------------------------------------------------------


def save(path: Path, machine: dict[str, Any], results: Iterable[Result]) -> None:
    """Write everything as JSON."""
    path.write_text(json.dumps({"machine": machine, "results": [_result(one) for one in results]}, indent=1), encoding="utf-8")


def load(path: Path) -> list[Result]:
    """Read the results of a file that :func:`save` wrote."""
    return [_read(one) for one in json.loads(path.read_text(encoding="utf-8"))["results"]]


def _result(result: Result) -> dict[str, Any]:
    rows = [asdict(row) | {"median": row.ours.median, "met": row.met} if isinstance(row, Row) else asdict(row) for row in result.rows]
    return asdict(result) | {"rows": rows}


def _read(told: dict[str, Any]) -> Result:
    rows: list[Row | Absent] = []
    for row in told["rows"]:
        if "why" in row:
            rows.append(Absent(**row))
            continue
        fields = {name: value for name, value in row.items() if name not in ("median", "met")}
        grows, beside = fields["grows"], fields["raw"]
        fields |= {
            "ours": Sample.of(fields["ours"]["values"]),
            "raw": beside and Sample.of(beside["values"]),
            "grows": grows and tuple(grows),
        }
        rows.append(Row(**fields))
    return Result(told["name"], rows, told["seconds"], tuple(told["load"]), told["others"])
