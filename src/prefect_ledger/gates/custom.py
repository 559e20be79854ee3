"""Floor 4. Gates that other packages bring, as functions behind entry points of the group ``prefect_ledger.gates``.

Such a function takes the evidence and a mapping of its options, and answers with whether the candidate passed, the reason as a sentence,
and perhaps a mapping of values. What it raises is a verdict too: not passed. With an attribute ``needs_rows`` that is true it is one that
judges the rows of a holdout, and a run that nobody started does not ask it without any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from prefect_ledger import plugins
from prefect_ledger.gates.evidence import Evidence, evidence_of
from prefect_ledger.gates.finding import Built, Finding
from prefect_ledger.gates.options import Options
from prefect_ledger.gates.plain import plain

GROUP = "prefect_ledger.gates"


def known() -> list[str]:
    """The names of the functions that are installed."""
    return sorted(plugins.points(GROUP))


def custom(name: str, options: Options) -> Built:
    """The function of this name, with the options as its second argument."""
    given = plain(options.rest(), f"an option of the gate {name!r}")

    def check(evidence: Evidence) -> Finding:
        point = plugins.points(GROUP).get(name)
        if point is None:
            return Finding(passed=False, reason=f"the gate {name!r} is not installed here")
        where = f"the gate {name!r} ({point.value})"
        try:
            function = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code
            return Finding(passed=False, reason=f"{where} cannot be loaded: {type(error).__name__}: {error}")
        try:  # on a copy, so that no function changes what the next gate sees
            answer = function(evidence_of(evidence.to_json(), evidence.arrays()), plain(given))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # somebody else's code
            return Finding(passed=False, reason=f"{where} raised {type(error).__name__}: {error}")
        return _checked(where, answer)

    def needs_rows() -> bool:
        try:
            return bool(getattr(plugins.points(GROUP)[name].load(), "needs_rows", False))
        except (Exception, SystemExit):  # noqa: BLE001  # somebody else's code: what it says is in the report, when it is asked
            return False

    return Built(check, needs_champion=False, needs_rows=needs_rows)


def _checked(where: str, answer: Any) -> Finding:
    """The answer as a finding; what is none is not passed."""
    wanted = "where (passed, reason) or (passed, reason, values) is wanted"
    if not isinstance(answer, tuple) or len(answer) not in (2, 3):
        return Finding(passed=False, reason=f"{where} answered with {_type(answer)}, {wanted}")
    passed, reason, values = (*answer, {})[:3]
    if not isinstance(passed, bool | np.bool_):
        return Finding(passed=False, reason=f"{where} says {_type(passed)} for passed, where True or False is wanted")
    if not isinstance(reason, str) or not reason.strip():
        return Finding(passed=False, reason=f"{where} gives no reason, {wanted}")
    if not isinstance(values, Mapping):
        return Finding(passed=False, reason=f"{where} gives {_type(values)} as values, where a mapping is wanted")
    try:
        return Finding(bool(passed), str(reason), plain(values, "its values"))
    except ValueError as error:
        return Finding(passed=False, reason=f"{where} gives values that cannot be kept: {error}")


def _type(value: object) -> str:
    return f"the {type(value).__name__} {value!r:.100}" if isinstance(value, bool | int | float | str) else f"a {type(value).__name__}"
