"""Floor 6. Options that several commands share, said once so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON document on stdout, for scripts.")]
Which = Annotated[
    Literal["active", "deleted", "all"], Parameter(name="--lifecycle", help="Active ones (if not said), deleted ones, or all.")
]
By = Annotated[str | None, Parameter(name="--by", help="Who does it, as a name that counts as claimed: whoever runs this if not said.")]
Why = Annotated[str, Parameter(name="--why", help="The reason, for the audit log.")]
Request = Annotated[int, Parameter(help="The number of the request.")]
