"""Floor 4. What gates judge: the candidate and the champion as recorded, and what both predicted for the same rows. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.plain import array, joined, number, plain, same, split

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared, a version of a registered model.

    ``size`` is the bytes of the model, ``signature`` what its MLmodel file has under that name (or the same with its texts of JSON read),
    ``latency`` the measured seconds of single predictions. Metrics are last values.

    Raises:
        InvalidValue: a metric, size or latency is no number, a parameter or tag no text, or what has several is no mapping or list.
    """

    name: str
    version: int
    digest: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    signature: Mapping[str, Any] | None = None
    latency: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(isinstance(one, str) for one in (self.name, self.digest)) or not _whole(self.version):
            raise InvalidValue(f"a version has a name, a number and a digest, not {self.name!r}, {self.version!r} and {self.digest!r}")
        if self.size is not None and not _whole(self.size):
            raise InvalidValue(f"a size is a whole number of bytes, or None, not {self.size!r}")
        metrics = {_key(key): number(one, f"the metric {key!r}") for key, one in _named("metrics", self.metrics).items()}
        object.__setattr__(self, "metrics", metrics)
        for kind in ("params", "tags"):
            texts = {_key(key): _text(one, f"{kind[:-1]} {key!r}") for key, one in _named(kind, getattr(self, kind)).items()}
            object.__setattr__(self, kind, texts)
        object.__setattr__(self, "latency", seconds(self.latency))
        if self.signature is not None:
            if not isinstance(self.signature, Mapping):
                raise InvalidValue(f"a signature is a mapping, not {self.signature!r:.100}")
            object.__setattr__(self, "signature", plain(self.signature, "the signature"))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "metrics": plain(self.metrics),
            "params": dict(self.params),
            "tags": dict(self.tags),
            "size": self.size,
            "signature": plain(self.signature),
            "latency": plain(self.latency),
        }

    @classmethod
    def from_json(cls, found: object) -> Side:
        """What :meth:`to_json` gave.

        Raises:
            InvalidValue: it is no such thing.
        """
        given = _fields(found, cls, "a version")
        if missing := [key for key in ("name", "version", "digest") if key not in given]:
            raise InvalidValue(f"a version lacks {', '.join(missing)}")
        return cls(**given)


