"""Floor 5. Commands of entry points: values are put into their places so that each stays one word, whatever it is made of.

MLflow puts quoted values into the text that the shell reads. Where the text has quotes of its own around the place, as in
``--name "{name}"``, they undo each other, and ``$( )`` in a value is run. So no value is part of that text here: the shell gets them as
arguments, and the text names variables. A command that is no shell's is split into words before values are put in.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from prefect_ledger.errors import InvalidValue
from prefect_ledger.masking import mask_argv, mask_text, mask_value
from prefect_ledger.projects.spec import EntryPoint

_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,199}", re.ASCII)
_VARIABLE = "_project_value_"
SHELL = "bash"
_BRACES = "braces of the shell's own are written twice, as in ${{HOME}}"


@dataclass(frozen=True, slots=True)
class Command:
    """What is run: ``words`` are given to the system as they are; ``shown`` is for people, with secrets hidden."""

    words: tuple[str, ...]
    shown: str


def is_name(text: str) -> bool:
    """Whether ``text`` may name a parameter: a letter or ``_`` first, then letters, digits, ``_``, ``-`` and ``.``."""
    return _NAME.fullmatch(text) is not None


def problems(point: EntryPoint) -> list[str]:
    """What is wrong with the places in a command."""
    found: list[str] = []
    for text in [point.command] if isinstance(point.command, str) else point.command:
        try:
            parts = _parts(text)
        except InvalidValue as error:
            found.append(str(error))
            continue
        unknown = [name for _, name in parts if name is not None and point.parameter(name) is None]
        found += [f"the command has {{{name}}}, and no parameter is called so; {_BRACES}" for name in unknown]
    if isinstance(point.command, str) and not point.in_shell and not found:
        try:
            shlex.split(point.command)
        except ValueError as error:
            found.append(f"the command is no list of words: {error}; with shell = true a shell reads it")
    return found


def make(point: EntryPoint, values: Mapping[str, str], extra: Mapping[str, str]) -> Command:
    """The command of ``point`` with ``values`` in their places, and ``extra`` behind it, as ``--name value``.

    Raises:
        InvalidValue: a value has a NUL, which no command can have, or the command has a place without a value.

    Example:
        >>> point = EntryPoint("main", "python train.py --name {name}")
        >>> make(point, {"name": "$(date) it's"}, {"depth": "3"}).words
        ('python', 'train.py', '--name', "$(date) it's", '--depth', '3')
        >>> make(EntryPoint("main", 'echo "{name}"', in_shell=True), {"name": "`id`"}, {}).words
        ('bash', '-c', '_project_value_1=$1; set --; echo "${_project_value_1}"', 'bash', '`id`')
    """
    for name, value in [*values.items(), *extra.items()]:
        if "\0" in value:
            raise InvalidValue(f"parameter {name!r}: a value has no NUL in it, for no command takes one")
    hidden = {name: str(mask_value(name, value)) for name, value in values.items()}
    behind = [word for name, value in extra.items() for word in (f"--{name}", value)]
    shown_behind = [word for name, value in extra.items() for word in (f"--{name}", str(mask_value(name, value)))]
    if point.in_shell and isinstance(point.command, str):
        shown = " ".join([_as_typed(point.command, hidden), *map(shlex.quote, shown_behind)])
        return Command(_for_shell(point.command, values, behind), mask_text(shown))
    words = shlex.split(point.command) if isinstance(point.command, str) else list(point.command)
    shown_words = [_filled(word, hidden) for word in words] + shown_behind
    return Command((*(_filled(word, values) for word in words), *behind), mask_text(shlex.join(mask_argv(shown_words))))


# --- for a shell -------------------------------------------------------------------------------------------------------


def _for_shell(text: str, values: Mapping[str, str], behind: Sequence[str]) -> tuple[str, ...]:
    """The shell gets the values as arguments, keeps them in variables and forgets the arguments: a script's ``$1`` is its own."""
    used, out, quoting = list[str](), "", _Quoting()
    for literal, name in _parts(text):
        out += literal
        quoting.read(literal)
        if name is not None:
            used.append(values[name])
            out += quoting.around(f"${{{_VARIABLE}{len(used)}}}")
    for word in behind:
        used.append(word)
        out += f' "${{{_VARIABLE}{len(used)}}}"'
    kept = " ".join(f"{_VARIABLE}{number}=${number if number < 10 else f'{{{number}}}'}" for number in range(1, len(used) + 1))
    return (SHELL, "-c", f"{kept}; set --; {out}" if used else out, SHELL, *used)


def _as_typed(text: str, values: Mapping[str, str]) -> str:
    """The command as a person would type it: each value quoted, quotes that are open closed before it."""
    out, quoting = "", _Quoting()
    for literal, name in _parts(text):
        out += literal
        quoting.read(literal)
        if name is not None:
            mark = quoting.open
            out += f"{mark}{shlex.quote(values[name])}{mark}"
    return out


class _Quoting:
    """In which quotes a shell's text has come to stand. Where it is taken for another than it is, a value may become several words, and is
    still never read as a command."""

    def __init__(self) -> None:
        self._in: list[str] = []  # of '  "  (  `  #
        self._before = "\n"

    def read(self, text: str) -> None:
        """Go on to behind ``text``, which a value follows."""
        at = 0
        while at < len(text):
            step = self._step(text, at)
            self._before = text[min(at + step, len(text)) - 1]
            at += step
        self._before = "a"

    @property
    def open(self) -> str:
        """The quote that is open, "" where none is."""
        return self._in[-1] if self._in and self._in[-1] in "'\"" else ""

    def around(self, variable: str) -> str:
        """``variable`` so that it is one word, or a part of the word that it stands in: quotes that are open are closed before it."""
        return {"'": f"'\"{variable}\"'", '"': variable}.get(self.open, f'"{variable}"')

    def _step(self, text: str, at: int) -> int:
        """How many letters to go on."""
        now, letter = (self._in[-1] if self._in else ""), text[at]
        if now == "'":
            if letter == "'":
                self._in.pop()
        elif now == "#":
            if letter == "\n":
                self._in.pop()
        elif letter == "\\":
            return 2
        elif now == '"':
            self._in_double(text, at)
        elif letter in "'\"(" or (letter == "#" and self._before in " \t\n;&|("):
            self._in.append(letter)
        elif letter == "`" or (letter == ")" and now == "("):
            self._turn(letter)
        return 1

    def _in_double(self, text: str, at: int) -> None:
        letter = text[at]
        if letter == '"':
            self._in.pop()
        elif letter == "`":
            self._turn(letter)
        elif letter == "(" and self._before == "$":
            self._in.append(letter)

    def _turn(self, letter: str) -> None:
        """A backtick opens and closes, a bracket closes."""
        if letter == ")" or (self._in and self._in[-1] == "`"):
            self._in.pop()
        else:
            self._in.append(letter)


def _filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with values in its places. ``str.format`` would look into a value where a name has a dot."""
    return "".join(literal + (values[name] if name is not None else "") for literal, name in _parts(text))


def _parts(text: str) -> list[tuple[str, str | None]]:
    """Text and the place behind it, in turn.

    Raises:
        InvalidValue: braces that make no place.
    """
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise InvalidValue(f"the command {text!r:.120} has braces that make no place ({error}); {_BRACES}") from None
    for _, name, form, conversion in parsed:
        if name is not None and (not is_name(name) or form or conversion):
            raise InvalidValue(f"the command has {{{name}}}, which names no parameter; {_BRACES}")
    return [(literal, name) for literal, name, _, _ in parsed]
