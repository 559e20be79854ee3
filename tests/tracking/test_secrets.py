"""Secrets in what a run is told of: whichever verb they come by, neither store nor journal holds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydantic
import pytest

from prefect_ledger import capture, start_run
from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.masking import MASK
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.marks import Artifact
from prefect_ledger.tracking.runs import ActiveRun

SECRET = "hunter" + "2"  # in two, so that no source line of a traceback has it whole


class Login(pydantic.BaseModel):
    """A model whose secret is of the wrong type."""

    api_key: int


class Told:
    """An object that tells its secret when it is asked for its text."""

    def __str__(self) -> str:
        return f"Told(password={SECRET})"


def refused_metric(run: ActiveRun) -> None:
    run.log_metrics({"loss": 0.5, "api_key": SECRET})  # type: ignore[dict-item]  # that is the mistake


def refused_array(run: ActiveRun) -> None:
    run.log_metric("db.password", np.array(SECRET))


def refused_step(run: ActiveRun) -> None:
    run.log_metric("password", 1.0, step=SECRET)  # type: ignore[arg-type]


def refused_field(run: ActiveRun) -> None:
    Login.model_validate({"api_key": SECRET})


@pytest.mark.parametrize("mistake", [refused_metric, refused_array, refused_step, refused_field])
def test_no_error_brings_a_secret_into_the_store(fresh_ledger: Ledger, home: Path, mistake: Callable[[ActiveRun], None]) -> None:
    """A run that fails since something of a secret's name was refused keeps reason and traceback without the value."""
    with pytest.raises(ValueError), start_run(experiment="e") as run:  # noqa: PT011  # ours and pydantic's
        mistake(run)
    fresh_ledger.flush()
    kept = fresh_ledger.reader.run(run.id)
    assert kept.status == "FAILED"
    assert mistake.__name__ in kept.attempts[0].exception["traceback"]
    assert_nowhere(home)


def test_our_own_messages_quote_no_secret(fresh_ledger: Ledger) -> None:
    """What is refused under the name of a secret is not quoted to the caller either; other values are."""
    with start_run(experiment="e") as run:
        with pytest.raises(InvalidValue, match=r"'api_key' takes a number, not \*{8} \(str\)"):
            run.log_metric("api_key", SECRET)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue, match=r"'loss' takes a number, not 'high' \(str\)"):
            run.log_metric("loss", "high")  # type: ignore[arg-type]


def test_no_verb_brings_a_secret_into_the_store(fresh_ledger: Ledger, home: Path) -> None:
    """Surroundings, metadata, schemas, names, reasons and exceptions are masked; what stands beside the secret stays."""
    run = start_run(experiment="e", name=f"night password={SECRET}")
    assert run.name == f"night password={MASK}"
    run.describe({"api_key": SECRET, "db": {"pw": SECRET, "host": "h"}, "told": Told(), "note": f"token={SECRET}"})
    run.log_bytes(b"x", "a.bin", metadata={"password": SECRET, "rows": 3, "url": f"redis://:{SECRET}@h"})
    run.record_dataset("d", "0" * 64, context=f"token={SECRET}", schema={"password": SECRET, "x": f"token={SECRET}", "token": "int64"})
    run.finish("FAILED", reason=f"password={SECRET}", exception={"message": f"password={SECRET}", "type": "ValueError"})
    fresh_ledger.flush()
    kept = fresh_ledger.reader.run(run.id)
    assert kept.name == run.name
    assert kept.facts["db"] == {"pw": MASK, "host": "h"}
    assert kept.facts["told"] == f"Told(password={MASK})"
    assert dict(kept.artifacts[0].metadata) == {
        "password": MASK,
        "rows": 3,
        "url": f"redis://:{MASK}@h",
        "media": "application/octet-stream",
    }
    assert dict(kept.datasets[0].schema) == {"password": MASK, "x": f"token={MASK}", "token": "int64"}
    assert kept.attempts[0].exception["message"] == f"password={MASK}"
    assert_nowhere(home)


def test_a_path_that_shows_a_secret_is_refused(fresh_ledger: Ledger, home: Path, tmp_path: Path) -> None:
    """Paths are kept as they are given, so one with a secret is refused where it is given, and not quoted."""
    with start_run(experiment="e") as run:
        for give in (
            lambda: run.log_text("x", f"out/password={SECRET}.txt"),
            lambda: run.log_artifacts(tmp_path, f"token={SECRET}"),
            lambda: Artifact(f"api_key={SECRET}.html"),
        ):
            with pytest.raises(InvalidName, match="shows a secret") as refused:
                give()
            assert SECRET not in str(refused.value)
        run.log_text("x", "key=1/sk-learn-gradient-boosting-2.txt")
    fresh_ledger.flush()
    assert [one.path for one in fresh_ledger.reader.artifacts(run.id)] == ["key=1/sk-learn-gradient-boosting-2.txt"]
    assert_nowhere(home)


def test_what_a_model_says_of_itself_is_masked(fresh_ledger: Ledger) -> None:
    """The metadata of a model are masked in its row, as an artifact's are; a name that shows a secret is refused."""
    with start_run(experiment="e") as run:
        logged = run.log_model(lambda data: data, "plain", metadata={"api_key": SECRET, "rows": 3})
        with pytest.raises(InvalidName, match="shows a secret"):
            run.log_model(lambda data: data, f"password={SECRET}")
    fresh_ledger.flush()
    (kept,) = fresh_ledger.reader.models(run.id)
    assert kept.details["metadata"] == logged.details["metadata"] == {"api_key": MASK, "rows": 3}


def test_an_exception_is_kept_without_what_pydantic_quotes() -> None:
    """pydantic's message names the field and its mistake; the refused value of a secret field is hidden, another's stays."""
    with pytest.raises(pydantic.ValidationError) as refused:
        Login.model_validate({"api_key": SECRET})
    found = capture.exception(refused.value)
    assert SECRET in str(refused.value)
    assert SECRET not in str(found)
    assert "api_key" in found["message"]


def assert_nowhere(home: Path) -> None:
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"experiment" in written
    assert SECRET.encode() not in written
