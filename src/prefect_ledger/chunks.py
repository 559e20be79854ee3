"""Floor 1. Points in few bytes: a chunk holds up to 65,536 points of one series, or of many.

What goes in comes out bit for bit: every step and time of 64 bits, every float64 with the payload of its NaN. A damaged or hostile
chunk is refused or reads as some points; it never takes more memory than 65,536 points need.

The layout, little-endian: a header (version, number of integer columns, n, two plane masks, packed size); the first value and the
base of each integer column; the planes. An integer column is stored as its differences less the smallest of them, the base. Every
column, 64 bits wide, is cut into eight planes, byte k of all points together: a plane of one byte value is that byte, a noisy plane
stays as it is (deflate would only cost time), the rest is deflated as one.

Beside a busy Python thread each large call of numpy, and each of zlib, waits 5 ms to get the GIL back. So many chunks are written with
as few of them as one: differences are taken and planes cut of all points together.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from prefect_ledger.errors import InvalidValue
from prefect_ledger.points import Floats, Integers, Points, check

CHUNK = 65_536

_VERSION = 1
_HEAD = struct.Struct("<BBIIII")  # version, integer columns, n, mask of constant planes, mask of raw planes, packed size
_COLUMN = struct.Struct("<qq")  # first value, base
_SAMPLE = 512
_NOISY = 24  # more byte values than these in the sample, and neighbours that differ: deflate saves a third at best and costs most

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
    return encode_many(points, [len(points.values)])[0]


def encode_many(points: Points, counts: Sequence[int], *, hurried: bool = False) -> list[bytes]:
    """Neighbouring pieces of ``points`` as a chunk each: of so many points as ``counts`` says, all together worked on at once.

    ``hurried`` leaves out the deflating: a chunk is then larger by a fifth, and made without waiting for the GIL again.

    Raises:
        InvalidValue: as :func:`encode`, or the counts are not all points.

    Example:
        >>> import numpy as np
        >>> points = Points(np.array([0, 1, 0]), np.array([5, 6, 5]), np.array([0.5, 0.25, 9.0]))
        >>> [decode(chunk).values.tolist() for chunk in encode_many(points, [2, 1])]
        [[0.5, 0.25], [9.0]]
    """
    check(points)
    return _pack((points.steps, points.times), points.values, counts, hurried=hurried)


def decode(blob: _Blob) -> Points:
    """The points of a chunk of one series.

    Raises:
        InvalidValue: these bytes are no such chunk.
    """
    return decode_many([blob])


def decode_many(blobs: Sequence[_Blob]) -> Points:
    """The points of all chunks of one series, one after the other, decoded into one set of arrays.

    Raises:
        InvalidValue: some of these bytes are no such chunk.
    """
    heads = [_head(blob, 2) for blob in blobs]
    shelf = Shelf(sum(head.n for head in heads))
    for blob, head in zip(blobs, heads, strict=True):
        shelf._unpack(blob, head)
    return shelf.points()


class Shelf:
    """Room for the points of many chunks of one series, decoded as they come, side by side in one set of arrays.

    Numpy has large arrays lie in huge pages, and the first touch of small pages costs as much as the rest.

    Example:
        >>> import numpy as np
        >>> shelf = Shelf(4)
        >>> for first in (0, 2):
        ...     _ = shelf.put(encode(Points(np.arange(first, first + 2), np.zeros(2, np.int64), np.full(2, 0.5))))
        >>> shelf.points().steps
        array([0, 1, 2, 3])
    """

    def __init__(self, room: int) -> None:
        self._columns: npt.NDArray[np.int64] = np.empty((3, room), np.int64)
        self.used = 0  # points

    def put(self, blob: _Blob) -> Points | None:
        """Decode a chunk behind the others; None, and nothing done, where there is no room for it.

        Raises:
            InvalidValue: these bytes are no such chunk.
        """
        head = _head(blob, 2)
        if self.used + head.n > self._columns.shape[1]:
            return None
        start = self.used
        self._unpack(blob, head)
        return self.points(start)

    def points(self, start: int = 0) -> Points:
        """The points that were put, from ``start`` on."""
        return _points(self._columns[:, start : self.used])

    def _unpack(self, blob: _Blob, head: _Head) -> None:
        out = self._columns[:, self.used : self.used + head.n]
        _fill(bytes(blob), head, out)
        self.used += head.n


def _points(columns: npt.NDArray[np.int64]) -> Points:
    return Points(columns[-3], columns[-2], columns[-1].view(np.float64))


def begins(blob: _Blob) -> tuple[int, int]:
    """Step and time of the first point in a chunk of one series, without decoding it; (0, 0) for what is too short to be one."""
    if len(blob) < _HEAD.size + 2 * _COLUMN.size:
        return 0, 0
    (step, _), (time, _) = _COLUMN.iter_unpack(blob[_HEAD.size : _HEAD.size + 2 * _COLUMN.size])
    return step, time


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
    return _pack((ids, points.steps, points.times), points.values, [len(ids)])[0]


def decode_mixed(blob: _Blob) -> tuple[Integers, Points]:
    """The series ids and the points of a chunk of many series, in the order they went in.

    Raises:
        InvalidValue: these bytes are no such chunk.
    """
    head = _head(blob, 3)
    columns: npt.NDArray[np.int64] = np.empty((4, head.n), np.int64)
    _fill(bytes(blob), head, columns)
    return columns[0], _points(columns)


# --- writing -----------------------------------------------------------------------------------------------------


def _pack(integers: Sequence[Integers], values: Floats, counts: Sequence[int], *, hurried: bool = False) -> list[bytes]:
    for n in counts:
        if not 1 <= n <= CHUNK:
            raise InvalidValue(f"a chunk holds 1 to {CHUNK} points, not {n}; cut the points into pieces")
    if sum(counts) != len(values) or not counts:
        raise InvalidValue(f"pieces of {sum(counts)} points in all cannot be cut from {len(values)}")
    ends = list(itertools.accumulate(counts))
    columns = [_differences(column, counts, ends) for column in integers]
    columns.append(_Column([b""] * len(counts), [8] * len(counts), _cut(np.ascontiguousarray(values, "<f8"), 8)))
    return [
        _chunk(end - n, end, [column.heads[k] for column in columns], [(c.planes, c.widths[k]) for c in columns], hurried=hurried)
        for k, (n, end) in enumerate(zip(counts, ends, strict=True))
    ]


class _Column(NamedTuple):
    heads: list[bytes]  # of each piece: first value and base, packed
    widths: list[int]  # of each piece: bytes that its largest residue needs
    planes: npt.NDArray[np.uint8]  # of all points; those above the largest width are not there


def _chunk(start: int, end: int, heads: Sequence[bytes], columns: Sequence[tuple[npt.NDArray[np.uint8], int]], *, hurried: bool) -> bytes:
    """The points ``start`` to ``end`` of these columns' planes as a chunk."""
    n = end - start
    planes = [cut[k, start:end].tobytes() if k < width else b"" for cut, width in columns for k in range(8)]
    constant = [not p or p == p[:1] * n for p in planes]
    noisy = [not c and (hurried or _noisy(p)) for p, c in zip(planes, constant, strict=True)]
    soft = b"".join(p for p, c, h in zip(planes, constant, noisy, strict=True) if not (c or h))
    packed = _deflate(soft)
    if len(packed) >= len(soft):
        packed, noisy = b"", [not c for c in constant]
    head = _HEAD.pack(_VERSION, len(columns) - 1, n, _mask(constant), _mask(noisy), len(packed))
    flat = (p[:1] or b"\0" for p, c in zip(planes, constant, strict=True) if c)
    raw = (p for p, h in zip(planes, noisy, strict=True) if h)
    return b"".join((head, *heads, *flat, packed, *raw))


