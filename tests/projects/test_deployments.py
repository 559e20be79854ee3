"""What deployments of a project come to, before Prefect is asked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.utilities.schema_tools.validation import ValidationError, validate

from prefect_ledger.errors import InvalidValue, LedgerError, ProjectInvalid
from prefect_ledger.flows.project import run_entry_point
from prefect_ledger.orchestration import deployment_schedules, deployment_targets
from prefect_ledger.orchestration.deployment_files import as_yaml
from prefect_ledger.orchestration.deployment_targets import Target
from prefect_ledger.projects import forms, places, values
from prefect_ledger.projects.deployments import ENTRYPOINT, FLOW, Asked, Planned, planned, uri
from prefect_ledger.projects.spec import EntryPoint, Parameter
from tests.projects.conftest import Write, repository

TYPED = """
    [tool.prefect-ledger.project]
    name = "churn"
    [tool.prefect-ledger.project.entry-points.main]
    command = "python train.py --depth {depth} --rate {rate} --fast {fast} --solver {solver} {data} {where}"
    [tool.prefect-ledger.project.entry-points.main.parameters]
    depth = { type = "int", default = 6 }
    rate = { type = "float", default = 0.5 }
    fast = { type = "bool", default = false }
    solver = { type = "str", choices = ["lbfgs", "saga"], default = "saga" }
    data = "path"
    where = "uri"
    [tool.prefect-ledger.project.entry-points.check]
    command = "python train.py"
"""


def plan(folder: Path | str, home: Path, *names: str, **more: Any) -> Planned:
    """The deployments of a project in ``folder``."""
    return planned(Asked(str(folder), names, **more), home=home)


def check(value: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """As Prefect's server does it when a run is asked for."""
    validate(value, dict(schema), raise_on_error=True)


def test_each_entry_point_has_its_own_form(project: Write, home: Path) -> None:
    """Types, defaults, choices and what is required are the project's, and the schema takes exactly what the project takes."""
    main, other = plan(project(pyproject_toml=TYPED, train_py=""), home).deployments
    assert (main.name, other.name, main.lacking, other.lacking) == ("churn-main", "churn-check", ("data", "where"), ())
    form = main.schema["properties"]["parameters"]
    said = {name: (one["type"], one.get("default"), one.get("enum")) for name, one in form["properties"].items()}
    assert said == {
        "depth": ("integer", 6, None),
        "rate": ("number", 0.5, None),
        "fast": ("boolean", False, None),
        "solver": ("string", "saga", ["lbfgs", "saga"]),
        "data": ("string", None, None),
        "where": ("string", None, None),
    }
    assert (form["required"], form["additionalProperties"]) == (["data", "where"], False)
    assert main.schema["required"] == ["uri", "entry_point", "parameters"]
    whole = {**main.parameters, "parameters": {"data": "d.csv", "where": "s3://b/k", "depth": 7}}
    check(whole, main.schema)
    wrong: tuple[dict[str, Any], ...] = (
        {"depth": "7"},
        {"rate": "fast"},
        {"fast": "yes"},
        {"solver": "newton"},
        {"where": "no uri"},
        {"more": 1},
        {"data": ""},
    )
    for one in wrong:
        with pytest.raises(ValidationError):
            check({**whole, "parameters": {**whole["parameters"], **one}}, main.schema)
    with pytest.raises(ValidationError):
        check({**whole, "uri": "/another"}, main.schema)


def test_the_schema_is_of_the_flow_that_runs(project: Write, home: Path) -> None:
    """Each parameter of the flow is a field and the other way round, and the flow is found by its name and entrypoint."""
    (one,) = plan(project(main_py=""), home).deployments
    assert set(one.schema["properties"]) == set(inspect.signature(run_entry_point.fn).parameters)
    assert run_entry_point.name == FLOW
    assert f"{run_entry_point.fn.__module__}.{run_entry_point.fn.__name__}" == ENTRYPOINT
    assert set(one.parameters) <= set(one.schema["properties"])


