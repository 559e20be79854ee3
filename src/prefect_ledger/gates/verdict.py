"""Floor 4. What comes of judging: a verdict for each gate, and the report of all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.plain import plain
from prefect_ledger.gates.wording import escaped


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate said: ``gate`` as it was written (a mapping as its JSON), the reason as a sentence, and the values it rests on.

    Raises:
        InvalidValue: one of them is of another type.
    """

    gate: str
    name: str
    passed: bool
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.passed, bool):
            raise InvalidValue(f"a verdict is True or False, not {self.passed!r}")
        if not all(isinstance(one, str) for one in (self.gate, self.name, self.reason)) or not self.reason.strip():
            raise InvalidValue(f"a verdict has texts for its gate, name and reason, not {self.gate!r}, {self.name!r}, {self.reason!r}")
        if not isinstance(self.values, Mapping):
            raise InvalidValue(f"the values of a verdict are a mapping, not {self.values!r}")
        object.__setattr__(self, "values", plain(self.values, "a verdict's values"))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "gate": self.gate,
            "name": self.name,
            "passed": self.passed,
            "reason": self.reason,
            "values": plain(self.values),
        }

    @classmethod
    def from_json(cls, found: object) -> Verdict:
        """What :meth:`to_json` gave.

        Raises:
            InvalidValue: it is no verdict.
        """
        names = ("gate", "name", "passed", "reason", "values")
        if not isinstance(found, Mapping) or set(found) != set(names):
            raise InvalidValue(f"a verdict is a JSON object with {', '.join(names)}, not {found!r:.200}")
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts, in the order in which the gates were given."""

    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate passed; so it is where no gate was asked for."""
        return all(one.passed for one in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"passed": self.passed, "verdicts": [one.to_json() for one in self.verdicts]}

    @classmethod
    def from_json(cls, found: object) -> Report:
        """What :meth:`to_json` gave.

        Raises:
            InvalidValue: it is no report, or says that it passed where its verdicts do not.
        """
        if not isinstance(found, Mapping) or not isinstance(found.get("verdicts"), list):
            raise InvalidValue(f"a report is a JSON object with passed and verdicts, not {found!r:.200}")
        report = cls(tuple(map(Verdict.from_json, found["verdicts"])))
        if found.get("passed") is not report.passed:
            raise InvalidValue(f"the report says passed: {found.get('passed')!r}, where its verdicts say {report.passed}")
        return report

    def to_text(self) -> str:
        """The JSON as one text, the same for the same report: what a digest is taken of."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def to_markdown(self) -> str:
        """A heading, and a table with a line for each gate.

        Example:
            >>> print(Report((Verdict("size <= 10", "size", False, "the size is 12 | 10 at most"),)).to_markdown())
            **Not passed: 1 of 1 gates refused.**
            <BLANKLINE>
            | gate | passed | reason |
            | --- | --- | --- |
            | size | **no** | the size is 12 \\| 10 at most |
        """
        refused = sum(not one.passed for one in self.verdicts)
        if not self.verdicts:
            return "**Passed: no gate was asked for.**"
        count = len(self.verdicts)
        head = f"**Not passed: {refused} of {count} gates refused.**" if refused else f"**Passed: {count} gates.**"
        lines = [f"| {escaped(one.name)} | {_word(one)} | {escaped(one.reason)} |" for one in self.verdicts]
        return "\n".join([head, "", "| gate | passed | reason |", "| --- | --- | --- |", *lines])


def _word(verdict: Verdict) -> str:
    return "skipped" if verdict.values.get("skipped") is True else "yes" if verdict.passed else "**no**"
