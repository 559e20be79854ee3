"""Floor 1. Points in few bytes: a chunk holds up to 65,536 points of one series, or of many.

What goes in comes out bit for bit: every step and time of 64 bits, every float64 with the payload of its NaN. A damaged or hostile
chunk is refused or reads as some points; it never takes more memory than 65,536 points need.

The layout, little-endian: a header (version, number of integer columns, n, two plane masks, packed size); the first value and the
base of each integer column; the planes. An integer column is stored as its differences less the smallest of them, the base. Every
column, 64 bits wide, is cut into eight planes, byte k of all points together: a plane of one byte value is that byte, a noisy plane
stays as it is (deflate would only cost time), the rest is deflated as one.

Planes are cut and joined as ``bytes``, not by numpy: as fast, and it holds the GIL. Beside a busy Python thread each large numpy call
waits 5 ms to get the GIL back, so here are as few of them as there can be.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from prefect_ledger.errors import InvalidValue
from prefect_ledger.points import Floats, Integers, Points, check

CHUNK = 65_536

_VERSION = 1
_HEAD = struct.Struct("<BBIIII")  # version, integer columns, n, mask of constant planes, mask of raw planes, packed size
_COLUMN = struct.Struct("<qq")  # first value, base
_SAMPLE = 512
_NOISY = 185  # so many of the 256 byte values within the sample: deflate would save less than a tenth

_Blob = bytes | bytearray | memoryview


def encode(points: Points) -> bytes:
    """Points of one series as a chunk; :func:`decode` gives them back exactly, in the same order.

    Raises:
        InvalidValue: no points, more than ``CHUNK``, or columns that do not belong together.

    Example:
        >>> import numpy as np
        >>> points = Points(np.arange(1000), np.arange(1000) * 10_000, np.full(1000, 0.5))
        >>> len(encode(points)), (decode(encode(points)).values == 0.5).all()
        (74, np.True_)
    """
    check(points)
    return _pack((points.steps, points.times), points.values)


def decode(blob: _Blob) -> Points:
    """The points of a chunk of one series.

    Raises:
        InvalidValue: these bytes are no such chunk.
    """
    (steps, times), values = _unpack(blob, 2)
    return Points(steps, times, values)


def encode_mixed(ids: Integers, points: Points) -> bytes:
    """Points of many series as one chunk. ``ids`` has the series of each point; points grouped by it pack best.

    Raises:
        InvalidValue: no points, more than ``CHUNK``, or columns that do not belong together.

    Example:
        >>> import numpy as np
        >>> points = Points(np.array([0, 1, 0]), np.array([5, 6, 5]), np.array([0.5, 0.25, 9.0]))
        >>> decode_mixed(encode_mixed(np.array([3, 3, 7]), points))[0]
        array([3, 3, 7])
    """
    check(points, ids)
    return _pack((ids, points.steps, points.times), points.values)


def decode_mixed(blob: _Blob) -> tuple[Integers, Points]:
    """The series ids and the points of a chunk of many series, in the order they went in.

    Raises:
        InvalidValue: these bytes are no such chunk.
    """
    (ids, steps, times), values = _unpack(blob, 3)
    return ids, Points(steps, times, values)


# --- writing -----------------------------------------------------------------------------------------------------


def _pack(integers: Sequence[Integers], values: Floats) -> bytes:
    n = len(values)
    if not 1 <= n <= CHUNK:
        raise InvalidValue(f"a chunk holds 1 to {CHUNK} points, not {n}; cut the points into pieces")
    heads, planes = [], []
    for column in integers:
        base, residues = _differences(column)
        heads.append(_COLUMN.pack(int(column[0]), base))
        planes += _cut(residues)
    planes += _cut(values.astype("<f8", copy=False))
    constant, noisy = [p == p[:1] * n for p in planes], [_noisy(p) for p in planes]
    soft = b"".join(p for p, c, h in zip(planes, constant, noisy, strict=True) if not (c or h))
    packed = _deflate(soft)
    if len(packed) >= len(soft):
        packed, noisy = b"", [not c for c in constant]
    head = _HEAD.pack(_VERSION, len(integers), n, _mask(constant), _mask(noisy), len(packed))
    flat = (p[:1] for p, c in zip(planes, constant, strict=True) if c)
    raw = (p for p, h in zip(planes, noisy, strict=True) if h)
    return b"".join((head, *heads, *flat, packed, *raw))


def _differences(column: Integers) -> tuple[int, npt.NDArray[Any]]:
    """The smallest difference of neighbours, and all differences less that one; they wrap, as does the sum that undoes them."""
    out = np.zeros(len(column), "<i8")
    if len(column) == 1:
        return 0, out
    np.subtract(column[1:], column[:-1], out=out[1:])
    out[0] = out[1]
    base = int(out.min())
    out -= base
    return base, out


def _cut(column: npt.NDArray[Any]) -> list[bytes]:
    whole = column.tobytes()
    return [whole[k::8] for k in range(8)]


def _noisy(plane: bytes) -> bool:
    return len(set(plane[:: -(-len(plane) // _SAMPLE)])) > _NOISY


def _deflate(soft: bytes) -> bytes:
    stream = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return stream.compress(soft) + stream.flush() if soft else b""


def _mask(flags: Sequence[bool]) -> int:
    return sum(1 << k for k, flag in enumerate(flags) if flag)


# --- reading -----------------------------------------------------------------------------------------------------


def _refuse(why: str) -> NoReturn:
    raise InvalidValue(f"these bytes are not a chunk of metric points: {why}; they are damaged or come from elsewhere")


def _unpack(blob: _Blob, columns: int) -> tuple[list[Integers], Floats]:
    blob = bytes(blob)
    at = _HEAD.size + columns * _COLUMN.size
    if len(blob) < at:
        _refuse(f"{len(blob)} bytes are too few")
    version, found, n, constant, raw, size = _HEAD.unpack_from(blob)
    if version != _VERSION:
        _refuse(f"version {version} is not known here (a newer prefect-ledger may read it)")
    if found != columns:
        _refuse(f"it says {found} integer columns where {columns} are expected")
    if not 1 <= n <= CHUNK:
        _refuse(f"it says {n} points, at most {CHUNK} are possible")
    rows = 8 * (columns + 1)
    if constant & raw or (constant | raw) >> rows:
        _refuse("its plane masks contradict each other")
    planes = _planes(blob[at:], rows, n, constant, raw, size)
    heads = _COLUMN.iter_unpack(blob[_HEAD.size : at])
    integers = [_sums(_join(planes[8 * k : 8 * k + 8], n, "<i8"), *head) for k, head in enumerate(heads)]
    return integers, _join(planes[-8:], n, "<f8").astype(np.float64, copy=False)


def _planes(body: bytes, rows: int, n: int, constant: int, raw: int, size: int) -> list[bytes]:
    """All planes of a body that holds the constant ones' bytes, the packed ones and the raw ones; b"" for one of zeros."""
    constants, raws = constant.bit_count(), raw.bit_count()
    if len(body) != constants + size + raws * n:
        _refuse(f"{constants + size + raws * n} bytes are due after the header, {len(body)} are there")
    soft = _inflate(body[constants : constants + size], (rows - constants - raws) * n)
    flats, softs, hards = iter(body[:constants]), _pieces(soft, 0, n), _pieces(body, constants + size, n)
    out = []
    for k in range(rows):
        if constant >> k & 1:
            byte = next(flats)
            out.append(bytes((byte,)) * n if byte else b"")
        else:
            out.append(next(hards if raw >> k & 1 else softs))
    return out


def _pieces(data: bytes, start: int, n: int) -> Iterator[bytes]:
    return (data[at : at + n] for at in range(start, len(data), n))


def _inflate(packed: bytes, size: int) -> bytes:
    """Exactly ``size`` bytes; what would grow beyond is stopped there."""
    if not size and not packed:
        return b""
    stream = zlib.decompressobj()
    try:
        out = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise InvalidValue(f"these bytes are not a chunk of metric points: {error}; they are damaged or come from elsewhere") from error
    if len(out) != size or not stream.eof or stream.unused_data:
        _refuse(f"its packed part is not {size} bytes")
    return out


def _join(planes: Sequence[bytes], n: int, dtype: str) -> npt.NDArray[Any]:
    whole = bytearray(8 * n)
    for k, plane in enumerate(planes):
        if plane:
            whole[k::8] = plane
    return np.frombuffer(whole, dtype)


def _sums(column: npt.NDArray[Any], first: int, base: int) -> Integers:
    """What :func:`_differences` came from, made in place."""
    column = column.astype(np.int64, copy=False)
    column += base
    column[0] = first
    return np.cumsum(column, out=column)
