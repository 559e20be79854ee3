"""Floor 4. The gate on signatures: whoever calls the champion can call the candidate.

Whatever the champion accepts the candidate accepts: its columns are of the same or of wider types, none is required that was not, and the
parameters are known. What comes out is the same. Which type is wider is asked of :func:`~prefect_ledger.models.widening.widen`, with the
least and the greatest value of the narrower one, so that this gate and the enforcement of signatures agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.evidence import Evidence, Side
from prefect_ledger.gates.finding import Built, Finding
from prefect_ledger.gates.options import Options
from prefect_ledger.models.column_types import NUMBERS, ArrayType, DataType, Kind, MapType, ObjectType
from prefect_ledger.models.parameters import Param
from prefect_ledger.models.schema import Column, Schema, Signature, Tensor
from prefect_ledger.models.widening import widen


def signature(options: Options) -> Built:  # noqa: ARG001
    """The candidate's signature, held against the champion's."""

    def check(evidence: Evidence) -> Finding:
        assert evidence.champion is not None
        wanted, found = _signature(evidence.champion, "champion"), _signature(evidence.candidate, "candidate")
        trouble = list(differences(wanted, found))
        if not trouble:
            reason = f"the candidate accepts what version {evidence.champion.version} accepts, and answers alike"
        else:
            more = f"; and {len(trouble) - 5} more" if len(trouble) > 5 else ""
            reason = f"the candidate's signature does not fit the champion's: {'; '.join(trouble[:5])}{more}"
        return Finding(not trouble, reason, {"trouble": trouble, "champion": wanted.to_dict(), "candidate": found.to_dict()})

    return Built(check, needs_champion=True)


def differences(champion: Signature, candidate: Signature) -> Iterator[str]:
    """What a caller of the champion would notice, nothing where all goes on as before.

    Example:
        >>> old, new = (Signature(Schema((Column("age", kind),))) for kind in ("double", "long"))
        >>> list(differences(old, new)), list(differences(old, old))
        (["the input 'age' was double and is long, which does not hold every double"], [])
    """
    if champion.inputs is not None and candidate.inputs is not None:
        yield from _inputs(champion.inputs, candidate.inputs)
    elif champion.inputs is None and candidate.inputs is not None:
        yield "the champion accepts any input, and the candidate has a schema for it"
    if champion.outputs is not None and champion.outputs != candidate.outputs:
        yield f"the outputs were ({_told(champion.outputs)}) and are ({_told(candidate.outputs)})"
    yield from _params(champion.params, candidate.params)


def _inputs(old: Schema, new: Schema) -> Iterator[str]:
    if old.tensors != new.tensors:
        yield f"the inputs were {'tensors' if old.tensors else 'columns'} and are {'tensors' if new.tensors else 'columns'}"
    elif old.named != new.named:
        yield f"the inputs had {'names' if old.named else 'no names'} and have {'names' if new.named else 'none'}"
    elif not old.named:
        if len(old.fields) != len(new.fields):
            yield f"the inputs were {len(old.fields)} columns and are {len(new.fields)}"
        for place in range(min(len(old.fields), len(new.fields))):
            yield from _field(old.fields[place], new.fields[place], f"the input at place {place}")
    else:
        known = {one.name: one for one in old.fields}
        for other in new.fields:
            needed = not isinstance(other, Column) or other.required
            if other.name in known:
                yield from _field(known[other.name], other, f"the input {other.name!r}")
            elif needed:
                yield f"the input {other.name!r} is new and required"
        if old.tensors and (lost := [one.name for one in old.fields if one.name not in {other.name for other in new.fields}]):
            yield f"the input {lost[0]!r} is not known any more"


def _field(old: Column | Tensor, new: Column | Tensor, where: str) -> Iterator[str]:
    if isinstance(old, Column) and isinstance(new, Column):
        if new.required and not old.required:
            yield f"{where} was optional and is required"
        if not _holds(new.type, old.type):
            yield f"{where} was {old.type} and is {new.type}, which does not hold every {old.type}"
    elif isinstance(old, Tensor) and isinstance(new, Tensor):
        if not _wider(new.dtype, old.dtype):
            yield f"{where} was {old.dtype} and is {new.dtype}, which does not hold every {old.dtype}"
        if len(old.shape) != len(new.shape) or any(b not in (-1, a) for a, b in zip(old.shape, new.shape, strict=True)):
            yield f"{where} had the shape {old.shape} and has {new.shape}"


def _params(old: tuple[Param, ...], new: tuple[Param, ...]) -> Iterator[str]:
    known = {one.name: one for one in new}
    for one in old:
        if one.name not in known:
            yield f"the parameter {one.name!r} is not known any more"
        elif one.shape != known[one.name].shape or not _holds(known[one.name].type, one.type):
            yield f"the parameter {one.name!r} was {_kind(one)} and is {_kind(known[one.name])}"


def _holds(wide: Kind, narrow: Kind) -> bool:
    """Whether every value of ``narrow`` is one of ``wide``."""
    if wide == narrow or wide is DataType.any:
        return True
    match wide, narrow:
        case ArrayType(), ArrayType():
            return _holds(wide.items, narrow.items)
        case MapType(), MapType():
            return _holds(wide.values, narrow.values)
        case ObjectType(), ObjectType():
            known = {one.name: one for one in wide.properties}
            there = {one.name: one for one in narrow.properties}
            lacks = any(one.required and not (one.name in there and there[one.name].required) for one in wide.properties)
            return not lacks and all(name in known and _holds(known[name].type, one.type) for name, one in there.items())
        case DataType(), DataType():
            return wide in NUMBERS and narrow in NUMBERS and _wider(NUMBERS[wide], NUMBERS[narrow])
    return False


def _wider(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    try:
        wanted, given = np.dtype(wide), np.dtype(narrow)
    except TypeError:  # a dtype that this machine has not
        return False
    ends = [np.iinfo(given).min, np.iinfo(given).max] if given.kind in "iu" else [0]
    return given.kind in "biufc" and widen(np.array(ends, dtype=given), wanted) is not None


def _signature(side: Side, who: str) -> Signature:
    found = side.signature
    if found is None:
        raise InvalidValue(f"the {who} has no signature on record")
    try:
        texts = any(isinstance(found.get(key), str) for key in ("inputs", "outputs", "params"))
        return Signature.from_mlmodel(found) if texts else Signature.from_dict(found)
    except InvalidValue as error:
        raise InvalidValue(f"the signature of the {who} does not read as one: {error}") from error


def _kind(param: Param) -> str:
    return f"{param.type}{'' if param.shape is None else ' list'}"


def _told(schema: Schema | None) -> str:
    fields: tuple[Any, ...] = () if schema is None else schema.fields
    return ", ".join(map(str, fields[:10])) + (", …" if len(fields) > 10 else "") if fields else "not said"
