"""Floor 4. The code that travels with a model: found while the model is opened, and never taken for another's.

While a model is opened, names that its code folder has are found there first. A module of such a name that was imported before, from
other code, is put aside meanwhile and comes back afterwards; one with the very same files is used as it is, so that classes stay the same
ones. What the model imports later, as it is asked, is still found, but where two opened models have different code of one name such a late
import is refused: it never gets the other's.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_importing = threading.RLock()


@contextlib.contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """Have the modules in ``folder`` found first, for as long as the block lasts."""
    if folder is None:
        yield
        return
    with _importing:
        tops = {top for path in folder.iterdir() if (top := _top(path))}
        new = {top for top in tops if not _same(folder, top)}
        aside = _taken_out(new)
        importlib.invalidate_caches()
        sys.path.insert(0, str(folder))
        _late.idle = threading.get_ident()
        try:
            yield
        finally:
            _late.idle = 0
            with contextlib.suppress(ValueError):
                sys.path.remove(str(folder))
            _put_back(aside, new)
            _late.add(folder, tops)


def belongs(folder: Path | None, model: object) -> None:
    """Forget the code in ``folder`` when ``model`` is gone; that of one that cannot be watched is kept for good."""
    if folder is not None:
        with contextlib.suppress(TypeError):
            weakref.finalize(model, _late.drop, folder).atexit = False


def _top(path: Path) -> str:
    """The module that a file or folder of code is; "" when it is none."""
    name = path.name.partition(".")[0]
    code = path.is_dir() or path.suffix in (".py", ".so")
    return name if code and name.isidentifier() and name != "__pycache__" else ""


def _same(folder: Path, top: str) -> bool:
    """Whether a module of this name is imported already, from the same files."""
    if (module := sys.modules.get(top)) is None:
        return False
    return (place := _place(module)) is not None and _equal(folder, top, place)


def _place(module: ModuleType) -> Path | None:
    """The folder that a top-level module was found in."""
    if file := getattr(module, "__file__", None):
        path = Path(file)
        return path.parent.parent if path.name == "__init__.py" else path.parent
    paths = list(getattr(module, "__path__", ()))
    return Path(paths[0]).parent if paths else None


def _equal(folder: Path, top: str, place: Path) -> bool:
    """Whether all of this module's code in ``folder`` is in ``place`` too, byte for byte."""
    if folder == place:
        return True
    files = [path for one in folder.glob(f"{top}*") if _top(one) == top for path in ([one] if one.is_file() else one.rglob("*"))]
    try:
        return all(
            path.read_bytes() == (place / path.relative_to(folder)).read_bytes()
            for path in files
            if path.is_file() and path.suffix != ".pyc"
        )
    except OSError:
        return False


def _taken_out(tops: set[str]) -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in tops}


def _put_back(aside: dict[str, ModuleType], tops: set[str]) -> None:
    """What was there before comes back. Code of another model does not: nobody could tell whose a later import means."""
    taken = {name.partition(".")[0] for name in aside}
    _taken_out(taken & tops)
    models = {top for top in taken if top in aside and _late.has(_place(aside[top]))}
    sys.modules.update({name: module for name, module in aside.items() if name.partition(".")[0] not in models})


class _Late(MetaPathFinder):
    """Finds, last of all, what an opened model imports as it is asked."""

    def __init__(self) -> None:
        self._folders: dict[str, list[Path]] = {}
        self.idle = 0  # the thread that opens a model now: it has its own code, and no other's

    def has(self, folder: Path | None) -> bool:
        return any(folder in folders for folders in self._folders.values())

    def add(self, folder: Path, tops: set[str]) -> None:
        if tops and self not in sys.meta_path:
            sys.meta_path.append(self)
        for top in tops:
            known = [one for one in self._folders.get(top, []) if one.is_dir() and one != folder]
            self._folders[top] = [*known, folder]

    def drop(self, folder: Path) -> None:
        for top, folders in list(self._folders.items()):
            self._folders[top] = [one for one in folders if one != folder]

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The module in the folder of the one model that has it."""
        folders = (
            [one for one in self._folders.get(name, ()) if one.is_dir()] if path is None and self.idle != threading.get_ident() else []
        )
        if not all(_equal(one, name, folders[0]) and _equal(folders[0], name, one) for one in folders[1:]):
            raise ImportError(
                f"{len(folders)} opened models have different modules {name!r}: one that is imported while a model is asked cannot be told "
                f"from the others; import it at the top of the model's code",
                name=name,
            )
        return PathFinder.find_spec(name, [str(folders[0])], target) if folders else None


_late = _Late()
