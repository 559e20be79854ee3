"""Floor 4. Which modules a saved model imports: told by its pickles, its code and its types, without opening or importing anything."""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from prefect_ledger.models import pickled_names

_SCHEMA = 32 << 20  # bytes of a skops file's schema that are looked at
_MODULE_KEY = re.compile(rb'"__module__":\s*"([A-Za-z_][\w.]*)')
_PICKLES = frozenset({".pkl", ".pickle"})
_BY_NAME = frozenset({"import_module", "__import__"})


def of_folder(folder: Path) -> set[str]:
    """The modules that the files of a model name: pickles, skops' schemas, Python files below it. Dotted names, as they stand there."""
    found: set[str] = set()
    for path in folder.rglob("*"):
        if path.suffix == ".py":
            found |= of_source(path)
        elif path.suffix in _PICKLES:
            found |= pickled_names.modules(path)
        elif path.suffix == ".skops":
            found |= _of_skops(path)
    return found


def of_types(model: object) -> set[str]:
    """The modules that the classes of ``model`` are from; one that is defined in a function goes into the pickle, without its module."""
    return {kind.__module__ for kind in type(model).__mro__ if "<locals>" not in kind.__qualname__}


def of_source(path: Path) -> set[str]:
    """The modules that a Python file imports, wherever in it; none where it does not parse.

    ``from a import b`` counts as ``a.b``, for in ``from google.cloud import storage`` only that says whose it is. What is imported for the
    type checker alone does not count.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return set()
    found: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        found |= set(_imported(node))
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        todo += node.orelse if typing_only and isinstance(node, ast.If) else ast.iter_child_nodes(node)
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}".removesuffix(".*") for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        called = node.func
        name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
        if name in _BY_NAME and not node.args[0].value.startswith("."):
            yield node.args[0].value


def _of_skops(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("schema.json") as schema:
            return {name.decode() for name in _MODULE_KEY.findall(schema.read(_SCHEMA))}
    except (OSError, KeyError, zipfile.BadZipFile):
        return set()


def foreign(modules: Iterable[str]) -> dict[str, set[str]]:
    """The modules by their top-level package, without those that Python brings.

    Example:
        >>> foreign({"json.decoder", "numpy", "numpy.linalg"}) == {"numpy": {"numpy", "numpy.linalg"}}
        True
    """
    found: dict[str, set[str]] = {}
    for module in modules:
        top = module.partition(".")[0]
        if top.isidentifier() and top not in sys.stdlib_module_names and top not in _OLD:
            found.setdefault(top, set()).add(module)
    return found


_OLD = frozenset(
    {"__main__", "__mp_main__", "__builtin__", "copy_reg"}
)  # the program itself, and what old pickles call the standard library
