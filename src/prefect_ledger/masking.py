"""Floor 1. What must not be written down: finds secrets in names, texts, command lines and nested values and hides them.

Promise: pure, never raises on text, time grows linearly with the text, and masking twice is masking once. It is a net
with known meshes, not a proof: a bare password in prose ("it is hunter2") is a word like others. In doubt it hides too much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefect_ledger.secret_names import is_secret_name, words

__all__ = ["MASK", "is_secret_name", "mask_argv", "mask_name", "mask_text", "mask_value", "quoted"]

MASK = "********"
_QUOTED = 120  # characters of a value in an error message

# --- shapes: secrets that are known by how they look -------------------------------------------------------------------

# The part that is always there is asked for first, with `in`, which is a hundred times as fast as the pattern.
_SHAPE_LIST = r"""
    AKIA         AKIA(?<![A-Za-z0-9]AKIA)[A-Z0-9]{16}(?![A-Za-z0-9])
    ASIA         ASIA(?<![A-Za-z0-9]ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])
    gh           gh[pousr]_(?<![A-Za-z0-9]....)[A-Za-z0-9]{16,}
    github_pat_  github_pat_\w{16,}
    glpat-       glpat-[\w-]{16,}
    xox          xox[abeoprs]-[\w-]{8,}
    sk-          sk-(?<![\w-]sk-)(?=[\w-]{0,80}\d)[\w-]{16,}
    k_           [rs]k_(?:live|test)_[A-Za-z0-9]{12,}
    hf_          hf_(?<!\whf_)[A-Za-z0-9]{16,}
    gsk_         gsk_(?<!\wgsk_)[A-Za-z0-9]{20,}
    pn           pn[bu]_(?<!\w....)[A-Za-z0-9]{20,}
    AIza         AIza(?<!\wAIza)[\w-]{30,}
    ya29.        ya29\.[\w-]{16,}
    pypi-        pypi-[\w-]{40,}
    dapi         dapi(?<!\wdapi)[0-9a-f]{32}
    eyJ          eyJ(?<![\w-]eyJ)[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?
    .slack.com/  (?<=\.slack\.com/)(?:services|workflows)/[\w/-]+
    -----BEGIN   -----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)
"""
_SHAPES = [line.split(maxsplit=1) for line in _SHAPE_LIST.strip().splitlines()]  # compiled when first needed: all together take 13 ms


# --- URLs --------------------------------------------------------------------------------------------------------------

# A quote or bracket ends a word only where no word goes on behind it: `pa'ss` is one, `'https://host', ` ends.
_URL = re.compile(r"://((?:[^\s\"'<>`]|[\"'<>`](?=\w))+)")
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w-]{20,}")


def _mask_urls(text: str) -> str:
    def whole(found: re.Match[str]) -> str:
        before = found.string[max(0, found.start() - 5) : found.start()]
        pieces = found[1].split("://")
        schemes = [b[-5:].lower().endswith(("http", "https")) for b in (before, *pieces)]
        return "".join(f"://{_mask_userinfo(piece, web=web)}" for piece, web in zip(pieces, schemes, strict=False))

    return _URL.sub(whole, text)


def _mask_userinfo(rest: str, *, web: bool) -> str:
    """``rest`` is what follows ``://``. Behind http, a lone user is a token; elsewhere (``ssh://git@host``) a name."""
    if "@" not in rest:
        return rest
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    at = authority.rfind("@")
    if at < 0:
        # A password with a raw slash: what looks like a port then is not one.
        port = authority.partition(":")[2]
        if not port or port.isdigit() or authority.startswith("["):
            return rest
        at = rest.rfind("@")
    user, colon, password = rest[:at].partition(":")
    if (web and password in ("", "x-oauth-basic")) or _RANDOM.fullmatch(user):
        user = MASK if user else user
    return f"{user}{colon}{MASK if password else ''}{rest[at:]}"


# --- assignments: name = value, "name": value, --name value, (name, value) ---------------------------------------------

