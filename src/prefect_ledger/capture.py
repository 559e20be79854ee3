"""Floor 4. What a run's surroundings are: the machine, the packages, the commit, an exception, the place of a function.

Nothing here raises because something cannot be known: it is then left out, or None. Nothing runs code of the repository it looks
at, asks for a password or reaches for a network. All of it is masked where secrets can be, and cheap enough for a background thread.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from prefect_ledger.masking import mask_argv, mask_text

TRACEBACK_LIMIT, MESSAGE_LIMIT, COMMAND_LIMIT = 16_000, 2_000, 8_000  # characters
GIT_SECONDS = 2.0  # for all of git's answers together
GIT_FRESH = 5.0  # seconds in which the same folder is not asked again
_LOOKED_AT = 4_000_000  # characters that are masked; what an exception says beyond them is left out


# --- the process and its machine --------------------------------------------------------------------------------------


def environment() -> dict[str, Any]:
    """Python, platform, machine, user, working folder, process id and masked command line of this process; asked once a process.

    ``memory`` is the machine's, in bytes; ``cpus`` what the machine has, ``cpus_usable`` what this process may use. ``gpus`` is there
    when there is a driver.

    Example:
        >>> sorted(environment())[:4]
        ['command', 'cpus', 'cpus_usable', 'cwd']
    """
    return dict(_environment(os.getpid()))


@functools.lru_cache(maxsize=1)
def _environment(pid: int) -> dict[str, Any]:
    machine = os.uname()
    found = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "platform": f"{machine.sysname}-{machine.release}-{machine.machine}",
        "libc": _or_none(lambda: os.confstr("CS_GNU_LIBC_VERSION")),
        "hostname": machine.nodename,
        "cpus": os.cpu_count(),
        "cpus_usable": _or_none(lambda: len(os.sched_getaffinity(0))),
        "memory": _or_none(lambda: os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        "user": _user(),
        "cwd": _or_none(os.getcwd),
        "pid": pid,
        "command": _command(),
        "gpus": _gpus(),
    }
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def _or_none(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (OSError, ValueError, AttributeError):
        return None  # this system does not say


def _user() -> str:
    """The account this process acts as; unlike $USER, nobody can set it to a name of their liking."""
    uid = os.geteuid()
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"uid {uid}"


def _command() -> str:
    import shlex

    return _middle_out(shlex.join(mask_argv(sys.orig_argv)), COMMAND_LIMIT)


def _gpus(drivers: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """The models of NVIDIA's GPUs as their driver lists them; nothing is started or imported for it."""
    found = []
    for file in sorted(drivers.glob("*/information")):
        text = _or_none(file.read_text) or ""
        found += [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Model:")]
    return found


# --- packages -----------------------------------------------------------------------------------------------------------


def packages() -> dict[str, str]:
    """Installed distributions, name to version, in the order of their names; asked once a process.

    Names are written as indexes compare them: lower case, with single dashes. Of two versions, the one found first on ``sys.path``.
    """
    return dict(_packages())


@functools.lru_cache(maxsize=1)
def _packages() -> dict[str, str]:
    import re
    from importlib import metadata

    # The two headers are read from the text: parsing whole descriptions takes ten times as long, most of it under the GIL.
    header = re.compile(r"^(Name|Version):[ \t]*(\S+)", re.MULTILINE)
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        except (OSError, UnicodeDecodeError):
            continue  # half removed, or not readable by us
        fields = dict(header.findall(text.replace("\r\n", "\n").partition("\n\n")[0]))
        if len(fields) == 2:
            found.setdefault(re.sub(r"[-_.]+", "-", fields["Name"]).lower(), fields["Version"])
        time.sleep(0)  # the main thread trains meanwhile: let it have its turn after each file
    return dict(sorted(found.items()))


def packages_digest(installed: Mapping[str, str] | None = None) -> str:
    """The sha256 under which the store keeps such a list; of this process's packages when none is given.

    Example:
        >>> packages_digest({"a": "1", "b": "2"}) == packages_digest({"b": "2", "a": "1"})
        True
    """
    content = json.dumps(dict(packages() if installed is None else installed), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


# --- git ------------------------------------------------------------------------------------------------------------------


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
    remote, off = _git_config(folder, end)
    status = _ask_git(folder, end, *off, "status", "--porcelain=v2", "--branch", "-uno", "--no-renames", "--ignore-submodules=dirty")
    if status is None:  # too large to look through in time: what needs no look is still known
        commit = _ask_git(folder, time.monotonic() + 0.5, "rev-parse", "-q", "--verify", "HEAD") or ""
        branch = _ask_git(folder, time.monotonic() + 0.5, "symbolic-ref", "-q", "--short", "HEAD") or ""
        return GitState(commit.strip(), branch.strip(), None, remote, root)
    said = dict(line[2:].split(" ", 1) for line in status.splitlines() if line.startswith("# ") and " " in line[2:])
    commit, branch = said.get("branch.oid", ""), said.get("branch.head", "")
    dirty = any(not line.startswith("#") for line in status.splitlines())
    return GitState("" if commit == "(initial)" else commit, "" if branch == "(detached)" else branch, dirty, remote, root)


def _git_config(folder: str, end: float) -> tuple[str, list[str]]:
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
    """What git answers to ``words``; None when it fails, is not there or is not done at ``end`` (a time of ``time.monotonic``)."""
    import signal
    import subprocess

    env = {key: value for key, value in os.environ.items() if key not in _GIT_PLACES} | _GIT_ENV
    command = [*_GIT, *words]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    with process:
        try:
            said, _ = process.communicate(timeout=max(0.01, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started, which could hold the pipe open
            return None
    return said.decode("utf-8", "replace") if process.returncode == 0 else None


# --- exceptions and functions ---------------------------------------------------------------------------------------------


def exception(error: BaseException) -> dict[str, str]:
    """``type``, ``message`` and ``traceback`` of an exception with those that led to it, masked; never raises.

    The traceback has at most 16,000 characters: of a longer one the beginning and, more of it, the end.

    Example:
        >>> exception(ValueError("bad token=abc"))["message"]
        'bad token=********'
    """
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  # the user's __str__ may raise anything, and the run must still end
        message = "<its text cannot be made>"
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception as failed:  # noqa: BLE001  # same for any exception on the chain
        trace = f"{name}: {message}\n<its traceback cannot be made: {type(failed).__name__}>\n"
    return {"type": name, "message": _masked(message, MESSAGE_LIMIT), "traceback": _masked(trace, TRACEBACK_LIMIT)}


def _masked(text: str, limit: int) -> str:
    """Masked whole and cut afterwards, since a secret that is cut in two is not known any more."""
    if len(text) <= _LOOKED_AT:
        return _middle_out(mask_text(text), limit)
    return _middle_out(mask_text(text[:_LOOKED_AT])[:-256] + "…", limit)


def _middle_out(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    mark = f"\n… ({len(text) - limit:,} characters left out) …\n"
    head = limit // 3
    return f"{text[:head]}{mark}{text[len(text) - (limit - head - len(mark)) :]}"


def source(function: object) -> dict[str, Any]:
    """``file``, ``line`` and ``name`` of a function, method, class, partial or flow; what cannot be known is left out.

    The line is where the definition begins, decorators included.

    Example:
        >>> source(source)["name"]
        'prefect_ledger.capture.source'
    """
    inner = _innermost(function)
    name, module, code = (_attribute(inner, name) for name in ("__qualname__", "__module__", "__code__"))
    found: dict[str, Any] = {}
    if isinstance(name, str):
        found["name"] = f"{module}.{name}" if isinstance(module, str) else name
    if isinstance(code, CodeType) and not code.co_filename.startswith("<"):
        found |= {"file": os.path.abspath(code.co_filename), "line": code.co_firstlineno}
    return found


def _innermost(function: object) -> object:
    """What the user wrote: behind wrappers, partials, bound methods, and flows and tasks, whose function is their ``fn``."""
    for _ in range(32):
        plain = isinstance(function, (type, FunctionType))
        names = ("__wrapped__",) if plain else ("__wrapped__", "__func__", "func", "fn")
        inner = next((found for name in names if callable(found := _attribute(function, name))), None)
        if inner is None:
            break
        function = inner
    return function


def _attribute(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001  # a property of the user's object may raise anything
        return None
