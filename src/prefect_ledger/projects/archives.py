"""Floor 5. Projects in ``.zip`` files: taken apart without leaving their folder, and made.

Refused are names that lead out, links that do, names that mean the same file twice, and what unpacks to more than it may.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from prefect_ledger.errors import InvalidValue, ProjectInvalid, ProjectNotFound
from prefect_ledger.formats import size
from prefect_ledger.projects import clones
from prefect_ledger.projects.findings import Findings
from prefect_ledger.transfer import folded, moved_into

MOST_BYTES = 2 << 30
MOST_FILES = 50_000
_TIMES = 200  # bytes from one of the archive; text that repeats has a hundred, a bomb has a thousand
_PIECE = 1 << 20
_WHEN = (1980, 1, 1, 0, 0, 0)
_NOT_PACKED = re.compile(r"__pycache__|\.git|\.hg|\.svn|\.venv|venv|\.mypy_cache|\.pytest_cache|\.ruff_cache|mlruns|.*\.py[co]|\.DS_Store")


def unpack(archive: Path, target: Path) -> None:
    """Unpack ``archive`` into the empty folder ``target``.

    Raises:
        ProjectNotFound: no such file. ProjectInvalid: it is no zip, or has what no project has; all of it is said, and nothing unpacked.
    """
    if not archive.is_file():
        raise ProjectNotFound(f"no file {archive}")
    try:
        with zipfile.ZipFile(archive) as opened:
            _check(opened, archive)
            for member in opened.infolist():
                _write(opened, member, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise ProjectInvalid(f"{archive} cannot be unpacked:", [str(error)[:300]]) from error


def only_folder(target: Path) -> Path:
    """The one folder that an archive has at its top, as those of GitHub do; else ``target`` itself."""
    found = list(target.iterdir())
    return found[0] if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink() else target


def _check(opened: zipfile.ZipFile, archive: Path) -> None:
    findings, seen, total = Findings(), set[str](), 0
    members = opened.infolist()
    if len(members) > MOST_FILES:
        findings.add(archive.name, f"has {len(members):,} files, more than {MOST_FILES:,}")
        members = []
    for member in members:
        total += member.file_size
        if sentence := _wrong(member):
            findings.add(archive.name, f"{member.filename!r:.120} {sentence}")
        elif (name := folded(posixpath.normpath(member.filename))) in seen and not member.is_dir():
            findings.add(archive.name, f"has {member.filename!r:.120} twice, or by two names that are one on other systems")
        else:
            seen.add(name)
    if total > MOST_BYTES or total > max(1 << 24, _TIMES * archive.stat().st_size):
        findings.add(archive.name, f"unpacks to {size(total)}, from {size(archive.stat().st_size)}: no project is packed so")
    findings.said = findings.said[:20]
    findings.raise_any(f"{archive} is not unpacked:")


def _wrong(member: zipfile.ZipInfo) -> str:
    name, mode = member.filename, member.external_attr >> 16
    if not name or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name:
        return "is no path from the archive's top on"
    if ".." in name.split("/"):
        return "leads out of the archive"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if stat.S_ISLNK(mode):
        return "is a link: put the file itself there"
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is neither a file nor a folder"
    return ""


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """One file, of the size that was said: a size that lies does not fill the disk."""
    path = target / member.filename
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with opened.open(member) as source, path.open("xb") as sink:
        while piece := source.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise zipfile.BadZipFile(f"{member.filename!r:.120} has more bytes than it says")
            sink.write(piece)
    if (member.external_attr >> 16) & 0o100:
        path.chmod(0o755)


# --- packing ------------------------------------------------------------------------------------------------------------


def pack(folder: Path, archive: Path) -> int:
    """Write the files of ``folder`` into ``archive``: those that git keeps or would, else all but hidden folders and what Python makes.

    The same files make the same bytes. ``archive`` stands whole or not at all. Returns how many files there are.

    Raises:
        ProjectInvalid: a link that leads out, or what is no file; nothing is written. InvalidValue: it cannot be written.
    """
    names = clones.tracked(folder)
    listed = names if names is not None else [str(path.relative_to(folder)) for path in _walk(folder)]
    files = [name for name in listed if (folder / name).resolve() != archive.resolve()]
    _check_files(folder, files)
    try:
        with moved_into(str(archive)) as sink, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as opened:
            for name in files:
                member = zipfile.ZipInfo(name.replace(os.sep, "/"), _WHEN)
                runs = (folder / name).stat().st_mode & 0o100
                member.external_attr, member.compress_type = (0o100755 if runs else 0o100644) << 16, zipfile.ZIP_DEFLATED
                with (folder / name).open("rb") as source, opened.open(member, "w", force_zip64=True) as into:
                    while piece := source.read(_PIECE):
                        into.write(piece)
    except OSError as error:
        raise InvalidValue(f"{archive} cannot be written: {error.strerror or error}") from error
    return len(files)


def _check_files(folder: Path, names: Iterable[str]) -> None:
    findings, top, total = Findings(), folder.resolve(), 0
    for name in names:
        path = folder / name
        real = path.resolve()
        if not real.is_relative_to(top):
            findings.add(name, "leads out of the project: put the file itself there, or leave it out (.gitignore)")
        elif not real.is_file():
            findings.add(name, "is a repository of its own, or a link to a folder: put its files there, or leave it out (.gitignore)")
        else:
            with suppress(OSError):
                total += real.stat().st_size
    if total > MOST_BYTES:
        findings.add(str(folder), f"has {size(total)} of files, more than {size(MOST_BYTES)}: leave data out (.gitignore)")
    findings.raise_any(f"the project in {folder} cannot be packed:")


def _walk(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.iterdir()):
        if _NOT_PACKED.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path
