"""Floor 4. Data brought to the columns of a schema: frames, arrays, mappings, lists of rows and single values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.column_types import NUMBERS, ArrayType, DataType, Kind, MapType, ObjectType
from prefect_ledger.models.frames import as_pandas, pandas
from prefect_ledger.models.nested import conform, right
from prefect_ledger.models.scalars import WHOLE, missing
from prefect_ledger.models.schema import Column, Schema
from prefect_ledger.models.wording import about, article, listed, plural, quoted

LIST, SPARSE = "list", "list with missing values"  # what a model takes, where its only column has no name
ROWS = "rows"  # and where its columns have: mappings, not a frame
_DTYPES = {**NUMBERS, DataType.string: "str"}


class Columns:
    """Brings data to the columns of a schema.

    Frames of any library become pandas frames with the schema's columns in its order; arrays, lists and mappings stay what they are, or
    become frames with ``frame``. Columns that the schema does not know are left out. ``rows`` is for a model that takes a list of values
    without a name: a frame's only column becomes one, and a value that is in none is refused; or for one that takes mappings, which a
    frame becomes too.
    """

    def __init__(self, schema: Schema, *, json: bool, frame: bool, rows: str = "") -> None:
        self.json, self.frame = json, frame
        self.fields = tuple(one for one in schema.fields if isinstance(one, Column))
        self.named = schema.named
        self.names = [one.name if self.named else place for place, one in enumerate(self.fields)]
        self.kinds: list[Kind] = [one.type for one in self.fields]
        self.required = [one.name for one in self.fields if one.required] if self.named else self.names
        self.known = dict(zip(self.names, self.fields, strict=True))
        self.nested = any(isinstance(one, ArrayType | ObjectType | MapType) for one in self.kinds)
        self.placed = self.names == list(range(len(self.names)))
        self.seen: tuple[Any, list[Any]] | None = None  # columns and dtypes of a frame that was right as it came
        self.texts = {str(name): name for name in self.names if json and self.named and not isinstance(name, str)}
        self.alone = not frame and not self.named and len(self.fields) == 1
        self.rows = rows if self.alone else ""
        self.records = rows == ROWS and self.named
        self.anything = not self.named and self.kinds == [DataType.any]

    def __call__(self, data: Any) -> Any:
        """``data`` with the columns of the schema.

        Raises:
            SignatureMismatch: columns are missing, or of another type.
        """
        if self.anything and not self.rows:
            return data
        if (frame := as_pandas(data)) is not None:
            if self.alone and getattr(data, "ndim", 2) == 2:
                return self._only(frame)
            alone = getattr(data, "ndim", 2) == 1 and getattr(data, "name", None) in (None, "")
            found = self._frame(frame, alone=alone or not self.named)
            if self.records:
                return self._records(found)
            return found if getattr(data, "ndim", 2) == 2 or self.frame else _as_series(found, data)
        if isinstance(data, Mapping) and self.named:
            if self.records and not self.nested and any(map(_many, data.values())):
                return self(pandas("a model that is asked with columns").DataFrame(dict(data)))
            return self._framed(self._mapping(data))
        if isinstance(data, list):
            return self._framed(self._list(data))
        if hasattr(data, "dtype") and getattr(data, "ndim", 0) >= 1:
            return data if self.anything else self._array(data)
        if self.rows:
            raise self._no_list(data)
        if self.named or len(self.fields) > 1:
            raise self._wrong(data)
        return self._framed(conform(data, self.kinds[0], "the data", json=self.json))

    def _only(self, frame: Any) -> Any:
        """The only column of a frame, for a model that takes values without a name: as a list, where it takes one."""
        names = frame.columns.tolist()
        if len(names) != 1:
            raise SignatureMismatch(
                f"the data is a frame with {len(names)} columns, {listed(names)}, where {article(str(self.kinds[0]))} without a name is "
                f"wanted of each row: give one column, or a list",
                found="DataFrame",
                wanted=str(self.kinds[0]),
            )
        found = self._by_place(frame, names).iloc[:, 0]
        if not self.rows:
            return found
        floats = self.kinds[0] in (DataType.double, DataType.float, DataType.any)
        return self._list([one if floats or not missing(one) else None for one in found.tolist()])

    def _records(self, frame: Any) -> list[dict[Any, Any]]:
        """A frame's rows as mappings, without what is missing of optional columns."""
        optional = {name for name, field in self.known.items() if not field.required}
        return [
            {name: value for name, value in row.items() if not (name in optional and missing(value))} for row in frame.to_dict("records")
        ]

    def _no_list(self, data: Any) -> SignatureMismatch:
        found = "None" if data is None else f"{article(type(data).__name__)}, {quoted('the data', data)}"
        return SignatureMismatch(
            f"the data is {found}, where a list is wanted, with {article(str(self.kinds[0]))} for each row",
            found=type(data).__name__,
            wanted=str(self.kinds[0]),
        )

    # --- frames ---------------------------------------------------------------------------------------------------------

    def _frame(self, frame: Any, *, alone: bool) -> Any:
        if (seen := self.seen) is not None and frame.columns.equals(seen[0]) and frame.dtypes.tolist() == seen[1]:
            return frame
        names = frame.columns.tolist()
        if self.texts and (renamed := [self.texts.get(name, name) for name in names]) != names:
            names, frame = renamed, frame.set_axis(renamed, axis=1)
        if not self.named or (alone and len(self.names) == 1 == len(names)):
            return self._by_place(frame, names)
        if names != self.names:
            if len(set(names)) < len(names) and (twice := [name for name in self.names if names.count(name) > 1]):
                raise SignatureMismatch(f"the data has the column {twice[0]!r} twice", field=str(twice[0]))
            names = self._chosen(names)
            frame = frame[names]
        return self._typed(frame, names, [self.known[name] for name in names])

    def _by_place(self, frame: Any, names: list[Any]) -> Any:
        if len(names) < len(self.fields):
            raise SignatureMismatch(f"the data has {len(names)} columns, where {len(self.fields)} are wanted")
        if len(names) > len(self.fields):
            frame, names = frame.iloc[:, : len(self.fields)], names[: len(self.fields)]
        return self._typed(frame, names, list(self.fields))

    def _chosen(self, names: Iterable[Any]) -> list[Any]:
        """The names of the schema that are there, in its order."""
        there = set(names)
        if lacks := [name for name in self.required if name not in there]:
            raise self._lacking(lacks, there)
        return [name for name in self.names if name in there]

    def _lacking(self, lacks: list[Any], there: Iterable[Any]) -> SignatureMismatch:
        said = f"the data lacks the {plural(lacks, 'column')}"
        if extra := [name for name in there if name not in self.known]:
            said += f"; it has {listed(sorted(extra, key=str))}, which the signature does not know"
        return SignatureMismatch(said, field=str(lacks[0]), found="missing", wanted=str(self.known[lacks[0]].type))

    def _typed(self, frame: Any, names: list[Any], fields: list[Column]) -> Any:
        changed, looked = {}, False
        dtypes = frame.dtypes.tolist()
        if len(set(dtypes)) == 1 and len(fields) > 1 and (found := self._block(frame, dtypes[0], fields)) is not None:
            return found
        for place, (dtype, field) in enumerate(zip(dtypes, fields, strict=True)):
            wanted = _DTYPES.get(field.type) if isinstance(field.type, DataType) else None
            if wanted is not None and str(dtype) == wanted:
                continue
            looked = True
            from prefect_ledger.models.series import column

            values = frame.iloc[:, place]
            found = column(values, field.type, names[place], required=field.required, json=self.json)
            if found is not values:
                changed[place] = found
        if not looked:
            self.seen = frame.columns, dtypes
        if not changed:
            return frame
        parts = {place: changed.get(place, frame.iloc[:, place]).array for place in range(len(names))}
        found = pandas("a model that is asked with a frame").DataFrame(parts, index=frame.index, copy=False)
        found.columns = frame.columns
        return found

    def _block(self, frame: Any, dtype: Any, fields: list[Column]) -> Any:
        """Numbers of one dtype, all of one other type: widened at once, where that can be."""
        wanted = fields[0].type
        if dtype.kind not in "iuf" or wanted not in (DataType.double, DataType.long) or any(one.type is not wanted for one in fields):
            return None
        from prefect_ledger.models.series import block

        return None if str(dtype) == _DTYPES[wanted] else block(frame, wanted, json=self.json)

    def _framed(self, data: Any) -> Any:
        """With ``frame``: rows, columns or values as a pandas frame."""
        if not self.frame:
            return data
        pd = pandas("a model that is asked with a frame")
        if isinstance(data, Mapping):
            one = self.nested or not any(_many(value) for value in data.values())
            made = pd.DataFrame([dict(data)] if one else dict(data))
        else:
            made = pd.DataFrame(data if isinstance(data, list) else [data])
        return self._frame(made, alone=True)

    # --- Python's own ---------------------------------------------------------------------------------------------------

    def _mapping(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """A mapping from columns to values: one row, or where no column is nested, many."""
        if self.texts:
            data = self._keyed(data)
        names = self._chosen(data)
        if not self.nested and len(lengths := self._lengths(data, names)) > 1:
            first, *others = lengths
            for name in others:
                if lengths[name] != lengths[first]:
                    said = f"column {name!r} has {lengths[name]} values, where column {first!r} has {lengths[first]}"
                    raise SignatureMismatch(said, field=str(name))
        found = {}
        for name in names:
            with about(name):
                found[name] = self._values(data[name], self.known[name])
        return found

    def _keyed(self, row: Mapping[Any, Any]) -> dict[Any, Any]:
        """A mapping from JSON, whose keys are texts, by names that are whole numbers."""
        return {self.texts.get(name, name): value for name, value in row.items()}

    def _lengths(self, data: Mapping[Any, Any], names: list[Any]) -> dict[Any, int]:
        return {name: len(data[name]) for name in names if _many(data[name]) and self.known[name].type is not DataType.any}

    def _values(self, value: Any, field: Column) -> Any:
        where = f"column {field.name!r}"
        if self.nested or not _many(value):
            gap = value is None and not _needed(field)
            return None if gap else conform(value, field.type, where, required=field.required, json=self.json)
        if isinstance(value, list | tuple):
            return [
                one
                if (one is None and not _needed(field)) or right(one, field.type)
                else conform(one, field.type, f"{where}, row {row}", required=field.required, json=self.json)
                for row, one in enumerate(value)
            ]
        return self._array_of(value, field)

    def _list(self, data: list[Any]) -> list[Any]:
        if self.named and not (self.placed and data and isinstance(data[0], list | tuple)):
            return [self._row(row, place) for place, row in enumerate(data)]
        if len(self.fields) == 1 and not (self.named and self.placed):
            field, nothing = self.fields[0], self.rows != LIST
            return [
                one if (one is None and nothing) or right(one, field.type) else conform(one, field.type, f"row {row}", json=self.json)
                for row, one in enumerate(data)
            ]
        return [self._placed(row, place) for place, row in enumerate(data)]

    def _row(self, row: Any, place: int) -> dict[Any, Any]:
        if not isinstance(row, Mapping):
            raise SignatureMismatch(
                f"row {place} is {article(type(row).__name__)}, where a mapping with the columns {listed(self.names)} is wanted",
                found=type(row).__name__,
                wanted="object",
            )
        if self.texts:
            row = self._keyed(row)
        found = {}
        for name, field in self.known.items():
            if name in row:
                value = row[name]
                if (value is None and not _needed(field)) or right(value, field.type):
                    found[name] = value
                    continue
                where = f"column {name!r}, row {place}"
                with about(name):
                    found[name] = conform(value, field.type, where, required=field.required, json=self.json)
            elif field.required:
                lacks = [one for one in self.required if one not in row]
                raise SignatureMismatch(
                    f"row {place} lacks the {plural(lacks, 'column')}",
                    field=str(name),
                    found="missing",
                    wanted=str(field.type),
                )
        return found

    def _placed(self, row: Any, place: int) -> list[Any]:
        if not isinstance(row, list | tuple) or len(row) < len(self.fields):
            found = f"has {len(row)} values" if isinstance(row, list | tuple) else f"is {article(type(row).__name__)}"
            raise SignatureMismatch(f"row {place} {found}, where {len(self.fields)} values are wanted")
        return [
            None if one is None else conform(one, kind, f"column {at}, row {place}", json=self.json)
            for at, (one, kind) in enumerate(zip(row, self.kinds, strict=False))
        ]

    # --- arrays ---------------------------------------------------------------------------------------------------------

    def _array(self, data: Any) -> Any:
        """An array without names: by place, where the schema's columns have only places, or there is only one."""
        many = data.shape[1] if data.ndim == 2 else 1
        if self.named and not self.placed and (len(self.names) > 1 or many > 1):
            raise self._wrong(data)
        if data.ndim > 2 or many < len(self.fields):
            raise SignatureMismatch(f"the data has the shape {data.shape}, where {len(self.fields)} columns are wanted")
        made = pandas("a model that is asked with columns").DataFrame(data[:, : len(self.fields)] if many > len(self.fields) else data)
        done = self._by_place(made, list(self.names))
        if self.frame:
            done.columns = self.names
            return done
        if done is made:
            return data if many == len(self.fields) else data[:, : len(self.fields)]
        return done.to_numpy().reshape(data.shape if many == len(self.fields) else (-1, len(self.fields)))

    def _array_of(self, value: Any, field: Column) -> Any:
        from prefect_ledger.models.series import column

        pd = pandas("a model that is asked with columns")
        if value.ndim != 1:
            raise SignatureMismatch(f"column {field.name!r} has the shape {value.shape}, where one of any length is wanted")
        values = pd.Series(value)
        found = column(values, field.type, field.name, required=field.required, json=self.json)
        return value if found is values else found.to_numpy()

    def _wrong(self, data: Any) -> SignatureMismatch:
        return SignatureMismatch(
            f"the data is {article(type(data).__name__)}, where a frame or mappings with the columns {listed(self.names)} are wanted",
            found=type(data).__name__,
        )


def _needed(field: Column) -> bool:
    """Whether what is missing is no value of a column: none of whole numbers or truths that data must have."""
    return field.required and field.type in WHOLE


def _many(value: Any) -> bool:
    return isinstance(value, list | tuple) or (hasattr(value, "dtype") and getattr(value, "ndim", 0) >= 1)


def _as_series(frame: Any, given: Any) -> Any:
    """The only column of a frame: what was given, where that is it already."""
    found = frame.iloc[:, 0]
    if type(found) is not type(given):
        return found
    return given if given.dtype == found.dtype else found.rename(given.name)