# Every secret name holds one of these; they are looked for with `str.find`, which leaves innocent text quickly.
_STEMS = ("pass", "pw", "token", "secret", "cred", "key", "auth", "bearer", "cookie", "dsn", "jwt", "otp", "conn", "sess", "sig", "_pat")
_IDENT_BACK, _IDENT = re.compile(r"[\w.\-]*"), re.compile(r"[\w.\-]{0,256}")
_SEP = re.compile(
    r"(?:\\*[\"'`])?\]?[ \t]{0,32}"
    r"(?::[ \t]{0,8}(?:str|bytes|int|object|Any|[\w.]{0,40}(?:Secret|Optional|Annotated)\w{0,8})"  # password: str = "x"
    r"(?:\[[^\]\n]{0,80}\])?(?:[ \t]\|[ \t]None)?[ \t]{0,8}=(?!=)"
    r"|(?P<op>=>|:=|==|!=|=|:(?!:)))[ \t]{0,32}"
)
_OPTION_SEP = re.compile(r"[ \t]{1,32}(?=[^\s\-=|&<>])|\\*[\"'](?:,\s{0,8}|[ \t]{1,8})(?=[bBrRuU]?\\*[\"'])")
_TUPLE_SEP = re.compile(r"\\*[\"'],\s{0,8}(?=[bBrRuUfF]?\\*[\"'])")
_QUOTE = re.compile(r"[bBrRuUfF]{0,2}(\\*)(\"\"\"|'''|[\"'`])")
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|digest|negotiate)[ \t]+(?=[^\s,;])", re.IGNORECASE)
# What ends an unquoted value: white space, a quote or closing bracket that nothing follows, the next `name=` of a list.
_STOP = r"[\"'`](?!\w)|[)\]}>]{1,8}[.,;:]?(?=[\s\"'`,]|$)|[)\]}>]{1,8}$|[,;](?=\s|$|[\"'`]|[A-Za-z_][\w. \-]{0,40}=[^=\s,;])"
_PLAIN = re.compile(rf"(?:(?!{_STOP})\S)+")
_IN_QUERY = re.compile(r"(?:[^\s&#;\"'<>`]|[\"'<>`](?=\w))+")
_TO_LINE_END = re.compile(r"(?:[^\r\n\"'`]|[\"'`](?=\w))+")
_IN_TAG = re.compile(r">\s{0,32}([^<>\s][^<>]*)")
_BEARER = re.compile(r"[ \t]+(?=[\w.~+/=\-]{0,80}\d|[\w.~+/=\-]{24})([\w.~+/=\-]{8,})")
_HARMLESS = words("none null true false")
_TYPES = _HARMLESS | words("str bytes int float bool any object dict list tuple optional secretstr secretbytes string number boolean")
_PROSE = words("is are was were must should requires required option argument flag or and to not has expected cannot can will for in")
_BRACKETS, _BRACKET_LIMIT = {"(": ")", "[": "]", "{": "}"}, 8_192


def _mask_assignments(text: str) -> str:
    # One capital letter grows when lowered; without it, both texts have the same positions.
    low = text.replace("\u0130", "I").lower()
    hits = sorted(at for stem in _STEMS if stem in low for at in _all(low, stem))
    out, kept, cursor = [], 0, 0
    for hit in hits:
        if hit < cursor:
            continue
        # An identifier begins at most 64 characters before the stem, and never in what is hidden already.
        start = hit - len(_IDENT_BACK.match(text[max(kept, hit - 64) : hit][::-1])[0])  # type: ignore[index]  # it matches nothing too
        end = _IDENT.match(text, hit).end()  # type: ignore[union-attr]
        span, cursor = _secret_span(text, start, end), end
        if span:
            out += [text[kept : span[0]], MASK]
            kept = cursor = span[1]
    return "".join([*out, text[kept:]]) if out else text


# --- forms of their own: pydantic's errors, percent-encoded assignments, logins of curl and its kin ----------------------

_INPUT = "input_value="
_LINE_END = re.compile(r"\n|\\n|\Z")
_ENCODED = re.compile(
    r"(?:(?<=%3B)|(?<=%26)|(?<=%20)|(?<=%3F)|(?<=%7B)|(?<=%0A)|(?<![\w%.\-+]))([\w.\-+]{1,64})%3D"
    r"(%7B(?:(?!%7D)[^\n]){0,512}%7D|(?:(?!%3B|%26)[^\s&#\"'])+)",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"(?<![\w\-])(?:-u|--user|--proxy-user)(?:[ \t]{1,32}\\*[\"']?|=\\*[\"']?|\\*[\"'],\s{0,8}\\*[\"'])"
    r"([^\s:\"'\\]{1,256}):(?!//)([^\s\"'\\]+)"
)


