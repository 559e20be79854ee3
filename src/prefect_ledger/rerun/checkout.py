"""Floor 5. The code of a run, in a folder of its own: the commit, and on it what the commit had not."""

from __future__ import annotations

from pathlib import Path

from prefect_ledger.errors import LedgerError, NotReproducible
from prefect_ledger.projects import clones, places
from prefect_ledger.projects.places import Place
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.rerun.recorded import Code


def check_out(code: Code, target: Path, *, home: Path, say: Say = silent) -> Path:
    """The code in the new folder ``target``; returns the working tree. Taken from where it lay, if it is there, else from its remote.

    Raises:
        NotReproducible: neither has the commit, or the patch does not apply to it.
    """
    reasons = []
    for place in sources(code):
        try:
            found = clones.check_out(place, code.commit, target, home=home, say=say)
        except LedgerError as error:
            reasons.append(str(error))
            continue
        if code.patch and (said := clones.apply(code.patch, found.folder)):
            raise NotReproducible(f"the changes that the run was made with do not apply to its commit: {said[:1000]}")
        return found.folder
    why = "; ".join(reasons) or "nothing says where it was"
    raise NotReproducible(f"the commit {code.commit[:12]} of the run cannot be had: {why}")


def sources(code: Code) -> list[Place]:
    """Where the commit may be, the nearest first."""
    found = []
    if code.root and (Path(code.root) / ".git").exists():
        found.append(Place("git", Path(code.root), Path(code.root).as_uri()))
    if code.remote:
        try:
            remote = places.parse(code.remote)
        except LedgerError:  # one that git alone would understand, or not
            return found
        found += [remote] if remote.kind == "git" else []
    return found
