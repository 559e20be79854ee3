"""What is recorded of a flow run by itself, and where the values go that its code logs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated

import cloudpickle  # type: ignore[import-untyped]
import pytest
from prefect import flow, task
from prefect.context import FlowRunContext
from pydantic import BaseModel, SecretStr

from prefect_ledger import (
    ActiveRun,
    Metrics,
    current_run,
    log_metric,
    log_param,
    log_text,
    search_runs,
    set_tag,
    tracked_flow,
    tracked_task,
)
from prefect_ledger.errors import InvalidName, InvalidSettings, InvalidValue, NoActiveRun
from prefect_ledger.masking import mask_name
from prefect_ledger.names import fitted_name
from prefect_ledger.orchestration import surroundings
from prefect_ledger.orchestration.context import experiment_of, unpack
from prefect_ledger.orchestration.options import options_of
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from tests.orchestration.helpers import the_run

# --- what is recorded ---------------------------------------------------------------------------------------------------


class Database(BaseModel):
    """A parameter with a secret."""

    host: str = "db"
    password: SecretStr = SecretStr("hunter2")


def test_secrets_are_masked(ledger: Ledger) -> None:
    """No secret among the arguments reaches the ledger."""

    @tracked_flow
    def connecting(database: Database, api_key: str, url: str) -> None: ...

    connecting(Database(), api_key="hunter2", url="postgresql://bob:hunter2@db/runs")
    run = the_run("connecting")
    assert run.params["database.host"] == "db"
    assert set(run.params) == {"database.host", "database.password", "api_key", "url"}
    assert "hunter2" not in repr(dict(run.params))


def test_off_switches(ledger: Ledger) -> None:
    """Each of what is recorded by itself can be left out, also by with_options."""

    @tracked_flow(log_params=False, log_returns=False, capture=False)
    def silent(depth: int) -> dict[str, float]:
        return {"auc": 0.9}

    silent(1)
    run = the_run("silent")
    assert (dict(run.params), dict(run.metrics), dict(run.facts)) == ({}, {}, {})
    silent.with_options(experiment="loud", log_params=True, log_returns=True)(1)
    run = the_run("loud")
    assert (dict(run.params), dict(run.metrics), dict(run.facts)) == ({"depth": "1"}, {"auc": 0.9}, {})


def test_surroundings(ledger: Ledger) -> None:
    """The run knows its flow, its version and tags, and the environment it ran in."""
    from prefect import tags

    @tracked_flow(version="7")
    def placed() -> None: ...

    with tags("nightly", "risk"):
        placed()
    surroundings.finish()
    run = the_run("placed")
    assert run.tags["prefect.tags"] == "nightly, risk"
    assert run.facts["prefect"]["flow"] == "placed"
    assert run.facts["prefect"]["flow_version"] == "7"
    assert run.facts["environment"]


def test_what_was_started_is_kept_so_that_it_can_be_started_again(ledger: Ledger) -> None:
    """The place of the flow's function and its parameters as values; what Prefect cannot write down is named, and secrets are masked."""

    @tracked_flow
    def begun(depth: int, names: list[str], data: object, password: str = "hunter2hunter2") -> None: ...

    begun(3, ["a", "b"], threading.Lock())
    surroundings.finish()
    entry = the_run("begun").facts["entry"]
    assert (entry["kind"], entry["file"]) == ("flow", __file__)
    assert entry["function"].endswith("begun")
    assert entry["parameters"]["depth"] == 3
    assert entry["parameters"]["names"] == ["a", "b"]
    assert entry["unkept"] == ["data"]
    assert "hunter2" not in str(entry)


def test_annotated_returns(ledger: Ledger) -> None:
    """A returned value is logged as its annotation says; one that does not fit is noted, and the flow does not fail for it."""

    @tracked_flow
    def scored(value: object) -> Annotated[dict[str, float], Metrics(prefix="val")]:
        return value  # type: ignore[return-value]

    scored({"auc": 0.9})
    assert the_run("scored").metrics == {"val.auc": 0.9}
    with pytest.warns(LedgerWarning, match="not logged"):
        scored.with_options(experiment="odd")("nothing")
    run = the_run("odd")
    assert run.status == "COMPLETED"
    assert any("not logged" in note for note in run.notes)