def _mask_inputs(text: str) -> str:
    """pydantic quotes what it refuses, one line below the field's name: ``api_key\n  Input should be ... [..., input_value='x', ...]``."""
    out, kept, at = [], 0, text.find(_INPUT)
    while at >= 0:
        start = end = at + len(_INPUT)
        if _below_secret(text[max(kept, at - 1_000) : at]):
            end = _LINE_END.search(text, start).start()  # type: ignore[union-attr]  # the text's end is one
            shut = text.rfind(", input_type=", start, end)
            end = shut if shut >= 0 else end
            out += [text[kept:start], MASK]
            kept = end
        at = text.find(_INPUT, end)
        if at >= 0 and "\n" not in text[end:at] and "\\n" not in text[end:at]:  # below a field's name there is one, the first of its line
            at = text.find(_INPUT, _LINE_END.search(text, at).start())  # type: ignore[union-attr]
    return "".join([*out, text[kept:]]) if out else text


def _below_secret(text: str) -> bool:
    firsts = (line.strip(" |").partition(" ")[0] for line in _LINE_END.split(text)[-6:])
    return any(is_secret_name(part) for first in firsts for part in first.split("."))


def _mask_encoded(text: str) -> str:
    """``UID%3Dsa%3BPWD%3Dx``, as ODBC's connection strings stand in URLs."""
    return _ENCODED.sub(lambda found: f"{found[1]}%3D{MASK}" if is_secret_name(found[1]) else found[0], text)


def _mask_logins(text: str) -> str:
    """``curl -u bob:x``; numbers are a container's user and group."""
    return _LOGIN.sub(lambda found: found[0] if (found[1] + found[2]).isdigit() else found[0][: -len(found[2])] + MASK, text)


