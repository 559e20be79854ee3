"""Floor 6. ``prefect-ledger runs``: list, show, compare, edit, export, delete and restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from prefect_ledger.cli.columns import named
from prefect_ledger.cli.options import Experiments, Json, Limit, OrderBy, Page, Remove, Tags, Which, changes_of
from prefect_ledger.cli.records import run_record, whole_record
from prefect_ledger.cli.render import dim, print_json, say, show
from prefect_ledger.cli.runs_table import runs_table
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import listed

if TYPE_CHECKING:
    from prefect_ledger.comparison import Row

app = App(name="runs", help="List, show, compare, edit, export, delete and restore runs.")
RunId = Annotated[str, Parameter(help="Its id, or the first 8 characters of it.")]
Where = Annotated[str | None, Parameter(name=["--where", "-w"], help="All that match, as in runs list --filter; needs --yes.")]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="Do it: --where alone only says which they are.")]
Within = Annotated[tuple[str, ...], Parameter(name=["--experiment", "-e"], negative="", help="With --where: of these alone; name or id.")]
Lower = Annotated[tuple[str, ...], Parameter(negative="", help="A metric of which less is better.")]
Higher = Annotated[tuple[str, ...], Parameter(negative="", help="A metric of which more is better.")]


@app.command(name="list")
def list_(
    *,
    experiment: Experiments = (),
    filter: Annotated[str, Parameter(name=["--filter", "-f"], help="As in search_runs: metrics.auc > 0.9.")] = "",  # noqa: A002
    order_by: OrderBy = (),
    columns: Annotated[str, Parameter(name=["--columns", "-c"], help="What to show, as in params.depth,metrics.auc,tags.team.")] = "",
    limit: Limit = 20,
    page: Page = None,
    lifecycle: Which = "active",
    json: Json = False,
) -> None:
    """Runs, the latest start first, or in the order asked for.

    For example:

        prefect-ledger runs list
        prefect-ledger runs list -e churn --order-by "metrics.auc desc" --limit 5
        prefect-ledger runs list --filter "metrics.auc > 0.9 and params.model in ('xgb', 'lgbm')"
        prefect-ledger runs list --filter "status = 'FAILED' and start_time > '2026-01-31'"
        prefect-ledger runs list --json
    """
    from prefect_ledger import search_runs

    wanted = named(columns) if columns else None
    order = list(order_by)
    found = search_runs(list(experiment) or None, filter, order, limit, page, lifecycle=lifecycle)
    if json:
        print_json({"runs": [run_record(run) for run in found], "next_page": found.next_page})
        return
    if not found:
        dim("no runs" + (" match" if filter or experiment or page else " yet: prefect-ledger demo makes some"))
        return
    show(runs_table(found, wanted=wanted))
    if found.next_page:
        dim(f"more: add --page {found.next_page}")


@app.command(name="show")
def show_(
    run: RunId,
    /,
    *,
    packages: Annotated[bool, Parameter(negative="", help="Also every package that was installed.")] = False,
    json: Json = False,
) -> None:
    """All of a run: parameters, metrics, artifacts, task runs, attempts, surroundings, notes.

    For example:

        prefect-ledger runs show 8f2c51aa
        prefect-ledger runs show 8f2c51aa --json
    """
    from prefect_ledger import get_run

    found = get_run(run)
    if json:
        print_json(whole_record(found))
        return
    from prefect_ledger.cli.run_page import show_run

    show_run(found, packages=packages)


@app.command(name="compare")
def compare_(
    *runs: RunId,
    all: Annotated[bool, Parameter(name=["--all", "-a"], negative="", help="Also what is the same.")] = False,  # noqa: A002
    lower: Lower = (),
    higher: Higher = (),
    json: Json = False,
) -> None:
    """Two runs or more beside one another, and only what differs.

    The best value of each metric is marked with a star. Which way a metric
    gets better is guessed by its name (loss, error, rmse: lower; accuracy,
    auc, f1: higher); --lower and --higher say it otherwise.

    For example:

        prefect-ledger runs compare 8f2c51aa 03b7d2e9
        prefect-ledger runs compare 8f2c51aa 03b7d2e9 5c1f88d0 --all --lower epochs
    """
    from prefect_ledger import get_run
    from prefect_ledger.comparison import compare

    if len(runs) < 2:
        raise InvalidValue(f"compare takes two runs or more, not {len(runs)}: prefect-ledger runs list shows their ids")
    found = [get_run(run) for run in runs]
    datasets = [{dataset.name: dataset.digest for dataset in run.datasets} for run in found]
    rows = compare(found, [run.facts for run in found], datasets, lower=lower, higher=higher)
    rows = [row for row in rows if all or row.differs]
    if json:
        print_json({"runs": [run.id for run in found], "rows": [_row_record(row) for row in rows]})
        return
    from prefect_ledger.cli.comparison_page import show_comparison

    show_comparison(found, rows, everything=all)


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "section": row.section,
        "key": row.key,
        "values": row.values,
        "differs": row.differs,
        "better": row.direction,
        "best": sorted(row.best),
    }


@app.command
def export(
    to: Annotated[str, Parameter(help="A file that ends in .parquet, .csv, .json or .jsonl, or a folder.")],
    /,
    *,
    experiment: Experiments = (),
    filter: Annotated[str, Parameter(name=["--filter", "-f"], help="As in search_runs: metrics.auc > 0.9.")] = "",  # noqa: A002
    what: Annotated[
        tuple[Literal["runs", "metrics", "series", "params", "tags", "artifacts", "datasets", "alerts", "all"], ...],
        Parameter(name=["--what", "-w"], negative="", help="A table; again for more. All into a folder, runs into a file if not said."),
    ] = (),
    format: Annotated[  # noqa: A002
        Literal["parquet", "csv", "json", "jsonl"] | None,
        Parameter(help="Of the files in a folder: parquet if not said."),
    ] = None,
    order_by: OrderBy = (),
    lifecycle: Which = "active",
    attempts: Annotated[Literal["last", "all"], Parameter(help="Points of the last attempt (if not said) or of all.")] = "last",
    watched: Annotated[bool, Parameter(negative="", help="Also what was seen of the machine: CPU, memory, GPUs.")] = False,
    spreadsheet: Annotated[
        bool, Parameter(negative="", help="For CSV that a spreadsheet opens: an apostrophe before text that looks like a formula.")
    ] = False,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace TO when it is there.")] = False,
    json: Json = False,
) -> None:
    """Write runs, their series and what else they logged as Parquet, CSV or JSON.

    The table "runs" has a row a run with columns such as params.depth,
    metrics.auc and tags.team; "series" has every point. All is of one moment,
    exact, and stands whole or not at all. Parquet needs prefect-ledger[data].

    For example:

        prefect-ledger runs export runs.parquet -e churn
        prefect-ledger runs export churn -e churn --filter "metrics.auc > 0.9"
        prefect-ledger runs export loss.csv --what series -e churn
        prefect-ledger runs export everything --format jsonl --lifecycle all
    """
    from prefect_ledger.cli.exporting import export as export_all

    export_all(
        to,
        json=json,
        experiment=list(experiment) or None,
        filter=filter,
        what=what,
        format=format,
        order_by=order_by,
        lifecycle=lifecycle,
        attempts=attempts,
        watched=watched,
        spreadsheet=spreadsheet,
        overwrite=overwrite,
    )


@app.command
def rename(run: RunId, name: Annotated[str, Parameter(help="The name it gets.")], /) -> None:
    """Give a run another name, also one that has ended. Its id stays.

    For example:

        prefect-ledger runs rename 8f2c51aa baseline
    """
    from prefect_ledger import rename_run

    found = rename_run(run, name)
    say(f"run {found.id[:8]} is now called {listed([found.name])}")


@app.command
def describe(run: RunId, text: Annotated[str, Parameter(help='What it is about; "" takes it away.')], /) -> None:
    """Write what a run is about, in Markdown if you like, also of one that has ended.

    For example:

        prefect-ledger runs describe 8f2c51aa "The baseline that all others are compared to."
    """
    from prefect_ledger import describe_run

    found = describe_run(run, text)
    say(f"run {found.id[:8]} " + ("is described" if text else "has no description any more"))


@app.command
def tag(
    *runs: RunId, tag: Tags = (), remove: Remove = (), where: Where = None, experiment: Within = (), yes: Yes = False, json: Json = False
) -> None:
    """Set and remove tags of any number of runs at once, also of ended ones.

    With --where, look first: only --yes does it.

    For example:

        prefect-ledger runs tag 8f2c51aa 03b7d2e9 --tag reviewed=yes
        prefect-ledger runs tag -e churn --where "metrics.auc > 0.9" --tag shortlist=yes --remove draft --yes
    """
    from prefect_ledger.cli.bulk import change

    change("tag", runs, where, experiment, yes=yes, json=json, tags=changes_of(tag, remove))


@app.command
def delete(*runs: RunId, where: Where = None, experiment: Within = (), yes: Yes = False, json: Json = False) -> None:
    """Mark runs as deleted: listings and searches leave them out.

    Nothing is erased: restore takes it back, until gc erases what has been
    deleted for 30 days. Runs below a run stay. With --where, look first:
    only --yes deletes.

    For example:

        prefect-ledger runs delete 8f2c51aa 03b7d2e9
        prefect-ledger runs delete --where "status = 'FAILED' and start_time < '2026-01-31'"
        prefect-ledger runs delete -e scratch --where "metrics.auc is null" --yes
    """
    from prefect_ledger.cli.bulk import change

    change("delete", runs, where, experiment, yes=yes, json=json)


@app.command
def restore(*runs: RunId, where: Where = None, experiment: Within = (), yes: Yes = False, json: Json = False) -> None:
    """Take the deletion of runs back, as long as gc has not erased them.

    For example:

        prefect-ledger runs restore 8f2c51aa
        prefect-ledger runs restore -e churn --where "metrics.auc > 0.9" --yes
    """
    from prefect_ledger.cli.bulk import change

    change("restore", runs, where, experiment, yes=yes, json=json)
