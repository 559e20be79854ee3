"""log_image: what was given is what is read back, by step; what is no picture is refused in words and leaves nothing."""

from __future__ import annotations

import io
import struct
import sys
import threading
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib.figure import Figure
from PIL import Image

from prefect_ledger import get_run, log_image, start_run
from prefect_ledger.errors import ArtifactNotFound, InvalidName, InvalidValue, LedgerError, MissingExtra, RunFinished
from prefect_ledger.tracking.images import PIXELS, encode
from prefect_ledger.tracking.ledger import Ledger

LAW = settings(max_examples=100, deadline=None)
STORED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Array = np.ndarray[Any, np.dtype[Any]]


def opened(data: bytes) -> Array:
    """The pixels of an encoded picture."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


sides = st.integers(1, 12)
shapes = st.one_of(st.tuples(sides, sides), st.tuples(sides, sides, st.sampled_from([1, 3, 4])))
wholes = st.sampled_from(["uint8", "int8", "uint16", "int32", "int64", "uint64", ">i4"])


@LAW
@given(shapes, wholes, st.data())
def test_whole_numbers_come_back(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    """Of every dtype, pixels from 0 to 255 are kept as they are, however the array lies in memory."""
    high = 127 if dtype == "int8" else 255
    given_ = data.draw(arrays.arrays(dtype, shape, elements=st.integers(0, high)))
    expected = given_[:, :, 0] if given_.ndim == 3 and shape[2] == 1 else given_
    for laid in (given_, np.asfortranarray(given_), given_[::-1][::-1]):
        encoded = encode(laid, "a.png")
        np.testing.assert_array_equal(opened(encoded.data), expected)
    assert (encoded.height, encoded.width) == shape[:2]


@LAW
@given(st.tuples(sides, sides), st.sampled_from(["float16", "float32", "float64"]), st.data())
def test_fractions_come_back_to_the_nearest_of_256_steps(shape: tuple[int, ...], dtype: str, data: st.DataObject) -> None:
    """0 is black, 1 is white, and none in between is further off than half a step."""
    given_ = data.draw(arrays.arrays(dtype, shape, elements=st.floats(0, 1, width=16)))
    assert np.abs(opened(encode(given_, "a.png").data) / 255 - given_.astype(float)).max() <= 0.5 / 255 + 1e-6


@given(arrays.arrays(bool, st.tuples(sides, sides)))
def test_masks_come_back(mask: Array) -> None:
    """True is white."""
    np.testing.assert_array_equal(opened(encode(mask, "a.png").data) == 255, mask)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pillows_images_come_back_in_their_mode(mode: str) -> None:
    """PNG keeps what Pillow has, and the given image is not changed."""
    picture = Image.fromarray(np.arange(48, dtype="uint8").reshape(4, 4, 3)).convert("L" if mode == "I;16" else mode)
    picture = picture.convert(mode) if mode == "I;16" else picture
    before = picture.tobytes()
    with Image.open(io.BytesIO(encode(picture, "a.png").data)) as found:
        assert (found.size, found.convert("RGBA").tobytes()) == ((4, 4), picture.convert("RGBA").tobytes())
    assert (picture.mode, picture.tobytes()) == (mode, before)


@pytest.mark.parametrize(
    ("ending", "format_"), [("jpg", "JPEG"), ("JPEG", "JPEG"), ("webp", "WEBP"), ("gif", "GIF"), ("bmp", "BMP"), ("tiff", "TIFF")]
)
def test_the_ending_of_the_path_says_the_format(ending: str, format_: str) -> None:
    """Any of Pillow's usual formats, whatever the case."""
    with Image.open(io.BytesIO(encode(np.zeros((4, 4, 3), "uint8"), f"a.{ending}").data)) as picture:
        assert picture.format == format_


