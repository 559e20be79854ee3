"""Pictures of a run as bytes that any browser shows: decoded here, and written anew, so that nothing but pixels reaches the page."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, BinaryIO

import streamlit as st

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import InvalidValue, LedgerError

from . import artifacts

if TYPE_CHECKING:
    from PIL import Image

PIXELS = 34_000_000  # of 8K; decoded they are 136 MB, for a moment
SIDE = 1_600  # pixels of the longer side as shown
_LARGE = 1 << 20  # bytes
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")  # others are seldom what a browser knows, or have readers with a history
_one = threading.Lock()  # at a time: each may take a hundred megabytes


@st.cache_data(ttl=300, max_entries=30, show_spinner=False)
def shown(_artifact: Artifact, sha256: str, side: int = SIDE) -> bytes:  # noqa: ARG001 - the digest is what it is kept by
    """The picture as bytes of a PNG or WebP, of at most ``side`` pixels in width and height; of a moving one the first.

    Raises:
        InvalidValue: no picture, or one of more pixels than are decoded here. Else as of its bytes.
    """
    with artifacts.looked_into(_artifact) as file, _one:
        return decoded(file, side)


def decoded(file: BinaryIO, side: int = SIDE) -> bytes:
    """The picture in ``file``; see :func:`shown`."""
    from PIL import Image, ImageOps

    try:
        picture: Image.Image = Image.open(file, formats=_FORMATS)
        width, height = picture.size
        if width * height > PIXELS:
            raise InvalidValue(
                f"a picture of so many pixels ({width:,} x {height:,}) is not decoded here ({PIXELS:,} at most); save the file"
            )
        picture.draft("RGB", (side, side))
        picture.load()
        picture.thumbnail((side, side))
        picture = ImageOps.exif_transpose(picture)
        return _written(picture.convert(_mode(picture)))
    except LedgerError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidValue(f"a picture of so many pixels is not decoded here ({PIXELS:,} at most); save the file to look at it") from error
    except Exception as error:  # Pillow's readers raise all sorts
        raise InvalidValue(f"this does not open as a picture ({type(error).__name__}); save the file to look at it") from error


def _written(picture: Image.Image) -> bytes:
    """As PNG; as WebP where that would be large, which the eye takes for the same."""
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=3)
    if target.tell() > _LARGE:
        target = io.BytesIO()
        picture.save(target, "WEBP", quality=90, method=2)
    return target.getvalue()


def _mode(picture: object) -> str:
    mode = str(getattr(picture, "mode", ""))
    if mode in ("1", "L", "RGB", "RGBA", "LA"):
        return "L" if mode == "1" else mode
    info = getattr(picture, "info", {})
    return "RGBA" if mode in ("PA", "La", "RGBa") or "transparency" in info else "RGB"
