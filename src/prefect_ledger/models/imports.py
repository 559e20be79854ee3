"""Floor 4. Which packages a saved model imports: told by its pickles, its code and its types, without opening or importing anything."""

from __future__ import annotations

import ast
import dis
import inspect
import pickletools
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

_OPCODES = 300_000  # of a pickle that are looked at
_SCHEMA = 32 << 20  # bytes of a skops file's schema that are looked at
_MODULE_KEY = re.compile(rb'"__module__":\s*"([A-Za-z_]\w*)')
_STRINGS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})


def of_folder(folder: Path) -> set[str]:
    """The packages that the files of a model name: pickles, skops' schemas, Python files below it."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.suffix == ".py":
            found |= of_source(path)
        elif path.suffix == ".pkl":
            found |= of_pickle(path)
        elif path.suffix == ".skops":
            found |= _of_skops(path)
    return found


def of_model(model: object) -> set[str]:
    """The packages of the classes of ``model``, and those that its own code imports as it runs, where that code travels in the pickle."""
    kinds = type(model).__mro__
    found = {kind.__module__.partition(".")[0] for kind in kinds}
    functions: list[object] = [model]
    for kind in kinds:
        if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
            functions += vars(kind).values()
    for one in functions:
        plain = inspect.unwrap(one) if callable(one) else one
        if isinstance(plain, FunctionType) and (plain.__module__ == "__main__" or "<" in plain.__qualname__):
            found |= {*_of_code(plain.__code__), *_globals(plain)}
    return found


def of_source(path: Path) -> set[str]:
    """The packages that a Python file imports, wherever in it; none where it does not parse."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def of_pickle(path: Path) -> set[str]:
    """The packages that a pickle takes names from, as far as its first opcodes say."""
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            for module in _modules(file):
                found.add(module.partition(".")[0])
    except (OSError, ValueError, EOFError, UnicodeDecodeError):
        pass
    return found


def _modules(file: Any) -> Iterator[str]:
    recent: list[str] = []  # texts, the latest last
    memo: dict[int, str] = {}
    last: str | None = None  # what stands on top of the stack, where that is a text
    module_follows = False
    for count, (opcode, arg, _) in enumerate(pickletools.genops(file)):
        if count >= _OPCODES:
            return
        name = opcode.name
        if name in _STRINGS or (name in ("BINGET", "LONG_BINGET") and arg in memo):
            last = str(arg) if name in _STRINGS else memo[int(str(arg))]
            recent = [*recent[-1:], last]
            if module_follows:
                module_follows = False
                yield last
        elif name == "MEMOIZE":
            if last is not None:
                memo[len(memo)] = last
            else:
                memo[len(memo)] = ""
        elif name == "STACK_GLOBAL" and len(recent) == 2:
            yield recent[0]
            module_follows = recent[1] == "subimport"  # cloudpickle's word for a module that a function uses
            last = None
        elif name == "GLOBAL":
            yield str(arg).partition(" ")[0]
            last = None
        else:
            last = None


def _of_skops(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("schema.json") as schema:
            return {name.decode() for name in _MODULE_KEY.findall(schema.read(_SCHEMA))}
    except (OSError, KeyError, zipfile.BadZipFile):
        return set()


def _of_code(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            yield str(step.argval).partition(".")[0]
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _of_code(part)


def _globals(function: FunctionType) -> Iterator[str]:
    """The packages of modules and of what else a function uses by a global name."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        module = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        if isinstance(module, str):
            yield module.partition(".")[0]


def foreign(names: set[str]) -> set[str]:
    """Those that Python does not bring."""
    return {name for name in names if name and name not in sys.stdlib_module_names and name not in ("__main__", "builtins")}