def _all(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _secret_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the secret value lies that the identifier ``text[start:end]`` announces, if it does."""
    name, before = text[start:end], text[start - 1 : start] if start else ""
    query = before == "?" or before == "&"
    if not (is_secret_name(name) or _two_words(text, start, name) or (query and name.lower().endswith(("sig", "signature")))):
        return None
    if name.lower() == "bearer" and (found := _BEARER.match(text, end)):
        return found.span(1)
    if name == "pass" and re.search(r"\w $", text[max(0, start - 2) : start]):
        return None  # "the first pass: 3"
    if before == "<" and (found := _IN_TAG.match(text, end)):
        return found.span(1)
    if name.startswith("-") and text[max(0, start - 9) : start] == "argument ":
        return None  # argparse is speaking: "argument --token: expected one argument"
    if (sep := _SEP.match(text, end)) is not None:
        return _assigned_span(text, sep, name, query=query)
    if name.startswith("-"):
        return _option_span(text, end)
    opened = text[max(0, start - 4) : start].rstrip("\\\"'bBrRuU").endswith("(")
    return _quoted_span(text, pair.end()) if opened and (pair := _TUPLE_SEP.match(text, end)) else None


def _two_words(text: str, start: int, name: str) -> bool:
    return name.lower() in ("key", "keys") and text[max(0, start - 8) : start].lower().endswith(("api ", "access ", "secret ", "private "))


def _option_span(text: str, end: int) -> tuple[int, int] | None:
    """The value of a command line's option that ends at ``end``, when no ``=`` stands between them."""
    gap = _OPTION_SEP.match(text, end)
    span = (_quoted_span(text, gap.end()) or _plain_span(text, gap.end())) if gap else None
    return None if span and text[slice(*span)].lower() in _PROSE else span


def _assigned_span(text: str, sep: re.Match[str], name: str, *, query: bool) -> tuple[int, int] | None:
    at, op = sep.end(), sep["op"]
    if query and op == "=":
        found = _IN_QUERY.match(text, at)
        return found.span() if found else None
    if (quoted := _quoted_span(text, at)) or op in ("==", "!="):
        return quoted
    if _QUOTE.match(text, at):
        return None  # an empty text
    if text[at : at + 1] in _BRACKETS:
        return _bracket_span(text, at)
    if name.lower().endswith(("authorization", "cookie", "cookies", "passphrase")):
        scheme = _SCHEME.match(text, at)
        found = _TO_LINE_END.match(text, scheme.end() if scheme else at)
        return found.span() if found and found[0].strip() else None
    return _plain_span(text, at, harmless=_TYPES if op == ":" else _HARMLESS)


def _plain_span(text: str, at: int, *, harmless: frozenset[str] = _HARMLESS) -> tuple[int, int] | None:
    scheme = _SCHEME.match(text, at)
    found = _PLAIN.match(text, scheme.end() if scheme else at)
    return found.span() if found and found[0].lower() not in harmless else None


def _quoted_span(text: str, at: int) -> tuple[int, int] | None:
    """Between the quotes that open at ``at``; to the end of the line when they never close; None if there is nothing."""
    if (opening := _QUOTE.match(text, at)) is None:
        return None
    start, slashes, quote = opening.end(), len(opening[1]), opening[2]
    shut = _closing(text, start, quote, slashes, len(text))
    end = shut if shut >= 0 else _line_end(text, start)
    return (start, end) if end > start else None


def _closing(text: str, start: int, quote: str, slashes: int, reach: int) -> int:
    """Where the quote closes, or -1. An escaped one closes on its own line, so that unclosed ones never search the same text."""
    before, at = start, text.find(quote, start, reach)
    while at >= 0 and not (slashes and text.find("\n", before, at) >= 0):
        run = at
        while run > start and text[run - 1] == "\\":
            run -= 1
        if (at - run == slashes) if slashes else (at - run) % 2 == 0:
            return run
        before, at = at, text.find(quote, at + 1, reach)
    return -1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _bracket_span(text: str, at: int) -> tuple[int, int] | None:
    """The bracketed value that opens at ``at``; to the end of the line when it does not close within reach."""
    stack, here, reach = [_BRACKETS[text[at]]], at + 1, min(len(text), at + _BRACKET_LIMIT)
    while here < reach and stack:
        char = text[here]
        if char in "\"'":
            shut = _closing(text, here + 1, char, 0, reach)
            here = shut if shut >= 0 else reach
        elif char in _BRACKETS:
            stack.append(_BRACKETS[char])
        elif char == stack[-1]:
            stack.pop()
        here += 1
    end = here if not stack else max(here, _line_end(text, here))
    return (at, end) if text[at + 1 : end - 1].strip() else None


# --- what others call --------------------------------------------------------------------------------------------------


def mask_text(text: str) -> str:
    """``text`` with every secret it shows replaced by ``MASK``: in URLs, assignments, JSON, options, headers, known tokens.

    Example:
        >>> mask_text("postgresql://bob:hunter2@db/runs")
        'postgresql://bob:********@db/runs'
    """
    return _rounds(text, shapes=True)


def mask_name(name: str) -> str:
    """A name or path with what stands behind the name of a secret, or in a URL, hidden; nothing is judged by how it looks alone.

    Example:
        >>> mask_name("night run, password=hunter2"), mask_name("sk-learn-gradient-boosting-2")
        ('night run, password=********', 'sk-learn-gradient-boosting-2')
    """
    return _rounds(name, shapes=False)


def quoted(name: object, value: object) -> str:
    """How an error message quotes ``value``, which was given as ``name``: masked, short, and not at all under the name of a secret.

    Example:
        >>> quoted("loss", "high"), quoted("api_key", "hunter2")
        ("'high'", '********')
    """
    if isinstance(name, str) and is_secret_name(name):
        return MASK
    text = mask_text(repr(value))
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"


def _rounds(text: str, *, shapes: bool) -> str:
    if type(text) is not str:
        text = str.__str__(text)  # a subclass may have made the methods its own
    for _ in range(4):
        # What one round hides can bring to light what it stood before; an untouched text ends the work at once.
        masked = text
        for anchor, pattern in _SHAPES if shapes else ():
            masked = re.sub(pattern, MASK, masked) if anchor in masked else masked
        if "input_value=" in masked:
            masked = _mask_inputs(masked)
        if "%3" in masked and "%3d" in masked.lower():
            masked = _mask_encoded(masked)
        if "-u" in masked:
            masked = _mask_logins(masked)
        masked = _mask_assignments(_mask_urls(masked) if "://" in masked else masked)
        if masked == text:
            break
        text = masked
    return text


_OPTION = re.compile(r"([+~]{0,2}[\w.\-/@]+)=(.*)", re.DOTALL)
_FLAG = re.compile(r"--?[A-Za-z]")
_USER_OPTIONS = ("-u", "--user", "--proxy-user")


def mask_argv(argv: Sequence[str]) -> list[str]:
    """The command line ``argv`` with secrets hidden: values of secret options, ``NAME=value``, URLs, known tokens.

    Example:
        >>> mask_argv(["train.py", "--api-key", "xyz", "--epochs=3", "db.password=pw"])
        ['train.py', '--api-key', '********', '--epochs=3', 'db.password=********']
    """
    out: list[str] = []
    before = ""
    for arg in argv:
        secret_option = before.startswith("-") and "=" not in before and is_secret_name(before)
        if secret_option and arg and not _FLAG.match(arg):
            out.append(MASK)
        elif before in _USER_OPTIONS and ":" in arg and not arg.replace(":", "").isdigit():
            out.append(f"{arg.partition(':')[0]}:{MASK}")
        elif (given := _OPTION.fullmatch(arg)) and given[2] and is_secret_name(given[1]):
            out.append(f"{given[1]}={MASK}")
        else:
            out.append(mask_text(arg))
        before = arg
    return out


def mask_value(name: str, value: Any) -> Any:
    """A copy of ``value`` that may be written down under ``name``.

    Everything below a secret name becomes ``MASK``, whatever its type; only None and booleans, which hold no secret, stay.
    Secret objects (pydantic's ``SecretStr`` and relatives, Prefect's ``Secret``) become ``MASK`` under any name. Mappings,
    lists, tuples and sets are copied with their contents masked, texts go through :func:`mask_text`; other objects are
    returned as they are: mask the text that is made of them.

    Example:
        >>> mask_value("db", {"user": "bob", "password": "hunter2", "port": 5432})
        {'user': 'bob', 'password': '********', 'port': 5432}
    """
    try:
        return _masked(name, value, {})
    except RecursionError:
        return MASK  # nested too deep to be looked through


def _masked(name: str, value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name and is_secret_name(name):
        return MASK
    if isinstance(value, (str, int, float)):
        return mask_text(value) if isinstance(value, str) else value
    if isinstance(value, (bytes, bytearray)):
        return mask_text(bytes(value).decode("latin-1")).encode("latin-1")
    if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return MASK if _is_secret_object(value) else value
    # A value that holds itself, or one thing many times, is walked once; it is kept here so that its id stays its own.
    if id(value) not in seen:
        seen[id(value)] = (value, "...")
        seen[id(value)] = (value, _masked_mapping(value, seen) if isinstance(value, Mapping) else _masked_items(value, seen))
    return seen[id(value)][1]


def _masked_mapping(value: Mapping[Any, Any], seen: dict[int, tuple[Any, Any]]) -> dict[Any, Any]:
    named = value.get("name", value.get("key")) if "value" in value else None
    out: dict[Any, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            out[key] = _masked("", item, seen)
            continue
        # {"name": "DB_PASSWORD", "value": "x"}: environments are often written so.
        name = named if key == "value" and isinstance(named, str) else key
        out[key if len(key) < 20 and key.isidentifier() else mask_text(key)] = _masked(name, item, seen)
    return out


def _masked_items(value: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    if hasattr(value, "_fields"):
        return type(value)(*[_masked(str(field), item, seen) for field, item in zip(value._fields, value, strict=False)])
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        items = mask_argv(value)
    else:
        items = [_masked("", item, seen) for item in value]
    base = next(kind for kind in (list, tuple, frozenset, set) if isinstance(value, kind))
    return base(items)


def _is_secret_object(value: Any) -> bool:
    """By what it can do, so that neither pydantic nor Prefect is needed; looks at no property that would run code."""
    if hasattr(type(value), "get_secret_value"):
        return True
    try:
        inner = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return False
    return isinstance(inner, dict) and hasattr(type(inner.get("value")), "get_secret_value")
