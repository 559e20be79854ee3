"""Floor 5. A source that is scored in parts, each by whoever takes it: another thread, process or machine with the same files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import ScoringFailed
from prefect_ledger.scoring.asking import Model, metadata, open_model
from prefect_ledger.scoring.choice import choose
from prefect_ledger.scoring.job import Job, Plan, answers
from prefect_ledger.scoring.lineage import predictions, remember, scored
from prefect_ledger.scoring.outputs import write
from prefect_ledger.scoring.sources import Part, source

if TYPE_CHECKING:
    from prefect_ledger.scoring.sources import Table
    from prefect_ledger.tracking.runs import ActiveRun

PART = 1_000_000  # rows
_STOP = ".stop"  # in the folder of the parts: another part failed, so that the others need not go on
_opened = threading.local()  # a model is asked by the thread that opened it: not every one bears two at once


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of a part: its rows, the types of what was read and written, and the digest of rows that only reading tells."""

    number: int
    rows: int
    read: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """Scores parts of a job into ``folder``; travels to whoever does. ``about`` is the one model that all parts must ask."""

    job: Job
    about: Mapping[str, str]
    run_id: str
    folder: str

    def score(self, part: Part) -> Piece:
        """Score one part into its file; done again, it is written anew.

        Raises:
            ScoringFailed: the model raised, is another one by now, or another part failed. Else as :func:`prefect_ledger.score`.
        """
        model, found = self._model(), source(self.job.source, self.job.query)
        stream = found.open(model.types, part)
        with closing(stream):
            choice = choose(stream.names, model.predictor.signature, keep=self.job.keep, columns=self.job.columns)
            about = {**metadata(self.about, self.run_id, found.place), "prefect_ledger.part": str(part.number)}
            tables = self._unless_stopped(answers(self.job, model, stream, choice, part), part)
            rows, schema = write(Path(self.folder) / f"part-{part.number:05d}.parquet", tables, about)
            written = {one.name: str(one.type) for one in schema or ()}
            return Piece(part.number, rows, dict(stream.types), written, getattr(stream, "digest", str)())

    def stop(self) -> None:
        """Have the other parts end early."""
        (Path(self.folder) / _STOP).touch()

    def _model(self) -> Model:
        uri = self.about["uri"]
        known: tuple[str, Model] | None = getattr(_opened, "model", None)
        if known is None or known[0] != uri:
            _opened.model = known = uri, open_model(uri, trust=self.job.trust)
        if known[1].about.get("digest") != self.about.get("digest"):
            raise ScoringFailed(f"the model at {uri} changed while it was asked: score again when it stays as it is")
        return known[1]

    def _unless_stopped(self, tables: Iterator[Table], part: Part) -> Iterator[Table]:
        for table in tables:
            if (Path(self.folder) / _STOP).exists():
                raise ScoringFailed(f"part {part.number} was left: another part failed")
            yield table


def score_mapped(
    job: Job,
    run: ActiveRun,
    over: Callable[[Mapped, list[Part]], Iterator[Piece]],
    *,
    part_rows: int = PART,
) -> int:
    """Have ``over`` score all parts, whatever does it, and make the folder of their files the output; returns the rows.

    Raises:
        As :func:`prefect_ledger.score`, and what ``over`` raises.
    """
    from concurrent.futures import ThreadPoolExecutor

    plan = Plan.of(job, folder=True)
    model = open_model(_placed(job.model), trust=job.trust)
    remember(run, model.about, {})
    with plan.output.aside() as folder, ThreadPoolExecutor(1) as beside:
        digest = beside.submit(plan.source.digest)
        placed = replace(job, source=job.source if job.query is not None else plan.source.place)
        mapped = Mapped(placed, dict(model.about), run.id, str(folder))
        try:
            pieces = sorted(over(mapped, plan.source.parts(part_rows)), key=lambda piece: piece.number)
        except BaseException:
            mapped.stop()
            raise
        _alike(pieces)
        rows = sum(piece.rows for piece in pieces)
        plan.check(rows)
        for piece in pieces:
            if not piece.rows:
                (folder / f"part-{piece.number:05d}.parquet").unlink(missing_ok=True)
        scored(run, plan.source, digest.result() or pieces[0].digest, rows, pieces[0].read)
        predictions(run, folder, plan.output.path, rows, next(piece.written for piece in pieces if piece.rows))
    return rows


def _placed(ref: str) -> str:
    """A folder as others find it who run elsewhere."""
    return str(Path(ref).absolute()) if "://" not in ref and not ref.startswith(("models:", "runs:")) else ref


def _alike(pieces: Sequence[Piece]) -> None:
    whole: list[Piece] = [piece for piece in pieces if piece.rows]
    for piece in whole:
        if piece.written != whole[0].written:
            one, other = _shown(whole[0].written), _shown(piece.written)
            raise ScoringFailed(f"part {piece.number} has other columns than part {whole[0].number}: {other}, not {one}")


def _shown(types: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())
