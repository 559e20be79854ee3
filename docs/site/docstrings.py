"""Docstrings as Markdown, for the reference: what is raised and examples stand out, and names of ours lead to where they are described.

An extension for griffe, named in properdocs.yml. It reads docstrings as people write them here: prose, then ``Args:``, ``Raises:`` and
``Example:``. A name in a role, such as :meth:`ActiveRun.finish`, becomes a link, and the strict build fails where it leads nowhere.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from griffe import Alias, Extension, GriffeError, Object

_ROLE = re.compile(r":(?:meth|func|class|attr|data|mod|exc):`([^`]+)`")
_SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Example|Examples|Note):[ ]*$", re.MULTILINE)
_ERROR = re.compile(r"(?<![\w.`\[])([A-Z][A-Za-z]+)(?=[:.,]|$)", re.MULTILINE)
_SKIPPED = re.compile(r"[ ]*# doctest: .*$", re.MULTILINE)
_FLOOR = re.compile(r"\AFloor \d[^.]*\. ")  # where a module stands is for whoever changes it
_PACKAGE = "prefect_ledger"


class Docstrings(Extension):
    """Rewrites the docstring of each object when it was loaded."""

    def on_package(self, *, pkg: Any, **_more: Any) -> None:
        """When the whole package is known, so that names can be looked up in it."""
        self._doors = {name: module for module in self._public(pkg) for name in reversed(list(module.exports or ()))}
        self._errors = {str(name) for name in pkg["errors"].members}
        self._rewrite(pkg)

    def _public(self, pkg: Any) -> list[Any]:
        """The modules whose names are public: a later one wins, so that the front door is last."""
        return [pkg["webhooks"], pkg["autolog"], pkg["registry"], pkg]

    def _rewrite(self, found: Object) -> None:
        for member in found.members.values():
            if not isinstance(member, Alias):
                self._rewrite(member)
        if found.docstring is not None:
            found.docstring.value = self._markdown(inspect.cleandoc(found.docstring.value), found) + _fields(found)

    def _markdown(self, text: str, found: Object) -> str:
        prose, *sections = _SECTION.split(_FLOOR.sub("", text))
        parts = [self._linked(prose.rstrip(), found)]
        for title, body in zip(sections[::2], sections[1::2], strict=True):
            parts.append(self._section(title, inspect.cleandoc(body), found))
        return "\n\n".join(parts)

    def _section(self, title: str, body: str, found: Object) -> str:
        if title.startswith("Example") and "```" not in body:
            return f"**{title}**\n\n```pycon\n{_SKIPPED.sub('', body)}\n```"
        if title == "Raises":
            body = _ERROR.sub(lambda m: f"[{m[1]}][{_PACKAGE}.errors.{m[1]}]" if m[1] in self._errors else m[1], body)
        elif title == "Args":
            body = re.sub(r"^(\w+):", r"- `\1`:", body, flags=re.MULTILINE)
        return f"**{title}**\n\n{self._linked(body, found)}"

    def _linked(self, text: str, found: Object) -> str:
        return _ROLE.sub(lambda m: f"[`{m[1]}`][{self._path(m[1], found)}]", text)

    def _path(self, name: str, found: Object) -> str:
        """Where the reference describes a name that is said in the docstring of ``found``."""
        if name.startswith(f"{_PACKAGE}."):
            return name
        head, _, rest = name.partition(".")
        if head in self._errors:
            return f"{_PACKAGE}.errors.{name}"
        if head in self._doors:
            return f"{self._doors[head].path}.{name}"
        around: Any = found
        while around is not None and not around.is_class:
            around = around.parent
        if around is not None and not rest and around.name in self._doors:
            return f"{self._doors[around.name].path}.{around.name}.{name}"
        try:
            return str(found.resolve(name))
        except (GriffeError, LookupError):
            return name


def _fields(found: Any) -> str:
    """The fields of a class that is a plain value, with their types."""
    if not found.is_class or not ("dataclass" in found.labels or any(str(base) in ("Block", "NamedTuple") for base in found.bases)):
        return ""
    lines = [
        f"{name}: {member.annotation}"
        for name, member in found.members.items()
        if not name.startswith("_") and member.is_attribute and member.annotation is not None and "property" not in member.labels
    ]
    return "\n\n**Fields**\n\n```python\n" + "\n".join(lines) + "\n```" if lines else ""
