"""Floor 5. A promotion as people and CI systems read it: Markdown for a pull request or an artifact, JUnit for a pipeline's page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from prefect_ledger.gates.wording import escaped
from prefect_ledger.registered import JUDGED

if TYPE_CHECKING:
    from prefect_ledger.promotion.promotion import Promotion
    from prefect_ledger.registered import TransitionRequest

__all__ = ["escaped", "in_xml", "junit", "markdown", "request_markdown"]
_WORDS = {
    "promoted": "promoted",
    "already": "already there",
    "refused": "refused",
    "waiting": "waits for approval",
    "went back": "went back",
    "failed": "failed",
    "rolled back": "rolled back",
}
_BARE = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))


def markdown(one: Promotion) -> str:
    """The report of a promotion as Markdown: what came of it, the gates, who agreed, what serves it, and the head of the audit log.

    Example:
        >>> from prefect_ledger.promotion import Promotion
        >>> print(markdown(Promotion("churn", 7, "production", "promoted", "version 7 is in production")).splitlines()[0])
        ### churn 7 to production: promoted
    """
    parts = [f"### {escaped(one.name)} {one.version} to {one.stage}: {_WORDS[one.state]}", escaped(one.reason)]
    if one.before is not None:
        parts.append(f"In {one.stage} before: version {one.before}.")
    if one.request is not None:
        parts.append(request_markdown(one.request))
    if one.checks:
        rows = [f"| {escaped(check.what)} | {'yes' if check.ok else '**no**'} | {escaped(check.said)} |" for check in one.checks]
        parts.append("\n".join(["| smoke test | passed | |", "| --- | --- | --- |", *rows]))
    parts += [f"Not asked: {escaped(target)}: {escaped(words)}" for target, words in one.unasked.items()]
    if one.head[0]:
        parts.append(f"Audit log: row {one.head[0]}, `{one.head[1]}`")
    return "\n\n".join(part for part in parts if part) + "\n"


def request_markdown(one: TransitionRequest) -> str:
    """A request as Markdown: what it asks, what each gate said, and who voted."""
    from prefect_ledger.gates.verdict import Report

    asks = f"Request {one.id} of {escaped(one.requester.name)} ({one.requester.strength}): {escaped(one.name)} {one.version} to {one.stage}"
    asks += f"; {_beside(one)}. Policy {one.policy or 'none'}, evidence `{one.evidence[:16]}`."
    lines = [asks]
    if one.why:
        lines.append(escaped(one.why))
    lines.append(Report.from_json(one.report).to_markdown())
    lines += list(_votes(one))
    return "\n\n".join(lines)


def _beside(one: TransitionRequest) -> str:
    """What the version was compared with."""
    if one.stage not in JUDGED:
        return f"nobody who goes to {one.stage} is compared with a champion"
    if one.champion is not None:
        return f"version {one.champion} is in production"
    if one.champion_until is not None:
        return f"there is no champion now; version {one.champion_before} was one until {one.champion_until:%Y-%m-%d %H:%M:%S} UTC"
    return "there is no champion yet" if one.champion_before is None else f"version {one.champion_before} is the champion itself"


def _votes(one: TransitionRequest) -> Iterator[str]:
    rows = []
    for vote in one.votes:
        word = "approves" if vote["approve"] else "**rejects**"
        rows.append(f"| {escaped(vote['voter'])} ({vote['strength']}) | {word} | {escaped(vote['comment'])} |")
    if rows:
        yield "\n".join(["| who | vote | comment |", "| --- | --- | --- |", *rows])


def junit(one: Promotion) -> str:
    """The same as JUnit's XML: a test case for each gate, for the approvals, and for each smoke test."""
    cases = list(_cases(one))
    failed = sum(words is not None for _, _, words in cases)
    suite = ElementTree.Element("testsuite", name=in_xml(f"promote {one.name} {one.version} to {one.stage}"))
    suite.attrib |= {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0", "time": f"{one.seconds:.3f}"}
    for kind, name, words in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=f"promotion.{kind}", name=in_xml(name))
        if words is not None:
            failure = ElementTree.SubElement(case, "failure", message=in_xml(words)[:1_000])
            failure.text = in_xml(words)
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _cases(one: Promotion) -> Iterator[tuple[str, str, str | None]]:
    """Kind, name, and what is wrong with it."""
    if one.request is not None:
        for verdict in one.request.report.get("verdicts", ()):
            yield "gate", verdict["name"], None if verdict["passed"] else verdict["reason"]
    for check in one.checks:
        yield "smoke", check.what, None if check.ok else check.said
    yield "result", f"{one.name} {one.version} is in {one.stage}", None if one.ok else f"{_WORDS[one.state]}: {one.reason}"


def in_xml(text: str) -> str:
    """Without what XML has no way to say."""
    return text.translate(_BARE).encode("utf-8", "replace").decode("utf-8").replace("\ufffe", "?").replace("\uffff", "?")
