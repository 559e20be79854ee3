"""Floor 6. Options that several commands share, said once so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

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
