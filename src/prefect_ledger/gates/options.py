"""Floor 4. A gate's mapping, read word by word: what is missing, of another type or unknown is refused with its name."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.wording import near, said


class Options:
    """The options of one gate. Each reading method takes the option's name; :meth:`end` refuses those that nobody has read.

    Example:
        >>> options = Options("size", {"at_mots": 10})
        >>> try:
        ...     options.number("at_most"), options.end()
        ... except InvalidValue as error:
        ...     print(error)
        the gate 'size' has no option 'at_mots'; near are: 'at_most'
    """

    def __init__(self, gate: str, found: Mapping[str, Any]) -> None:
        self.gate = gate
        self._found = dict(found)
        self._known: set[str] = set()

    def number(self, name: str, *, least: float = -math.inf, most: float = math.inf, default: float | None = None) -> float | None:
        """A finite number from ``least`` to ``most``; the default where it is not given."""
        value = self._value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
            raise self._wrong(name, f"a number{_between(least, most)}", value)
        return value

    def whole(self, name: str, *, least: int, most: int, default: int) -> int:
        """A whole number from ``least`` to ``most``."""
        value = self._value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._wrong(name, f"a whole number{_between(least, most)}", value)
        return value

    def text(self, name: str) -> str:
        """A text that must be given."""
        value = self._value(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "a text", value)
        return value

    def choice(self, name: str, known: Collection[str], default: str) -> str:
        """One of several words."""
        value = self._value(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in known:
            raise self._wrong(name, f"one of {', '.join(known)}", value)
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """A list of texts, each once; none where it is not given."""
        value = self._value(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) and one for one in value):
            raise self._wrong(name, "a list of names", value)
        return tuple(dict.fromkeys(value))

    def rest(self) -> dict[str, Any]:
        """All that has not been read yet."""
        found = {key: value for key, value in self._found.items() if key not in self._known}
        self._known |= found.keys()
        return found

    def one_of(self, *names: str) -> None:
        """Refuse where none of these is given."""
        if all(self._found.get(name) is None for name in names):
            raise InvalidValue(f"the gate {self.gate!r} needs {' or '.join(map(repr, names))}")

    def end(self) -> None:
        """Refuse options that no method has read."""
        if strange := [key for key in self._found if key not in self._known]:
            raise InvalidValue(f"the gate {self.gate!r} has no option {strange[0]!r}{near(strange[0], self._known)}")

    def _value(self, name: str) -> Any:
        self._known.add(name)
        return self._found.get(name)

    def _wrong(self, name: str, wanted: str, value: object) -> InvalidValue:
        if value is None:
            return InvalidValue(f"the gate {self.gate!r} needs {name!r}: {wanted}")
        return InvalidValue(f"the gate {self.gate!r}: {name!r} is {wanted}, not {said(value)}")


def _between(least: float, most: float) -> str:
    if math.isinf(least) and math.isinf(most):
        return ""
    return f" of at least {said(least)}" if math.isinf(most) else f" from {said(least)} to {said(most)}"
