"""Floor 4. How values and names are said in messages: short, whatever they are."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.masking import MASK, mask_text
from prefect_ledger.secret_names import is_secret_name

_NAMES = 20  # shown of a list of names
_WORDS = re.compile(r"[\w-]+")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


@contextmanager
def about(name: object) -> Iterator[None]:
    """A mismatch that is told within is one of the column or parameter ``name``."""
    try:
        yield
    except SignatureMismatch as error:
        error.field = str(name)
        raise


def shown(value: Any) -> str:
    """A value as short text, also where it has no text of its own.

    Example:
        >>> shown([1, 2, 3, 4, 5, 6, 7, 8])
        '[1, 2, 3, 4, 5, 6, ...]'
    """
    try:
        text = _SHORT.repr(value)
    except (ValueError, RecursionError):  # whole numbers of thousands of digits
        return "…"
    return text if len(text) <= 100 else f"{text[:100]}…"


def quoted(where: str, value: Any) -> str:
    """A value as short text, masked; not at all where ``where`` has the name of a secret.

    Example:
        >>> quoted("parameter 'alpha'", "high"), quoted("parameter 'api_key'", "hunter2")
        ("'high'", '********')
    """
    return MASK if any(map(is_secret_name, _WORDS.findall(where))) else mask_text(shown(value))


def listed(names: Iterable[Any]) -> str:
    """Names, the first of many.

    Example:
        >>> listed(["a", "b"]), listed(range(1000))[-9:]
        ("'a', 'b'", ' 980 more')
    """
    every = list(names)
    first = ", ".join(map(shown, every[:_NAMES]))
    return first if len(every) <= _NAMES else f"{first} and {len(every) - _NAMES:,} more"


def article(name: str) -> str:
    """A type's name with its article.

    Example:
        >>> article("integer"), article("double")
        ('an integer', 'a double')
    """
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def plural(names: list[Any], word: str) -> str:
    """A word for one name or more, and the names.

    Example:
        >>> plural(["a", "b"], "column")
        "columns 'a', 'b'"
    """
    return f"{word}{'s' if len(names) > 1 else ''} {listed(names)}"
