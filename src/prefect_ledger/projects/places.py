"""Floor 5. Where a project is, as people write it: a folder, a ``.zip`` file, or a git repository with a folder in it. Read, not opened."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from prefect_ledger.errors import InvalidValue
from prefect_ledger.masking import mask_text

_SCHEMES = ("https", "ssh", "file")
_WITH_SCHEME = re.compile(r"(?:git\+)?([A-Za-z][A-Za-z0-9+.\-]*)://")
_TRANSPORT = re.compile(r"[A-Za-z0-9+.\-]+::")  # ext::sh -c …, fd::7: git would run it, or read a descriptor of ours
_SCP = re.compile(r"(?P<user>[\w.][\w.\-]*)@(?P<host>[\w.][\w.\-]*):(?P<path>[^:].*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A place. ``url`` has no credentials; ``login`` is what stood before the ``@`` of it, and goes to git alone."""

    kind: Literal["folder", "zip", "git"]
    path: Path
    url: str = ""
    subfolder: str = ""
    login: str = ""

    @property
    def shown(self) -> str:
        """The place as it may be recorded."""
        text = self.url if self.kind == "git" else str(self.path)
        return mask_text(f"{text}#{self.subfolder}" if self.subfolder else text)


def parse(text: str | os.PathLike[str]) -> Place:
    """Read a place.

    Raises:
        InvalidValue: it is none that is taken, such as a URL that git would run as a command.

    Example:
        >>> parse("https://github.com/mlflow/mlflow-example#sub").shown
        'https://github.com/mlflow/mlflow-example#sub'
        >>> parse("git@github.com:mlflow/mlflow-example.git").kind
        'git'
    """
    text = os.fspath(text)
    if not text.strip() or any(ord(letter) < 32 for letter in text):
        raise InvalidValue(f"a project is a folder, a git URL or a .zip file, not {text!r:.120}")
    if text.startswith("-"):
        raise InvalidValue(f"{text!r:.120} begins with a dash, which programs take for an option; a folder of that name is ./{text[:60]}")
    if _TRANSPORT.match(text.removeprefix("git+")):
        raise InvalidValue(f"{mask_text(text)!r:.120} names a program that git would run; a project comes by https, ssh or file")
    body, _, subfolder = text.partition("#")
    if (found := _WITH_SCHEME.match(body)) is not None:
        return _of_url(body, found[1].lower(), _inside(subfolder), git=body.startswith("git+"))
    if _SCP.fullmatch(body) and not Path(body).exists():
        return Place("git", Path(), body, _inside(subfolder))
    whole = Path(text if Path(text).exists() else body).expanduser()
    kind: Literal["zip", "folder"] = "zip" if whole.suffix.lower() == ".zip" and not whole.is_dir() else "folder"
    return Place(kind, Path(os.path.abspath(whole)), subfolder="" if str(whole) == text else _inside(subfolder))


def _of_url(body: str, scheme: str, subfolder: str, *, git: bool) -> Place:
    if scheme not in _SCHEMES:
        hint = " (http is read by all on the way)" if scheme == "http" else ""
        raise InvalidValue(f"a project comes by https, ssh or file, not by {scheme}{hint}: {mask_text(body)!r:.160}")
    parts = urlsplit(body.removeprefix("git+"))
    login, _, host = parts.netloc.rpartition("@")
    if host.startswith("-") or login.startswith("-") or parts.path.startswith("/-"):
        raise InvalidValue(f"{mask_text(body)!r:.160} has a name that begins with a dash, which ssh and git take for an option")
    if scheme == "file":
        return _of_file(parts.netloc, parts.path, subfolder, git=git)
    if not host or not parts.path.strip("/"):
        raise InvalidValue(f"{mask_text(body)!r:.160} names no repository: write https://host/group/project")
    user = login.partition(":")[0] if scheme == "ssh" else ""  # a name, and not a secret
    url = urlunsplit((scheme, f"{user}@{host}" if user else host, quote(unquote(parts.path), safe="/~+@:,;=!$&'()*."), parts.query, ""))
    return Place("git", Path(), url, subfolder, login if scheme == "https" else "")


def _of_file(host: str, path: str, subfolder: str, *, git: bool) -> Place:
    if host not in ("", "localhost") or not path.startswith("/"):
        raise InvalidValue(f"file://{host}{path}: a path of this machine is absolute, as in file:///home/me/project")
    local = Path(unquote(path))
    if local.suffix.lower() == ".zip" and not local.is_dir():
        return Place("zip", local, subfolder=subfolder)
    bare = (local / "HEAD").is_file() and (local / "objects").is_dir()
    if git or bare or local.suffix == ".git":
        return Place("git", local, f"file://{quote(str(local))}", subfolder)
    return Place("folder", local, subfolder=subfolder)


def _inside(subfolder: str) -> str:
    """A folder of a project, from its top on.

    Raises:
        InvalidValue: it leads out.
    """
    parts = [part for part in subfolder.split("/") if part not in ("", ".")]
    if ".." in parts or subfolder.startswith("/") or "\\" in subfolder or (parts and parts[0] == ".git"):
        raise InvalidValue(f"#{subfolder[:120]} leads out of the project: write a folder below its top, as in #examples/sklearn")
    return "/".join(parts)
