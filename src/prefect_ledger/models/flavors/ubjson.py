"""Floor 4. Universal Binary JSON, as XGBoost writes it, read with every length checked: XGBoost itself crashes on a file that was cut."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_DEPTH = 64
_NUMBERS = {kind: struct.Struct(f">{code}") for kind, code in zip(b"iUIlLdD", "bBhiqfd", strict=True)}
_TYPES = dict(zip(b"iUIlLdD", ("i1", "u1", ">i2", ">i4", ">i8", ">f4", ">f8"), strict=True))
_WORDS = {ord("Z"): None, ord("T"): True, ord("F"): False}


def read(data: bytes) -> Any:
    """The value in ``data``; arrays of one type are NumPy's.

    Raises:
        ValueError: it is none, or there is more.

    Example:
        >>> read(b"{L" + (1).to_bytes(8, "big") + b"ai" + bytes([7]) + b"}")
        {'a': 7}
    """
    reader = _Reader(data)
    try:
        value = reader.value(reader.byte(), 0)
    except (IndexError, struct.error, KeyError) as error:
        raise ValueError(f"it breaks off or is damaged at byte {reader.at:,} of {len(data):,}") from error
    if reader.at != len(data):
        raise ValueError(f"there are {len(data) - reader.at:,} bytes after its end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def value(self, kind: int, depth: int) -> Any:
        if depth > _DEPTH:
            raise ValueError("it is nested too deeply")
        if kind in _NUMBERS:
            return self._number(kind)
        if kind in _WORDS:
            return _WORDS[kind]
        if kind == ord("S"):
            return self._text()
        if kind == ord("C"):
            return chr(self.byte())
        if kind == ord("["):
            return self._array(depth)
        if kind == ord("{"):
            return self._object(depth)
        raise KeyError(kind)

    def _number(self, kind: int) -> Any:
        form = _NUMBERS[kind]
        self.at += form.size
        return form.unpack_from(self.data, self.at - form.size)[0]

    def _length(self) -> int:
        length = self._number(self.byte())
        if not isinstance(length, int) or not 0 <= length <= len(self.data) - self.at:
            raise KeyError(length)
        return length

    def _text(self) -> str:
        length = self._length()
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def _array(self, depth: int) -> Any:
        if self.data[self.at] == ord("$"):
            return self._typed()
        if self.data[self.at] == ord("#"):
            self.at += 1
            return [self.value(self.byte(), depth + 1) for _ in range(self._length())]
        found = []
        while (kind := self.byte()) != ord("]"):
            found.append(self.value(kind, depth + 1))
        return found

    def _typed(self) -> np.ndarray[Any, Any]:
        import numpy as np

        dtype = np.dtype(_TYPES[self.data[self.at + 1]])
        self.at += 2
        if self.byte() != ord("#"):
            raise KeyError("#")
        size = (count := self._length()) * dtype.itemsize
        if size > len(self.data) - self.at:
            raise KeyError(size)
        self.at += size
        return np.frombuffer(self.data, dtype, count, self.at - size)

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.data[self.at] != ord("}"):
            name = self._text()
            found[name] = self.value(self.byte(), depth + 1)
        self.at += 1
        return found
