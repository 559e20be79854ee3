"""Floor 5. What came of challenges as people and CI systems read it: Markdown for a page or an issue, JUnit for a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from prefect_ledger.promotion.report import escaped, in_xml, request_markdown

if TYPE_CHECKING:
    from prefect_ledger.promotion.challenging import Answer, Challenge

WORDS: Mapping[Answer, str] = {
    "opened": "request opened",
    "open": "request open already",
    "refused": "refused",
    "unchanged": "refused before, unchanged",
    "failed": "failed",
}
_KINDS: Mapping[Answer, str] = {"refused": "failure", "unchanged": "skipped", "failed": "error"}


def markdown(found: Sequence[Challenge]) -> str:
    """All challenges as a table, and below it what the gates said of those that were judged now.

    Example:
        >>> from prefect_ledger.promotion.challenging import Challenge
        >>> print(markdown([Challenge("churn", 8, "production", "refused", "worse", 7)]).splitlines()[0])
        ### Challenges: a request is open for 0 of 1
    """
    parts = [f"### Challenges: a request is open for {sum(one.ok for one in found)} of {len(found)}"]
    if found:
        parts.append("\n".join(["| version | against | | why |", "| --- | --- | --- | --- |", *map(_row, found)]))
    parts += [request_markdown(one.request) for one in found if one.request is not None and one.state in ("opened", "refused")]
    return "\n\n".join(parts) + "\n"


def _row(one: Challenge) -> str:
    against = "none" if one.champion is None else str(one.champion)
    state = WORDS[one.state] if one.state != "failed" else "**failed**"
    return f"| {escaped(one.name)} {one.version} to {one.stage} | {against} | {state} | {escaped(one.reason)} |"


def junit(found: Sequence[Challenge]) -> str:
    """The same as JUnit's XML, a test case for each version: a refusal is a failure, one that was refused before is skipped."""
    suite = ElementTree.Element("testsuite", name="challenges", tests=str(len(found)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(_KINDS.get(one.state) == kind for one in found)))
    for one in found:
        case = ElementTree.SubElement(suite, "testcase", classname="promotion.challenge", name=in_xml(f"{one.name} {one.version}"))
        if (kind := _KINDS.get(one.state, "")) != "":
            told = ElementTree.SubElement(case, kind, message=in_xml(one.reason)[:1_000])
            told.text = in_xml(one.reason)
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"