def test_moving_pictures_keep_their_frames() -> None:
    """An animated GIF is logged with every frame."""
    frames = [Image.fromarray(np.full((4, 4), grey, "uint8")) for grey in (0, 120, 250)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with Image.open(buffer) as moving, Image.open(io.BytesIO(encode(moving, "a.gif").data)) as found:
        assert getattr(found, "n_frames", 1) == 3


class Tensor:
    """As torch's: on another device, and part of a graph, until it is asked to leave both."""

    def __init__(self, array: Array, at: str = "gpu") -> None:
        self._array, self._at = array, at

    def detach(self) -> Tensor:
        return Tensor(self._array, "gpu, alone")

    def cpu(self) -> Tensor:
        assert self._at == "gpu, alone"
        return Tensor(self._array, "cpu")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        if self._at != "cpu":
            raise TypeError("can't convert gpu tensor to numpy")
        return self._array


def test_tensors_are_taken() -> None:
    """Also from a GPU and with a gradient."""
    pixels = np.arange(9, dtype="uint8").reshape(3, 3)
    np.testing.assert_array_equal(opened(encode(Tensor(pixels), "a.png").data), pixels)


def header(width: int, height: int) -> Image.Image:
    """A picture that is nothing but a promise of its size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return Image.open(io.BytesIO(data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))))


def wide(*shape: int) -> Array:
    """An array of many pixels and no memory."""
    return np.broadcast_to(np.uint8(0), shape)


REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("no pixels", lambda: np.zeros((0, 4), "uint8"), "0 pixels shows nothing"),
    ("too many pixels", lambda: wide(1 << 14, 1 << 14), f"too large: at most {PIXELS:,} pixels"),
    ("too many in Pillow", lambda: header(9_000, 8_000), "too large"),
    ("cut short", lambda: header(90, 80), "cannot be written"),
    ("one number", lambda: np.uint8(3), "a single number"),
    ("one dimension", lambda: wide(9), "shape 9"),
    ("a batch", lambda: wide(2, 4, 4, 3), "one picture at a time"),
    ("channels first", lambda: wide(3, 8, 8), "channels come last.*permute"),
    ("two channels", lambda: wide(4, 4, 2), "not of the shape 4 x 4 x 2"),
    ("negative", lambda: np.array([[-1, 3]]), "0 to 255, not -1 to 3"),
    ("16 bits", lambda: np.array([[0, 4096]], "uint16"), "0 to 255, not 0 to 4,096"),
    ("NaN", lambda: np.array([[0.5, np.nan]]), "NaN"),
    ("infinite", lambda: np.array([[0.5, np.inf]]), "fractions are 0 to 1"),
    ("fractions of 255", lambda: np.array([[0.0, 255.0]]), "array / 255"),
    ("negative fractions", lambda: np.array([[-1.0, 1.0]]), "not -1 to 1"),
    ("complex", lambda: np.array([[1j]]), "complex128"),
    ("text", lambda: np.array([["a"]]), "not an array of <U1"),
    ("objects", lambda: np.array([[object()]]), "not an array of object"),
    ("missing pixels", lambda: np.ma.masked_equal(np.array([[1, 2]]), 2), "no missing pixels"),
    ("a list", lambda: [[1, 2], [3, 4]], "not a builtins.list"),
    ("a path", lambda: "cat.png", r"not a path: log_artifact\('cat.png'\)"),
    ("bytes", lambda: b"\x89PNG", "log_bytes"),
    ("matplotlib's", Figure, "is a figure: log_figure"),
    ("axes", lambda: Figure().subplots(), "is a figure: log_figure"),
    ("plotly's", go.Figure, "is a figure: log_figure"),
    ("nothing", lambda: None, "not a builtins.NoneType"),
    ("inks", lambda: Image.new("CMYK", (2, 2)), r"convert\('RGB'\)"),
]


@pytest.mark.parametrize("make", [pytest.param((make, said), id=name) for name, make, said in REFUSED])
def test_what_is_no_picture_is_refused(make: tuple[Callable[[], Any], str]) -> None:
    """In words that say what was found and what to do."""
    with pytest.raises(InvalidValue, match=make[1]):
        encode(make[0](), "a.png")


def test_a_format_that_cannot_hold_it_is_refused() -> None:
    """See-through pictures are no JPEG, and an unknown ending is none at all."""
    with pytest.raises(InvalidValue, match=r"mode RGBA cannot be written as 'a\.jpg'"):
        encode(Image.new("RGBA", (2, 2)), "a.jpg")
    with pytest.raises(InvalidValue, match=r"ends in \.png, \.jpg"):
        encode(np.zeros((2, 2)), "a.exe")


def test_a_refused_picture_leaves_nothing(fresh_ledger: Ledger) -> None:
    """No artifact, no step that was counted; the next picture is the first."""
    good = np.zeros((2, 2))
    wrong: list[tuple[type[LedgerError], dict[str, Any]]] = [
        (InvalidValue, {"image": np.full((2, 2), 7.5), "key": "a"}),
        (InvalidValue, {"image": good}),
        (InvalidValue, {"image": good, "path": "a.png", "key": "a"}),
        (InvalidValue, {"image": good, "path": "a.png", "step": 1}),
        (InvalidValue, {"image": good, "key": "a", "step": 1.5}),
        (InvalidValue, {"image": good, "key": "a", "step": 1 << 63}),
        (InvalidName, {"image": good, "key": "../a"}),
        (InvalidName, {"image": good, "key": "a//b"}),
        (InvalidName, {"image": good, "path": "../a.png"}),
        (InvalidName, {"image": good, "key": "password=hunter2"}),
    ]
    with start_run(experiment="e") as run:
        for error, given_ in wrong:
            with pytest.raises(error):
                run.log_image(**given_)
        run.log_image(good, key="a")
    with pytest.raises(RunFinished):
        run.log_image(good, key="a")
    found = get_run(run.id)
    assert [(one.key, one.step) for one in found.images()] == [("a", 0)]
    assert len(found.artifacts) == 1


@STORED
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "val/guess", "a.b c"]), st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 3)), max_size=8
    )
)
def test_series_come_back_by_step(fresh_ledger: Ledger, logged: list[tuple[str, int]]) -> None:
    """Each picture of each key, in the order of steps and then of logging; several of one step are all kept."""
    with start_run(experiment="e") as run:
        for number, (key, step) in enumerate(logged):
            run.log_image(np.full((1, 2), number, "uint8"), key=key, step=step)
    found = get_run(run.id)
    for key in {key for key, _ in logged} | {"none of these"}:
        expected = sorted((step, number) for number, (other, step) in enumerate(logged) if other == key)
        assert [(one.step, int(np.asarray(one.open())[0, 0])) for one in found.images(key)] == expected
    assert len(found.images()) == len(logged)


def test_what_is_known_of_a_picture(fresh_ledger: Ledger) -> None:
    """Its type, size and place; pictures under a path are the last of that path, and files of pictures are pictures too."""
    with start_run(experiment="e") as run:
        for grey in (1, 2):
            log_image(Image.new("L", (5, 3), grey), "plots/one.png")
        run.log_bytes(encode(np.zeros((2, 2)), "a.webp").data, "files/two.webp")
        run.log_text("no picture", "notes.txt")
    one, two = get_run(run.id).images()[::-1]
    assert (one.path, one.media, one.key, one.step) == ("plots/one.png", "image/png", None, None)
    assert dict(one.artifact.metadata) == {"media": "image/png", "width": 5, "height": 3}
    assert one.open().getpixel((0, 0)) == 2
    assert (two.path, two.media) == ("files/two.webp", "image/webp")
    assert repr(one) == "<image 'plots/one.png'>"


def test_steps_are_counted_per_key_and_from_many_threads(fresh_ledger: Ledger) -> None:
    """Without a step they count from 0, each number once, whoever logs."""
    with start_run(experiment="e") as run:

        def work() -> None:
            for _ in range(10):
                run.log_image(np.zeros((1, 1)), key="a")

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.log_image(np.zeros((1, 1)), key="b")
    found = get_run(run.id)
    assert [one.step for one in found.images("a")] == list(range(30))
    assert [one.step for one in found.images("b")] == [0]


def test_of_a_task_that_was_tried_again_the_last_try_counts(fresh_ledger: Ledger) -> None:
    """As with metrics: a try that failed has drawn pictures too, and nobody wants to see each twice; the same of attempts."""
    task = "0b5a3f0e-0000-0000-0000-000000000001"
    with start_run(experiment="e") as run:
        for number in (1, 2):
            for step in range(3 - number):
                run.for_task(task, number).log_image(np.full((1, 1), number, "uint8"), key="a", step=step)
        run.log_image(np.full((1, 1), 9, "uint8"), key="a", step=5)
    found = get_run(run.id)
    assert [(one.step, one.open().getpixel((0, 0))) for one in found.images("a")] == [(0, 2), (5, 9)]
    assert len(found.artifacts) == 4
    again = fresh_ledger.enter(run.id, attempt=2, experiment="e")
    again.log_image(np.zeros((1, 1)), key="a", step=1)
    again.finish()
    assert [one.step for one in get_run(run.id).images("a")] == [1]


def test_every_store_has_them_in_order(store_url: str, fresh_ledger: Ledger) -> None:
    """On SQLite and PostgreSQL: those of the last attempt, by key, step and time; and one artifact by its path."""
    with start_run(experiment="e") as run:
        run.log_image(np.zeros((1, 1)), key="old", step=0)
        run.log_text("first", "note.txt")
    again = fresh_ledger.enter(run.id, attempt=2, experiment="e")
    for key, step in (("b", 1), ("a", 2), ("a", -1), ("a", 2)):
        again.log_image(np.zeros((1, 1)), key=key, step=step)
    again.log_image(np.zeros((1, 1)), "z.png")
    again.log_table({"n": [1]}, "t", step=1)
    again.finish()
    found = get_run(run.id)
    assert [(one.key, one.step) for one in found.images()] == [(None, None), ("a", -1), ("a", 2), ("a", 2), ("b", 1)]
    assert found.table("t", as_="arrow").to_pylist() == [{"step": 1, "n": 1}]
    assert found.read_artifact("note.txt") == b"first"
    with pytest.raises(ArtifactNotFound, match=r"no artifact 'note'; it has: images/a/-1-"):
        found.read_artifact("note")


def test_a_picture_shows_itself_in_a_notebook(fresh_ledger: Ledger) -> None:
    """As what it is; what a notebook could run code from is not shown by itself."""
    with start_run(experiment="e") as run:
        run.log_image(np.zeros((1, 1)), "a.png")
        run.log_image(np.zeros((1, 1)), "b.jpg")
        run.log_bytes(b"<svg onload='alert(1)'/>", "c.svg")
    png, jpeg, svg = get_run(run.id).images()
    assert (png._repr_png_(), jpeg._repr_jpeg_()) == (png.read(), jpeg.read())
    assert [png._repr_jpeg_(), jpeg._repr_png_(), svg._repr_png_(), svg._repr_jpeg_()] == [None] * 4
    assert not hasattr(svg, "_repr_svg_")


def test_without_pillow_the_extra_is_named(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra says how to get it, and keeps nothing."""
    with start_run(experiment="e") as run:
        run.log_image(np.zeros((1, 1)), key="b")
        monkeypatch.setitem(sys.modules, "PIL", None)
        with pytest.raises(MissingExtra, match=r"log_image needs the package 'pillow': pip install 'prefect-ledger\[media\]'"):
            run.log_image(np.zeros((1, 1)), key="a")
    (one,) = get_run(run.id).images()
    assert one.read().startswith(b"\x89PNG")
    with pytest.raises(MissingExtra, match="opening a picture"):
        one.open()


def test_what_is_no_picture_does_not_open(fresh_ledger: Ledger) -> None:
    """A file that only calls itself one says so in words."""
    with start_run(experiment="e") as run:
        run.log_bytes(b"<svg/>", "a.svg")
    with pytest.raises(InvalidValue, match=r"'a\.svg' \(image/svg\+xml\) does not open"):
        get_run(run.id).images()[0].open()


def test_a_format_that_is_too_small_is_not_blamed_on_the_mode() -> None:
    """A picture in a mode that every format takes, and too wide for its own, is told of a format that has room."""
    with pytest.raises(InvalidValue, match="PNG holds every size"):
        encode(np.zeros((1, 70_000), "uint8"), "wide.gif")