def _differences(column: Integers, counts: Sequence[int], ends: Sequence[int]) -> _Column:
    """In each piece the differences of neighbours, less the smallest of them.

    Differences wrap, as does the sum that undoes them. The first point of a piece, which has none before it, counts as the second does.
    """
    starts = np.subtract(ends, counts)
    out = np.empty(len(column), "<i8")
    np.subtract(column[1:], column[:-1], out=out[1:])
    out[starts] = [int(out[end - n + 1]) if n > 1 else 0 for n, end in zip(counts, ends, strict=True)]
    least, greatest = np.minimum.reduceat(out, starts).tolist(), np.maximum.reduceat(out, starts).tolist()
    if any(low and low < high for low, high in zip(least, greatest, strict=True)):
        out -= np.repeat(np.array(least), counts) if len(least) > 1 else least[0]
    widths = [((high - low).bit_length() + 7) // 8 for low, high in zip(least, greatest, strict=True)]
    heads = [_COLUMN.pack(first, low) for first, low in zip(column[starts].tolist(), least, strict=True)]
    return _Column(heads, widths, _cut(out, max(widths)))


def _cut(column: npt.NDArray[Any], width: int) -> npt.NDArray[np.uint8]:
    """The lower ``width`` planes of a column, one a row."""
    return np.ascontiguousarray(column.view(np.uint8).reshape(len(column), 8)[:, :width].T)


def _noisy(plane: bytes) -> bool:
    """Whether a plane holds many byte values and, in a stretch of its middle, few neighbours that are equal."""
    if len(set(plane[:: -(-len(plane) // _SAMPLE)])) <= _NOISY:
        return False
    stretch = plane[len(plane) // 2 :][: _SAMPLE + 1]
    pairs = len(stretch) - 1
    changes = int.from_bytes(stretch[1:], "big") ^ int.from_bytes(stretch[:-1], "big")
    return changes.to_bytes(pairs, "big").count(0) * 5 < pairs


def _deflate(soft: bytes) -> bytes:
    stream = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return stream.compress(soft) + stream.flush() if soft else b""


def _mask(flags: Sequence[bool]) -> int:
    return sum(1 << k for k, flag in enumerate(flags) if flag)


# --- reading -----------------------------------------------------------------------------------------------------


def _refuse(why: str) -> NoReturn:
    raise InvalidValue(f"these bytes are not a chunk of metric points: {why}; they are damaged or come from elsewhere")


class _Head(NamedTuple):
    n: int
    constant: int
    raw: int
    size: int
    integers: list[tuple[int, int]]  # first value and base of each column


def _head(blob: _Blob, columns: int) -> _Head:
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
    if constant & raw or (constant | raw) >> 8 * (columns + 1):
        _refuse("its plane masks contradict each other")
    due = at + constant.bit_count() + size + raw.bit_count() * n
    if len(blob) != due:
        _refuse(f"{due} bytes are due, {len(blob)} are there")
    return _Head(n, constant, raw, size, list(_COLUMN.iter_unpack(blob[_HEAD.size : at])))


def _fill(chunk: bytes, head: _Head, out: npt.NDArray[np.int64]) -> None:
    """Decode into the rows of ``out``: the integer columns, then the values."""
    planes = _planes(chunk, head)
    for k, (first, base) in enumerate(head.integers):
        _sum(planes[8 * k : 8 * k + 8], first, base, out[k])
    _join(planes[-8:], out[-1])


def _planes(chunk: bytes, head: _Head) -> list[_Blob]:
    """All planes: the constant ones' bytes come first, then the packed ones, then the raw ones; b"" for one of zeros."""
    n, constant, raw, size, integers = head
    rows, at = 8 * (len(integers) + 1), _HEAD.size + len(integers) * _COLUMN.size
    packed = at + constant.bit_count()
    soft = _inflate(chunk[packed : packed + size], (rows - constant.bit_count() - raw.bit_count()) * n)
    flats, softs, hards = iter(chunk[at:packed]), _pieces(soft, 0, n), _pieces(chunk, packed + size, n)
    out: list[_Blob] = []
    for k in range(rows):
        if constant >> k & 1:
            byte = next(flats)
            out.append(bytes((byte,)) * n if byte else b"")
        else:
            out.append(next(hards if raw >> k & 1 else softs))
    return out


def _pieces(data: bytes, start: int, n: int) -> Iterator[memoryview]:
    whole = memoryview(data)
    return (whole[at : at + n] for at in range(start, len(data), n))


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


def _join(planes: Sequence[_Blob], out: Integers) -> None:
    """The eight planes as words."""
    if not all(planes):
        out.fill(0)
    cells = out.view(np.uint8).reshape(len(out), 8)
    for k, plane in enumerate(planes):
        if plane:
            cells[:, k] = np.frombuffer(plane, np.uint8)


def _sum(planes: Sequence[_Blob], first: int, base: int, out: Integers) -> None:
    """What :func:`_differences` was given, from what it gave."""
    end = first + len(out) * base
    if not any(planes) and base and -(1 << 63) <= end < 1 << 63:
        out[:] = np.arange(first, end, base, dtype=np.int64)  # what the sum gives, several times as fast
        return
    _join(planes, out)
    out += base
    out[0] = first
    np.cumsum(out, out=out)
