"""Floor 4. How values and names are said in reasons, and reasons in reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefect_ledger.formats import clean
from prefect_ledger.models.wording import listed, shown

# What Markdown and HTML would take for their own: names, tags and reasons are written by anybody. An "@" before a name would call somebody
# in a pull request, or everybody; what has no width stands between the two.
_MARKS = str.maketrans({char: f"\\{char}" for char in "\\`*_[]|~#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@&#8203;"})


def escaped(text: str) -> str:
    """Text that no Markdown, HTML or call for somebody comes of, on one line; what nobody would see is written out.

    Example:
        >>> escaped("<b>*x*</b>\\n@all"), escaped("\\x1b[31m")
        ('&lt;b&gt;\\\\*x\\\\*&lt;/b&gt; @&#8203;all', '\\\\\\\\x1b\\\\[31m')
    """
    return clean(" ".join(text.split())).translate(_MARKS)


def said(value: Any, *beside: float | None) -> str:
    """A value in a sentence: a number with six digits, or as many as tell it from those beside it; texts in quotes.

    Example:
        >>> said(0.8979999999999999), said(1234567), said("xgb"), said(0.89799991, 0.898)
        ('0.898', '1,234,567', "'xgb'", '0.89799991')
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if isinstance(value, float):
        others = [float(one) for one in beside if one is not None and one != value]
        texts = (f"{value:.{digits}g}" for digits in (6, 9, 12, 17) if all(f"{one:.{digits}g}" != f"{value:.{digits}g}" for one in others))
        return next(texts, repr(value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else shown(value)


def near(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: the names that were probably meant, else those that there are.

    Example:
        >>> near("acc", ["accuracy", "loss"]), near("f1", ["accuracy", "loss"]), near("auk", ["auc", "loss"])
        ("; near are: 'accuracy'", "; there are: 'accuracy', 'loss'", "; near are: 'auc'")
    """
    from difflib import get_close_matches  # only a refusal needs it

    names = sorted(known)
    if not names:
        return "; there are none"
    by_case = {name.lower()[:100]: name for name in names}
    found = [by_case[one] for one in get_close_matches(word.lower()[:100], by_case, 3, 0.5)]
    return f"; near are: {listed(found)}" if found else f"; there are: {listed(names[:10])}{' and more' if len(names) > 10 else ''}"