def test_what_is_set_is_no_more_required(project: Write, home: Path) -> None:
    """It is the form's default and of its type, goes to the entry points that take it, and the flow is given it."""
    folder = project(pyproject_toml=TYPED, train_py="")
    main, other = plan(folder, home, parameters={"data": Path("d.csv"), "depth": "8", "where": "s3://b/k"}, version=None).deployments
    assert main.lacking == ()
    assert main.parameters["defaults"] == {"data": "d.csv", "depth": 8, "where": "s3://b/k"}
    assert other.parameters["defaults"] == {}
    form = main.schema["properties"]["parameters"]
    assert form["properties"]["depth"]["default"] == 8
    assert "required" not in form
    check(dict(main.parameters), main.schema)


def test_a_default_of_no_type_is_taken_where_nothing_is_given(project: Write, home: Path) -> None:
    """An MLproject may have one; the form has none then, and does not ask for a value."""
    folder = project(
        MLproject="""
        name: odd
        entry_points:
          main: {parameters: {rate: {type: float, default: auto}, big: {type: float, default: inf}}, command: "echo {rate} {big}"}
        """
    )
    (one,) = plan(folder, home).deployments
    form = one.schema["properties"]["parameters"]
    assert all("default" not in field for field in form["properties"].values())
    assert "'auto'" in form["properties"]["rate"]["description"]
    assert one.lacking == ()
    check({**one.parameters, "parameters": {"more": "x"}}, one.schema)  # as an MLproject takes it


def test_no_secret_is_in_a_form(project: Write, home: Path) -> None:
    """Neither as a default of the project's, nor by whoever deploys, nor in a URL."""
    folder = project(
        MLproject="""
        entry_points:
          main: {parameters: {api_key: {type: string, default: hunter22}}, command: "echo {api_key}"}
        """
    )
    (one,) = plan(folder, home).deployments
    assert "hunter22" not in str(one)
    with pytest.raises(ProjectInvalid, match="as a variable"):
        plan(folder, home, parameters={"api_key": "hunter23"})
    for url in ("https://me:hunter22@git.example.org/churn", "https://git.example.org/churn?private_token=hunter22"):
        with pytest.raises(InvalidValue, match="credentials") as told:
            plan(url, home)
        assert "hunter22" not in str(told.value)


@pytest.mark.parametrize(
    ("names", "more", "sentence"),
    [
        (("mian",), {}, "did you mean 'main'"),
        ((), {"parameters": {"dept": 3}}, "did you mean 'depth'"),
        ((), {"parameters": {"depth": "deep"}}, "'depth' is a whole number"),
        ((), {"parameters": {"rate": "nan"}}, "JSON has no number 'nan'"),
        ((), {"parameters": {"a b": 1}}, "a parameter's name is"),
        ((), {"env_manager": "poetry"}, "there are uv, virtualenv"),
        ((), {"name": "a/b"}, "none of them /"),
        ((), {"name": " "}, "1 to 200 characters"),
        ((), {"version": "v9"}, "no branch, tag or commit 'v9'"),
    ],
)
def test_what_cannot_be_is_said(names: tuple[str, ...], more: dict[str, Any], sentence: str, project: Write, home: Path) -> None:
    """In a sentence with the next step."""
    folder = repository(project(pyproject_toml=TYPED, train_py=""))
    with pytest.raises(LedgerError, match=sentence):
        plan(folder, home, *names, **more)


def test_everything_that_is_wrong_is_said_at_once(project: Write, home: Path) -> None:
    """What the project's file says, and what is asked of it."""
    folder = project(pyproject_toml=TYPED.replace('"path"', '"pth"'))
    with pytest.raises(ProjectInvalid) as told:
        plan(folder, home, "main", "chekc", env_manager="docker", parameters={"depth": "x"})
    said = "\n".join(told.value.problems)
    assert len(told.value.problems) == 4
    for part in ("'pth'", "did you mean 'check'", "docker", "whole number"):
        assert part in said


def test_scripts_are_named(project: Write, home: Path) -> None:
    """A folder of scripts without a main is asked which; names that Prefect would change are given as it keeps them, and never twice."""
    folder = project(train_py="", train_sh="", sub__score_py="")
    with pytest.raises(ProjectInvalid, match=r"which script.*train\.py"):
        plan(folder, home)
    assert [one.name for one in plan(folder, home, "sub/score.py").deployments] == ["project-sub-score"]
    assert [one.name for one in plan(folder, home, "train.py", name="nightly").deployments] == ["nightly"]
    with pytest.raises(ProjectInvalid, match="would all be called 'x-a'"):
        plan(project("other", a_py="", pyproject_toml=TWO), home, "a", "a.py", name="x")


