"""The audit log holds: whatever is done to its tables by hand is found, and the first row that does not hold is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from prefect_ledger import registry
from prefect_ledger.audit_chain import COLUMNS, GENESIS, canonical, link, verify
from prefect_ledger.database import execute, rows
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, BOB, version

pytestmark = pytest.mark.usefixtures("store_url")

ROW = f"{', '.join(COLUMNS)}, content, hash"
LAST = 6


@pytest.fixture
def log(fresh_ledger: Ledger) -> Ledger:
    """A ledger whose audit log has six rows."""
    version(by=ALICE)
    registry.transition("churn", 1, "staging", why="it's better — \N{SNOWMAN}", by=ALICE)
    registry.set_alias("churn", "champion", 1, by=BOB)
    registry.transition("churn", 1, "production", by=BOB)
    registry.describe_version("churn", 1, 'a "quoted" \\ text\n', by=BOB)
    assert registry.audit_head().seq == LAST
    return fresh_ledger


def change(column: str, value: Any, number: int = 3) -> Callable[[sa.Connection], object]:
    """Set a column of a row."""
    return lambda tx: execute(tx, f"UPDATE audit SET {column} = ? WHERE seq = ?", [value, number])


def text_with(number: int, **fields: Any) -> Callable[[sa.Connection], object]:
    """Change what a row says, columns too."""

    def do(tx: sa.Connection) -> None:
        said = json.loads(rows(tx, "SELECT content FROM audit WHERE seq = ?", [number])[0][0]) | fields
        columns = [name for name in fields if name in COLUMNS]
        text = f"UPDATE audit SET {''.join(f'{name} = ?, ' for name in columns)}content = ? WHERE seq = ?"
        execute(tx, text, [*(fields[name] for name in columns), canonical(said), number])

    return do


def remove(*numbers: int) -> Callable[[sa.Connection], object]:
    """Delete rows."""
    return lambda tx: [execute(tx, "DELETE FROM audit WHERE seq = ?", [number]) for number in numbers]


def close_up(number: int) -> Callable[[sa.Connection], object]:
    """Delete a row and let the later ones take its place."""

    def do(tx: sa.Connection) -> None:
        remove(number)(tx)
        for later in range(number + 1, LAST + 1):
            execute(tx, "UPDATE audit SET seq = ? WHERE seq = ?", [later - 1, later])
        execute(tx, "UPDATE audit_head SET seq = ?", [LAST - 1])

    return do


def swap(one: int, other: int) -> Callable[[sa.Connection], object]:
    """Let two rows change places, whole."""

    def do(tx: sa.Connection) -> None:
        for before, after in ((one, 999), (other, one), (999, other)):
            execute(tx, "UPDATE audit SET seq = ? WHERE seq = ?", [after, before])

    return do


def insert(number: int, *, fitting: bool) -> Callable[[sa.Connection], object]:
    """Put a row in at the end, before the first, or between; with a hash that fits the row before it, or with none that does."""

    def do(tx: sa.Connection) -> None:
        for later in range(LAST, number - 1, -1) if number > 0 else ():
            execute(tx, "UPDATE audit SET seq = ? WHERE seq = ?", [later + 1, later])
        before = rows(tx, "SELECT hash FROM audit WHERE seq = ?", [number - 1])
        fields = dict(zip(COLUMNS, (number, 1, "described", None, None, "mallory", "os", ""), strict=True))
        content = canonical({**fields, "name": "", "how": "", "before": {}, "after": {}, "why": ""})
        found = link(before[0][0] if before else GENESIS, content) if fitting else "0" * 64
        execute(tx, f"INSERT INTO audit ({ROW}) VALUES ({', '.join('?' * 10)})", [*fields.values(), content, found])

    return do


def head(**fields: Any) -> Callable[[sa.Connection], object]:
    """Change the head."""
    return lambda tx: execute(tx, f"UPDATE audit_head SET {', '.join(f'{name} = ?' for name in fields)}", list(fields.values()))


def rewritten(tx: sa.Connection) -> None:
    """Write the whole log anew from row 3 on, with hashes and a head that fit."""
    text_with(3, why="nothing to see")(tx)
    previous = GENESIS
    for number, content in rows(tx, "SELECT seq, content FROM audit ORDER BY seq"):
        previous = link(previous, content)
        change("hash", previous, number)(tx)
    head(hash=previous)(tx)


def test_a_log_that_nobody_touched_is_whole(log: Ledger) -> None:
    """Every row holds, up to the head, with any of its hashes as an anchor."""
    found = registry.verify_audit()
    assert (found.whole, found.rows, found.head) == (True, LAST, registry.audit_head().hash)
    assert all(registry.verify_audit(one.hash).whole for one in registry.history("churn"))


@pytest.mark.parametrize(
    ("tamper", "broken", "told"),
    [
        (change("actor", "mallory"), 3, "columns are not what its text says"),
        (change("strength", "signed"), 3, "columns"),
        (change("version", None), 3, "columns"),
        (change("version", 2), 3, "columns"),
        (change("evidence", "f" * 64), 3, "columns"),
        (change("at", 1), 3, "columns"),
        (change("model_id", 9), 3, "columns"),
        (change("action", "annotated"), 3, "columns"),
        (change("hash", "0" * 64), 3, "was changed"),
        (change("content", "{}"), 3, "was changed"),
        (change("content", "[" * 100_000), 3, "was changed"),
        (change("content", "", 1), 1, "was changed"),
        (text_with(3, why="nothing to see"), 3, "its hash is not that of its text"),
        (text_with(LAST, actor="mallory"), LAST, "its hash is not that of its text"),
        (text_with(1, seq=1, at=5), 1, "its hash is not that of its text"),
        (remove(3), 3, "row 3 is missing"),
        (remove(1), 1, "row 1 is missing"),
        (remove(LAST), LAST, f"row {LAST} is missing: the head says that the last row is {LAST}"),
        (remove(*range(1, LAST + 1)), 1, "row 1 is missing"),
        (close_up(3), 3, "was changed"),
        (swap(3, 4), 3, "was changed"),
        (swap(1, LAST), 1, "was changed"),
        (insert(3, fitting=True), 4, "was changed"),
        (insert(3, fitting=False), 3, "was changed"),
        (insert(LAST + 1, fitting=True), LAST + 1, f"row {LAST + 1} is beyond the head"),
        (insert(LAST + 3, fitting=True), LAST + 1, f"row {LAST + 1} is missing"),
        (insert(0, fitting=True), 1, "row 0 stands where row 1 ought to"),
        (insert(-5, fitting=True), 1, "row -5 stands where row 1 ought to"),
        (head(hash="0" * 64), LAST, "the head says"),
        (head(seq=LAST - 1), LAST, "beyond the head"),
        (head(seq=LAST + 1), LAST + 1, f"row {LAST + 1} is missing"),
        (lambda tx: execute(tx, "DELETE FROM audit_head"), 1, "beyond the head"),
    ],
)
def test_what_was_done_by_hand_is_found(log: Ledger, tamper: Callable[[sa.Connection], object], broken: int, told: str) -> None:
    """A row changed, removed or put in, rows in another order, columns that say something else, another head: the first row is named."""
    with log.database.write() as tx:
        tamper(tx)
    found = registry.verify_audit()
    assert (found.whole, found.broken) == (False, broken), found.reason
    assert told in found.reason
    with log.database.read() as tx:
        assert len(list(registry.export_audit())) == rows(tx, "SELECT count(*) FROM audit WHERE seq > 0")[0][0]  # still exported, as it is


def test_what_comes_after_does_not_heal_it(log: Ledger) -> None:
    """A log that was changed stays broken at that row, however much is added; without its head nothing can be added."""
    with log.database.write() as tx:
        text_with(3, why="nothing to see")(tx)
    registry.set_alias("churn", "champion", None)
    assert registry.verify_audit().broken == 3
    with log.database.write() as tx:
        execute(tx, "DELETE FROM audit_head")
    with pytest.raises(LedgerError, match="the head of the audit log was removed"):
        registry.set_alias("churn", "champion", 1)
    assert registry.get_model("churn").aliases == {}


def test_a_log_that_was_written_anew_shows_by_a_hash_that_was_kept(log: Ledger) -> None:
    """Hashes that all fit are not enough where one of the old ones was kept elsewhere; nor is a log cut short with its head."""
    early, late = registry.history("churn")[1].hash, registry.audit_head().hash
    with log.database.write() as tx:
        rewritten(tx)
    assert registry.verify_audit().whole
    assert registry.verify_audit(early).whole  # of the rows before the first that was changed
    found = registry.verify_audit(late)
    assert (found.whole, found.broken) == (False, 1)
    assert late in found.reason


def test_a_log_that_was_cut_short_shows_by_a_hash_that_was_kept(log: Ledger) -> None:
    """Whoever takes the last rows and sets the head back is found by the head that was kept."""
    kept = registry.audit_head().hash
    last = registry.history("churn")[LAST - 3].hash
    with log.database.write() as tx:
        remove(LAST, LAST - 1)(tx)
        head(seq=LAST - 2, hash=last)(tx)
    assert registry.verify_audit(tables=False).whole
    assert registry.verify_audit().disagreements  # what the rows told of is still in the tables
    assert not registry.verify_audit(kept).whole


def test_an_anchor_that_is_none_is_refused(log: Ledger) -> None:
    """A mistyped anchor is said to be one, not taken for none."""
    for wrong in ("abc", "Z" * 64, "0" * 65, None, 7):
        with pytest.raises(InvalidValue, match="an anchor is"):
            registry.verify_audit(wrong)  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidValue, match="a row is a number"):
        list(registry.export_audit("1; DROP TABLE audit"))  # type: ignore[arg-type]  # the point


def test_exported_lines_are_verified_by_the_chain_alone(log: Ledger) -> None:
    """Whoever has the lines, and no ledger, can tell that they are whole: each hash covers the line without it and the one before."""
    lines = list(registry.export_audit())
    assert len(lines) == LAST
    previous, walked = GENESIS, []
    for line in lines:
        said = json.loads(line)
        found = said.pop("hash")
        assert link(previous, canonical(said)) == found
        walked.append((*(said[name] for name in COLUMNS), canonical(said), found))
        previous = found
    assert previous == registry.audit_head().hash
    assert verify(walked, len(walked), previous).whole
    assert verify(walked[:2] + walked[3:], len(walked), previous).broken == 3
    assert list(registry.export_audit(4)) == lines[4:]
    assert "\N{SNOWMAN}" in lines[2]


def test_history_of_rows_that_do_not_read(log: Ledger) -> None:
    """What was made unreadable is told as such where it is read, with its number."""
    with log.database.write() as tx:
        change("content", "no JSON")(tx)
    with pytest.raises(LedgerError, match="row 3 of the audit log was changed by hand"):
        registry.history("churn")
