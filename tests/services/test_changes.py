"""What a working tree has beside its commit: applied to a fresh clone it gives the same tree, and no secret is in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger import capture
from prefect_ledger.capture.changes import FILE_LIMIT

IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
LINES = st.lists(
    st.sampled_from(["x = 1\n", "y = 'é'\n", "\n", "diff --git a/x b/x\n", "--- a/x\n", "+++ b/x\n", "@@ -1 +1 @@\n"]), max_size=6
)


def run_git(folder: Path, *words: str) -> str:
    """What git says."""
    env = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a commit."""
    return made(tmp_path / "tree")


def made(folder: Path) -> Path:
    """A repository with a commit in ``folder``."""
    folder.mkdir()
    run_git(folder, "init", "-q")
    (folder / "train.py").write_text("a = 1\nb = 2\n")
    (folder / "gone.py").write_text("z = 1\n")
    (folder / ".gitignore").write_text("*.log\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


def applied(tree: Path, patch: bytes) -> dict[str, str]:
    """The files of a fresh clone after the patch, by path."""
    clone = tree.parent / f"clone-{len(list(tree.parent.iterdir()))}"
    run_git(tree.parent, "clone", "-q", str(tree), str(clone))
    if patch:
        done = subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=patch, cwd=clone, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    return {str(path.relative_to(clone)): path.read_text() for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts}


def test_a_fresh_clone_becomes_the_tree(tree: Path) -> None:
    """Changed, staged, deleted and new files, odd names among them; what is ignored stays where it is."""
    (tree / "train.py").write_text("a = 1\nb = 3\n")
    (tree / "staged.py").write_text("s = 1\n")
    run_git(tree, "add", "staged.py")
    (tree / "staged.py").write_text("s = 2\n")
    (tree / "gone.py").unlink()
    (tree / "sub folder").mkdir()
    (tree / "sub folder" / 'né "w"*.py').write_text("n = 1\n")
    (tree / "noise.log").write_text("x")
    before = (tree / ".git" / "index").read_bytes(), sorted(path.name for path in (tree / ".git/objects").rglob("*"))
    found = capture.changes(str(tree))
    assert found is not None
    assert found.files == ("gone.py", "staged.py", 'sub folder/né "w"*.py', "train.py")
    assert found.left_out == {}
    expected = {".gitignore": "*.log\n", "staged.py": "s = 2\n", 'sub folder/né "w"*.py': "n = 1\n", "train.py": "a = 1\nb = 3\n"}
    assert applied(tree, found.patch) == expected
    after = (tree / ".git" / "index").read_bytes(), sorted(path.name for path in (tree / ".git/objects").rglob("*"))
    assert after == before


@settings(max_examples=15, deadline=None)
@given(LINES, LINES)
def test_texts_that_look_like_patches_are_texts(tmp_path_factory: pytest.TempPathFactory, changed: list[str], new: list[str]) -> None:
    """Whatever lines a file has, the patch makes them again."""
    tree = made(tmp_path_factory.mktemp("law") / "tree")
    (tree / "train.py").write_text("".join(changed))
    (tree / "new.py").write_text("".join(new))
    found = capture.changes(str(tree))
    assert found is not None
    files = applied(tree, found.patch)
    assert (files["train.py"], files["new.py"]) == ("".join(changed), "".join(new))


def test_a_file_that_changed_in_the_moment_it_was_staged_is_seen(tree: Path) -> None:
    """Though size and time of the file say that it is what was staged: git knows by the time of its index, which a copy has too."""
    file, index, moment = tree / "train.py", tree / ".git" / "index", 1_700_000_000 * 10**9
    run_git(tree, "config", "core.trustctime", "false")
    os.utime(file, ns=(moment, moment))
    run_git(tree, "update-index", "--refresh")
    file.write_text("a = 1\nb = 3\n")
    for path in (file, index):
        os.utime(path, ns=(moment, moment))
    found = capture.changes(str(tree))
    assert found is not None
    assert found.files == ("train.py",)


def test_secrets_binaries_and_large_files_are_left_out_by_name(tree: Path) -> None:
    """Each with the reason, and nothing of them is in the patch; the rest of the patch still applies."""
    (tree / ".env").write_text("PLAIN=1\n")
    (tree / "conf.py").write_text("password = 'hunter2hunter2'\n")
    (tree / "train.py").write_text("a = 1\nb = 2\ntoken = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'\n")
    (tree / "data.bin").write_bytes(bytes(range(256)))
    (tree / "large.txt").write_text("x\n" * FILE_LIMIT)
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "fine.py").write_text("f = 1\n")
    found = capture.changes(str(tree))
    assert found is not None
    assert found.files == ("fine.py",)
    assert {path: why.split(",")[0] for path, why in found.left_out.items()} == {
        ".env": "its name says that it holds secrets",
        "conf.py": "something in it looks like a secret",
        "train.py": "something in it looks like a secret",
        "data.bin": "no text",
        "large.txt": "512",
        "link": "no plain file",
    }
    assert b"hunter2" not in found.patch
    assert b"ghp_" not in found.patch
    assert applied(tree, found.patch)["fine.py"] == "f = 1\n"


def test_a_repository_runs_none_of_its_programs(tree: Path, tmp_path: Path) -> None:
    """Filters, external diffs, text converters, hooks and monitors that a repository names are not started."""
    mark = tmp_path / "ran"
    run_git(tree, "config", "filter.x.clean", f"touch {mark}")
    run_git(tree, "config", "diff.x.textconv", f"touch {mark}")
    run_git(tree, "config", "diff.x.command", f"touch {mark}")
    run_git(tree, "config", "diff.external", f"touch {mark}")
    run_git(tree, "config", "core.fsmonitor", f"touch {mark}")
    (tree / ".git/info/attributes").write_text("*.py filter=x diff=x\n")
    (tree / "train.py").write_text("a = 1\nb = 3\n")
    (tree / "new.py").write_text("n = 1\n")
    found = capture.changes(str(tree))
    assert found is not None
    assert set(found.files) == {"new.py", "train.py"}
    assert not mark.exists()


def test_where_there_is_nothing_to_say(tree: Path, tmp_path: Path) -> None:
    """A clean tree has an empty patch; outside a repository and before the first commit there is none."""
    found = capture.changes(str(tree))
    assert found is not None
    assert (found.patch, found.files, found.left_out) == (b"", (), {})
    assert capture.changes(str(tmp_path)) is None
    empty = tmp_path / "empty"
    empty.mkdir()
    run_git(empty, "init", "-q")
    assert capture.changes(str(empty)) is None
