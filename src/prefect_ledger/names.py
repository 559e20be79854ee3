"""Floor 0. What may be a key, a name, an id or a path. Pure checks; nothing here touches a disk.

The rules for keys are MLflow's (3.17, ``utils/validation.py``), so that every name this ledger holds can be said there
too: letters, digits, ``_ / . - space :``, at most 250 characters, and unchanged by path normalisation.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import re
import unicodedata
import uuid

from prefect_ledger.errors import InvalidName

KEY_LIMIT = 250
PARAM_VALUE_LIMIT = 6_000
TAG_VALUE_LIMIT = 8_000
NAME_LIMIT = 500
DESCRIPTION_LIMIT = 20_000
ALERT_LEVELS = ("info", "warning", "error")  # the gravest last
PATH_LIMIT = 1_024

_KEY = re.compile(r"[/\w.\- :]+", re.UNICODE)
_HEX32 = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]*")
_CONTROL = re.compile("[\\x00-\\x1f\\x7f\\ud800-\\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
DEFAULT_EXPERIMENT = "Default"
MODELS = "models"  # the folder of a run's artifacts that its models are in


def check_key(key: object, kind: str = "metric") -> str:
    """Return ``key`` if it may name a metric, parameter or tag.

    Raises:
        InvalidName: not text, empty, over 250 characters, other characters, or a path that would normalise away.
    """
    if not isinstance(key, str):
        raise InvalidName(f"{_a(kind)} key is text, not {type(key).__name__}: {key!r:.80}")
    if not key or len(key) > KEY_LIMIT:
        raise InvalidName(f"{_a(kind)} key has 1 to {KEY_LIMIT} characters, this one has {len(key)}: {key[:60]!r}")
    if not _KEY.fullmatch(key):
        raise InvalidName(f"{kind} key {key!r}: only letters, digits, '_', '/', '.', '-', ':' and spaces, such as 'val/auc'")
    if posixpath.normpath(key) != key or key.startswith(("/", "..")) or key == "." or "\n" in key:
        raise InvalidName(f"{kind} key {key!r} must read the same as a path: no leading '/', '..', './' or '//'")
    return key


def _a(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeiou" else f"a {kind}"


def check_name(name: object, kind: str = "experiment") -> str:
    """Return ``name`` if it may name an experiment or a run: 1 to 500 printable characters.

    Raises:
        InvalidName: otherwise.
    """
    kind = _a(kind)
    if not isinstance(name, str):
        raise InvalidName(f"the name of {kind} is text, not {type(name).__name__}: {name!r}")
    if not name.strip() or len(name) > NAME_LIMIT:
        raise InvalidName(f"the name of {kind} has 1 to {NAME_LIMIT} characters, this one has {len(name)}: {name[:60]!r}")
    if any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in name):
        raise InvalidName(f"the name of {kind} has no control characters: {name!r}")
    return name


def fitted_name(name: str) -> str:
    """``name`` as :func:`check_name` takes it, for names that somebody else has allowed: spaces for control characters, and a long one cut
    to 500 characters, of which the last sixteen are of its digest, so that two long names stay two.

    Example:
        >>> fitted_name("night\\trun"), len(fitted_name("x" * 600))
        ('night run', 500)
    """
    text = "".join(" " if ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 else c for c in name)
    if len(text) > NAME_LIMIT:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        text = f"{text[: NAME_LIMIT - 17]}…{digest}"
    return text if text.strip() else "unnamed"


def check_path(path: object) -> str:
    """Return ``path`` if it may be an artifact's path within its run: relative, forward slashes, staying inside.

    Raises:
        InvalidName: absolute, with a drive or scheme, with ``..`` or backslashes, control characters, too long.
    """
    if not isinstance(path, str):
        raise InvalidName(f"an artifact path is text, not {type(path).__name__}: {path!r}")
    size = len(path.encode("utf-8", "replace"))
    if not path or size > PATH_LIMIT:  # bytes: it is part of an index's entry, whose size is bounded
        raise InvalidName(f"an artifact path has 1 to {PATH_LIMIT:,} bytes, this one has {size:,}: {path[:60]!r}")
    if "\\" in path or path.startswith(("/", "~")) or _DRIVE.match(path) or "://" in path:
        raise InvalidName(f"artifact path {path!r}: give a relative path with forward slashes, such as 'plots/roc.png'")
    if _CONTROL.search(path):
        raise InvalidName(f"artifact path {path!r} has control characters")
    if posixpath.normpath(path) != path or ".." in path.split("/") or path == ".":
        raise InvalidName(f"artifact path {path!r} must stay inside its run: no '..', './', '//' or trailing '/'")
    if size > 255 and any(len(part.encode()) > 255 for part in path.split("/")):
        raise InvalidName(f"artifact path {path!r}: a part is over 255 bytes, more than file systems take")
    return path


def check_model_name(name: object) -> str:
    """Return ``name`` if it may name a model in references such as ``models:/churn/7``.

    Raises:
        InvalidName: it may not.

    Example:
        >>> check_model_name("churn")
        'churn'
    """
    if not isinstance(name, str) or not name.strip() or len(name) > KEY_LIMIT or re.search(r"[/:@%]", name):
        wanted = f"text of at most {KEY_LIMIT} characters without '/', ':', '@' and '%', such as 'churn'"
        raise InvalidName(f"a model's name is {wanted}, not {name!r:.80}")
    if name != name.strip() or name != unicodedata.normalize("NFC", name) or any(unicodedata.category(char) == "Cf" for char in name):
        raise InvalidName(f"a model's name has no spaces around it and no invisible characters, or two would look alike: {name!a:.80}")
    check_path(f"{MODELS}/{name}/MLmodel")
    return name


def run_id(text: object) -> str:
    """Return the 36-character form of a whole run id (UUID, 36 or 32 characters).

    Raises:
        InvalidName: not a run id.
    """
    if isinstance(text, uuid.UUID):
        return str(text)
    if not isinstance(text, str) or len(text) not in (32, 36) or not _HEX32.fullmatch(text.replace("-", "").lower()):
        raise InvalidName(f"not a run id: {text!r:.80}; give 36 characters such as '{uuid.uuid4()}'")
    return str(uuid.UUID(text))


def run_id_prefix(text: object) -> str:
    """Return ``text`` as the beginning of a run id with dashes: a whole id, 32 hex digits, or 8 and more characters.

    Raises:
        InvalidName: shorter than 8 characters, or not hexadecimal.
    """
    if isinstance(text, uuid.UUID):
        return str(text)
    low = text.lower() if isinstance(text, str) else ""
    if _HEX32.fullmatch(low):
        return str(uuid.UUID(low))
    if len(low) > 36 or not _PREFIX.fullmatch(low):
        raise InvalidName(f"not a run id: {text!r:.80}; give the whole id or at least its first 8 characters")
    bare = low.replace("-", "")
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(part for a, b in itertools.pairwise(cuts) if (part := bare[a:b]))


def experiment_id(name: str) -> int:
    """The id an experiment of this name gets when nobody has it yet: 0 for "Default", else 1 to 18 digits of its sha256.

    Derived, so that a run can place its artifacts before any database was asked.
    """
    if name == DEFAULT_EXPERIMENT:
        return 0
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % (10**18 - 1) + 1
