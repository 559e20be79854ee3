"""Floor 6. Options that several commands share, said once so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import Parameter

from prefect_ledger.errors import InvalidValue

Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON document on stdout, for scripts.")]
Which = Annotated[
    Literal["active", "deleted", "all"], Parameter(name="--lifecycle", help="Active ones (if not said), deleted ones, or all.")
]
Experiments = Annotated[tuple[str, ...], Parameter(name=["--experiment", "-e"], negative="", help="Of these alone; name or id.")]
OrderBy = Annotated[tuple[str, ...], Parameter(name=["--order-by", "-o"], negative="", help="A key, and desc behind it.")]
Limit = Annotated[int, Parameter(name=["--limit", "-n"], help="How many at most (20).")]
LongLimit = Annotated[int, Parameter(name=["--limit", "-n"], help="How many at most (1000).")]
Page = Annotated[str | None, Parameter(name="--page", help="What the page before named.")]
Trust = Annotated[bool, Parameter(name="--trust", negative="", help="Open a model from elsewhere although that runs its code.")]
By = Annotated[str | None, Parameter(name="--by", help="Who does it, as a name that counts as claimed: whoever runs this if not said.")]
Why = Annotated[str, Parameter(name="--why", help="The reason, for the audit log.")]
Request = Annotated[int, Parameter(help="The number of the request.")]
Tags = Annotated[tuple[str, ...], Parameter(name=["--tag", "-t"], negative="", help="A tag as key=value; again for more.")]
NamedTags = Annotated[tuple[str, ...], Parameter(help="Tags, as key=value.")]
Remove = Annotated[tuple[str, ...], Parameter(name=["--remove", "-r"], negative="", help="The key of a tag to take away; again for more.")]


def tag_of(text: str) -> tuple[str, str]:
    """``key=value``.

    Raises:
        InvalidValue: it is not that.
    """
    key, found, value = text.partition("=")
    if not found or not key:
        raise InvalidValue(f"{text!r:.80}: write key=value, as in team=risk")
    return key, value


def changes_of(tags: Sequence[str], remove: Sequence[str]) -> dict[str, str | None]:
    """What is to become of tags: their values, None for those to take away.

    Raises:
        InvalidValue: nothing is said, or a tag is no key=value.
    """
    if not tags and not remove:
        raise InvalidValue("say which tags: key=value to set one, --remove KEY to take one away")
    return dict[str, str | None]([tag_of(text) for text in tags]) | dict.fromkeys(remove)
