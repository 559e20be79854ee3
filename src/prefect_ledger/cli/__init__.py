"""Floor 6. The command ``prefect-ledger``: one module a noun, each loaded when its command is called.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 refused by a gate, a policy or a missing approval, 4 not reproduced. What was asked for
goes to stdout, everything said beside it to stderr.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from cyclopts import App, CycloptsError, Parameter

from prefect_ledger.cli import promoting
from prefect_ledger.cli.options import Json, Trust
from prefect_ledger.errors import LedgerError, TransitionRefused, VoteRefused

_HELP = """Experiments and runs of Prefect flows, kept in one database and one artifact root.

Begin with `prefect-ledger demo`. Where things are kept, and whether all is well, says `prefect-ledger doctor`.
"""


def _version() -> str:
    from prefect_ledger import __version__

    return __version__


app = App(name="prefect-ledger", help=_HELP, version=_version, help_format="plaintext", default_parameter=Parameter(show_default=False))
for _noun, _about in (
    ("runs", "List, show, compare, edit and export runs."),
    ("models", "List and show models, and look after registered ones."),
    ("experiments", "List, show, make, edit, delete and restore experiments."),
    ("datasets", "List the data that runs used, and get back copies of it."),
    ("alerts", "List what runs wanted somebody to know, and tell of it."),
    ("promotion", "List, show, replay and withdraw requests to move versions."),
    ("policy", "Show, set and test what stages ask for."),
    ("audit", "Verify and export the log of what was changed in the registry."),
    ("webhooks", "Post changes of the registry to URLs, signed."),
    ("project", "Run projects: code with its entry points and environment."),
):
    app.command(f"prefect_ledger.cli.{_noun}:app", name=_noun, help=_about)
app.command(promoting.promote)
app.command(promoting.approve)
app.command(promoting.reject)
app.command(promoting.rollback)
app.command(promoting.challenge)
app.command("prefect_ledger.cli.deploying:app", name="deploy", help="Deploy models: here, as images, to Kubernetes, to SageMaker.")
app.command("prefect_ledger.cli.store:app", name="db", help="The database: its schema and its state.")
app.register_install_completion_command(help="Have your shell complete commands and options.")


@app.command
def demo(
    *,
    ephemeral: Annotated[bool, Parameter(negative="", help="Leave a configured Prefect API alone and start a small server.")] = False,
    verbose: Annotated[bool, Parameter(negative="", help="Show Prefect's own log too.")] = False,
) -> None:
    """Train a few models under Prefect, compare them, and promote the best.

    The data are scikit-learn's digits. Takes less than a minute and no
    network. What it logs goes where your runs go, into the experiment
    "digits" and the registered model "digits"; run it as often as you like.
    A ledger that has a policy of its own keeps it: then nothing is promoted.

    For example:

        prefect-ledger demo
    """
    from prefect_ledger.demo import run_demo

    run_demo(ephemeral=ephemeral, verbose=verbose)


@app.command
def recover(*, json: Json = False) -> int:
    """Bring in what killed processes logged, and end their runs as CRASHED.

    The same as "prefect-ledger sync" without a folder. Journals of processes
    that live are left alone. It may be run at any time, twice, and by several
    at once; the next process that logs does the same by itself, but for what
    was logged offline. Exits with 1 when a journal cannot be read.

    For example:

        prefect-ledger recover
        prefect-ledger recover --json
    """
    from prefect_ledger.cli.recovery import recover_all

    return recover_all(json=json)


@app.command
def sync(
    *folders: Path,
    watch: Annotated[float | None, Parameter(name=["--watch", "--follow"], help="Look again every so many seconds, until Ctrl-C.")] = None,
    json: Json = False,
) -> int:
    """Bring in what was logged offline, or while the store was away.

    Without FOLDERS: all that waits on this machine for the store of the
    settings, and what was logged while no store was set. With FOLDERS: what
    lies there, whatever store it was meant for: a journal, a folder of them, or
    what was copied from another machine. That is values, artifacts and models;
    runs end as they ended, killed ones as CRASHED.

    What is in the store is removed where it was. It may be run at any time,
    twice, by several at once, and killed: each value arrives once. Exits with 1
    when something cannot be read or sent.

    For example:

        prefect-ledger sync
        prefect-ledger sync /media/usb/journals
        prefect-ledger sync --watch 60
        prefect-ledger sync --json
    """
    from prefect_ledger.cli.recovery import sync_all

    return sync_all(folders, json=json, watch=watch)


@app.command
def reconcile(
    *,
    dry_run: Annotated[bool, Parameter(negative="", help="Say what would change, and change nothing.")] = False,
    silence: Annotated[float, Parameter(help="Seconds after which a run that says nothing is taken for lost: 300 if not said.")] = 300.0,
    json: Json = False,
) -> int:
    """Bring runs whose end nobody could write to the end they had.

    Adopts journals of dead processes, asks Prefect about every run that has no
    known end, and takes those for CRASHED that were not heard of for five
    minutes. It may be run at any time, twice, and on several machines at once;
    deployments/prefect.yaml has it on a schedule. Exits with 1 when Prefect
    cannot be asked.

    For example:

        prefect-ledger reconcile --dry-run
        prefect-ledger reconcile --json
    """
    from prefect_ledger.cli.reconciliation import reconcile_all

    return reconcile_all(dry_run=dry_run, silence=silence, json=json)


@app.command
def doctor(
    *,
    artifacts: Annotated[bool, Parameter(negative="", help="Read every artifact's bytes and compare their digests, too.")] = False,
    json: Json = False,
) -> int:
    """Check settings, database, journals, artifacts, Prefect and packages.

    Says which settings won and where they came from, what waits in the
    journals and whose it is. Changes nothing. Exits with 1 when something is
    wrong.

    For example:

        prefect-ledger doctor
        prefect-ledger doctor --artifacts
        prefect-ledger doctor --json
    """
    from prefect_ledger.cli.doctor import examine

    return examine(artifacts=artifacts, json=json)


@app.command
def backup(
    file: Annotated[Path, Parameter(help="Where to: a database, as in ledger-backup.db; with --artifacts a .zip.")],
    /,
    *,
    artifacts: Annotated[
        bool, Parameter(negative="", help="The artifacts' bytes too, where they are in a folder of this machine.")
    ] = False,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace FILE when it is there.")] = False,
    json: Json = False,
) -> int:
    """Copy an SQLite ledger to a file, while it is in use.

    The copy is of one moment, and every page of it is checked. Runs that go on
    do not wait for it. What dead processes left is brought in first. FILE
    stands whole or not at all. Exits with 1 when artifacts, or what waited in
    journals, could not be had. For PostgreSQL there is pg_dump.

    For example:

        prefect-ledger backup ledger-backup.db
        prefect-ledger backup /mnt/backups/ledger.zip --artifacts --overwrite
    """
    from prefect_ledger.cli.backing_up import back_up

    return back_up(file, artifacts=artifacts, overwrite=overwrite, json=json)


@app.command
def restore(
    file: Annotated[Path, Parameter(help="What backup wrote.")],
    /,
    *,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace a ledger that is not empty; it is kept beside.")] = False,
    json: Json = False,
) -> int:
    """Put a backup in the place of the ledger.

    It is unpacked and checked beside its place first: every digest, every
    page, the schema. Refused is a ledger in use, and without --overwrite one
    that is not empty. What was there is renamed, not deleted.

    For example:

        prefect-ledger restore ledger-backup.db
        PREFECT_LEDGER_HOME=/srv/ledger prefect-ledger restore ledger.zip
    """
    from prefect_ledger.cli.backing_up import put_back

    return put_back(file, overwrite=overwrite, json=json)


@app.command
def gc(
    *,
    yes: Annotated[bool, Parameter(name="--yes", negative="", help="Take it away for good. Without it, only say what would go.")] = False,
    retention_days: Annotated[float, Parameter(help="Days that deleted runs are kept: 30 if not said.")] = 30.0,
    retention: Annotated[
        list[str] | None, Parameter(negative="", help="Other days for an experiment, as NAME=DAYS; again for more.")
    ] = None,
    grace_days: Annotated[float, Parameter(help="Days that bytes without a row are left alone: 7 if not said.")] = 7.0,
    caches_days: Annotated[
        float, Parameter(help="Days that environments, repositories and data on this machine are kept unused: 30 if not said.")
    ] = 30.0,
    unknown_runs: Annotated[
        bool, Parameter(negative="", help="Take bytes of runs this store never heard of. Not in a shared root.")
    ] = False,
    json: Json = False,
) -> int:
    """Say what nobody can want any more, with sizes; with --yes, take it away.

    That is: runs that "runs delete" or "experiments delete" marked more than
    30 days ago, with all they logged, bytes in the artifact root that no run
    logged, uploads that were never finished, what dead processes left on this
    machine, and what is kept here to be used again and was not for 30 days:
    environments and repositories of projects, data of "datasets get". Runs that
    are open or were heard of within the grace time are left alone, and so is
    what a living process uses. It may be run beside them, twice, and by several
    at once. Exits with 1 when something had to be left.

    For example:

        prefect-ledger gc
        prefect-ledger gc --retention scratch=1 --yes
        prefect-ledger gc --json
    """
    from prefect_ledger.cli.garbage import clear

    return clear(
        dry_run=not yes,
        retention_days=retention_days,
        retention=retention or [],
        grace_days=grace_days,
        caches_days=caches_days,
        unknown_runs=unknown_runs,
        json=json,
    )


@app.command
def rerun(
    run: Annotated[str, Parameter(help="The run: its id, or the first eight characters of it and more.")],
    *,
    parameter: Annotated[
        tuple[str, ...], Parameter(name=["--parameter", "-P"], negative="", help="A parameter to change, as name=value; again for more.")
    ] = (),
    verify: Annotated[bool, Parameter(negative="", help="Say whether it came out the same: exits with 4 when not.")] = False,
    tolerance: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="How far metrics may be off: auc=0.01, val.*=1%, or 1% for all; again for more."),
    ] = (),
    ignore: Annotated[tuple[str, ...], Parameter(negative="", help="Metrics not to compare, as seconds or time.*; again for more.")] = (),
    env_manager: Annotated[
        Literal["uv", "virtualenv", "local"] | None,
        Parameter(help="What builds the packages of the run where those here are others: uv if not said; local takes those here."),
    ] = None,
    in_deployment: Annotated[
        bool, Parameter(negative="", help="Have the deployment that started it start it again, in its own surroundings.")
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Say what would be run, and what cannot be as it was; start nothing.")] = False,
    json: Json = False,
) -> int:
    """Run a run again: the same code, packages, parameters and seed.

    Takes the commit and the changes that were not committed, in a checkout of
    its own; the packages here where they are the same, else an environment of
    exactly those of the run. What was not recorded is said before anything is
    started. The new run is tagged with the one that it repeats. --verify
    compares the metrics point by point and names what differed first.

    For example:

        prefect-ledger rerun 8f2c51aa --verify
        prefect-ledger rerun 8f2c51aa -P depth=8
        prefect-ledger rerun 8f2c51aa --verify --tolerance auc=0.001 --ignore seconds
    """
    from prefect_ledger.cli.rerunning import rerun_run

    return rerun_run(
        run,
        parameters=parameter,
        verify=verify,
        tolerances=tolerance,
        ignore=ignore,
        env_manager=env_manager,
        in_deployment=in_deployment,
        dry_run=dry_run,
        json=json,
    )


@app.command
def sweep(
    target: Annotated[
        str | None, Parameter(help="A tracked flow as file.py:name; or a project: a folder, a git URL or a .zip file.")
    ] = None,
    *,
    space: Annotated[
        tuple[str, ...],
        Parameter(
            name=["--space", "-s"],
            negative="",
            help="A parameter to look through: depth=2,4,8, depth=2..8:int, rate=0.001..0.1:log; again for more.",
        ),
    ] = (),
    metric: Annotated[str | None, Parameter(help="The metric to find the best of, as it was logged last.")] = None,
    direction: Annotated[
        Literal["lower", "higher"] | None, Parameter(help="When the metric is better: as its name tells if not said.")
    ] = None,
    method: Annotated[
        Literal["grid", "random", "optuna"], Parameter(help="How values are chosen: random if not said; optuna learns from what came.")
    ] = "random",
    trials: Annotated[int | None, Parameter(help="How many trials; the whole grid if not said.")] = None,
    at_once: Annotated[int, Parameter(help="How many at once: 1 if not said.")] = 1,
    minutes: Annotated[float | None, Parameter(help="How long at most; what runs then is ended, where that can be done.")] = None,
    stop_early: Annotated[
        int | None,
        Parameter(help="End a trial that after so many steps is worse than the median of the others at its step."),
    ] = None,
    seed: Annotated[int, Parameter(help="Of the draws: 0 if not said.")] = 0,
    parameter: Annotated[
        tuple[str, ...],
        Parameter(name=["--parameter", "-P"], negative="", help="One that is the same for all, as name=value; again for more."),
    ] = (),
    entry_point: Annotated[
        str | None, Parameter(name=["--entry-point", "-e"], help="Of a project, or a script's path: main if not said.")
    ] = None,
    version: Annotated[str | None, Parameter(help="Of a project: a branch, tag or commit of its repository.")] = None,
    env_manager: Annotated[str | None, Parameter(help="Of a project: uv, virtualenv, conda, docker or local.")] = None,
    runner: Annotated[
        Literal["threads", "processes", "dask"] | None, Parameter(help="Of a flow: where its trials run; threads if not said.")
    ] = None,
    experiment: Annotated[str | None, Parameter(help="Experiment of the sweep and its trials: Default if not said.")] = None,
    resume: Annotated[str | None, Parameter(help="Go on with the sweep of this run instead.")] = None,
    json: Json = False,
) -> int:
    """Look for the parameters that do best, with a run for each trial.

    The trials are child runs of the sweep's run. Ctrl-C ends those that run,
    and says how to go on: with --resume, what ended is not run again, and what
    was broken off is. More trials for a sweep that is over: --resume and
    --trials. Exits with 1 when no trial has a value.

    For example:

        prefect-ledger sweep train.py:train -s depth=2..8:int -s rate=0.001..0.1:log --metric auc --trials 30 --at-once 4
        prefect-ledger sweep . -e train -s depth=2,4,8 --metric val.loss --method grid
        prefect-ledger sweep --resume 8f2c51aa
    """
    from prefect_ledger.cli.sweeping import sweep_target
    from prefect_ledger.sweep.plan import Limits
    from prefect_ledger.sweep.stopping import Median

    return sweep_target(
        target,
        space=space,
        metric=metric,
        method=method,
        direction=direction,
        seed=seed,
        fixed=parameter,
        limits=Limits(trials, None if minutes is None else minutes * 60, at_once, None if stop_early is None else Median(stop_early)),
        how={"entry_point": entry_point, "version": version, "env_manager": env_manager, "runner": runner},
        experiment=experiment,
        resume=resume,
        json=json,
    )


@app.command
def dashboard(
    *,
    host: Annotated[
        str, Parameter(env_var="PREFECT_LEDGER_DASHBOARD_HOST", help="Address to listen on: 127.0.0.1 if not said, 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(env_var="PREFECT_LEDGER_DASHBOARD_PORT", help="Port to listen on: 8501 if not said.")] = 8501,
    public: Annotated[
        bool, Parameter(negative="", help="Answer others too although nobody signs in: all may look, nobody can change anything.")
    ] = False,
    browser: Annotated[
        bool, Parameter(negative="--no-browser", help="Open a browser where there is a screen; --no-browser leaves it.")
    ] = True,
) -> int:
    """Look at runs, compare them, and decide on promotions, in a browser.

    Says the address when it can be opened. By itself it answers this machine
    alone, and the address lets in one browser, once, as you. For a team, set up
    sign-in (the guide to the dashboard says how) and give --host. Stops at Ctrl-C.

    For example:

        prefect-ledger dashboard
        prefect-ledger dashboard --port 0 --no-browser
        prefect-ledger dashboard --host 0.0.0.0
    """
    from prefect_ledger.cli.dashboard import serve_dashboard

    return serve_dashboard(host=host, port=port, public=public, browser=browser)


@app.command
def serve(
    reference: Annotated[str | None, Parameter(env_var="PREFECT_LEDGER_MODEL", help="The model.")] = None,
    *,
    digest: Annotated[
        str,
        Parameter(
            env_var="PREFECT_LEDGER_MODEL_DIGEST", help="Serve only the model whose files have this sha256; it may then run its code."
        ),
    ] = "",
    host: Annotated[
        str, Parameter(env_var="PREFECT_LEDGER_SERVE_HOST", help="Address to listen on: 127.0.0.1 if not said, 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(env_var="PREFECT_LEDGER_SERVE_PORT", help="Port to listen on: 8000 if not said.")] = 8000,
    share_port: Annotated[bool, Parameter(negative="", help="Listen beside another server of yours that shares the port too.")] = False,
    workers: Annotated[int, Parameter(env_var="PREFECT_LEDGER_SERVE_WORKERS", help="Processes that serve: 1 if not said.")] = 1,
    follow: Annotated[float, Parameter(help="Seconds between two looks at where an alias points: 5 if not said, 0 for never.")] = 5.0,
    max_body: Annotated[int, Parameter(help="Bytes a request may have: 16777216 if not said.")] = 16 << 20,
    max_bodies: Annotated[int, Parameter(help="Bytes that all requests together may have (503): 8 times --max-body if not said.")] = 0,
    timeout: Annotated[float, Parameter(help="Seconds a request may take: 60 if not said.")] = 60.0,
    queue: Annotated[int, Parameter(help="Requests that may wait; more are told to come back (503): 100 if not said.")] = 100,
    batch_rows: Annotated[
        int | None,
        Parameter(
            help="Rows of waiting requests that the model is asked together: 1000 if not said. A Python model is asked about each request"
            " alone if not said, since what it answers to a row may depend on the others."
        ),
    ] = None,
    threads: Annotated[int, Parameter(help="Threads of a process that ask the model: 1 if not said.")] = 1,
    beside: Annotated[str | None, Parameter(help="Another model, served beside it to be compared: see --share and --shadow.")] = None,
    share: Annotated[float | None, Parameter(help="Part of the requests that the model beside answers, as 0.1 for a tenth.")] = None,
    shadow: Annotated[
        bool, Parameter(negative="", help="Ask the model beside about every request too, and compare its answers; nobody gets them.")
    ] = False,
    tolerance: Annotated[
        float | None,
        Parameter(help="How far numbers of a shadow may be off, and the same part of larger ones: 1e-6 if not said."),
    ] = None,
    trust: Trust = False,
) -> int:
    """Serve a model over HTTP, in the formats of MLflow's scoring server.

    REFERENCE is as in models:/churn@champion, models:/m-..., runs:/RUN/NAME, or
    a folder or URL. POST /invocations asks the model; /docs says what else
    there is. When the reference comes to mean another model, that one is loaded
    and takes over without a request being lost. With --digest one model alone
    is served, and nothing else is opened. With --beside two are compared, and
    GET /comparison says how they do. Stops at Ctrl-C or SIGTERM, when what
    was asked is answered.

    For example:

        prefect-ledger serve models:/churn@champion --port 8000
        prefect-ledger serve models:/churn@champion --beside models:/churn@challenger --share 0.1
        curl -d '{"inputs": [[1.0, 2.0]]}' -H 'Content-Type: application/json' http://127.0.0.1:8000/invocations
    """
    from prefect_ledger.cli.serving import serve_model

    limits = {"body": max_body, "seconds": timeout, "waiting": queue, "rows": batch_rows, "threads": threads, "bodies": max_bodies}
    how = {"follow": follow, "trust": trust, "digest": digest, "share_port": share_port}
    trial = {"beside": beside, "share": share, "shadow": shadow, "tolerance": tolerance}
    return serve_model(reference, host=host, port=port, workers=workers, limits=limits, trial=trial, **how)


@app.command
def score(
    reference: str,
    source: str,
    output: str,
    *,
    query: Annotated[str | None, Parameter(help="What to read where SOURCE is a database.")] = None,
    keep: Annotated[
        list[str] | None,
        Parameter(
            negative="--keep-none",
            help="Column of the source to keep beside the answers, or a pattern such as '*'; again for more. Columns named like ids"
            " (id, customer_id, customerId, key) if not said.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        Parameter(negative="", help="Column to give to the model; again for more. Those of its signature if not said, else all not kept."),
    ] = None,
    param: Annotated[list[str] | None, Parameter(negative="", help="A parameter for the model, as NAME=VALUE; again for more.")] = None,
    prediction: Annotated[str, Parameter(help="Name of the answers' column: prediction if not said.")] = "prediction",
    chunk_rows: Annotated[
        int | None, Parameter(help="Rows the model is asked about at once: 50000 if not said, fewer of more than 40 columns.")
    ] = None,
    experiment: Annotated[str, Parameter(alias="-e", help="Experiment of the run: scoring if not said.")] = "scoring",
    name: Annotated[str | None, Parameter(help="Name of the run.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace OUTPUT when it is there.")] = False,
    trust: Trust = False,
    json: Json = False,
) -> int:
    """Ask a model about every row of a file or query; answers become Parquet.

    REFERENCE is as in models:/churn@champion, models:/m-..., runs:/RUN/NAME, or
    a folder or URL. SOURCE is a Parquet or CSV file, a folder of them, or
    sqlite:///file.db or postgresql://user@host/name beside --query. OUTPUT, a .parquet file, has what is
    kept and the answers, as "prediction" or, where the model gives several,
    "prediction_0", "prediction_1" and so on. It stands whole or not at all.

    A run says which model was asked about which data, with their digests. The
    flow prefect_ledger.flows.score does the same in parts, several at once.

    For example:

        prefect-ledger score runs:/8f2c51aa/churn customers.parquet scored.parquet
        prefect-ledger score models:/m-... sqlite:///shop.db scored.parquet --query "SELECT * FROM customers" --keep "*"
    """
    from prefect_ledger.cli.scoring import score_source

    return score_source(
        reference,
        source,
        output,
        param=param or [],
        json=json,
        query=query,
        keep=keep,
        columns=column,
        prediction=prediction,
        chunk_rows=chunk_rows,
        experiment=experiment,
        name=name,
        overwrite=overwrite,
        trust=trust,
    )


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command in ``tokens`` (else in ``sys.argv``); returns the exit code."""
    warnings.showwarning = _one_line
    for stream in (sys.stdout, sys.stderr):
        _take_any_letter(stream)
    try:
        code = app(tokens, exit_on_error=False, print_error=True, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        return 2
    except BrokenPipeError:
        _close_quietly()
        return 1
    except (TransitionRefused, VoteRefused) as error:
        _say_error(error)
        return 3
    except (LedgerError, NotADirectoryError, PermissionError) as error:
        _say_error(error)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _say_error(error)
        _close_quietly()  # what could not be written is still waiting to be
        return 1
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


def _say_error(error: Exception) -> None:
    from prefect_ledger.formats import paragraph

    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"error: {paragraph(error)}\n")


def _one_line(message: Warning | str, category: type[Warning], *_where: Any, **_more: Any) -> None:
    """A warning as a person reads it: which line of ours gave it helps nobody."""
    if not issubclass(category, DeprecationWarning):
        sys.stderr.write(f"note: {message}\n")


def _take_any_letter(stream: TextIO) -> None:
    """A name the terminal cannot write costs a backslash, not the command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _close_quietly() -> None:
    """The reader went away, as ``head`` does; without this Python complains once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
