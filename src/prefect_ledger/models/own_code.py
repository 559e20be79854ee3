"""Floor 4. The code that travels with a model: found while the model is opened, and never taken for another's.

While a model is opened, names that its code folder has are found there first. A module of such a name that was imported before, from
other code, is put aside meanwhile and comes back afterwards; one with the very same files is used as it is, so that classes stay the same
ones. What the model imports later, as it is asked, is still found, but where two opened models have different code of one name such a late
import is refused: it never gets the other's. So no model's module stays imported by a name that another opened model has other code of.
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
    folder = folder.resolve()
    with _importing:
        tops = {top for path in folder.iterdir() if (top := _top(path))}
        new = {top for top in tops if not _same(folder, top)}
        aside = _taken_out(new)
        importlib.invalidate_caches()
        sys.path.insert(0, str(folder))
        _late.idle = threading.get_ident()
        try:
            yield
        except BaseException:
            _taken_out(new)
            sys.modules.update(aside)
            raise
        else:
            _late.add(folder, tops)
            _put_back(aside)
            _settle(tops)
        finally:
            _late.idle = 0
            with contextlib.suppress(ValueError):
                sys.path.remove(str(folder))


def belongs(folder: Path | None, model: object) -> None:
    """Forget the code in ``folder`` when ``model`` is gone; that of one that cannot be watched is kept for good."""
    if folder is not None:
        with contextlib.suppress(TypeError):
            weakref.finalize(model, _late.drop, folder.resolve()).atexit = False


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
        return (path.parent.parent if path.name == "__init__.py" else path.parent).resolve()
    paths = list(getattr(module, "__path__", ()))
    return Path(paths[0]).parent.resolve() if paths else None


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


def _put_back(aside: dict[str, ModuleType]) -> None:
    """The program's own modules come back; those of other models do not, for nobody could tell whose a later import means."""
    tops = {name.partition(".")[0] for name in aside}
    program = {top for top in tops if top not in aside or not _late.knew(_place(aside[top]))}
    _taken_out(program)
    sys.modules.update({name: module for name, module in aside.items() if name.partition(".")[0] in program})


def _settle(tops: set[str]) -> None:
    """Take out the modules of models, opened ones or gone, that are not what every opened model has by that name."""
    for top in tops:
        if (module := sys.modules.get(top)) is None or not _late.knew(place := _place(module)):
            continue
        if place is None or not all(_alike(top, place, folder) for folder in _late.having(top)):
            _taken_out({top})


def _alike(top: str, one: Path, other: Path) -> bool:
    return _equal(one, top, other) and _equal(other, top, one)


class _Late(MetaPathFinder):
    """Finds, last of all, what an opened model imports as it is asked."""

    def __init__(self) -> None:
        self._folders: dict[str, list[str]] = {}  # by top-level name; once for each opening. Texts: models may be dropped in any thread
        self._ever: set[str] = set()
        self.idle = 0  # the thread that opens a model now: it has its own code, and no other's

    def knew(self, folder: Path | None) -> bool:
        """Whether a model had its code in this folder, be it gone or not."""
        return folder is not None and str(folder) in self._ever

    def having(self, top: str) -> list[Path]:
        """The code folders of opened models that have this name."""
        return [path for one in dict.fromkeys(self._folders.get(top, ())) if (path := Path(one)).is_dir()]

    def add(self, folder: Path, tops: set[str]) -> None:
        if tops and self not in sys.meta_path:
            sys.meta_path.append(self)
        self._ever.add(str(folder))
        for top in tops:
            self._folders.setdefault(top, []).append(str(folder))

    def drop(self, folder: Path) -> None:
        """One opening less."""
        for folders in list(self._folders.values()):
            with contextlib.suppress(ValueError):
                folders.remove(str(folder))

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The module in the folder of the one model that has it."""
        folders = self.having(name) if path is None and self.idle != threading.get_ident() else []
        if not all(_alike(name, one, folders[0]) for one in folders[1:]):
            raise ImportError(
                f"{len(folders)} opened models have different modules {name!r}: one that is imported while a model is asked cannot be told "
                f"from the others; import it at the top of the model's code",
                name=name,
            )
        return PathFinder.find_spec(name, [str(folders[0])], target) if folders else None


_late = _Late()
