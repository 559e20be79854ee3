"""Floor 5. Pictures as bytes. What is given is checked for what it says, never bent into shape; Pillow is loaded with the first picture."""

from __future__ import annotations

import io
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.tracking.figures import offers

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Array = np.ndarray[Any, np.dtype[Any]]

PIXELS = 1 << 26  # 8,192 x 8,192; beyond, Pillow itself warns of a bomb when the picture is opened
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_PLAIN = ("1", "L", "RGB")  # modes that every format takes
_ANIMATED = ("PNG", "GIF", "WEBP", "TIFF")
_TAKEN = "a Pillow image, or an array or tensor of the shape height x width, or height x width x 1, 3 or 4"


class Encoded(NamedTuple):
    """A picture in its file format: the bytes, and how many pixels it is wide and high."""

    data: bytes
    width: int
    height: int


def is_picture(value: Any, path: str) -> bool:
    """Whether ``value`` is meant as a picture: the path ends as one's, and it is an image, an array or a tensor."""
    kind = type(value)
    return PurePosixPath(path).suffix.lower() in _FORMATS and (hasattr(kind, "__array__") or hasattr(kind, "__array_interface__"))


def encode(image: Any, path: str) -> Encoded:
    """``image`` in the format that the suffix of ``path`` names.

    Raises:
        InvalidValue: no picture, or one that the format cannot hold as it is. MissingExtra: Pillow is not installed.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in _FORMATS:
        raise InvalidValue(f"log_image cannot write {path!r}: a picture's path ends in {', '.join(_FORMATS)}")
    _refuse_others(image)
    picture = _picture(image)
    _check_size(*picture.size, getattr(picture, "n_frames", 1))
    return Encoded(_saved(picture, path, _FORMATS[suffix]), *picture.size)


def _refuse_others(image: Any) -> None:
    """What other verbs take, with the name of the verb."""
    kind = type(image)
    drawn = offers(image, "figure") and offers(image.figure, "savefig")  # an Axes
    if drawn or hasattr(kind, "savefig") or hasattr(kind, "to_plotly_json"):
        raise InvalidValue(f"log_image takes {_TAKEN}; this {kind.__name__} is a figure: log_figure(figure, 'plot.png')")
    if isinstance(image, str | os.PathLike):
        raise InvalidValue(f"log_image takes {_TAKEN}, not a path: log_artifact({os.fspath(image)!r:.80}) logs a file")
    if isinstance(image, bytes | bytearray | memoryview):
        raise InvalidValue(f"log_image takes {_TAKEN}, not bytes: log_bytes(data, 'picture.png') logs what is encoded already")


def _picture(image: Any) -> Image:
    try:
        from PIL import Image as Pillow
    except ImportError as error:
        raise MissingExtra("pillow", "media", need="log_image") from error
    return image if isinstance(image, Pillow.Image) else Pillow.fromarray(_pixels(image))


def _check_size(width: int, height: int, frames: int = 1) -> None:
    if not width or not height:
        raise InvalidValue(f"a picture of {width} x {height} pixels shows nothing")
    if width * height * frames > PIXELS:
        many = f" in {frames} frames" if frames > 1 else ""
        raise InvalidValue(
            f"a picture of {width:,} x {height:,} pixels{many} is too large: at most {PIXELS:,} pixels; make it smaller first"
        )


def _saved(picture: Image, path: str, format_: str) -> bytes:
    buffer = io.BytesIO()
    # The lightest compression takes half the time of the usual one, for files that are a tenth larger.
    options: dict[str, Any] = {"compress_level": 1} if format_ == "PNG" else {}
    if format_ in _ANIMATED and getattr(picture, "is_animated", False):
        options["save_all"] = True
    try:
        picture.save(buffer, format_, **options)
    except Exception as error:  # Pillow's codecs and readers raise all sorts for files that are cut or odd
        advice = "a path that ends in .png, as PNG holds every size" if picture.mode in _PLAIN else "image.convert('RGB') fits every format"
        wide, high = picture.size
        raise InvalidValue(
            f"this picture of {wide:,} x {high:,} pixels in the mode {picture.mode} cannot be written as {path!r}: {error}; {advice}"
        ) from error
    return buffer.getvalue()


# --- arrays ------------------------------------------------------------------------------------------------------------------


def _pixels(image: Any) -> Array:
    """``image`` as uint8 of the shape (height, width) or (height, width, 3 or 4)."""
    array = _array(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise InvalidValue(f"log_image takes {_TAKEN}, not of the shape {_shown(array.shape)}{_advice(array)}")
    _check_size(array.shape[1], array.shape[0])
    kind = array.dtype.kind
    if kind == "b":
        return array.astype("uint8") * 255
    if kind in "iu":
        return _whole(array)
    if kind == "f":
        return _fractions(array)
    raise InvalidValue(f"log_image takes bools, whole numbers of 0 to 255 and fractions of 0 to 1, not an array of {array.dtype}")


def _array(image: Any) -> Array:
    import numpy as np

    kind = type(image)
    named = f"{kind.__module__}.{kind.__qualname__}"
    if not (hasattr(kind, "__array__") or hasattr(kind, "__array_interface__")):
        raise InvalidValue(f"log_image takes {_TAKEN}, not a {named}")
    if isinstance(image, np.ma.MaskedArray) and np.ma.getmaskarray(image).any():
        raise InvalidValue("a picture has no missing pixels: array.filled(0) says what they show")
    try:
        if callable(getattr(kind, "detach", None)) and callable(getattr(kind, "cpu", None)):  # a tensor that learns, or lies elsewhere
            image = image.detach().cpu()
        return np.asarray(image)
    except Exception as error:  # a framework raises what it likes for a dtype or device that numpy does not know
        raise InvalidValue(f"log_image: this {named} is no array of pixels: {type(error).__name__}: {error}") from error


def _advice(array: Array) -> str:
    if array.ndim == 3 and array.shape[0] in (1, 3, 4):
        return ": the channels come last, as in array.transpose(1, 2, 0), or tensor.permute(1, 2, 0)"
    return ": log one picture at a time" if array.ndim == 4 else ""


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape) or "a single number"


def _whole(array: Array) -> Array:
    if array.dtype.itemsize > 1 or array.dtype.kind == "i":
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 255:
            raise InvalidValue(
                f"pixels that are whole numbers are 0 to 255, not {low:,} to {high:,}: scale them first, or take a Pillow image"
            )
    return array.astype("uint8", copy=False)


def _fractions(array: Array) -> Array:
    import numpy as np

    low, high = float(array.min()), float(array.max())  # NaN where there is one
    if not (low >= 0 and high <= 1):
        if np.isnan(low):
            raise InvalidValue("pixels that are fractions are 0 to 1, and some of these are NaN: np.nan_to_num(array) says what they show")
        hint = "array / 255" if low >= 0 and high <= 255 else "np.clip(array, 0, 1), or (array - array.min()) / np.ptp(array)"
        raise InvalidValue(f"pixels that are fractions are 0 to 1, not {low:g} to {high:g}: {hint}")
    steps: Array = np.rint(array.astype(np.float32, copy=False) * np.float32(255)).astype(np.uint8)
    return steps
