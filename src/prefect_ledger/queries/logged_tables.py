"""Floor 3. Tables that were logged in parts, one for each step, as one: columns of all parts, null where a part has none."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import ArtifactNotFound, InvalidName, InvalidValue, MissingExtra
from prefect_ledger.queries import artifact_series
from prefect_ledger.queries.artifact_series import key_of, step_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_AT_ONCE = 16  # parts that are read at the same time
STEP = "step"  # the column that says which step a row was logged at


class Part(NamedTuple):
    """What was logged at one step; None for a table without steps."""

    step: int | None
    table: pa.Table


class Source(Protocol):
    """Where parts come from."""

    def artifacts_of_kind(self, run_id: str, kind: str) -> list[Artifact]: ...
    def read_artifact(self, artifact: Artifact) -> bytes: ...


def read(source: Source, run_id: str, name: str, as_: str, step: int | None) -> Any:
    """The table ``name`` of the run, of all its steps or of one.

    Raises:
        ArtifactNotFound: there is none of this name, or nothing at this step. InvalidName, InvalidValue, MissingExtra.
    """
    if not isinstance(name, str):
        raise InvalidName(f"the name of a table is text, not {type(name).__name__}: {name!r:.80}")
    found = artifact_series.counted(source.artifacts_of_kind(run_id, "table"))
    whole = [one for one in found if one.path == name] if name.endswith(".parquet") else []
    mine = whole[-1:] or [one for one in found if key_of(one) == name]
    parts = [one for one in mine if step is None or step_of(one) == step]
    if not parts:
        raise _no_table(run_id, name, step, mine, found)
    with ThreadPoolExecutor(min(_AT_ONCE, len(parts)), "prefect-ledger-tables") as pool:  # they may be far
        tables = pool.map(lambda one: Part(step_of(one), parsed(source.read_artifact(one), one.path)), parts)
        return given_as(joined(name, list(tables), step), as_)


def _no_table(run_id: str, name: str, step: int | None, mine: Sequence[Artifact], found: Sequence[Artifact]) -> ArtifactNotFound:
    if mine:
        steps = sorted({at for one in mine if (at := step_of(one)) is not None})
        shown = f"between {steps[0]} and {steps[-1]}" if steps else "at no step"
        return ArtifactNotFound(f"run {run_id} has nothing of the table {name!r} at step {step}: it was logged {shown}")
    names = list(dict.fromkeys(key_of(one) or one.path for one in found))
    return ArtifactNotFound(f"run {run_id} has no table {name!r}; it has: {', '.join(map(repr, names[:20])) or 'none'}")


def arrow(need: str) -> Any:
    """pyarrow.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module("pyarrow")
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", need=need) from error


def parsed(data: bytes, path: str = "this file") -> pa.Table:
    """The table that these bytes of a Parquet file hold.

    Raises:
        InvalidValue: they are none.
    """
    pa = arrow("reading a table")
    try:
        return import_module("pyarrow.parquet").read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise InvalidValue(f"{path!r} is no Parquet file that can be read: {error}") from error


def unified(name: str, known: pa.Schema | None, new: pa.Schema) -> pa.Schema:
    """The schema of a table ``name`` whose parts have both: numbers become the wider type, what is null takes the other's.

    Raises:
        InvalidValue: one column has two types that have nothing in common.
    """
    pa = arrow("log_table")
    if known is None:
        return pa.schema([_plain(field) for field in new])
    fields = {field.name: field for field in known}
    for field in map(_plain, new):
        before = fields.get(field.name, field)
        try:
            fields[field.name] = pa.unify_schemas([pa.schema([before]), pa.schema([field])], promote_options="permissive").field(0)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            raise InvalidValue(
                f"table {name!r}: the column {field.name!r} is {field.type} here, and was {before.type} in what was logged before:"
                " make it one type, or log a table of another name"
            ) from None
    return pa.schema(fields.values())


def _plain(field: pa.Field) -> pa.Field:
    """The field without the way its values are numbered: categories differ from part to part."""
    pa = arrow("log_table")
    return pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else pa.field(field.name, field.type)


def joined(name: str, parts: Sequence[Part], step: int | None = None) -> pa.Table:
    """``parts`` as one table, in their order; with the column "step" first where they are of several steps or none was asked for.

    Raises:
        InvalidValue: a column has types that have nothing in common, or is called as that of the steps.
    """
    pa = arrow("reading a table")
    stepped = step is None and any(part.step is not None for part in parts)
    tables = [_with_step(name, part) if stepped else part.table for part in parts]
    if len(tables) == 1:
        return tables[0]
    if all(table.schema.equals(tables[0].schema, check_metadata=False) for table in tables):
        return pa.concat_tables([table.cast(tables[0].schema) for table in tables]).unify_dictionaries()
    schema: Any = None
    for table in tables:
        schema = unified(name, schema, table.schema)
    try:
        return pa.concat_tables([_fitted(table, schema) for table in tables])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InvalidValue(f"table {name!r}: its parts do not fit into one table: {error}; read one with step=") from None


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    pa = arrow("reading a table")
    columns = []
    for field in schema:
        at = table.schema.get_field_index(field.name)
        columns.append(pa.nulls(table.num_rows, field.type) if at < 0 else table.column(at).cast(field.type))
    return pa.table(columns, schema=schema)


def _with_step(name: str, part: Part) -> pa.Table:
    if STEP in part.table.column_names:
        raise InvalidValue(f"table {name!r} was logged by steps and has a column {STEP!r} of its own; read one part with step=")
    pa = arrow("reading a table")
    steps = pa.repeat(pa.scalar(part.step, pa.int64()), part.table.num_rows)
    return part.table.add_column(0, pa.field(STEP, pa.int64()), steps)


def given_as(table: pa.Table, as_: str) -> pa.Table | pd.DataFrame:
    """``table``, or the same as a DataFrame.

    Raises:
        InvalidValue: another word than "pandas" and "arrow". MissingExtra: pandas is not installed.
    """
    if as_ == "arrow":
        return table
    if as_ != "pandas":
        raise InvalidValue(f"as_={as_!r}: a table is read as 'pandas' or 'arrow'")
    try:
        return table.to_pandas()
    except ImportError as error:
        raise MissingExtra("pandas", "data", need="reading a table as_='pandas'") from error
