"""Floor 5. The model, and what it is asked: chunk for chunk, its answers beside the columns that are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue, LedgerError, ScoringFailed, SignatureMismatch
from prefect_ledger.scoring.answers import columns
from prefect_ledger.scoring.choice import Choice, arrow_types
from prefect_ledger.scoring.sources import Table, arrow

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

_SAID = ("model_id", "name", "version", "digest", "uri", "run_id")


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is opened, and which one it is: its uri, and its id, name, version and digest where they are known."""

    predictor: Predictor
    about: Mapping[str, str]

    @property
    def types(self) -> Mapping[str, Any]:
        """Arrow's types of its columns."""
        return arrow_types(self.predictor.signature)


def open_model(ref: str, *, trust: bool = False) -> Model:
    """Open the model that ``ref`` means. Raises as :func:`prefect_ledger.load_predictor`."""
    from prefect_ledger.tracking.models import load_predictor

    predictor = load_predictor(ref, trust=trust)
    about = {key: str(predictor.about[key]) for key in _SAID if predictor.about.get(key)}
    about.setdefault("uri", ref)
    if "digest" not in about and "://" not in ref and Path(ref.removeprefix("file://")).is_dir():
        about["digest"] = _digest(Path(ref.removeprefix("file://")))
    for key, value in (("model_id", predictor.file.model_id), ("name", predictor.file.name)):
        if value:
            about.setdefault(key, str(value))
    return Model(predictor, about)


def _digest(folder: Path) -> str:
    from prefect_ledger.models.manifest import Listed, digest

    listed = []
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            listed.append(Listed(path.relative_to(folder).as_posix(), path.stat().st_size, sha256))
    return digest(listed)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a source: as Arrow has them, and as the model is given them."""

    number: int
    start: int
    kept: Table
    data: Any
    rows: int


class Asker:
    """Asks a model about chunks; ``name`` is how the column of its answers is called."""

    def __init__(self, model: Model, choice: Choice, *, name: str, params: Mapping[str, Any] | None, where: str = "") -> None:
        self._predictor, self._choice, self._name, self._where = model.predictor, choice, name, where
        self._params = params

    def data(self, number: int, start: int, table: Table) -> Chunk:
        """A chunk to ask about: numbers that only databases have become those that models know."""
        kept = table.select(list(self._choice.kept))
        wanted = _plain(table.select(list(self._choice.model)))
        return Chunk(number, start, kept, wanted.to_pandas(date_as_object=False), table.num_rows)

    def ask(self, chunk: Chunk) -> Table:
        """What is kept of the rows, and the answers.

        Raises:
            SignatureMismatch: the data is not what the model's signature wants. ScoringFailed: the model raised, or answered with
            something else than one row for each.
        """
        try:
            found = columns(self._predictor.predict(chunk.data, self._params), self._name, chunk.rows)
        except SignatureMismatch as error:
            said = f"{self._rows(chunk)}: {error}"
            raise SignatureMismatch(said, field=error.field, found=error.found, wanted=error.wanted) from error
        except LedgerError as error:
            raise ScoringFailed(f"{self._rows(chunk)}: {error}") from error
        except Exception as error:  # a model raises what it likes
            raise ScoringFailed(f"{self._rows(chunk)}: the model raised {type(error).__name__}: {error}") from error
        made = chunk.kept
        for name in found.column_names:
            if name in made.column_names:
                raise InvalidValue(f"a column {name!r} is kept, and the answers are called so too: call them otherwise (--prediction NAME)")
            made = made.append_column(name, found.column(name))
        return made

    def _rows(self, chunk: Chunk) -> str:
        return f"chunk {chunk.number}{self._where}, rows {chunk.start:,} to {chunk.start + chunk.rows - 1:,}"


def _plain(table: Table) -> Table:
    """Decimals as doubles: no signature has them."""
    pa = arrow("scoring")
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.float64()))
    return table


def metadata(about: Mapping[str, str], run_id: str, source: str) -> dict[str, str]:
    """What an output's file says of itself, beside Arrow's own schema.

    Example:
        >>> metadata({"model_id": "m-1", "name": "churn", "run_id": "r-1"}, "r-2", "customers.csv")["prefect_ledger.model_id"]
        'm-1'
    """
    named = {"model_id": "model_id", "name": "model_name", "version": "model_version", "digest": "model_digest", "uri": "model_uri"}
    said = {f"prefect_ledger.{text}": about[key] for key, text in named.items() if key in about}
    return {**said, "prefect_ledger.run_id": run_id, "prefect_ledger.source": source}


def check_sequence(values: Sequence[str] | None, what: str) -> tuple[str, ...] | None:
    """Names of columns.

    Raises:
        InvalidValue: one text, where several are wanted.
    """
    if values is None:
        return None
    if isinstance(values, str) or not all(isinstance(one, str) for one in values):
        raise InvalidValue(f"{what} is a list of columns' names, not {values!r:.80}")
    return tuple(values)
