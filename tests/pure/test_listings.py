"""Lists of a dataset's files: one content, one digest; and none is taken that puts a file outside of its folder."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.listings import FORMAT, File, Link, Listing
from prefect_ledger.tracking.digests import Digest

LAW = settings(max_examples=100, deadline=None)
SHA = hashlib.sha256(b"x").hexdigest()
NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name not in (".", "..") and not set("/\0") & set(name) and name.isprintable())
FOLDERS = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=4), max_size=6)


def listing(files: dict[str, bytes]) -> Listing:
    """A folder of these files, without those that stand where another one needs a folder."""
    kept = {path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)}
    return Listing(tuple(File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in kept.items()))


@LAW
@given(FOLDERS, st.randoms(use_true_random=False))
def test_neither_order_nor_writing_down_changes_a_list(files: dict[str, bytes], chance: random.Random) -> None:
    """Shuffled it has the same digest; written as JSON and read it is the same list."""
    one = listing(files)
    shuffled = list(one.files)
    chance.shuffle(shuffled)
    assert Listing(tuple(shuffled)).digest == one.digest
    assert Listing.from_json(one.to_json()) == one


@LAW
@given(FOLDERS, FOLDERS)
@pytest.mark.long
def test_other_content_or_paths_are_another_digest(files: dict[str, bytes], others: dict[str, bytes]) -> None:
    """Two folders have one digest exactly where they hold the same under the same paths."""
    one, other = listing(files), listing(others)
    assert (one.digest == other.digest) == (set(one.files) == set(other.files))


def test_a_folders_digest_is_that_of_earlier_releases() -> None:
    """Framed as all digests of data are: what was recorded before copies were kept is found again."""
    digest = Digest("folder")
    for text in ("a/é.csv", SHA, "b", "link to a", "c.csv", SHA):
        digest.text(text)
    one = Listing((File("c.csv", 1, SHA), File("a/é.csv", 1, SHA)), (Link("b", "a"),))
    assert one.digest == digest.hexdigest()
    assert one.digest[:16] == "93a4a9fc0a0077ae"
    assert Listing((File("c.csv", 1, SHA),), folder=False, name="c.csv").digest == SHA


HOSTILE: list[tuple[str, dict[str, Any]]] = [
    ("up", {"files": [["../x", 1, SHA]]}),
    ("up in the middle", {"files": [["a/../../x", 1, SHA]]}),
    ("absolute", {"files": [["/etc/passwd", 1, SHA]]}),
    ("nothing", {"files": [["", 1, SHA]]}),
    ("here", {"files": [["a/./b", 1, SHA]]}),
    ("a zero byte", {"files": [["a\0b", 1, SHA]]}),
    ("no text", {"files": [[1, 1, SHA]]}),
    ("half a character", {"files": [["a\ud800", 1, SHA]]}),
    ("a long name", {"files": [["x" * 256, 1, SHA]]}),
    ("a long path", {"files": [["/".join(["x" * 200] * 21), 1, SHA]]}),
    ("twice", {"files": [["a", 1, SHA], ["a", 1, SHA]]}),
    ("file and folder", {"files": [["a", 1, SHA], ["a/b", 1, SHA]]}),
    ("below a link", {"files": [["a/b", 1, SHA]], "links": [["a", "c"]]}),
    ("a link up", {"links": [["a", "../x"]]}),
    ("a link up from below", {"links": [["b/a", "../../x"]]}),
    ("an absolute link", {"links": [["a", "/etc"]]}),
    ("a link to nothing", {"links": [["a", ""]]}),
    ("no digest", {"files": [["a", 1, "../../etc/passwd"]]}),
    ("an upper digest", {"files": [["a", 1, SHA.upper()]]}),
    ("no size", {"files": [["a", -1, SHA]]}),
    ("a size that is true", {"files": [["a", True, SHA]]}),
    ("too few", {"files": [["a", 1]]}),
    ("a name that is a path", {"name": "../data"}),
    ("no name", {"name": None}),
    ("another kind", {"kind": "pipe"}),
    ("a file that is none", {"kind": "file", "files": []}),
    ("a file of another name", {"kind": "file", "files": [["a", 1, SHA]], "name": "b"}),
    ("another format", {"format": "dvc"}),
    ("no list", {"files": 3}),
]


@pytest.mark.parametrize("said", [said for _, said in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_lists_that_are_not_to_be_trusted_are_refused(said: dict[str, Any]) -> None:
    """Whoever wrote it: no path or link leaves the folder, and nothing stands in another's place."""
    whole: dict[str, Any] = {"format": FORMAT, "kind": "folder", "name": "data", "files": [], "links": []}
    assert Listing.from_json(json.dumps(whole).encode()) == Listing(())
    with pytest.raises(InvalidValue, match="list of a dataset's files"):
        Listing.from_json(json.dumps(whole | said).encode())


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000], ids=["empty", "cut", "array", "null", "binary", "deep"]
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    """In words, whatever it is."""
    with pytest.raises(InvalidValue, match="no list of a dataset's files"):
        Listing.from_json(data)
