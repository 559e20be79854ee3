"""Floor 4. The modules that a pickle takes names from: all of them, at the unpickler's speed, with nothing imported and nothing run.

The pickle is read with every name in it standing for the same inert class. So the reading ends as the pickle does, however much of it there
is, and meets also what functions of the notebook carry with them: the modules they use, and their code, which may import more.
"""

from __future__ import annotations

import dis
import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

_LONG = 1 << 16  # bytes


def modules(path: Path) -> set[str]:
    """Dotted names of modules; those before the fault, where the file is no whole pickle."""
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            _reader(file, found).load()
    except Exception:  # noqa: BLE001, S110  # bytes of any kind; what was read until then is the answer
        pass
    return found


def of_code(code: CodeType) -> Iterator[str]:
    """The modules that a function's code imports as it runs, and functions within it."""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME" and step.argval:
            yield str(step.argval)
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from of_code(part)


class _Inert:
    """What every name of a pickle stands for: a class, a function and an object that take anything and do nothing."""

    def __new__(cls, *_given: Any, **_named: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, *given: Any, **named: Any) -> None: ...

    def __call__(self, *_given: Any, **_named: Any) -> Any:
        return _Inert()

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, item: Any) -> None: ...

    def extend(self, items: Any) -> None: ...

    def add(self, item: Any) -> None: ...


def _reader(file: io.BufferedReader, found: set[str]) -> pickle.Unpickler:
    class Module(_Inert):  # cloudpickle's `subimport`, which is given the name of a module that a function uses
        def __init__(self, *given: Any, **_named: Any) -> None:
            found.update(name for name in given if isinstance(name, str))

    class BuiltIn(_Inert):  # cloudpickle's `_builtin_type`, which makes code objects
        def __new__(cls, *given: Any, **_named: Any) -> Any:
            return _code if given == ("CodeType",) else _Inert()

    class Names(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(module)
            return {"subimport": Module, "_builtin_type": BuiltIn, "CodeType": _code}.get(name, _Inert)

        def persistent_load(self, _pid: Any) -> Any:
            return _Inert()

    def _code(*given: Any) -> Any:
        """The code object that these make, never to be run."""
        try:
            code = CodeType(*given)
        except (TypeError, ValueError):  # another Python's
            return _Inert()
        found.update(of_code(code))
        return code

    return Names(_Skimmed(file))


class _Skimmed:
    """A pickle's bytes, without the long arrays: their memory stays as it is, so that they cost neither time nor pages."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        self.readline = file.readline

    def read(self, size: int, /) -> bytes:
        """The next ``size`` bytes: opcodes, numbers, texts."""
        return self._file.read(min(size, self._size))

    def readinto(self, array: memoryview, /) -> int:
        """Used for bytes and arrays alone."""
        if array.nbytes <= _LONG:
            return self._file.readinto(array)
        self._file.seek(array.nbytes, io.SEEK_CUR)
        return array.nbytes if self._file.tell() <= self._size else 0