def test_misuse_is_refused_at_the_decorator() -> None:
    """A bad experiment name or return annotation raises where it is written."""
    with pytest.raises(InvalidName):
        tracked_flow(experiment="")(lambda: None)
    with pytest.raises(TypeError, match="no_such_option"):
        tracked_flow(no_such_option=1)(lambda: None)  # type: ignore[call-overload]

    def listed() -> list[Annotated[dict[str, float], Metrics]]: ...  # type: ignore[empty-body]

    with pytest.raises(InvalidValue, match="listed"):
        tracked_flow(listed)


# --- where values go ----------------------------------------------------------------------------------------------------


def test_plain_tasks_log_into_their_flow(ledger: Ledger) -> None:
    """A task that is not tracked logs into the run of its flow, called, submitted and mapped."""

    @task
    def measure(number: int) -> None:
        log_metric("number", number, step=number)

    @tracked_flow
    def measuring() -> None:
        measure(0)
        measure.submit(1).result()
        measure.map([2, 3]).result()

    measuring()
    assert list(the_run("measuring").metric("number").values) == [0, 1, 2, 3]


def test_a_plain_flow_has_no_run(ledger: Ledger) -> None:
    """In a flow that is not tracked, logging says what to do."""

    @flow
    def untracked() -> None:
        log_metric("x", 1)

    with pytest.raises(NoActiveRun, match="tracked_flow"):
        untracked()
    assert len(search_runs()) == 0


def test_threads_of_ones_own(ledger: Ledger) -> None:
    """A thread made by hand logs through the handle; without it, it is told so."""
    refused: list[Exception] = []

    def work(run: ActiveRun) -> None:
        run.log_metric("x", 1)
        try:
            log_metric("x", 2)
        except NoActiveRun as error:
            refused.append(error)

    @tracked_flow
    def threading_flow() -> None:
        thread = threading.Thread(target=work, args=(current_run(),))
        thread.start()
        thread.join()

    threading_flow()
    assert the_run("threading-flow").metrics == {"x": 1}
    assert len(refused) == 1


