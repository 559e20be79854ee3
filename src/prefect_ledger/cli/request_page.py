"""Floor 6. A request to move a version, its gate report and its votes as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prefect_ledger.cli.registry_records import agreed, approvals, person, state_now
from prefect_ledger.cli.render import cell, heading, pairs, show, table
from prefect_ledger.entities import to_datetime
from prefect_ledger.formats import MISSING, clean, moment
from prefect_ledger.registered import TransitionRequest

_STYLES = {"open": "cyan", "done": "green", "rejected": "red", "expired": "yellow", "void": "yellow", "withdrawn": "yellow"}
_WORDS = {"passed": "green", "refused": "bold red", "skipped": "yellow"}


def requests_table(found: Sequence[TransitionRequest]) -> Any:
    """Requests in rows."""
    names: list[tuple[str, Any]] = [("request", "number"), ("model", "text"), ("version", "number"), ("to", "text"), ("state", "text")]
    made = table([*names, ("gates", "text"), ("approvals", "text"), ("asked by", "text"), ("opened", "text"), ("reason", "text")])
    for one in found:
        state, gates = state_now(one), "passed" if one.passed else "refused"
        about = [cell(one.id, "bold"), cell(one.name), cell(one.version), cell(one.stage), cell(state, _STYLES.get(state, ""))]
        given = [cell(gates, _WORDS[gates]), cell(approvals(one)), cell(person(one.requester)), cell(moment(one.opened_at))]
        made.add_row(*about, *given, cell(one.reason))
    return made


def show_request(one: TransitionRequest) -> None:
    """The page of a request."""
    show(pairs(_head(one)))
    heading("gates")
    show(pairs(verdict_rows(one.report)))
    if one.votes:
        heading("votes")
        show(pairs(_votes(one)))


def verdict_rows(report: Any) -> Iterator[tuple[str, object]]:
    """What each gate said, with its reason at full length: it is what people decide by."""
    from rich.text import Text

    for verdict in report.get("verdicts", ()):
        skipped = verdict["values"].get("skipped") is True
        word = "skipped" if skipped else "passed" if verdict["passed"] else "refused"
        yield word, Text(f"{clean(verdict['name'])}: {clean(verdict['reason'])}", style=_WORDS[word])
    if not report.get("verdicts"):
        yield "passed", "no gate was asked for"


def _head(one: TransitionRequest) -> Iterator[tuple[str, object]]:
    state = state_now(one)
    yield "request", cell(one.id, "bold")
    yield (
        "asks",
        f"{one.name} {one.version} to {one.stage}" + ("" if one.champion is None else f", where version {one.champion} is in production"),
    )
    yield "state", cell(state + (f": {one.reason}" if one.reason else ""), _STYLES.get(state, ""))
    yield "asked by", f"{person(one.requester)}, {moment(one.opened_at)}"
    if one.why:
        yield "why", one.why
    yield "approvals", _wanted(one)
    yield ("expires" if one.state == "open" else "ended"), moment(one.expires_at if one.state == "open" else one.closed_at)
    yield "policy", f"version {one.policy}" if one.policy else "none was set"
    yield "evidence", one.evidence


def _wanted(one: TransitionRequest) -> str:
    if not one.rule.get("approvals"):
        return approvals(one)
    who = ", ".join(one.rule.get("approvers", ())) or "anybody" + (
        " but the author and the requester" if one.rule.get("exclude_author") else ""
    )
    return f"{agreed(one)} of {one.rule['approvals']}, by {who}, known by {one.rule.get('identity') or MISSING} or stronger"


def _votes(one: TransitionRequest) -> Iterator[tuple[str, object]]:
    for vote in one.votes:
        word = "approves" if vote["approve"] else "rejects"
        comment = f": {vote['comment']}" if vote["comment"] else ""
        yield moment(to_datetime(vote["at"])), f"{vote['voter']} ({vote['strength']}) {word}{comment}"
