"""Chunks: exact, small, and safe to read from anywhere."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.chunks import CHUNK, decode, decode_many, decode_mixed, encode, encode_many, encode_mixed
from prefect_ledger.errors import InvalidValue
from prefect_ledger.points import Points

INT64 = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(-3, 3)
# Quiet and signalling NaN with payloads, both infinities and zeros, subnormals, the largest and smallest.
ODD_BITS = [
    *(0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001, 0xFFF8_DEAD_BEEF_0001, 0x7FFF_FFFF_FFFF_FFFF),
    *(0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0, 1 << 63, 1, 0x800F_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF),
]
BITS = st.sampled_from(ODD_BITS) | st.integers(0, 2**64 - 1)


def ints(values: list[int]) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def bits(values: list[int]) -> npt.NDArray[np.float64]:
    return np.array(values, np.uint64).view(np.float64)


@st.composite
def columns(draw: st.DrawFn) -> tuple[npt.NDArray[np.int64], Points]:
    rows = draw(st.lists(st.tuples(INT64 | NEAR, INT64 | NEAR, INT64 | NEAR, BITS), min_size=1, max_size=60))
    ids, steps, times, values = (list(column) for column in zip(*rows, strict=True))
    return ints(ids), Points(ints(steps), ints(times), bits(values))


def same(a: Points, b: Points) -> bool:
    """Equal bit for bit, which == is not for NaN and -0.0."""
    pairs = zip(a, b, strict=True)
    return all(x.dtype == y.dtype and np.array_equal(x.view(np.int64), y.view(np.int64)) for x, y in pairs)


def clock(n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A logging loop at 100 Hz whose clock jitters, in microseconds."""
    return 1_750_000_000_000_000 + np.cumsum(rng.normal(10_000, 50, n).astype(np.int64))


@settings(max_examples=200, deadline=None)
@given(columns())
def test_any_points_come_back_bit_for_bit(given_columns: tuple[npt.NDArray[np.int64], Points]) -> None:
    """Every step, time and bit pattern of a value survives a chunk, in the order it went in, alone or beside series ids."""
    ids, points = given_columns
    assert same(decode(encode(points)), points)
    back_ids, back = decode_mixed(encode_mixed(ids, points))
    assert np.array_equal(back_ids, ids)
    assert same(back, points)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 255, 256, 511, 512, 513, 4_097, CHUNK - 1, CHUNK]) | st.integers(1, CHUNK),
    st.integers(0, 2**32),
    st.sampled_from(["bits", "noise", "float32", "rounded", "constant", "flat then noise"]),
    st.sampled_from(["count", "wild", "same", "back"]),
)
def test_chunks_of_every_size_come_back_bit_for_bit(n: int, seed: int, kind: str, walk: str) -> None:
    """Noisy, packed and constant planes in every mixture round-trip, up to a full chunk."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n)
    values = {
        "bits": rng.integers(0, 2**64, n, np.uint64).view(np.float64),
        "noise": noise,
        "float32": noise.astype(np.float32).astype(np.float64),
        "rounded": np.round(noise, 3),
        "constant": np.full(n, noise[0]),
        "flat then noise": np.where(np.arange(n) < n // 2, 0.0, noise),
    }[kind]
    steps = {
        "count": np.arange(n) * 7 - 5,
        "wild": rng.integers(-(2**63), 2**63, n),
        "same": np.full(n, -(2**63)),
        "back": np.arange(n)[::-1].copy(),
    }[walk]
    points = Points(steps, clock(n, rng), values)
    assert same(decode(encode(points)), points)
    ids = np.sort(rng.integers(-(2**63), 2**63, 1 + n // 10)[rng.integers(0, 1 + n // 10, n)])
    back_ids, back = decode_mixed(encode_mixed(ids, points))
    assert np.array_equal(back_ids, ids)
    assert same(back, points)


@settings(max_examples=80, deadline=None)
@given(st.lists(columns(), max_size=4))
@pytest.mark.long
def test_many_chunks_read_as_one_series(parts: list[tuple[npt.NDArray[np.int64], Points]]) -> None:
    """Chunks decoded together are what they are alone, one after the other; none are no points, a bad one among them is refused."""
    blobs = [encode(points) for _, points in parts]
    joined = Points(*(np.concatenate([ints([]).astype(x.dtype), *(p[k] for _, p in parts)]) for k, x in enumerate(decode_many([]))))
    assert same(decode_many(blobs), joined)
    with pytest.raises(InvalidValue, match="not a chunk"):
        decode_many([*blobs, b"", *blobs])


@settings(max_examples=80, deadline=None)
@given(st.lists(columns(), min_size=1, max_size=5))
def test_chunks_cut_together_are_what_they_are_alone(parts: list[tuple[npt.NDArray[np.int64], Points]]) -> None:
    """Pieces encoded at once are byte for byte the chunks that each would be alone; hurried, they hold the same points."""
    pieces = [points for _, points in parts]
    counts = [len(points.values) for points in pieces]
    whole = Points(*(np.concatenate(column) for column in zip(*pieces, strict=True)))
    assert encode_many(whole, counts) == [encode(points) for points in pieces]
    assert all(same(decode(blob), points) for blob, points in zip(encode_many(whole, counts, hurried=True), pieces, strict=True))
    with pytest.raises(InvalidValue, match="cannot be cut"):
        encode_many(whole, [*counts, 1])


def test_columns_of_a_wider_record_can_be_encoded_as_they_lie() -> None:
    """Strided columns, as a journal's records have them, are stored like contiguous ones."""
    record = np.zeros(1_000, [("step", "<i8"), ("time", "<i8"), ("value", "<f8"), ("rest", "<u8")])
    record["step"], record["time"] = np.arange(1_000), np.arange(1_000) ** 2
    record["value"] = np.sqrt(record["step"])
    points = Points(record["step"], record["time"], record["value"])
    assert same(decode(encode(points)), Points(points.steps.copy(), points.times.copy(), points.values.copy()))


