"""Floor 6. Small files that a command is given."""

from __future__ import annotations

from pathlib import Path

from prefect_ledger.errors import InvalidValue

_LIMIT = 16 << 20  # bytes


def text_of(file: Path) -> str:
    """What a file of UTF-8 says.

    Raises:
        InvalidValue: it cannot be read, is no such text, or has more than 16 MB.
    """
    try:
        with file.open("rb") as source:
            raw = source.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise InvalidValue(f"{file} has more than {_LIMIT >> 20} MB")
        return raw.decode()
    except OSError as error:
        raise InvalidValue(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{file} is no UTF-8 text: byte {error.start} does not read") from None
