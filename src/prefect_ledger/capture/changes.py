"""Floor 4. What a working tree has that its commit has not: a patch that ``git apply`` takes, and what is left out of it.

Only texts go into the patch, and no file in which, or in whose name, something looks like a secret: masked, it would not be the code that
ran. The index, the files and the objects of the repository stay as they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from prefect_ledger.capture.repository import ask_git, git_config
from prefect_ledger.masking import mask_text

SECONDS = 5.0  # for all of it
FILE_LIMIT, PATCH_LIMIT = 256_000, 1_000_000  # bytes: of a new file, of the whole patch
MOST = 1_000  # files that are looked at
_HIDDEN = tuple(
    ".env .env.* *.pem *.key *.p12 *.pfx id_rsa* id_ed25519* id_ecdsa* .netrc .pypirc .htpasswd credentials* secrets.* *.kdbx"
    " *.tfstate".split()
)
_DIFF = tuple(
    "diff --binary --no-color --no-ext-diff --no-textconv --no-renames --src-prefix=a/ --dst-prefix=b/ --full-index"
    " --ignore-submodules=all --no-relative".split()
)
_HEADER = re.compile(rb"^diff --git ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Changes:
    """``patch`` is of the repository's top folder; ``files`` are those in it, ``left_out`` says of others why they are not."""

    patch: bytes
    files: tuple[str, ...]
    left_out: Mapping[str, str]


def changes(root: str) -> Changes | None:
    """What the working tree at ``root`` has beside its commit, ignored files left out; None where git does not say, as before a commit."""
    end = time.monotonic() + SECONDS
    _, off = git_config(root, end)
    status = ask_git(root, end, *off, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")
    if status is None or ask_git(root, end, "rev-parse", "-q", "--verify", "HEAD") is None:
        return None
    left_out: dict[str, str] = {}
    entries = [entry.decode("utf-8", "surrogateescape") for entry in status.split(b"\0") if entry]
    if len(entries) > MOST:
        return Changes(b"", (), {"": f"{len(entries):,} files differ, more than {MOST:,}"})
    new = [entry[3:] for entry in entries if entry.startswith("??") and _may_be_new(Path(root), entry[3:], left_out)]
    with _beside(root, end, off, new) as places:
        names = ask_git(root, end, *off, *_DIFF, "--name-only", "-z", "HEAD", places=places)
        patch = ask_git(root, end, *off, *_DIFF, "HEAD", places=places)
    if names is None or patch is None:
        return None
    paths = [name.decode("utf-8", "surrogateescape") for name in names.split(b"\0") if name]
    kept = list(_kept(paths, _parts(patch), left_out))
    return Changes(b"".join(part for _, part in kept), tuple(path for path, _ in kept), left_out)


def _may_be_new(root: Path, path: str, left_out: dict[str, str]) -> bool:
    """Whether a file that git does not know is worth a look."""
    try:
        found = (root / path).lstat()
    except OSError:
        return False  # gone again
    if path.endswith("/"):
        left_out[path] = "a repository of its own"
    elif not _is_plain(root / path):
        left_out[path] = "no plain file"
    elif found.st_size > FILE_LIMIT:
        left_out[path] = f"{found.st_size:,} bytes, more than {FILE_LIMIT:,}"
    return path not in left_out


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextlib.contextmanager
def _beside(root: str, end: float, off: Sequence[str], new: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """A copy of the index in which new files are known, without their content: git then shows them as added.

    It writes an object for that, an empty one, into a folder of ours too.
    """
    import shutil
    import tempfile

    said = ask_git(root, end, "rev-parse", "--git-path", "index", "--git-path", "objects") or b""
    index, objects = [Path(root, os.fsdecode(line)) for line in (said.splitlines() + [b"", b""])[:2]]
    with tempfile.TemporaryDirectory(prefix="prefect-ledger-index-") as folder:
        own = Path(folder, "index")
        if index.is_file():
            shutil.copy2(index, own)  # with its time: by that git knows which files may have changed in the moment they were staged
        places = {"GIT_INDEX_FILE": str(own), "GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
        if new:
            given = b"\0".join(os.fsencode(path) for path in new)
            words = ("--literal-pathspecs", *off, "add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul")
            ask_git(root, end, *words, given=given, places=places)
        yield places


def _parts(patch: bytes) -> list[bytes]:
    """The patch file by file: no other line of one can begin so."""
    starts = [found.start() for found in _HEADER.finditer(patch)]
    return [patch[low:high] for low, high in zip(starts, [*starts[1:], len(patch)], strict=False)]


def _kept(paths: Sequence[str], parts: Sequence[bytes], left_out: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """The parts that go into the patch, with their paths; the smaller ones first where it would be too large, in the patch's order."""
    if len(paths) != len(parts):
        left_out[""] = "git names other files than its patch has"
        return
    room, chosen = PATCH_LIMIT, set()
    for at in sorted(range(len(parts)), key=lambda one: len(parts[one])):
        if why := _refused(paths[at], parts[at], room):
            left_out[paths[at]] = why
        else:
            chosen.add(at)
            room -= len(parts[at])
    yield from ((paths[at], parts[at]) for at in sorted(chosen))


def _refused(path: str, part: bytes, room: int) -> str:
    name = path.rpartition("/")[2].lower()
    if any(fnmatchcase(name, pattern) for pattern in _HIDDEN):
        return "its name says that it holds secrets"
    if b"\nGIT binary patch\n" in part or b"\nBinary files " in part:
        return "no text"
    if len(part) > room:
        return f"{len(part):,} bytes of changes, and a patch has at most {PATCH_LIMIT:,}"
    text = part.decode("utf-8", "replace")
    return "something in it looks like a secret" if mask_text(text) != text else ""
