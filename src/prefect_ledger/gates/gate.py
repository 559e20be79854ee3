"""Floor 4. A gate as it is written: an expression, or a mapping that names a function and its options."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prefect_ledger.errors import InvalidFilter, InvalidValue
from prefect_ledger.gates.compatible import signature
from prefect_ledger.gates.custom import custom, known
from prefect_ledger.gates.drifting import drift
from prefect_ledger.gates.evidence import Evidence
from prefect_ledger.gates.figures import latency, size
from prefect_ledger.gates.finding import Built, Check, Finding, no
from prefect_ledger.gates.formula import parse
from prefect_ledger.gates.operands import Notes
from prefect_ledger.gates.options import Options
from prefect_ledger.gates.paired import bootstrap, slices, threshold
from prefect_ledger.gates.plain import plain
from prefect_ledger.gates.tree import Condition, references
from prefect_ledger.gates.wording import near

Without = Literal["fail", "pass", "skip"]

FUNCTIONS: Mapping[str, Callable[[Options], Built]] = {
    "bootstrap": bootstrap,
    "slices": slices,
    "threshold": threshold,
    "latency": latency,
    "size": size,
    "signature": signature,
    "drift": drift,
}
_NAME = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: its text as it was written (of a mapping its JSON), its name in reports, and its check.

    ``without_champion`` is what a gate that compares with a champion says where there is none; "skip" and "pass" both let the candidate
    pass, and the report tells which it was. ``needs_rows`` says, when it is asked, whether it passes nothing without the rows of a holdout,
    or what was measured with them; another package's function says so by an attribute of that name.
    """

    text: str
    name: str
    needs_champion: bool
    without_champion: Without
    check: Check = field(repr=False, compare=False)
    needs_rows: Callable[[], bool] = field(default=no, repr=False, compare=False)


def parse_gate(spec: str | Mapping[str, Any]) -> Gate:
    """Read a gate.

    Raises:
        InvalidFilter: an expression says nothing a gate can ask; ``position`` is where that begins.
        InvalidValue: there is no such function or option, or an option is of another type.

    Example:
        >>> parse_gate("metrics.auc >= champion.metrics.auc - 0.002").needs_champion
        True
        >>> parse_gate({"gate": "latency", "quantile": 0.99, "at_most": 0.05}).name
        'latency'
    """
    if isinstance(spec, str):
        return _expression(spec, spec, spec.strip(), "fail")
    if not isinstance(spec, Mapping):
        raise InvalidValue(f"a gate is an expression or a mapping with 'gate', not {type(spec).__name__}")
    found = plain(spec, "a gate")
    text = json.dumps(found, sort_keys=True, ensure_ascii=False)
    keys = [key for key in ("gate", "expression") if key in found]
    if len(keys) != 1 or not isinstance(found[keys[0]], str):
        raise InvalidValue(f"a gate that is a mapping has a text under 'gate' or 'expression': {text:.200}")
    asked = found.pop(keys[0])
    called = asked if keys[0] == "gate" and _NAME.fullmatch(asked) else "expression"
    options = Options(called, found)
    name = options.text("name") if "name" in found else asked.strip()
    without: Any = options.choice("without_champion", ("fail", "pass", "skip"), "fail")
    if called == "expression":
        options.end()
        return _expression(text, asked, name, without)
    built = _function(asked, options)
    needs = built.needs_champion or "without_champion" in found  # a function of somebody else's says so by the option
    return Gate(text, name, needs, without, built.check, built.needs_rows)


def _function(name: str, options: Options) -> Built:
    if name in FUNCTIONS:
        built = FUNCTIONS[name](options)
        options.end()
        return built
    if name not in (others := known()):
        raise InvalidValue(f"there is no gate {name!r}{near(name, [*FUNCTIONS, *others])}; an expression is such as metrics.auc >= 0.8")
    return custom(name, options)


def _expression(text: str, expression: str, name: str, without: Without) -> Gate:
    try:
        tree = parse(expression)
    except InvalidFilter as error:
        if _NAME.fullmatch(expression.strip()):
            message = f"{str(error).splitlines()[0]}; a function is named in a mapping: {{'gate': {expression.strip()!r}}}"
            raise InvalidFilter(message, text=error.text, position=error.position) from None
        raise
    needs = any(one.side == "champion" for one in references(tree))
    return Gate(text, name, needs, without, lambda evidence: _holds(tree, evidence))


def _holds(tree: Condition, evidence: Evidence) -> Finding:
    notes = Notes()
    found = tree.truth(evidence, notes)
    unknown = "" if found is not None else "; what is unknown does not pass"
    return Finding(found is True, f"{'; '.join(notes.lines)}{unknown}", notes.values)
