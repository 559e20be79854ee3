"""Floor 1. The words of a filter's text, each with its place. One pass, in time linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from prefect_ledger.errors import InvalidFilter

TEXT_LIMIT = 10_000
SHOWN_LIMIT = 40

# Possessive quantifiers (`++`, `*+`) never give back what they took, so no text is looked at twice.
_TOKEN = re.compile(
    r"""(?P<space> \s++ )
    | (?P<word> [^\W\d][\w./-]*+ )
    | (?P<number> [+-]?(?: [0-9]++(?:\.[0-9]*+)?+ | \.[0-9]++ )(?: [eE][+-]?[0-9]++ )?+ (?![\w.]) )
    | (?P<signed_word> [+-](?i:infinity|inf|nan) (?![\w./-]) )
    | (?P<string> '[^']*+(?:''[^']*+)*+' )
    | (?P<double> "[^"]*+(?:""[^"]*+)*+" )
    | (?P<backtick> `[^`]*+(?:``[^`]*+)*+` )
    | (?P<symbol> <=|>=|!=|<>|==|[=<>(),] )
    | (?P<open> ['"`] )
    | (?P<bad_number> [+-]?\.?[0-9][\w.+-]*+ )
    | (?P<other> . )""",
    re.VERBOSE | re.DOTALL,
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # no database takes these
_HINTS = {
    "&": "; write 'and'",
    "|": "; write 'or'",
    "!": "; write 'not' or '!='",
    "~": "; write 'like'",
    "-": "; a sign stands right before its number",
    "+": "; a sign stands right before its number",
    ".": "; a key with odd characters stands in backticks as a whole, as in metrics.`my key`",
    "\u2018": "; write straight quotes",
    "\u2019": "; write straight quotes",
    "\u201c": "; write straight quotes",
    "\u201d": "; write straight quotes",
}


class Token(NamedTuple):
    """One word: `kind` is word, number, string, double, backtick, symbol or end."""

    kind: str
    text: str  # of quoted ones what the quotes hold
    low: str  # lower case of words and symbols, "" of everything else: a quoted 'and' is no keyword
    start: int
    end: int

    @property
    def found(self) -> str:
        """For messages: what stands there."""
        return "the end of the text" if self.kind == "end" else shown(self.text)


def shown(text: str) -> str:
    """The text as a message quotes it, cut to a readable length."""
    return repr(text if len(text) <= SHOWN_LIMIT else f"{text[:SHOWN_LIMIT]}…")


def tokens(text: str, more: str = "") -> Iterator[Token]:
    """The words of `text`, then one of kind "end". The characters of `more` are symbols too, for grammars that extend this one.

    Raises:
        InvalidFilter: too long, an open quote, a malformed number, a character that no filter has.
    """
    if len(text) > TEXT_LIMIT:
        message = f"the text has {len(text):,} characters, at most {TEXT_LIMIT:,} are read; ask in several searches"
        raise InvalidFilter(message, position=TEXT_LIMIT)
    if bad := _UNSTORABLE.search(text):
        raise InvalidFilter(f"the character {bad.group()!r} cannot be in a key or value", text=text, position=bad.start())
    for match in _TOKEN.finditer(text):
        kind, word, (start, end) = str(match.lastgroup), match.group(), match.span()
        if kind in ("string", "double", "backtick"):
            yield Token(kind, word[1:-1].replace(word[0] * 2, word[0]), "", start, end)
        elif kind in ("word", "symbol"):
            yield Token(kind, word, word.lower(), start, end)
        elif kind == "other" and word in more:
            yield Token("symbol", word, word, start, end)
        elif kind in ("number", "signed_word"):
            yield Token("number", word, "", start, end)
        elif kind != "space":
            raise InvalidFilter(_unreadable(kind, word), text=text, position=start)
    yield Token("end", "", "", len(text), len(text))


def _unreadable(kind: str, word: str) -> str:
    if kind == "open":
        return f"the quote {word} that opens here is not closed; inside, that quote is written twice ({word}{word})"
    if kind == "bad_number":
        return f"{shown(word)} is not a number; text stands in single quotes"
    return f"unexpected {shown(word)}{_HINTS.get(word, '')}"
