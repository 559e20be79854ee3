"""Floor 4. Data brought to the tensors of a schema: dtype and shape are those wanted, or widened without a change of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.frames import as_pandas
from prefect_ledger.models.schema import Schema, Tensor
from prefect_ledger.models.widening import widen
from prefect_ledger.models.wording import article, listed, plural

_FLAGS = (bool, np.bool_)
_MISSING = type(None)
Check = Callable[[Any], Any]


def checker(schema: Schema, *, json: bool) -> Check:
    """What brings data to the tensors of ``schema``: one without a name, or a mapping with one for each name."""
    tensors = {one.name: _Tensor(one, json) for one in schema.fields if isinstance(one, Tensor)}
    return tensors[None].unnamed if None in tensors else _Named(tensors)


class _Tensor:
    """One tensor's dtype and shape."""

    def __init__(self, tensor: Tensor, json: bool) -> None:
        self.json = json
        self.name = tensor.name
        self.where = "the data" if tensor.name is None else f"tensor {tensor.name!r}"
        self.dtype = np.dtype({"str": "U", "bytes": "S"}.get(tensor.dtype, tensor.dtype))
        self.shape = tensor.shape
        self.rank = len(tensor.shape)
        self.fixed = tuple((place, length) for place, length in enumerate(tensor.shape) if length != -1)
        self.ragged = self.rank > 1 and -1 in tensor.shape[1:]
        self.anything = tensor.dtype == "object" and tensor.shape == (-1,)

    def unnamed(self, data: Any) -> Any:
        """Data as this tensor: an array, a sparse matrix, a frame or lists."""
        if type(data) is np.ndarray and data.dtype == self.dtype and self._shaped(data.shape):
            return data
        if (frame := as_pandas(data)) is not None:
            return self.frame(frame)
        return self.one(data)

    def one(self, data: Any) -> Any:
        """An array, a sparse matrix or lists as this tensor."""
        if isinstance(data, list | tuple):
            return self._array(self._listed(data), listed=True)
        if isinstance(data, np.ndarray) or (hasattr(data, "tocsr") and hasattr(data, "dtype")):
            return self._array(data, listed=False)
        if np.isscalar(data) and not self.shape:
            return self._array(np.asarray(data), listed=True)
        raise self._mismatch(
            f"a {type(data).__name__}", f"{self.where} is {article(type(data).__name__)}, where an array is wanted: {self}"
        )

    def frame(self, frame: Any) -> Any:
        """The columns of a frame as this tensor: side by side, or the cells of a single one."""
        if frame.shape[1] == 1 and (self.shape != (-1, 1) or frame.dtypes.iloc[0].kind == "O"):
            return self.series(frame.iloc[:, 0])
        if self.rank != 2 or self.shape[1] not in (-1, frame.shape[1]) or self.shape[0] not in (-1, frame.shape[0]):
            raise self._shape_mismatch(frame.shape)
        dtypes = frame.dtypes.tolist()
        if self.dtype.kind in "biufc" and isinstance(dtypes[0], np.dtype) and dtypes.count(dtypes[0]) == len(dtypes):
            return self._typed(frame.to_numpy(), listed=False, where=self.where)
        found = np.empty(frame.shape, dtype=self.dtype if self.dtype.kind != "U" else object)
        for place, name in enumerate(frame.columns):
            found[:, place] = self._typed(frame.iloc[:, place].to_numpy(), listed=False, where=f"column {name!r}")
        return found.astype(self.dtype, copy=False)

    def series(self, column: Any) -> Any:
        """The cells of a column as rows of this tensor."""
        values = column.to_numpy()
        if values.dtype == object and len(values) and isinstance(values[0], list | tuple | np.ndarray):
            listed = not isinstance(values[0], np.ndarray)
            values = self._typed(self._listed(list(values)), listed=listed, where=self.where)
        else:
            values = self._typed(values, listed=self.json, where=self.where)
        if -1 not in self.shape[1:] and values.size == len(values) * math.prod(self.shape[1:]):
            values = values.reshape((len(values), *self.shape[1:]))
        return self._array(values, listed=False)

    def __str__(self) -> str:
        return f"{self.dtype.name if self.dtype.kind not in 'US' else {'U': 'str', 'S': 'bytes'}[self.dtype.kind]} {self.shape}"

    def _listed(self, data: Any) -> Any:
        if self.dtype.kind == "O":
            return np.asarray(data, dtype=object)
        if len(data) == 0 and -1 not in self.shape[1:]:
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)
        try:
            found = np.asarray(data)
            objects = np.asarray(data, dtype=object) if found.dtype.kind in "iufUO" else found
        except ValueError as error:
            raise self._mismatch("lists of several lengths", f"{self.where} is lists of several lengths, where {self} is wanted") from error
        kinds = set(map(type, objects.ravel().tolist()))
        if self.json and self.dtype.kind == "f" and found.dtype.kind == "O" and kinds <= {float, int, type(None)}:
            return np.asarray(data, dtype="float64") if _MISSING in kinds else found  # null is how JSON says not-a-number
        texts = found.dtype.kind == "U" and not all(issubclass(one, str) for one in kinds)
        if texts or (found.dtype.kind in "iuf" and not kinds.isdisjoint(_FLAGS)):
            mixed = " and ".join(sorted(one.__name__ for one in kinds))
            raise self._mismatch(mixed, f"{self.where} is a list of {mixed}, where {self} is wanted")
        return found

    def _array(self, data: Any, *, listed: bool) -> Any:
        if self.anything:
            return data
        if self.ragged and data.dtype == object and data.ndim == 1:
            return data
        if not self._shaped(data.shape):
            raise self._shape_mismatch(data.shape)
        return self._typed(data, listed=listed, where=self.where)

    def _typed(self, data: Any, *, listed: bool, where: str) -> Any:
        found = data.dtype
        if found == self.dtype or (found.kind == self.dtype.kind and found.kind in "US"):
            return data
        if found.kind == self.dtype.kind and found.itemsize == self.dtype.itemsize and found.kind in "biufc":  # another byte order
            return data
        if data.size == 0 and listed:
            return data.astype(self.dtype)
        done = widen(data, self.dtype, json=self.json or (listed and found.kind in "iu"))
        if done is None:
            done = self._from_object(data, listed)
        if done is None:
            raise self._mismatch(found.name, f"{where} is of the dtype {found}, where {self.dtype} is wanted and values could change")
        return done

    def _from_object(self, data: Any, listed: bool) -> Any:
        """Where types are not the array's but its items': texts of times, floats in lists that lose nothing, and objects."""
        kind = data.dtype.kind
        if self.dtype.kind == "O":
            return data.astype(object)
        if kind == self.dtype.kind and kind in "mM":
            done = data.astype(self.dtype)
            return done if ((done.astype(data.dtype) == data) | np.isnat(data)).all() else None
        if kind == "U" and self.dtype.kind == "M" and self.json:
            try:
                return data.astype(self.dtype)
            except ValueError:
                return None
        if kind == "f" and self.dtype.kind == "f" and listed:
            done = data.astype(self.dtype)
            return done if np.array_equal(done.astype(data.dtype), data, equal_nan=True) else None
        if (
            kind == "O"
            and data.size
            and self.dtype.kind in "US"
            and all(isinstance(one, str if self.dtype.kind == "U" else bytes) for one in data.flat)
        ):
            return data.astype(self.dtype)
        if kind == "O" and data.size and (found := _of_items(data)) is not None:
            return widen(found, self.dtype, json=self.json)
        return None

    def _shaped(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == self.rank and all(shape[place] == length for place, length in self.fixed)

    def _shape_mismatch(self, shape: tuple[int, ...]) -> SignatureMismatch:
        return self._mismatch(str(shape), f"{self.where} has the shape {shape}, where {self.shape} is wanted (-1: any length)")

    def _mismatch(self, found: str, said: str) -> SignatureMismatch:
        return SignatureMismatch(said, field="" if self.name is None else str(self.name), found=found, wanted=str(self))


def _of_items(data: Any) -> Any:
    """An array of objects as one of the numbers that they are; None where they are no numbers, or lists of any length."""
    try:
        found = np.array(data.tolist())
    except ValueError:
        return None
    return found if found.dtype.kind not in "OUS" and found.shape == data.shape else None


class _Named:
    """Tensors with names."""

    def __init__(self, tensors: Mapping[Any, _Tensor]) -> None:
        self.tensors = tensors

    def __call__(self, data: Any) -> Any:
        frame = as_pandas(data)
        if frame is None and not isinstance(data, Mapping):
            if len(self.tensors) > 1:
                raise SignatureMismatch(
                    f"the data is {article(type(data).__name__)}, where a mapping with the tensors {listed(self.tensors)} is wanted"
                )
            data = dict.fromkeys(self.tensors, data)
        given = data if frame is None else frame
        if lacks := [name for name in self.tensors if name not in given]:
            raise SignatureMismatch(f"the data lacks the {plural(lacks, 'tensor')}", field=str(lacks[0]), found="missing")
        if frame is not None:
            return {name: one.series(frame[name]) for name, one in self.tensors.items()}
        return {name: one.one(data[name]) for name, one in self.tensors.items()}
