"""The registry: what a stage or an alias means among many versions, a change with its row of the audit log, and walking the log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from benchmarks import stores
from benchmarks.measure import Absent, Row, Sample, Work, one_by_one, per_thousand, timed
from prefect_ledger import registry, start_run
from prefect_ledger.audit_chain import COLUMNS, canonical, link
from prefect_ledger.audit_store import hold
from prefect_ledger.database import execute
from prefect_ledger.entities import LoggedModel
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.tracking import ledger as process
from prefect_ledger.tracking.ledger import Ledger

RESOLVE, MOVE, VERIFY = 1.0, 10.0, 100_000.0  # ms, ms, rows a second; of SQLite
VERSIONS, LOG = 10_000, 200_000
ALICE, BOB = (Identity(name, Strength.OS, "user") for name in ("alice", "bob"))


def sqlite(work: Work) -> Iterator[Row | Absent]:
    """All of it on SQLite."""
    yield from _on(work, "SQLite")


def postgresql(work: Work) -> Iterator[Row | Absent]:
    """All of it on PostgreSQL."""
    yield from _on(work, "PostgreSQL")


def _on(work: Work, kind: str) -> Iterator[Row | Absent]:
    with stores.folder() as folder, stores.store(kind, folder) as (url, _), stores.ledger(folder, url) as one:
        before, process._ledger = process._ledger, one
        try:
            count = work.size(VERSIONS)
            _fill(one, count)
            yield from _resolving(work, kind, count)
            yield from _changing(work, kind, count)
            yield from _verifying(work, kind, one)
        finally:
            process._ledger = before


def _resolving(work: Work, kind: str, count: int) -> Iterator[Row | Absent]:
    for selector in ("production", "staging", "archived", "@champion", "latest", count // 2 or 1):
        registry.get_version("churn", selector)
        taken = one_by_one(lambda _, selector=selector: registry.get_version("churn", selector), work.times(2_000, 500))  # type: ignore[misc]  # of the default
        yield Row(
            f"what {selector} means among {count:,} versions, {kind}",
            Sample.of([per_thousand(taken, 500) / 1000]),
            "ms",
            limit=RESOLVE if kind == "SQLite" else None,
            note=f"p99 {per_thousand(taken, 990) / 1000:.2f} ms",
        )


def _changing(work: Work, kind: str, count: int) -> Iterator[Row | Absent]:
    turn = itertools.cycle([count, max(1, count - 1)])
    limit = MOVE if kind == "SQLite" else None
    plain = [timed(lambda: registry.transition("churn", next(turn), "production", by=ALICE)) for _ in range(work.times(200, 50))]
    yield Row(f"a version into production, another out of it, {kind}", Sample.of(plain).each(_ms), "ms", limit=limit, note=f"of {count:,}")
    registry.set_policy(
        '[[rule]]\nmodel = "churn"\nstage = "production"\ngates = ["metrics.auc >= 0.5"]\napprovals = 1\narchive = false', by=ALICE
    )
    for name, taken in _story(work, count).items():
        yield Row(f"{name}, {kind}", Sample.of(taken).each(_ms), "ms", limit=limit)


def _story(work: Work, count: int) -> dict[str, list[float]]:
    """Ask, approve and carry out, each timed."""
    found: dict[str, list[float]] = {"a request with its evidence": [], "an approval": [], "an approved version into production": []}
    for turn in range(work.times(60, 20)):
        registry.transition("churn", number := max(1, count - turn - 5), "none", by=ALICE)
        asked: list[Any] = []
        found["a request with its evidence"].append(
            timed(lambda n=number, a=asked: a.append(registry.request_transition("churn", n, "production", by=ALICE)))  # type: ignore[misc]
        )
        found["an approval"].append(timed(lambda a=asked: registry.approve(a[0].id, by=BOB)))  # type: ignore[misc]
        found["an approved version into production"].append(
            timed(lambda n=number: registry.transition("churn", n, "production", by=BOB))  # type: ignore[misc]
        )
    return found


def _verifying(work: Work, kind: str, one: Ledger) -> Iterator[Row | Absent]:
    rows = _lengthen(one, work.size(LOG, 50_000))
    assert registry.verify_audit().whole, registry.verify_audit()
    limit = VERIFY if kind == "SQLite" else None
    for tables, what in ((False, "verified"), (True, "verified and added up beside the tables")):
        taken = [timed(lambda tables=tables: registry.verify_audit(tables=tables)) for _ in range(work.times(5, 3))]  # type: ignore[misc]
        yield Row(f"rows of the audit log {what} in a second, {kind}", Sample.of([rows / s for s in taken]), "/s", limit=limit, more=True)


def _ms(seconds: float) -> float:
    return seconds * 1000


def _fill(one: Ledger, count: int) -> None:
    """Versions of a model, most of them archived, some aliases, and the rows that tell of them."""
    logged = _logged()
    registry.register_model("churn", logged, by=ALICE)
    with one.database.write() as tx:
        chain = hold(tx)
        text = """INSERT INTO model_versions (model_id, version, stage, logged_id, run_id, digest, author, strength, created, updated)
                  SELECT model_id, ?, ?, ?, run_id, digest, 'carol', 'os', ?, ? FROM model_versions WHERE version = 1"""
        for number in range(2, count + 1):
            stage = "staging" if number % 1_000 == 0 else "none" if number % 10 == 0 else "archived"
            # The newest are all the one that was logged, so that they can be judged.
            its = logged.id if number > count - 100 else f"m-{number:032x}"
            execute(tx, text, [number, stage, its, chain.now, chain.now])
            told = {"logged_id": its, "run_id": logged.run_id, "digest": logged.digest, "stage": stage, "description": ""}
            chain.append("version.registered", BOB, model=(1, "churn"), version=number, after=told)
        execute(tx, "UPDATE registered_models SET latest = ?", [count])
        for number in range(1, min(100, count)):
            execute(tx, "INSERT INTO model_aliases (model_id, alias, version, at) VALUES (1, ?, ?, 0)", [f"alias-{number}", number])
            said: dict[str, Any] = {"alias": f"alias-{number}", "version": number}
            chain.append("alias.moved", BOB, model=(1, "churn"), version=number, before={**said, "version": None}, after=said)
    registry.set_alias("churn", "champion", max(1, count // 3), by=ALICE)
    registry.transition("churn", max(1, count - 1), "production", by=ALICE)


def _logged() -> LoggedModel:
    with start_run(experiment="bench") as run:
        run.log_params({f"p{number}": number for number in range(20)})
        for number in range(20):
            run.log_metric(f"m{number}", number)
        run.log_metric("auc", 0.9)
        return run.log_model(lambda data: data, "churn", signature=None, requirements=[])


def _lengthen(one: Ledger, count: int) -> int:
    """Moves of version 1 to where it is, until the log has ``count`` rows at least; returns how many it has."""
    stage = registry.get_version("churn", 1).stage
    with one.database.write() as tx:
        chain = hold(tx)
        number, previous, made = chain.head.seq, chain.head.hash, list[tuple[Any, ...]]()
        while number < count:
            number += 1
            columns = dict(zip(COLUMNS, (number, chain.now + number, "version.moved", 1, 1, "alice", "os", ""), strict=True))
            said = {"name": "churn", "how": "user", "before": {"stage": "none"}, "after": {"stage": stage}, "why": "as every night"}
            content = canonical({**columns, **said})
            previous = link(previous, content)
            made.append((*columns.values(), content, previous))
        mark = "?" if tx.dialect.name == "sqlite" else "%s"
        text = f"INSERT INTO audit ({', '.join(COLUMNS)}, content, hash) VALUES ({', '.join([mark] * 10)})"
        if made:
            tx.connection.cursor().executemany(text, made)
            execute(tx, "UPDATE audit_head SET seq = ?, hash = ?", [number, previous])
    return number


BENCHES = {"registry.sqlite": sqlite, "registry.postgresql": postgresql}