@dataclass(frozen=True, slots=True, eq=False)
class Holdout:
    """Rows, and what both models predicted for them.

    ``columns`` are features that slices and drift are asked about, ``reference`` columns of the training data. All arrays are made
    read-only; that their lengths agree is for the gates to see. ``champion`` is None where there is none.

    Raises:
        InvalidValue: name or digest is no text, or the columns are no mapping.
    """

    name: str
    digest: str
    columns: Arrays
    target: NDArray[Any]
    candidate: NDArray[Any]
    champion: NDArray[Any] | None = None
    reference: Arrays = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(isinstance(one, str) for one in (self.name, self.digest)):
            raise InvalidValue(f"a holdout has texts for its name and digest, not {self.name!r:.80} and {self.digest!r:.80}")
        for kind in ("columns", "reference"):
            object.__setattr__(self, kind, {_key(name): array(one) for name, one in _named(kind, getattr(self, kind)).items()})
        for kind in ("target", "candidate", "champion"):
            if (values := getattr(self, kind)) is not None:
                object.__setattr__(self, kind, array(values))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Holdout) or self.to_json() != other.to_json():
            return False
        mine, theirs = self.arrays(), other.arrays()
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in mine)

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        """As JSON values, without the arrays."""
        names = {kind: list(getattr(self, kind)) for kind in ("columns", "reference")}
        return {"name": self.name, "digest": self.digest, **names, "champion": self.champion is not None}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays, by names that are file names: ``target``, ``candidate``, ``champion``, ``columns.0`` and on, ``reference.0`` and on;
        of texts two, with ``.text`` and ``.ends`` behind.
        """
        found: dict[str, NDArray[Any] | None] = {"target": self.target, "candidate": self.candidate, "champion": self.champion}
        for kind in ("columns", "reference"):
            found |= {f"{kind}.{place}": values for place, values in enumerate(getattr(self, kind).values())}
        return {name: one for key, values in found.items() if values is not None for name, one in split(key, values).items()}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a judgement goes by. ``facts`` are kept beside it, as JSON values: the commit, the data's digest, the policy's version.

    Raises:
        InvalidValue: the facts are nothing that JSON has, or a part is no :class:`Side` or :class:`Holdout`.

    Example:
        >>> evidence = Evidence(Side("churn", 8, "ab12", {"auc": float("nan")}), None, facts={"commit": "1f2e"})
        >>> evidence.to_json()["candidate"]["metrics"], evidence_of(evidence.to_json(), evidence.arrays()).facts
        ({'auc': 'NaN'}, {'commit': '1f2e'})
    """

    candidate: Side
    champion: Side | None
    holdout: Holdout | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, kind in (("candidate", Side), ("champion", Side | None), ("holdout", Holdout | None)):
            if not isinstance(found := getattr(self, part), kind):
                raise InvalidValue(f"the {part} of evidence is a {'Holdout' if part == 'holdout' else 'Side'}, not {found!r:.100}")
        if not isinstance(self.facts, Mapping):
            raise InvalidValue(f"facts are a mapping, not {type(self.facts).__name__}")
        object.__setattr__(self, "facts", plain(self.facts, "the facts"))

    def to_json(self) -> dict[str, Any]:
        """As JSON values; with :meth:`arrays` it is the whole."""
        return {
            "candidate": self.candidate.to_json(),
            "champion": None if self.champion is None else self.champion.to_json(),
            "holdout": None if self.holdout is None else self.holdout.to_json(),
            "facts": plain(self.facts),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of the holdout by name, as ``numpy.savez`` takes them; none needs a pickle."""
        return {} if self.holdout is None else self.holdout.arrays()

    @classmethod
    def from_json(cls, found: object, arrays: Arrays | None = None) -> Evidence:
        """What :meth:`to_json` and :meth:`arrays` gave.

        Raises:
            InvalidValue: it is no evidence, or an array is missing.
        """
        fields = _fields(found, cls, "evidence")
        for kind in ("candidate", "champion"):
            fields[kind] = None if fields.get(kind) is None and kind == "champion" else Side.from_json(fields.get(kind))
        told = fields.get("holdout")
        return cls(**{**fields, "holdout": None if told is None else _holdout(told, arrays or {})})


def evidence_of(json: object, arrays: Arrays | None = None) -> Evidence:
    """The evidence whose ``to_json()`` and ``arrays()`` these are, the same to the last bit.

    Raises:
        InvalidValue: it is no evidence, or an array is missing.

    Example:
        >>> kept = Evidence(Side("churn", 7, "ab" * 32, metrics={"auc": 0.91}), None)
        >>> evidence_of(kept.to_json(), kept.arrays()) == kept
        True
    """
    return Evidence.from_json(json, arrays)


def _holdout(found: object, arrays: Arrays) -> Holdout:
    fields = _fields(found, Holdout, "a holdout")
    for kind in ("columns", "reference"):
        names = fields.get(kind, [])
        if not isinstance(names, list):
            raise InvalidValue(f"the {kind} of a holdout are a list of names, not {names!r}")
        fields[kind] = {name: joined(f"{kind}.{place}", arrays) for place, name in enumerate(names)}
    kinds = ("target", "candidate", *(("champion",) if fields.get("champion") else ()))
    return Holdout(**{**fields, "champion": None, **{kind: joined(kind, arrays) for kind in kinds}})


def _fields(found: object, of: type, what: str) -> dict[str, Any]:
    if not isinstance(found, Mapping) or (strange := [key for key in found if key not in of.__slots__]):  # type: ignore[attr-defined]
        raise InvalidValue(f"{what} is a JSON object with {', '.join(of.__slots__)}, not {found!r:.200}")  # type: ignore[attr-defined]
    del strange
    return dict(found)


def seconds(found: object) -> tuple[float, ...]:
    """Measured latencies as floats.

    Raises:
        InvalidValue: it is no list, tuple or array, or a value in it is no number.
    """
    if isinstance(found, np.ndarray):
        found = found.tolist()
    if not isinstance(found, list | tuple):
        raise InvalidValue(f"latency is a list of seconds, not {found!r:.100}")
    return tuple(number(one, "a latency") for one in found)


def _named(kind: str, found: object) -> Mapping[Any, Any]:
    if not isinstance(found, Mapping):
        raise InvalidValue(f"{kind} are a mapping of names to values, not {found!r:.100}")
    return found


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _key(key: object) -> str:
    if not isinstance(key, str) or not key:
        raise InvalidValue(f"the name of a metric, parameter, tag or column is a text, not {key!r}")
    return key


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"the {where} is a text, not {value!r}")
    return value
