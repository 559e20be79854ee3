"""Floor 2. Where journals lie: folders that nobody but this user can read or write, also when the one wished for cannot be used."""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from pathlib import Path

BESIDE = "beside"  # a file that says: this journal has another folder
ENDED = "ended"  # a file that says: the process has said its last word here, so that no lock and no lease need be asked


def spare_root(root: Path) -> Path:
    """Where journals go that cannot be below ``root``: a folder of this user's in the temporary folder, where recovery looks too."""
    user = os.geteuid() if hasattr(os, "geteuid") else getpass.getuser()
    return Path(tempfile.gettempdir()) / f"prefect-ledger-{user}" / hashlib.sha256(os.fsencode(root)).hexdigest()[:12]


def private_folder(path: Path) -> Path:
    """``path`` as a folder of this user that nobody else can write into; made when it is not there.

    Raises:
        PermissionError: it is a link, or belongs to somebody else.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = os.lstat(path)
    if os.path.islink(path) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        raise PermissionError(f"{path} is not a folder of this user")
    if found.st_mode & 0o077 and os.name == "posix":
        path.chmod(0o700)
    return path
