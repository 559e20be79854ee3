"""Floor 6. ``prefect-ledger experiments``: the named sets of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from cyclopts import App, Parameter

from prefect_ledger.cli.options import Json, LongLimit, NamedTags, Remove, Tags, Which, changes_of, tag_of
from prefect_ledger.cli.records import experiment_record
from prefect_ledger.cli.render import cell, dim, pairs, print_json, say, show, table
from prefect_ledger.entities import Experiment
from prefect_ledger.formats import listed, moment, paragraph

app = App(name="experiments", help="List, show, make, edit, delete and restore experiments.")
Name = Annotated[str, Parameter(help="Its name, or its id.")]


@app.command(name="list")
def list_(
    *,
    filter: Annotated[str, Parameter(name=["--filter", "-f"], help="Over name, experiment_id, created, description, tags.")] = "",  # noqa: A002
    lifecycle: Which = "active",
    limit: LongLimit = 1000,
    json: Json = False,
) -> None:
    """Experiments, the latest made first, with how many runs they have.

    For example:

        prefect-ledger experiments list
        prefect-ledger experiments list --filter "name like 'chur%' and tags.team = 'risk'"
        prefect-ledger experiments list --lifecycle deleted
    """
    from prefect_ledger import search_experiments
    from prefect_ledger.tracking.experiments import count_runs

    found = search_experiments(filter, lifecycle=lifecycle, limit=limit)
    counts = {one.id: (0, 0) for one in found} | count_runs()
    if json:
        records = [experiment_record(one) | dict(zip(("runs", "deleted_runs"), counts[one.id], strict=True)) for one in found]
        print_json({"experiments": records})
    elif not found:
        dim("no experiments" + (" match" if filter else "; a run makes its own: prefect-ledger demo"))
    else:
        show(_table(found, counts))


def _table(found: list[Experiment], counts: Mapping[int, tuple[int, int]]) -> object:
    columns = table([("id", "number"), ("name", "text"), ("runs", "number"), ("state", "text"), ("created", "text"), ("tags", "text")])
    for one in found:
        tags = ", ".join(f"{key}={value}" for key, value in sorted(one.tags.items()))
        state = cell(one.lifecycle, "" if one.lifecycle == "active" else "yellow")
        active, deleted = counts[one.id]
        runs = cell(f"{active:,}" + (f" + {deleted:,} deleted" if deleted else ""))
        columns.add_row(cell(one.id, "dim"), cell(one.name, "bold"), runs, state, cell(moment(one.created_at)), cell(tags))
    return columns


@app.command(name="show")
def show_(name: Name, /, *, json: Json = False) -> None:
    """An experiment and its latest runs.

    For example:

        prefect-ledger experiments show churn
    """
    from prefect_ledger import get_experiment, search_runs
    from prefect_ledger.cli.records import run_record
    from prefect_ledger.cli.runs_table import runs_table

    one = get_experiment(name)
    runs = search_runs(one.id, limit=10, lifecycle="all")
    if json:
        print_json(experiment_record(one) | {"latest_runs": [run_record(run) for run in runs]})
        return
    tags = [(f"tag {key}", value) for key, value in sorted(one.tags.items())]
    show(pairs([("name", one.name), ("id", one.id), ("state", one.lifecycle), ("created", moment(one.created_at)), *tags]))
    if one.description:
        show(paragraph(one.description))
    if runs:
        show(runs_table(runs, title="latest runs"))


@app.command
def create(
    name: Annotated[str, Parameter(help="1 to 500 characters.")],
    /,
    *,
    tag: Tags = (),
) -> None:
    """Make an experiment, with tags if you like.

    Runs make theirs by naming it, so this is seldom needed.

    For example:

        prefect-ledger experiments create churn --tag team=risk --tag owner=ada
    """
    from prefect_ledger import create_experiment

    one = create_experiment(name, tags=dict(tag_of(text) for text in tag))
    say(f"made experiment {listed([one.name])} (id {one.id})")


@app.command
def rename(name: Name, new_name: Annotated[str, Parameter(help="The name it gets.")], /) -> None:
    """Give an experiment another name. Its id, runs and artifacts stay where they are.

    For example:

        prefect-ledger experiments rename churn churn-2024
    """
    from prefect_ledger import rename_experiment

    say(f"experiment {listed([name])} is now called {listed([rename_experiment(name, new_name).name])}")


@app.command
def describe(name: Name, text: Annotated[str, Parameter(help='What it is about; "" takes it away.')], /) -> None:
    """Write what an experiment is about, in Markdown if you like.

    For example:

        prefect-ledger experiments describe churn "Who leaves within a month."
    """
    from prefect_ledger import describe_experiment

    one = describe_experiment(name, text)
    say(f"experiment {listed([one.name])} " + ("is described" if text else "has no description any more"))


@app.command
def tag(name: Name, tags: NamedTags = (), /, *, remove: Remove = ()) -> None:
    """Set and remove tags of an experiment.

    For example:

        prefect-ledger experiments tag churn team=risk owner=ada --remove draft
    """
    from prefect_ledger import tag_experiment

    one = tag_experiment(name, changes_of(tags, remove))
    say(f"experiment {listed([one.name])} has {', '.join(f'{key}={value}' for key, value in one.tags.items()) or 'no tags'}")


@app.command
def delete(name: Name, /) -> None:
    """Mark an experiment and its runs as deleted. Nothing is erased: restore takes it back.

    For example:

        prefect-ledger experiments delete churn-2024
    """
    from prefect_ledger import delete_experiment

    one = delete_experiment(name)
    say(f"deleted experiment {listed([one.name])}; prefect-ledger experiments restore {one.id} takes it back")


@app.command
def restore(name: Name, /) -> None:
    """Take the deletion of an experiment back, and of the runs that were deleted with it.

    For example:

        prefect-ledger experiments restore churn-2024
    """
    from prefect_ledger import restore_experiment

    say(f"experiment {listed([restore_experiment(name).name])} is active again")
