"""Floor 5. Figures as bytes, recognised by what they can do, so that no plotting library is imported for it."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

from prefect_ledger.errors import InvalidValue


def render(figure: Any, path: str) -> bytes:
    """``figure`` in the format that the suffix of ``path`` names.

    Raises:
        InvalidValue: not a matplotlib or plotly figure, or a format it cannot be written in.
    """
    suffix = PurePosixPath(path).suffix.lower().lstrip(".")
    if not suffix:
        raise InvalidValue(f"log_figure needs a path with a format, such as {path + '.png'!r}")
    if isinstance(figure, type):
        raise InvalidValue(f"log_figure takes a figure, not the class {figure.__name__}: make one of it first")
    if offers(figure, "savefig"):
        return _matplotlib(figure, path, suffix)
    if offers(figure, "to_plotly_json"):
        return _plotly(figure, path, suffix)
    if offers(figure, "figure") and offers(figure.figure, "savefig"):  # an Axes, or seaborn's grids
        return _matplotlib(figure.figure, path, suffix)
    hint = ": log_image takes pictures" if offers(figure, "getpixel") or offers(figure, "__array__") else ""
    raise InvalidValue(f"log_figure takes a matplotlib or plotly figure, not {type(figure).__name__}{hint}")


def suffix_of(figure: Any) -> str:
    """The ending of one of a series of figures: plotly's as JSON, since a page of it is 4 MB of program each time."""
    return ".json" if offers(figure, "to_plotly_json") else ".png"


def offers(value: Any, name: str) -> bool:
    """Whether ``value`` has an attribute ``name``; one that raises in place of saying no has none."""
    try:
        return hasattr(value, name)
    except Exception:  # noqa: BLE001  # a stranger's __getattr__ may raise anything
        return False


def _matplotlib(figure: Any, path: str, suffix: str) -> bytes:
    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, format=suffix, bbox_inches="tight")
    except ValueError as error:
        raise InvalidValue(f"the figure cannot be written as {path!r}: {error}") from None
    except MemoryError:
        size = " x ".join(f"{inches:g}" for inches in figure.get_size_inches())
        raise InvalidValue(f"the figure cannot be written as {path!r}: {size} inches are more than this machine has memory for") from None
    return buffer.getvalue()


def _plotly(figure: Any, path: str, suffix: str) -> bytes:
    if suffix in ("html", "htm"):
        return str(figure.to_html(include_plotlyjs=True)).encode()  # whole: a page is read where there may be no network
    if suffix == "json":
        return str(figure.to_json()).encode()
    raise InvalidValue(f"a plotly figure is written as .html or .json, not {path!r}")