TWO = """
    [tool.prefect-ledger.project.entry-points]
    a = "python a.py"
"""


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example.org/team/churn#training",
        "git@host:team/churn.git#a/b",
        "ssh://git@host/churn",
        "git+file:///srv/churn#x",
        "a.zip#sub",
        "some/folder",
    ],
)
def test_a_place_is_the_same_wherever_it_is_read(text: str) -> None:
    """What stands in a deployment is the place that was meant, from any working folder."""
    place = places.parse(text)
    assert places.parse(uri(place)) == place
    assert not uri(place).startswith(("some", "a.zip"))


@given(
    kind=st.sampled_from(["int", "float", "bool", "string", "path", "uri"]),
    value=st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=20), st.just("s3://b/k")),
)
def test_what_the_form_takes_the_project_takes(kind: str, value: Any) -> None:
    """A value that Prefect lets pass is of the parameter's type for the project too, but for whole numbers written with a point."""
    parameter = Parameter("x", kind)
    form = forms.schema(EntryPoint("main", "run", (parameter,), extra=False), {})
    try:
        check({"x": value}, form)
    except ValidationError:
        return
    if kind == "int" and isinstance(value, float):
        return
    values.check(parameter, values.text(value))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0 3 * * *", "0 3 * * *"),
        ("@daily", "@daily"),
        ("900", "every 900 s"),
        ("1.5h", "every 5400 s"),
        ("1d", "every 86400 s"),
        ("FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO (UTC)"),
    ],
)
def test_schedules_as_people_write_them(text: str, shown: str) -> None:
    """And each is the same one again when it is read again."""
    (slug, one), (_, again) = *deployment_schedules.read([text]), *deployment_schedules.read([text])
    assert slug == "schedule-1"
    assert deployment_schedules.shown(one).replace(" (UTC)", "") == shown.replace(" (UTC)", "")
    assert one == again


def test_what_is_no_schedule_is_said_at_once(project: Write, home: Path) -> None:
    """All of them, and a scheduled run that nobody would give its parameters."""
    found = plan(project(pyproject_toml=TYPED, train_py=""), home)
    target = Target("ledger", schedules=("61 3 * * *", "often", "FREQ=NEVER", "0s", "0 3 * * *"), timezone="Mars/Base")
    said = "\n".join(deployment_targets.problems(found, target))
    for part in ("'61 3 * * *'", "'often': write cron", "'FREQ=NEVER'", "'0s'", "'0 3 * * *'", "needs data, where", "-P data=…"):
        assert part in said
    with pytest.raises(InvalidValue, match="add --schedule"):
        deployment_schedules.read([], "UTC")
    with pytest.raises(InvalidValue, match="from 1"):
        Target("ledger", concurrency_limit=0)
    with pytest.raises(InvalidValue, match="said twice"):
        Target("ledger", image="a", job_variables={"image": "b"})
    with pytest.raises(InvalidValue, match="has a name"):
        Target(" ")


def test_the_file_is_what_prefect_reads(project: Write, home: Path) -> None:
    """With pool, schedules and the rest where Prefect looks for them; braces that it would fill in are refused."""
    folder = project(pyproject_toml=TYPED, train_py="")
    found = plan(folder, home, "check", name="nightly")
    target = Target("k8s", "high", ("0 3 * * *", "2h", "FREQ=DAILY"), "Europe/Berlin", ("risk",), "ml:7", {"namespace": "a"}, 2)
    document = yaml.safe_load(as_yaml(found, target))
    PrefectYamlModel.model_validate(document)
    (one,) = document["deployments"]
    assert document["pull"] == []
    assert (one["name"], one["entrypoint"], one["tags"], one["concurrency_limit"]) == ("nightly", ENTRYPOINT, ["risk"], 2)
    assert one["work_pool"] == {"name": "k8s", "work_queue_name": "high", "job_variables": {"namespace": "a", "image": "ml:7"}}
    assert [next(iter(schedule)) for schedule in one["schedules"]] == ["cron", "interval", "rrule"]
    assert one["parameters"]["uri"] == str(folder)
    with pytest.raises(InvalidValue, match="Prefect fills in"):
        as_yaml(plan(folder, home, "main", parameters={"data": "{{ x }}.csv"}), target)
