"""Floor 5. A wheel of prefect-ledger itself, from what is installed here: for images, where no index has this version.

Made by hand: pure Python needs no build tools, and the same files make the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from prefect_ledger.errors import InvalidValue

DISTRIBUTION = "prefect-ledger"
_KINDS = {".py", ".md", ".mako", ".sql", ".json", ".typed"}
_WHEEL = "Wheel-Version: 1.0\nGenerator: prefect-ledger\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_WHEN = (1980, 1, 1, 0, 0, 0)


def from_index() -> bool:
    """Whether what is installed here came from an index, which has it for an image too (PEP 610 says where else it came from)."""
    return importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json") is None


def build(folder: Path) -> Path:
    """Write the wheel of what is installed here into ``folder``; returns its path.

    Raises:
        InvalidValue: what is installed here does not say what it is.
    """
    installed = importlib.metadata.distribution(DISTRIBUTION)
    if not (metadata := installed.read_text("METADATA")):
        raise InvalidValue(f"{DISTRIBUTION} is not installed here as a package: pip install it, or give a wheel (option 'package')")
    info = f"prefect_ledger-{installed.version}.dist-info"
    contents = {name: path.read_bytes() for name, path in _modules()}
    contents |= {f"{info}/METADATA": metadata.encode(), f"{info}/WHEEL": _WHEEL.encode()}
    if points := installed.read_text("entry_points.txt"):
        contents[f"{info}/entry_points.txt"] = points.encode()
    contents[f"{info}/RECORD"] = _record(contents, f"{info}/RECORD").encode()
    wheel = folder / f"prefect_ledger-{installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            member = zipfile.ZipInfo(name, _WHEN)
            member.external_attr, member.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return wheel


def _modules() -> Iterator[tuple[str, Path]]:
    """All files of the package, by the names they are installed by; two of its folders may lie elsewhere, as links or by an import hook."""
    places = {"prefect_ledger": Path(__file__).parents[1]}
    for name in ("flows", "dashboard"):
        spec = importlib.util.find_spec(f"prefect_ledger.{name}")
        if spec is not None and spec.submodule_search_locations:
            places[f"prefect_ledger/{name}"] = Path(next(iter(spec.submodule_search_locations)))
    found = {}
    for name, place in places.items():
        for path in place.rglob("*"):
            if path.is_file() and (path.suffix in _KINDS or path.name == "py.typed") and "__pycache__" not in path.parts:
                found[f"{name}/{path.relative_to(place).as_posix()}"] = path
    yield from sorted(found.items())


def _record(contents: dict[str, bytes], itself: str) -> str:
    def line(name: str, data: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        quoted = json.dumps(name) if "," in name else name
        return f"{quoted},sha256={digest},{len(data)}\n"

    return "".join(line(name, data) for name, data in contents.items()) + f"{itself},,\n"