def test_threads_of_a_deployed_run(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that a worker started for one flow run, threads of one's own log into that run without a handle."""

    @tracked_flow
    def alone_here() -> None:
        monkeypatch.setenv("PREFECT__FLOW_RUN_ID", current_run().id)
        thread = threading.Thread(target=log_metric, args=("x", 1))
        thread.start()
        thread.join()

    alone_here()
    assert the_run("alone-here").metrics == {"x": 1}


def test_what_travels_with_a_flow(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow object that goes to other machines tells which experiment its run joined, and where values go if nobody else does."""
    seen: list[str] = []

    @tracked_flow
    def joining() -> None:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        moved = cloudpickle.loads(cloudpickle.dumps(context.flow))
        options = options_of(moved)
        assert options is not None
        os.environ["PREFECT_LEDGER_ARTIFACT_ROOT"] = "/elsewhere"
        unpack(moved)
        seen.extend(
            (experiment_of(context.flow_run, moved, options), *(os.environ[f"PREFECT_LEDGER_{n}"] for n in ("STORE_URL", "ARTIFACT_ROOT")))
        )
        del os.environ["PREFECT_LEDGER_STORE_URL"]

    @tracked_flow(experiment="family")
    def parent() -> None:
        joining()

    monkeypatch.delenv("PREFECT_LEDGER_ARTIFACT_ROOT", raising=False)  # and so afterwards; the flow that is pickled knows no fixture
    try:
        parent()
    finally:
        os.environ.pop("PREFECT_LEDGER_ARTIFACT_ROOT", None)
    assert seen == ["family", ledger.settings.store_url, "/elsewhere"]


def test_misconfigured(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that cannot be used is said at the flow's first moment, not after the work is done."""
    monkeypatch.setattr(module, "_ledger", None)
    monkeypatch.setenv("PREFECT_LEDGER_STORE_URL", "mysql://localhost/runs")
    worked: list[int] = []

    @tracked_flow
    def hopeless() -> None:
        worked.append(1)

    with pytest.raises(InvalidSettings, match="PREFECT_LEDGER_STORE_URL"):
        hopeless()
    assert not worked


def test_our_hooks_are_not_announced(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Prefect's log speaks of the user's hooks and not of ours."""

    def theirs(flow: object, flow_run: object, state: object) -> None: ...

    @tracked_flow(on_completion=[theirs])
    def logged() -> None:
        tracked_task(lambda: None)()

    with caplog.at_level("INFO"):
        logged()
    assert "theirs" in caplog.text
    assert "ledger_on" not in caplog.text


def test_all_verbs(ledger: Ledger, tmp_path: Path) -> None:
    """Tags, texts and parameters go the same way as metrics."""

    @tracked_flow
    def talkative() -> None:
        set_tag("team", "risk")
        log_text("hello", "notes/hello.txt")
        log_param("kernel", "rbf")

    talkative()
    run = the_run("talkative")
    assert run.tags["team"] == "risk"
    assert run.params == {"kernel": "rbf"}
    assert [artifact.path for artifact in run.artifacts] == ["notes/hello.txt"]


def test_hooks_of_the_user_still_run(ledger: Ledger) -> None:
    """A flow's own hooks run, and may look up and log to the run they are told of."""
    told: list[str] = []

    def tell(flow: object, flow_run: object, state: object) -> None:
        set_tag("told", "yes")
        told.append(type(state).__name__)

    @tracked_flow(on_completion=[tell])
    def hooked() -> None: ...

    hooked()
    hooked.with_options(experiment="again", on_completion=[tell])()
    assert len(told) == 2
    for experiment in ("hooked", "again"):
        assert (the_run(experiment).status, the_run(experiment).tags["told"]) == ("COMPLETED", "yes")


def test_what_cannot_be_logged_is_noted_without_its_secrets(ledger: Ledger, home: Path) -> None:
    """A returned value that does not fit its annotation, a bad metric and a flow run's name leave no secret in the ledger."""
    secret = "hunter" + "2"

    @tracked_flow(flow_run_name="night password=" + secret)
    def returning() -> Annotated[dict[str, object], Metrics]:
        return {"password": secret, "acc": 0.9}

    @tracked_flow
    def logging() -> None:
        log_metric("api_key", secret)  # type: ignore[arg-type]

    with pytest.warns(LedgerWarning, match=r"'password' takes a number, not \*{8}"):
        returning()
    with pytest.raises(InvalidValue):
        logging()
    assert "'password' takes a number" in the_run("returning").notes[0]
    assert the_run("logging").status == "FAILED"
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"returning" in written
    assert secret.encode() not in written


@pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs' attempted to send logs:UserWarning")  # Prefect's own
@pytest.mark.parametrize(
    ("name", "experiment"),
    [
        ("x" * 600, "x" * 483),
        ("a\tb", "a b"),
        ("   ", "unnamed"),
        ("night password=Tr0ub4dor", "night password=********"),
    ],
)
@pytest.mark.long
def test_any_name_that_prefect_takes_will_do(ledger: Ledger, name: str, experiment: str) -> None:
    """A flow, or a task of its own, whose name cannot be an experiment's runs as ever; the experiment's name is made of it by rule."""

    @tracked_flow(name=name)
    def named() -> dict[str, float]:
        return {"acc": 0.9}

    @tracked_task(name=name)
    def alone() -> None:
        log_metric("loss", 0.5)

    named()
    alone()
    ledger.flush()
    (flow_run,) = (run for run in search_runs() if run.kind == "flow")
    (task_run,) = (run for run in search_runs() if run.kind == "task")
    assert (flow_run.status, dict(flow_run.metrics)) == ("COMPLETED", {"acc": 0.9})
    assert (task_run.status, dict(task_run.metrics)) == ("COMPLETED", {"loss": 0.5})
    assert flow_run.experiment == task_run.experiment == fitted_name(mask_name(name))
    assert flow_run.experiment[:483] == experiment[:483]


@pytest.mark.parametrize(
    ("value", "note"),
    [
        ({"acc": 0.9, "flag": True}, "'flag' is of type bool"),
        ({"model": object(), "acc": 0.9}, "'model' is of type object"),
        ({"acc!": 0.9}, "a name in it cannot be a metric's"),
        ({"acc": 0.9}, ""),
        ({"name": "x"}, ""),
        ({}, ""),
        (0.9, ""),
    ],
)
def test_a_mapping_that_is_not_quite_metrics_is_noted(ledger: Ledger, value: object, note: str) -> None:
    """A flow that returns numbers beside something else is told why none of them is a metric; what nobody could take for metrics is not."""

    @tracked_flow
    def mixed() -> object:
        return value

    mixed()
    run = the_run("mixed")
    assert [note in said for said in run.notes] == ([True] if note else [])
    assert bool(run.metrics) == (value == {"acc": 0.9})
