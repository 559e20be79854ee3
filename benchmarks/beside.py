"""The table of ours beside other trackers, in Markdown, as it stands in README: a line a question, a column a tracker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.contenders.asking import OURS, PEERS
from benchmarks.measure import Absent, Result, Row

COMMAND = 'make bench BENCH="--only peers --only serving --table README.md"'
BEGIN, END = "<!-- the table beside other trackers begins: written by make bench -->", "<!-- it ends -->"
PROMISES = {  # what holds for a point when the call that logged it has returned
    OURS.name: "in a mapped file that outlives the process, within a second in SQLite",
    "MLflow": "committed in SQLite, and synced to the disk",
    "MLflow async": "in a queue of the process",
    "Trackio": "in a list of the process, written every half second",
    "W&B offline": "on its way to a helper process, which writes it when the step is over",
    "TensorBoard": "in a queue of the process; its file is flushed every two minutes",
}
TIMES = "\N{MULTIPLICATION SIGN}"
_OTHER_NAMES = {"MLflow's scoring server": "MLflow"}


def markdown(machine: dict[str, Any], results: Sequence[Result]) -> str:
    """The table, what the trackers have not, and how it was made; "" where nothing was measured beside them."""
    in_order = sorted(results, key=lambda result: not result.name.startswith("peers."))
    rows = [row for result in in_order for row in result.rows if isinstance(row, Row) and _peer(row)]
    if not rows:
        return ""
    columns = [peer for peer in PEERS if any(_peer(row) == peer.name for row in rows)]
    head = ["what", f"**{OURS.name}**", *(f"{peer.name}<br>{peer.package} {peer.version}" for peer in columns)]
    promise = ["when a call that logs returns, the point is", *(PROMISES[name] for name in (OURS.name, *(peer.name for peer in columns)))]
    lines = [head, ["---"] * len(head), promise, *_lines(rows, [peer.name for peer in columns])]
    told = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*told, "", *_notes(rows, results), "", _made(machine, results), ""])


def put(path: Path, table: str) -> None:
    """Write the table between its two marks in a file, in place of the one that is there.

    Raises:
        ValueError: the marks are not there, or there is no table.
    """
    text = path.read_text(encoding="utf-8")
    head, begun, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not (begun and ended and table):
        raise ValueError(f"{path} has no place for the table, or nothing was measured beside other trackers; the place: {BEGIN} {END}")
    path.write_text(f"{head}{BEGIN}\n\n{table}\n{END}{tail}", encoding="utf-8")


def _peer(row: Row) -> str:
    name = _OTHER_NAMES.get(row.beside, row.beside)
    return name if name in PROMISES else ""


def _lines(rows: Sequence[Row], columns: Sequence[str]) -> Iterable[list[str]]:
    questions: dict[str, dict[str, Row]] = {}
    for row in rows:
        questions.setdefault(row.what, {})[_peer(row)] = row
    for what, found in questions.items():
        ours = next(iter(found.values()))
        cells = (_cell(found[name]) if name in found else "" for name in columns)
        yield [what, f"**{report.number(ours.ours.median, ours.unit)}**", *cells]


def _cell(row: Row) -> str:
    """What a peer needs, and how many times ours is better."""
    if row.raw is None:
        return "no"
    told = report.number(row.raw.median, row.unit)
    if row.unit == "%" or not row.raw.median or not row.ours.median:
        return told
    times = row.ours.median / row.raw.median if row.more else row.raw.median / row.ours.median
    return f"{told} ({times:,.0f} {TIMES})" if times >= 10 else f"{told} ({times:.2g} {TIMES})"


def _notes(rows: Sequence[Row], results: Sequence[Result]) -> list[str]:
    """What is no number, each thing once."""
    lines = [f"In brackets: how many times ours is better, below 1 {TIMES} it is worse. *No*: the tracker has no such thing.", ""]
    told: dict[str, dict[str, None]] = {}
    lacks: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.raw is None:
            lacks.setdefault(_peer(row), {})[row.note] = None
        elif row.note:
            told.setdefault(row.note, {})[row.what] = None
    lines += [f"- {'; '.join(whats)}: {note}." for note, whats in told.items()]
    lines += [f"- *no*, {name}: {'; '.join(notes)}." for name, notes in lacks.items()]
    absent = [row for result in results if result.name.startswith("peers.") for row in result.rows if isinstance(row, Absent)]
    return lines + [f"- not measured: {row.what}: {row.why}" for row in absent]


def _made(machine: dict[str, Any], results: Sequence[Result]) -> str:
    peers = [result for result in results if result.name.startswith("peers.")]
    seconds = sum(result.seconds for result in results)
    others = sum(result.others * result.seconds for result in peers) / max(1e-9, sum(result.seconds for result in peers))
    disturbed = " **These figures are of a disturbed machine.**" if others > report.DISTURBED else ""
    return (
        f"Medians of turns, on {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}, "
        f"SQLite {machine['sqlite']}; other processes used {others:.2f} cores meanwhile.{disturbed} "
        f"Again in {seconds / 60:.0f} minutes: `{COMMAND}`."
    )
