"""Floor 4. The state of a git repository, by what git says of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from prefect_ledger.masking import mask_text

GIT_SECONDS = 2.0  # for all of git's answers together
GIT_FRESH = 5.0  # seconds in which the same folder is not asked again


@dataclass(frozen=True, slots=True)
class GitState:
    """What git says of a working tree.

    ``commit`` is "" before the first commit, ``branch`` is "" when none is checked out. ``dirty``: tracked files differ from the
    commit (files git does not know do not count); None when git needed too long to say. ``remote`` has its credentials masked.
    """

    commit: str
    branch: str
    dirty: bool | None
    remote: str
    root: str


# Settings of a repository can name programs that git then runs. None of them is needed to read a state.
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_GIT_ENV = {
    "GIT_OPTIONAL_LOCKS": "0",  # git status would refresh the index, in the way of a person's own git
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_ALLOW_PROTOCOL": "none",  # a partial clone would fetch what it lacks
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
# Set while git runs a hook or an alias; they would answer for another repository than the folder's.
_GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX")
_git_known: dict[str, tuple[float, GitState | None]] = {}


def git(folder: str | os.PathLike[str]) -> GitState | None:
    """The state of the repository ``folder`` lies in; None outside of one, without git, or when git refuses (another owner's folder).

    Takes at most two seconds, and some milliseconds as a rule; an answer is used again for five seconds.
    """
    place = os.path.abspath(folder)
    # No lock: two threads may ask twice, but a lock that is held at a fork would be held for ever in the child.
    known = _git_known.get(place)
    if known is not None and time.monotonic() < known[0] + GIT_FRESH:
        return known[1]
    state = _git_state(place)
    if len(_git_known) >= 64:
        _git_known.clear()
    _git_known[place] = (time.monotonic(), state)
    return state


def _git_state(folder: str) -> GitState | None:
    end = time.monotonic() + GIT_SECONDS
    root = (_ask_git(folder, end, "rev-parse", "--show-toplevel") or "").removesuffix("\n")
    if not root:
        return None
    remote, off = git_config(folder, end)
    status = _ask_git(folder, end, *off, "status", "--porcelain=v2", "--branch", "-uno", "--no-renames", "--ignore-submodules=dirty")
    if status is None:  # too large to look through in time: what needs no look is still known
        commit = _ask_git(folder, time.monotonic() + 0.5, "rev-parse", "-q", "--verify", "HEAD") or ""
        branch = _ask_git(folder, time.monotonic() + 0.5, "symbolic-ref", "-q", "--short", "HEAD") or ""
        return GitState(commit.strip(), branch.strip(), None, remote, root)
    said = dict(line[2:].split(" ", 1) for line in status.splitlines() if line.startswith("# ") and " " in line[2:])
    commit, branch = said.get("branch.oid", ""), said.get("branch.head", "")
    dirty = any(not line.startswith("#") for line in status.splitlines())
    return GitState("" if commit == "(initial)" else commit, "" if branch == "(detached)" else branch, dirty, remote, root)


def git_config(folder: str, end: float) -> tuple[str, list[str]]:
    """The masked URL of origin, else of the first remote; and the options that switch off filter programs named by the repository."""
    wanted = r"^(remote\..*\.url|filter\..*\.(clean|smudge|process|required))$"
    said = _ask_git(folder, end, "config", "-z", "--show-scope", "--get-regexp", wanted) or ""
    remotes, off = {}, []
    parts = said.split("\0")
    for scope, entry in zip(parts[::2], parts[1::2], strict=False):
        key, _, value = entry.partition("\n")
        if key.startswith("remote."):
            remotes[key] = value
        elif scope in ("local", "worktree"):
            off += ["-c", f"{key}={'false' if key.endswith('.required') else ''}"]
    url = remotes.get("remote.origin.url") or next(iter(remotes.values()), "")
    return mask_text(url), off


def _ask_git(folder: str, end: float, *words: str) -> str | None:
    said = ask_git(folder, end, *words)
    return None if said is None else said.decode("utf-8", "replace")


def ask_git(folder: str, end: float, *words: str, given: bytes = b"", places: Mapping[str, str] | None = None) -> bytes | None:
    """What git answers to ``words``; None when it fails, is not there or is not done at ``end`` (a time of ``time.monotonic``).

    ``given`` is what it reads; ``places`` are variables that name other places than the repository's own for its index and objects.
    """
    import signal
    import subprocess

    env = {key: value for key, value in os.environ.items() if key not in _GIT_PLACES} | _GIT_ENV
    env |= places or {}
    command = [*_GIT, *words]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    with process:
        try:
            said, _ = process.communicate(given or None, timeout=max(0.01, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started, which could hold the pipe open
            return None
    return said if process.returncode == 0 else None
