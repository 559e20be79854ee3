"""``prefect-ledger runs``: what people read, and what scripts do."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli, document, process

Filled = tuple[Cli, dict[str, str]]
FORBIDDEN = "\x1b\x07\x9b\u202e\r"


def test_a_listing_shows_each_run_with_what_tells_it_apart(filled: Filled) -> None:
    """Id, name, status, the parameters that vary and the metrics stand in one line; the parameter all share does not."""
    cli, ids = filled
    done = cli("runs", "list", "-e", "churn")
    lines = done.stdout.splitlines()
    head = next(line for line in lines if "name" in line)
    assert done.returncode == 0
    assert "depth" in head
    assert "seed" not in head
    assert "auc" in head
    [deep] = [line for line in lines if ids["deep"][:8] in line]
    assert "COMPLETED" in deep
    assert "0.95" in deep
    assert "8" in deep.split()


def test_filter_order_and_limit_reach_the_search(filled: Filled) -> None:
    """The command line asks what search_runs asks, in the order asked for."""
    cli, ids = filled
    found = document(cli("runs", "list", "-e", "churn", "-o", "metrics.auc desc", "--json"))["runs"]
    assert [run["id"] for run in found] == [ids["deep"], ids["shallow"]]
    found = document(cli("runs", "list", "--filter", "params.depth < 5 and tags.team = 'risk'", "--json"))["runs"]
    assert [run["name"] for run in found] == ["shallow"]


def test_pages_lead_to_every_run_once(filled: Filled) -> None:
    """The token one page prints is the one that the next takes."""
    cli, ids = filled
    seen, page = [], None
    while True:
        found = document(cli("runs", "list", "--limit", "3", *(["--page", page] if page else []), "--json"))
        seen += [run["id"] for run in found["runs"]]
        page = found["next_page"]
        if page is None:
            break
    assert sorted(seen) == sorted(ids.values())


def test_json_is_json_also_for_nan_and_infinity(filled: Filled) -> None:
    """Numbers that JSON lacks are texts; others keep all their digits."""
    cli, ids = filled
    found = document(cli("runs", "show", ids["numbers"], "--json"))
    assert found["metrics"] == {"nan": "NaN", "inf": "Infinity", "tiny": 1e-12, "huge": 1.5e12}
    assert found["summaries"]["nan"]["nan"] == 1
    assert found["summaries"]["nan"]["min"] is None
    assert found["children"] == [ids["failed"]]


def test_chosen_columns_are_shown_whatever_the_width(filled: Filled) -> None:
    """``--columns`` shows what it names, in that order; a wrong one says what there is."""
    cli, _ = filled
    done = cli("runs", "list", "-e", "churn", "-c", "tags.team,params.seed,metrics.loss,user")
    head = next(line for line in done.stdout.splitlines() if "name" in line)
    assert head.split()[-4:] == ["team", "seed", "loss", "user"]
    done = cli("runs", "list", "-c", "depth")
    assert done.returncode == 1
    assert "params.<key>" in done.stderr


def test_a_run_is_shown_whole(filled: Filled) -> None:
    """Parameters, summaries, artifacts, datasets and surroundings are on one page, found by the id's beginning."""
    cli, ids = filled
    done = cli("runs", "show", ids["deep"][:8])
    assert done.returncode == 0
    for word in (ids["deep"], "depth", "8", "loss", "0.4", "0.95", "notes/hello.txt", "train", "abababababab", "team", "python"):
        assert word in done.stdout


def test_an_error_is_shown_where_it_ended_the_run(filled: Filled) -> None:
    """A failed run's page has its status, its reason and its traceback, and nothing a terminal would obey."""
    cli, ids = filled
    done = cli("runs", "show", ids["failed"])
    assert "FAILED" in done.stdout
    assert "RuntimeError" in done.stdout
    assert "luck" in done.stdout
    assert not set(FORBIDDEN) & set(done.stdout)


def test_hostile_names_are_letters_and_nothing_else(filled: Filled) -> None:
    """Markup is written out, control characters are escaped, in tables, pages, comparisons and JSON, also on a terminal with colors."""
    cli, ids = filled
    shown = [
        cli("runs", "list", "-c", "tags.title,params.note"),
        cli("runs", "show", ids["evil"]),
        cli("runs", "compare", ids["evil"], ids["numbers"]),
        cli("runs", "show", ids["evil"], "--json"),
    ]
    for done in shown:
        assert done.returncode == 0, done.stderr
        assert "[red]evil[/red]" in done.stdout
        assert not set(FORBIDDEN) & set(done.stdout)
    home = Path(document(cli("db", "status", "--json"))["store_url"].removeprefix("sqlite:///")).parent
    done = process("runs", "show", ids["evil"], home=home, FORCE_COLOR="1", COLUMNS="200")
    assert "]0;owned" in done.stdout
    assert not {"\x07", "\x9b", "\u202e"} & set(done.stdout)
    assert "\x1b]" not in done.stdout
    assert "\x1b[2J" not in done.stdout


def test_a_comparison_shows_what_differs_and_stars_the_best(filled: Filled) -> None:
    """Of two runs only differences are shown; the lower loss and the higher auc are starred; ``--all`` shows the rest."""
    cli, ids = filled
    both = (ids["shallow"][:8], ids["deep"][:8])
    done = cli("runs", "compare", *both)
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert done.returncode == 0
    assert rows["depth"].split()[1:] == ["2", "8"]
    assert rows["loss"].split() == ["loss", "↓", "0.1", "★", "0.4"]
    assert rows["auc"].split() == ["auc", "↑", "0.90", "0.95", "★"]
    assert "seed" not in rows
    assert "team" not in rows
    everything = cli("runs", "compare", *both, "--all").stdout
    assert "seed" in everything
    assert "team" in everything


def test_a_comparison_for_scripts_names_the_best(filled: Filled) -> None:
    """``--json`` has every row with its values in the order of the runs, and the places of the best."""
    cli, ids = filled
    found = document(cli("runs", "compare", ids["shallow"], ids["deep"], "--higher", "loss", "--json"))
    assert found["runs"] == [ids["shallow"], ids["deep"]]
    [loss] = [row for row in found["rows"] if row["key"] == "loss"]
    assert loss["values"] == [0.1, 0.4]
    assert loss["better"] == "higher"
    assert loss["best"] == [1]


def test_an_empty_ledger_says_what_to_do(cli: Cli) -> None:
    """Where nothing was logged yet, people get a hint and scripts an empty list."""
    done = cli("runs", "list")
    assert done.returncode == 0
    assert "prefect-ledger demo" in done.stderr
    assert document(cli("runs", "list", "--json")) == {"runs": [], "next_page": None}
