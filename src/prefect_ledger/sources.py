"""Floor 0. Where values come from that a setting only names. The front door says who knows them, so that nothing below asks Prefect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Shelf(NamedTuple):
    """Somebody who keeps settings under names. ``values`` asks for them, and may take seconds; ``address`` says at once, asking nobody,
    which place and name are meant.

    ``values`` raises BlockNotLoaded.
    """

    values: Callable[[str], Mapping[str, Any]]
    address: Callable[[str], str]


class Courier(NamedTuple):
    """Somebody who tells people: ``here`` whether he can be heard, ``event`` a thing that happened, ``notify`` by a block of that name a
    title and a text. Both raise whatever goes wrong."""

    here: Callable[[], bool]
    event: Callable[[Mapping[str, Any]], None]
    notify: Callable[[str, str, str], None]


shelf: Shelf | None = None  # None: nobody keeps any

# What a secret's name means to whoever keeps secrets, None where it means nothing; the front door sets it too.
secret: Callable[[str], str | None] | None = None

courier: Courier | None = None  # the front door sets this too
