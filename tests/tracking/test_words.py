"""What a verb is told beside the data, of another type than it says: refused at that line, or kept, and never lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prefect_ledger import get_run, start_run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.runs import ActiveRun

Say = Callable[[ActiveRun], object]
ANY: Any = 5

WRONG: list[tuple[Say, str]] = [
    (lambda run: run.log_bytes(b"x", "a", kind=ANY), "kind is a word of at most 32 characters, such as 'table', not 5"),
    (lambda run: run.log_bytes(b"x", "a", kind="k" * 33), "kind is a word of at most 32 characters"),
    (lambda run: run.log_bytes(b"x", "a", metadata=ANY), "metadata is a mapping, not int"),
    (lambda run: run.record_dataset("d", "0" * 64, source=ANY), "source is text, such as 's3://lake/people', not int"),
    (lambda run: run.record_dataset("d", "0" * 64, schema=ANY), "schema is a mapping of columns to types, not int"),
    (lambda run: run.finish("FAILED", reason=ANY), "the reason of an end is text, not int"),
    (lambda run: run.finish("FAILED", reason=None), "the reason of an end is text, not NoneType"),  # type: ignore[arg-type]
    (lambda run: run.finish("FAILED", exception=ANY), "exception is the exception itself, or a mapping, not int"),
]


@pytest.mark.parametrize(("say", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_is_told_beside_has_its_type(fresh_ledger: Ledger, say: Say, words: str) -> None:
    """It is refused in words, before a byte is stored, and the run goes on and ends as it is told then."""
    with start_run(experiment="e") as run:
        with pytest.raises(InvalidValue, match=words):
            say(run)
        assert not run.finished
        run.log_metric("loss", 0.5)
    found = get_run(run.id)
    assert (found.status, found.artifacts, found.datasets, found.notes) == ("COMPLETED", [], [], [])
    assert not list(fresh_ledger.settings.home.glob("artifacts/*/*/artifacts/a"))


def test_a_run_ends_with_the_exception_that_ended_it(fresh_ledger: Ledger) -> None:
    """finish takes the exception itself; its class, text and traceback are kept, masked."""
    run = start_run(experiment="e")
    try:
        raise ValueError("no rows, password=hunter2")
    except ValueError as error:
        run.finish("FAILED", reason="no rows", exception=error)
    found = get_run(run.id)
    assert (found.status, found.status_reason) == ("FAILED", "no rows")
    (told,) = [attempt.exception for attempt in found.attempts]
    assert (told["type"], told["message"]) == ("ValueError", "no rows, password=********")
    assert "test_words.py" in told["traceback"]
