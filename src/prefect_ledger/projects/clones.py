"""Floor 5. Git repositories of projects: fetched into a copy that is kept, and from there into a folder for one run.

Nothing of a repository is run to get it: no hook, no submodule, no protocol but https, ssh and file. Credentials of a URL are handed to git
in its environment, and are written nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prefect_ledger.errors import EnvironmentFailed, InvalidValue, ProjectNotFound
from prefect_ledger.projects import tools
from prefect_ledger.projects.places import Place
from prefect_ledger.projects.tools import Say

FOLDER = "repositories"
_APPLY = 60.0  # seconds
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_HEAD = "refs/project/head"  # what the other side has checked out
_GIT = (
    "git",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "submodule.recurse=false"),
    *("-c", "fetch.recurseSubmodules=false"),
    *("-c", "advice.detachedHead=false"),
)
_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
# Set while git runs a hook or an alias; they would have it work in another repository.
_OTHERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree of one commit. ``branch`` is the one that was asked for by name, "" where none was."""

    folder: Path
    commit: str
    branch: str


def check_version(version: str | None) -> None:
    """Refuse what git would take for an option, or for more than one commit.

    Raises:
        InvalidValue.
    """
    if version is None:
        return
    if not re.fullmatch(r"[\w][\w./+@\-]{0,250}", version) or ".." in version or "@{" in version:
        raise InvalidValue(f"a version is a branch, a tag or a commit, such as v1.2, not {version!r:.80}")


def check_out(place: Place, version: str | None, target: Path, *, home: Path, say: Say) -> Checkout:
    """The commit that ``version`` means (what the repository has checked out, where None), in the new folder ``target``.

    Raises:
        ProjectNotFound: no such repository, or no such version. InvalidValue: a version that is no name. EnvironmentFailed: no git.
    """
    check_version(version)
    if shutil.which("git") is None:
        raise EnvironmentFailed("a project in a git repository needs git, which is not on PATH")
    store = home / FOLDER / f"{hashlib.sha256(place.url.encode()).hexdigest()[:32]}.git"
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = tools.locked(store.with_suffix(".lock"), say, "fetching this repository")
    try:
        with contextlib.suppress(OSError):
            os.utime(lock.path)  # when it was used last, which gc looks at
        _begin(store)
        known = version is not None and _SHA.fullmatch(version) and _commit(store, version)
        commit = known or _fetched(place, version, store, say)
        _git(["clone", "--quiet", "--no-checkout", "--local", "--template=", str(store), str(target)], store)
    finally:
        lock.release()
    _git(["remote", "set-url", "origin", place.url], target)
    branch = version or "" if _commit(store, f"refs/heads/{version}") else ""
    _git(["checkout", "--quiet", *(["-B", branch] if branch else ["--detach"]), commit], target)
    return Checkout(target, commit, branch)


def top_of(folder: Path) -> Path | None:
    """The top of the working tree that ``folder`` is in; None outside of one."""
    found = tools.ask([*_GIT, "rev-parse", "--show-toplevel"], folder=folder, env=_environment({}), seconds=10)
    return Path(found) if found else None


def tracked(folder: Path) -> list[str] | None:
    """Files of ``folder`` that git keeps, or would: those that are ignored are left out. None outside of a working tree."""
    words = [*_GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    found = tools.ask(words, folder=folder, env=_environment({}), seconds=60)
    if found is None:
        return None
    return sorted({name for name in found.split("\0") if name and os.path.lexists(folder / name)})


def apply(patch: bytes, folder: Path) -> str:
    """Apply a patch to a working tree, all of it or nothing; returns what git says against it, "" where it applied.

    git itself refuses paths and links that leave the tree.
    """
    words = [*_GIT, "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(words, input=patch, cwd=folder, env=_environment({}), capture_output=True, check=False, timeout=_APPLY)
    return done.stderr.decode("utf-8", "replace").strip() or f"git ended with {done.returncode}" if done.returncode else ""


# --- the copy that is kept ------------------------------------------------------------------------------------------------


def _begin(store: Path) -> None:
    """An empty repository, whole or not there."""
    if not (store / "HEAD").is_file():
        part = store.with_name(f"{store.name}.{uuid.uuid4().hex[:8]}")
        try:
            _git(["init", "--quiet", "--bare", "--template=", str(part)], store.parent)
            shutil.rmtree(store, ignore_errors=True)
            part.rename(store)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _fetched(place: Place, version: str | None, store: Path, say: Say) -> str:
    say(f"fetching {place.shown}")
    words = ["fetch", "--quiet", "--force", "--prune", "--no-write-fetch-head", "--no-tags", "--end-of-options", place.url]
    wanted = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", *([f"+HEAD:{_HEAD}"] if version is None else [])]
    login = _login(place)
    try:
        _git([*words, *wanted], store, login)
    except EnvironmentFailed as error:
        reason = str(error).rpartition("ended with ")[2]
        raise ProjectNotFound(f"the repository {place.shown} cannot be fetched: git {reason[:2000]}") from None
    if version is None:
        return _commit(store, _HEAD) or _no_version(place, "HEAD")
    commit = _commit(store, f"refs/tags/{version}") or _commit(store, f"refs/heads/{version}")
    if not commit and re.fullmatch(r"[0-9a-f]{7,64}", version):
        commit = _commit(store, version)
        if not commit and _SHA.fullmatch(version):  # of a branch that is gone, or of a request to merge
            tools.ask([*_GIT, *words, version], folder=store, env=_environment(login), seconds=600)
            commit = _commit(store, version)
    return commit or _no_version(place, version)


def _no_version(place: Place, version: str) -> str:
    raise ProjectNotFound(f"{place.shown} has no branch, tag or commit {version!r:.100}")


def _commit(store: Path, name: str) -> str:
    words = [*_GIT, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}"]
    found = tools.ask(words, folder=store, env=_environment({}))
    return found if found and _SHA.fullmatch(found) else ""


def _git(words: list[str], folder: Path, more: Mapping[str, str] | None = None) -> None:
    tools.run([*_GIT, *words], folder=folder, env=_environment(more or {}), what="git")


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    return {**kept, **_ENV, **more}


def _login(place: Place) -> dict[str, str]:
    """What has git put the credentials of a URL back, and no list of processes show them."""
    if not place.login:
        return {}
    host = place.url.removeprefix("https://").partition("/")[0]
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.https://{place.login}@{host}/.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://{host}/",
    }
