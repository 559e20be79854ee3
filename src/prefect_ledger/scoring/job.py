"""Floor 5. ``score``: a model over a source, in one process, with a run that says what was scored by which model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.scoring.ahead import ahead
from prefect_ledger.scoring.asking import Asker, Model, check_sequence, metadata, open_model
from prefect_ledger.scoring.choice import Choice, choose
from prefect_ledger.scoring.lineage import predictions, remember, scored
from prefect_ledger.scoring.outputs import Output, write
from prefect_ledger.scoring.sources import Part, Source, Stream, source

if TYPE_CHECKING:
    from prefect_ledger.scoring.sources import Table

Progress = Callable[[int, int | None], object]  # rows that are written, and rows there are where that is known
EXPERIMENT = "scoring"
CHUNK = 50_000  # rows
_CELLS = 2_000_000  # values of a chunk, where nobody says how many rows: 16 MB of numbers


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be scored, and how; the arguments of :func:`score`."""

    model: str
    source: str
    output: str
    query: str | None = None
    keep: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    params: Mapping[str, Any] | None = None
    prediction: str = "prediction"
    chunk_rows: int | None = None
    overwrite: bool = False
    trust: bool = False

    def __post_init__(self) -> None:
        for what in ("keep", "columns"):
            object.__setattr__(self, what, check_sequence(getattr(self, what), what))
        if self.chunk_rows is not None and self.chunk_rows < 1:
            raise InvalidValue(f"chunks of {self.chunk_rows} rows: give 1 or more")
        if not self.prediction:
            raise InvalidValue("the column of the answers needs a name")

    def rows(self, width: int) -> int:
        """Rows of a chunk of so many columns."""
        return self.chunk_rows or max(1, min(CHUNK, _CELLS // max(1, width)))


@dataclass(frozen=True, slots=True)
class Scored:
    """What was scored: the ``output`` and its ``rows``, the run that tells of it, the model, and the source's digest."""

    run_id: str
    output: Path
    rows: int
    seconds: float
    model: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""


def score(
    model: str,
    source: str,
    output: str,
    *,
    query: str | None = None,
    keep: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    params: Mapping[str, Any] | None = None,
    prediction: str = "prediction",
    chunk_rows: int | None = None,
    overwrite: bool = False,
    trust: bool = False,
    experiment: str = EXPERIMENT,
    name: str | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Ask a model about every row of a source, and write its answers to a Parquet file that stands whole or not at all.

    ``source`` is a Parquet or CSV file, a folder of them, or the URL of an SQLite or PostgreSQL database beside a ``query``. It is read in
    chunks, the next one while the model works on this one. The output has the columns that are kept and ``prediction``, or
    ``prediction_0``, ``prediction_1``, ... where the model gives several values; its metadata say which model and run made it. The run
    has the model's id as a parameter and tag, and source and output as datasets with their digests.

    Args:
        model: A reference, as ``load_predictor`` takes it.
        source, query: What is scored.
        output: The file to write; its name ends in ``.parquet``.
        keep: Names and patterns of columns of the source that stand beside the answers; those that look like ids when left out.
        columns: What the model is given; left out, the columns of its signature, else all that are not kept.
        params: Parameters for the model.
        prediction: What the column of its answers is called.
        chunk_rows: Rows that the model is asked about at once: 50,000 when left out, fewer where there are more than 40 columns.
        overwrite: Replace an output that is there.
        trust: Open a model from elsewhere although that runs its code.
        experiment, name: Of the run.
        progress: Is told how many rows are done, and how many there are or None.

    Raises:
        SignatureMismatch: a column is missing or of another type; the message names it. ScoringFailed: the model raised, or did not
        answer for each row; the message says which rows. InvalidValue: the source is not there, cannot be read or has no rows; or the
        output would be a part of it, or is called otherwise. OutputExists: also of a link. MissingExtra.
        Else as :func:`prefect_ledger.load_predictor`.

    Example:
        >>> import pandas as pd
        >>> from prefect_ledger import score, start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = run.log_model(lambda data: 2 * data["x"], "double", input_example=pd.DataFrame({"x": [1.0]}))
        >>> pd.DataFrame({"id": [7, 8], "x": [1.0, 2.0]}).to_parquet("/tmp/ledger-doc.parquet")
        >>> done = score(logged.uri, "/tmp/ledger-doc.parquet", "/tmp/ledger-doc-scored.parquet", overwrite=True)
        >>> pd.read_parquet(done.output).to_dict("list")
        {'id': [7, 8], 'prediction': [2.0, 4.0]}
    """
    from prefect_ledger.tracking.ledger import start_run

    job = Job(model, source, output, query, keep, columns, params, prediction, chunk_rows, overwrite, trust)
    plan = Plan.of(job)
    opened = open_model(job.model, trust=job.trust)
    stream, start = plan.source.open(opened.types), time.monotonic()
    with closing(stream):
        choice = choose(stream.names, opened.predictor.signature, keep=job.keep, columns=job.columns)
        with start_run(experiment=experiment, name=name) as run, plan.output.aside() as path, ThreadPoolExecutor(1) as beside:
            remember(run, opened.about, {"model": job.model, "source": plan.source.place, "output": str(plan.output.path)})
            digest, total = beside.submit(plan.source.digest), plan.source.rows()
            about = metadata(opened.about, run.id, plan.source.place)
            tables = answers(job, opened, stream, choice)
            tell = None if progress is None else lambda rows: progress(rows, total)
            rows, schema = write(path, tables, about, written=tell)
            plan.check(rows)
            found = digest.result() or getattr(stream, "digest", str)()
            scored(run, plan.source, found, rows, stream.types)
            predictions(run, path, plan.output.path, rows, {one.name: str(one.type) for one in schema})
            seconds = time.monotonic() - start
            run.log_metrics({"rows": rows, "seconds": seconds})
    return Scored(run.id, plan.output.path, rows, seconds, opened.about, found)


@dataclass(frozen=True, slots=True)
class Plan:
    """The two ends of a job, each of which was looked at."""

    source: Source
    output: Output

    @classmethod
    def of(cls, job: Job, *, folder: bool = False) -> Plan:
        """Look at both ends.

        Raises:
            InvalidValue: the source is not there, has no rows, or the output would be a part of it or take its place. OutputExists.
            MissingExtra.
        """
        output = Output(job.output, overwrite=job.overwrite, folder=folder)
        found = source(job.source, job.query)
        if found.rows() == 0:
            raise InvalidValue(f"{found.place} has no rows: there is nothing to score")
        output.keep_off(found.paths())
        return cls(found, output)

    def check(self, rows: int) -> None:
        """Refuse to call it done where there was nothing, or not always the same. Raises InvalidValue."""
        if rows == 0:
            raise InvalidValue(f"{self.source.place} has no rows: there is nothing to score")
        self.source.check()


def answers(job: Job, model: Model, stream: Stream, choice: Choice, part: Part | None = None) -> Iterator[Table]:
    """What is kept and the model's answers, chunk for chunk."""
    where = "" if part is None else f" of part {part.number} ({Path(part.path).name or 'the query'})"
    asker = Asker(model, choice, name=job.prediction, params=job.params, where=where)
    wanted = choice.all
    begin = 0 if part is None or part.start is None else part.start

    def numbered() -> Iterator[tuple[int, int, Table]]:
        start = begin
        for number, table in enumerate(stream.chunks(wanted, job.rows(len(wanted)))):
            yield number, start, table
            start += table.num_rows

    with closing(ahead(numbered(), lambda one: asker.data(*one))) as chunks:
        for chunk in chunks:
            yield asker.ask(chunk)
