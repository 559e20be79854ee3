"""Floor 6. Which registered model or version a word of a command means: ``churn``, ``churn/7``, ``churn@champion``, ``models:/churn/7``."""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from prefect_ledger.errors import InvalidName, InvalidValue

_SHORT = re.compile(r"[^/:@%]+([/@][^/:@%]+)?")
_WAYS = "churn/7, churn@champion, churn/production or churn/latest"


def _apart(_type: object, text: str) -> None:
    """Refuse a version written as in a reference where name and version are two words; the parser asks before it misses the second.

    Raises:
        ValueError: with the two words.
    """
    one = Meant(text)
    with contextlib.suppress(InvalidName, InvalidValue):  # the registry says better what is wrong with it
        one = meant(text)
    if one.selector:
        raise ValueError(f"Name and version are two words here: write {one.name} {one.selector}.")


ModelName = Annotated[str, Parameter(help="What the registered model is called.")]
NameBefore = Annotated[str, Parameter(help="What the registered model is called.", validator=_apart)]  # the version is the next word
Named = Annotated[str, Parameter(help=f"A registered model, as in churn, or a version of one: {_WAYS}.")]
OneVersion = Annotated[str, Parameter(help=f"A version: {_WAYS}.")]
Selector = Annotated[str, Parameter(help="The version: its number, @alias, a stage (the highest version in it), or latest.")]


class Meant(NamedTuple):
    """A registered model, and what says which version of it; "" where the model as a whole is meant."""

    name: str
    selector: str = ""

    def number(self) -> int:
        """The version's number.

        Raises:
            InvalidValue: the model as a whole is meant. RegisteredModelNotFound, VersionNotFound.
        """
        from prefect_ledger import registry

        if not self.selector:
            raise InvalidValue(f"say which version of {self.name!r}: {_WAYS}")
        if self.selector.isascii() and self.selector.isdecimal():
            return int(self.selector)  # of a deleted one, too
        return registry.get_version(self.name, self.selector).version


def meant(text: str) -> Meant:
    """What a word means.

    Raises:
        InvalidName: it is a reference to something else. InvalidValue: it is none.
    """
    from prefect_ledger.tracking.references import parse

    if not text.startswith("models:"):
        if not _SHORT.fullmatch(text):
            raise InvalidValue(f"{text!r:.80} names no registered model: write churn, or for a version {_WAYS}")
        if not set("/@") & set(text):
            return Meant(text)
        text = f"models:/{text}"
    found = parse(text)
    if found.kind != "registry":
        raise InvalidValue(f"{text} is a logged model: `prefect-ledger models register NAME {text}` makes a version of it")
    return Meant(found.text, found.selector)


def is_short(text: str) -> bool:
    """Whether a word means something of the registry, where references to logged models may stand too."""
    return bool(_SHORT.fullmatch(text))