def test_decoded_arrays_belong_to_the_caller() -> None:
    """Decoded arrays can be written, and the chunk they came from does not notice."""
    blob = encode(Points(ints([1, 2]), ints([3, 4]), np.array([0.5, 0.25])))
    for column in decode(blob):
        column[:] = 0
    assert decode(blob).values.tolist() == [0.5, 0.25]
    assert same(decode(memoryview(blob)), decode(bytearray(blob)))


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("noise", 8.5), ("float32", 5.0), ("rounded", 8.5), ("constant", 1.3)],
)
def test_points_of_a_jittery_clock_take_few_bytes(kind: str, limit: float) -> None:
    """At 100 Hz noisy values take about 8 bytes with step and time, float32 ones 5, and a constant no more than its clock."""
    n, rng = 8_192, np.random.default_rng(1)
    loss = 2 * np.exp(-np.arange(n) / 3_000) + rng.normal(0, 0.02, n)
    values = {
        "noise": loss,
        "float32": loss.astype(np.float32).astype(np.float64),
        "rounded": np.round(loss, 4),
        "constant": loss * 0 + 0.5,
    }
    assert len(encode(Points(np.arange(n), clock(n, rng), values[kind]))) / n < limit


def test_a_regular_constant_series_is_its_header() -> None:
    """Equal strides and equal values cost nothing more for more points."""
    sizes = {len(encode(Points(np.arange(n), np.arange(n) * 1_000, np.full(n, 0.1)))) for n in (2, 100, CHUNK)}
    assert len(sizes) == 1
    assert sizes.pop() < 80


@pytest.mark.parametrize(
    "points",
    [
        Points(ints([]), ints([]), np.array([])),
        Points(np.arange(CHUNK + 1), np.arange(CHUNK + 1), np.zeros(CHUNK + 1)),
        Points(ints([1]), ints([1, 2]), np.array([0.5, 0.5])),
        Points(ints([1, 2]), ints([1, 2]), np.array([0.5])),
        Points(np.array([1.0]), ints([1]), np.array([0.5])),
        Points(ints([1]), ints([1]), np.array([0.5], np.float32)),
        Points(ints([1]), ints([1]).reshape(1, 1), np.array([0.5])),
    ],
)
def test_what_is_no_column_of_points_is_refused(points: Points) -> None:
    """No points, too many, unequal lengths and other types are refused before anything is written."""
    with pytest.raises(InvalidValue):
        encode(points)
    with pytest.raises(InvalidValue):
        encode_mixed(np.zeros(len(points.values), np.int64), points)


def test_ids_must_match_the_points() -> None:
    """A mixed chunk needs the series of every point, as int64."""
    points = Points(ints([1, 2]), ints([1, 2]), np.array([0.5, 0.5]))
    for ids in (ints([1]), np.array([1.0, 2.0])):
        with pytest.raises(InvalidValue, match="ids"):
            encode_mixed(ids, points)


# --- chunks from elsewhere ---------------------------------------------------------------------------------------


def a_chunk(n: int = 300) -> bytes:
    """One with constant, packed and raw planes."""
    rng = np.random.default_rng(2)
    values = np.where(np.arange(600)[:n] % 7, rng.normal(size=600)[:n], np.nan)
    return encode(Points(np.arange(n), clock(n, rng), values))


def read_or_refuse(blob: bytes) -> None:
    """Either the one clear error or columns of one length."""
    for read in (decode, lambda b: decode_mixed(b)[1]):
        try:
            points = read(blob)
        except InvalidValue:
            continue
        assert len(points.steps) == len(points.times) == len(points.values) <= CHUNK


def test_every_truncation_is_refused() -> None:
    """A chunk that lost its tail, however much of it, does not read as fewer points; nor does one that grew."""
    for blob in (a_chunk(), a_chunk(600), encode(Points(ints([1]), ints([2]), np.array([3.0])))):
        for end in range(len(blob)):
            with pytest.raises(InvalidValue, match="not a chunk"):
                decode(blob[:end])
        with pytest.raises(InvalidValue, match="not a chunk"):
            decode(blob + b"\0")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 79) | st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4), st.booleans())
def test_flipped_bytes_never_crash(flips: list[tuple[int, int]], mixed: bool) -> None:
    """A damaged chunk is refused or reads as points, whichever bytes were hit, the header's most of all."""
    points = decode(a_chunk())
    blob = bytearray(encode_mixed(np.repeat([4, 9], 150), points) if mixed else encode(points))
    for at, flip in flips:
        blob[at % len(blob)] ^= flip
    read_or_refuse(bytes(blob))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=60), st.integers(0, CHUNK + 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_made_up_bytes_never_crash(noise: bytes, body: bytes, n: int, constant: int, raw: int) -> None:
    """Bytes that were never a chunk, bare or behind a header that looks right, are refused or read as points."""
    read_or_refuse(noise)
    for integers, planes in ((2, 0xFF_FFFF), (3, 0xFFFF_FFFF)):
        heads = struct.pack("<qq", -1, 2**63 - 1) * integers
        for c, r in ((constant, raw), (constant & planes, raw & planes & ~constant), (planes, 0)):
            read_or_refuse(struct.pack("<BBIIII", 1, integers, n, c, r, len(body)) + heads + body)


def test_the_packed_part_must_be_whole() -> None:
    """A packed part whose checksum is cut off or followed by something is refused, even where all its bytes came out."""
    head = struct.Struct("<BBIIII")
    good = encode(Points(np.arange(400), np.arange(400) % 3, np.full(400, 0.5)))
    *start, size = head.unpack_from(good)
    assert head.size + 32 + 23 + size == len(good)  # two integer columns, all planes but one constant, one packed
    for change, blob in ((-1, good[:-1]), (-4, good[:-4]), (3, good + b"abc")):
        with pytest.raises(InvalidValue, match="packed part"):
            decode(head.pack(*start, size + change) + blob[head.size :])


@pytest.mark.parametrize(("constant", "raw"), [(0xFF_FFFF, 1), (0x1FF_FFFF, 0), (0, 0x1FF_FFFF), (0x8000_0000, 0)])
def test_masks_of_planes_that_cannot_be_are_refused(constant: int, raw: int) -> None:
    """A plane that is both constant and raw, or beyond the last one, is refused though all lengths add up."""
    body = bytes(constant.bit_count() + raw.bit_count() * 10)
    with pytest.raises(InvalidValue, match="masks"):
        decode(struct.pack("<BBIIII", 1, 2, 10, constant, raw, 0) + struct.pack("<qq", 0, 0) * 2 + body)


def test_one_kind_of_chunk_does_not_read_as_the_other() -> None:
    """A mixed chunk is not taken for one series, nor the reverse, and a later version is named."""
    points = decode(a_chunk())
    with pytest.raises(InvalidValue, match="3 integer columns where 2"):
        decode(encode_mixed(np.zeros(300, np.int64), points))
    with pytest.raises(InvalidValue, match="2 integer columns where 3"):
        decode_mixed(encode(points))
    with pytest.raises(InvalidValue, match="version 9"):
        decode(b"\x09" + encode(points)[1:])


def test_a_bomb_is_stopped_at_the_size_it_should_have() -> None:
    """Length fields and deflated zeros that promise gigabytes are refused, and memory stays near what a full chunk needs."""
    heads = struct.pack("<qq", 0, 0) * 2
    bomb = zlib.compress(bytes(64 << 20), 9)
    blobs = [
        struct.pack("<BBIIII", 1, 2, CHUNK, 0, 0, len(bomb)) + heads + bomb,
        struct.pack("<BBIIII", 1, 2, 2**32 - 1, 0xFF_FFFF, 0, 0) + heads + bytes(24),
        struct.pack("<BBIIII", 1, 2, CHUNK, 0, 0, 2**32 - 1) + heads + bomb,
        struct.pack("<BBIIII", 1, 2, CHUNK, 0xFF_FFFF, 0, len(bomb)) + heads + bytes(24) + bomb,
    ]
    tracemalloc.start()
    try:
        for blob in blobs:
            with pytest.raises(InvalidValue, match="not a chunk"):
                decode(blob)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
