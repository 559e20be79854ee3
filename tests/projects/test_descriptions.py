"""What files say of projects: read as they are documented, refused in words with the place where they say what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_ledger.errors import EntryPointNotFound, ProjectInvalid, ProjectNotFound
from prefect_ledger.projects import reading
from prefect_ledger.projects.spec import Docker, Parameter
from tests.projects.conftest import Write

DOCUMENTED = """
name: My Project

python_env: python_env.yaml

entry_points:
  main:
    parameters:
      data_file: path
      regularization: {type: float, default: 0.1}
    command: "python train.py -r {regularization} {data_file}"
  validate:
    parameters:
      data_file: path
    command: "python validate.py {data_file}"
"""
PYTHON_ENV = """
python: "3.11"
build_dependencies:
  - pip
  - setuptools
dependencies:
  - numpy>=1.26
  - -r requirements.txt
"""


def test_an_mlproject_as_it_is_documented_is_read(project: Write) -> None:
    """Entry points, parameters in both forms, and the environment of a ``python_env.yaml``; the name of the file in any case."""
    folder = project(mlPROJECT=DOCUMENTED, python_env_yaml=PYTHON_ENV, requirements_txt="scipy\n")
    found = reading.load(folder)
    assert (found.name, found.form, set(found.entry_points)) == ("My Project", "MLproject", {"main", "validate"})
    main = found.entry_point("main")
    assert main.parameters == (Parameter("data_file", "path"), Parameter("regularization", "float", "0.1"))
    assert main.in_shell
    environment = found.environment
    assert (environment.kind, environment.python, environment.requirements) == ("python", "3.11", ("numpy>=1.26", "-r requirements.txt"))
    assert environment.build == ("pip", "setuptools")


def test_a_conda_file_is_read_with_its_python_and_both_kinds_of_packages(project: Write) -> None:
    """Python's version in the ways that conda writes it, conda's packages as they stand, pip's apart."""
    conda = """
    name: tutorial
    channels: [conda-forge]
    dependencies:
      - python={}
      - pip
      - scikit-learn=1.6
      - pip:
        - mlflow>=2.0
    """
    for written in ("3.11", "=3.11", "3.11.*", "3.11.4=h955ad1f_0"):
        folder = project(MLproject="name: x\nconda_env: conda.yaml\n", conda_yaml=conda.replace("{}", written))
        found = reading.load(folder).environment
        assert found.conda is not None
        assert found.python in ("3.11", "3.11.4")
        assert (found.conda.packages, found.conda.pip) == (("pip", "scikit-learn=1.6"), ("mlflow>=2.0",))


def test_a_docker_environment_is_read(project: Write) -> None:
    """Image, volumes, and variables that are copied or set."""
    text = """
    docker_env:
      image: python:3.11
      volumes: ["/data:/data"]
      environment: [["NEW", "value"], "HOME"]
    entry_points:
      main: {command: "python train.py"}
    """
    found = reading.load(project(MLproject=text)).environment
    assert found.docker == Docker("python:3.11", ("/data:/data",), (("NEW", "value"), ("HOME", None)))


def test_the_folder_says_the_environment_where_the_file_does_not(project: Write) -> None:
    """As MLflow finds it: a ``python_env.yaml`` before a ``conda.yaml``, and none at all without either."""
    folder = project(MLproject="entry_points: {main: {command: python train.py}}")
    assert reading.load(folder).environment.kind == "none"
    project(conda_yaml="dependencies: [python=3.11]")
    assert reading.load(folder).environment.kind == "conda"
    project(python_env_yaml="python: '3.11'")
    assert reading.load(folder).environment.kind == "python"


REFUSED = {
    "unknown key": ("nmae: x\nentry_points: {main: {command: x}}", "did you mean 'name'"),
    "unknown key of an entry point": ("entry_points: {main: {comand: x}}", "did you mean 'command'"),
    "unknown key of a parameter": ("entry_points: {main: {command: x, parameters: {a: {typ: path}}}}", "did you mean 'type'"),
    "no command": ("entry_points: {main: {parameters: {a: path}}}", "has no command"),
    "another type": ("entry_points: {main: {command: 'x {a}', parameters: {a: dataframe}}}", "there is no type 'dataframe'"),
    "a list for a table": ("entry_points: [main]", "entry_points is a table of names, not a list"),
    "a place without a parameter": ("entry_points: {main: {command: 'x {a}'}}", "no parameter is called so"),
    "two environments": ("python_env: p.yaml\nconda_env: c.yaml", "has 2 environments, python_env and conda_env"),
    "a file that is not there": ("python_env: p.yaml", "means the file 'p.yaml', which is not there"),
    "no image": ("docker_env: {volumes: []}", "has no image"),
    "an image that is an option": ("docker_env: {image: --privileged}", "has no image"),
    "variables of another form": ("docker_env: {image: x, environment: [[a, b, c]]}", "pairs such as [NAME, value]"),
    "no YAML": ("a: [", "is no YAML"),
    "a list at the top": ("- a", "has a list at its top"),
    "a bomb": (
        "\n".join(["a0: &a0 [x,x,x,x,x,x,x,x,x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]),
        "aliases",
    ),
    "code": ("a: !!python/object/apply:os.system ['touch owned']", "is no YAML"),
    "a parameter that is no name": ("entry_points: {main: {command: x, parameters: {'-x y': path}}}", "is no name"),
    "a job of Databricks": ("databricks_spark_job: {python_file: x.py}", "runs on Databricks alone"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_mlproject_cannot_say_is_refused_with_its_place(case: str, project: Write) -> None:
    """The sentence names the file, the place in it, and what is wrong there."""
    text, sentence = REFUSED[case]
    with pytest.raises(ProjectInvalid) as caught:
        reading.load(project(MLproject=text))
    assert "MLproject" in str(caught.value)
    assert sentence in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(project: Write) -> None:
    """A file with five mistakes is mended once, not five times; those of the environment's file are among them."""
    text = "nmae: x\npython_env: env.yaml\nentry_points: {main: {command: 'x {a}'}, other: {}}"
    with pytest.raises(ProjectInvalid) as caught:
        reading.load(project(MLproject=text, env_yaml="python: 3.10\ndependencies: -r x.txt"))
    assert len(caught.value.problems) == 5


def test_a_version_without_quotes_is_told_from_the_number_it_becomes(project: Write) -> None:
    """``python: 3.10`` is Python 3.1 to YAML, and nobody finds out why there is none."""
    with pytest.raises(ProjectInvalid, match="in quotes"):
        reading.load(project(python_env_yaml="python: 3.10", main_py=""))


NATIVE = """
[project]
name = "churn"
dependencies = ["numpy"]

[tool.prefect-ledger.project]
python = "3.11"
requirements = "requirements.txt"

[tool.prefect-ledger.project.entry-points.main]
command = "python train.py --depth {depth} --solver {solver}"
parameters.depth = { type = "int", default = 6 }
parameters.solver = { type = "str", choices = ["lbfgs", "saga"], default = "saga" }
parameters.data = "path"

[tool.prefect-ledger.project.entry-points.all]
command = "for x in 1 2; do python train.py --depth {depth}; done"
shell = true
extra = true
parameters.depth = "int"
"""


def test_a_native_project_says_the_same_with_types_that_are_checked(project: Write) -> None:
    """In ``pyproject.toml``, beside an MLproject of the same folder, which it comes before."""
    folder = project(pyproject_toml=NATIVE, requirements_txt="numpy\n", MLproject="name: other")
    found = reading.load(folder)
    assert (found.name, found.form) == ("churn", "pyproject.toml")
    main, every = found.entry_point("main"), found.entry_point("all")
    assert main.parameters[0] == Parameter("depth", "int", "6")
    assert main.parameters[1].choices == ("lbfgs", "saga")
    assert (main.in_shell, main.extra, every.in_shell, every.extra) == (False, False, True, True)
    assert found.environment.requirements == ("-r requirements.txt",)


def test_a_native_project_takes_the_dependencies_of_its_package(project: Write) -> None:
    """Where it names none of its own."""
    text = '[project]\nname = "x"\ndependencies = ["numpy"]\n[tool.prefect-ledger.project.entry-points]\nmain = "python train.py"\n'
    found = reading.load(project(pyproject_toml=text))
    assert (found.environment.kind, found.environment.requirements) == ("python", ("numpy",))
    assert found.entry_point("main").command == "python train.py"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("entrypoints = {}", "did you mean 'entry-points'"),
        ('dependencies = ["a"]\nconda = "c.yaml"', "has 2 environments"),
        ('requirements = "none.txt"', "which is not there"),
        ('requirements = "uv.lock"', "uv export"),
        ("python = 3.1", "in quotes"),
        ('docker = { image = "" }', "has no image"),
        ("[tool.prefect-ledger.project.entry-points]\nmain = 3", "is a number"),
        ('[tool.prefect-ledger.project.entry-points.main]\ncommand = "x \'y"', "is no list of words"),
        (
            '[tool.prefect-ledger.project.entry-points.main]\ncommand = "x"\nparameters.a = {type = "int", default = "many"}',
            "default or choice",
        ),
        ('[tool.prefect-ledger.project.entry-points.main]\ncommand = "x"\nparameters.a = {type = "integer"}', "there is no type 'integer'"),
        ('[tool.prefect-ledger.project.entry-points.main]\ncommand = "x"\nshell = "yes"', "shell is true or false"),
        ("x = ", "is no TOML"),
    ],
)
def test_what_a_native_project_cannot_say_is_refused(line: str, sentence: str, project: Write) -> None:
    """Each with the file and the place."""
    text = f'[tool.prefect-ledger.project]\nname = "x"\n{line}\n'
    with pytest.raises(ProjectInvalid) as caught:
        reading.load(project(pyproject_toml=text, uv_lock="x"))
    assert "pyproject.toml" in str(caught.value)
    assert sentence in str(caught.value)


def test_a_folder_with_neither_runs_its_scripts(project: Write) -> None:
    """``main`` is the script of that name; any script is an entry point by its path; a wrong name is answered with those that are there."""
    folder = project(main_py="", sub__train_py="", setup_sh="", notes_txt="", requirements_txt="numpy\n")
    found = reading.load(folder)
    assert (found.form, found.environment.requirements) == ("bare", ("-r requirements.txt",))
    assert found.entry_point("main").command == ("python", "main.py")
    assert found.entry_point("setup.sh").command == ("bash", "setup.sh")
    assert found.entry_point("sub/train.py").command == ("python", "sub/train.py")
    for name in ("trian.py", "notes.txt", "../x.py", "/etc/passwd"):
        with pytest.raises(EntryPointNotFound, match=r"main"):
            found.entry_point(name)


def test_what_is_no_project_is_said(project: Write, tmp_path: Path) -> None:
    """No folder, and a folder with nothing to run."""
    with pytest.raises(ProjectNotFound, match="no folder"):
        reading.load(tmp_path / "none")
    with pytest.raises(ProjectInvalid, match="nothing to run"):
        reading.load(project(notes_txt="x"))


def test_a_project_does_not_take_its_environment_from_outside(project: Write, tmp_path: Path) -> None:
    """A path or a link out of the folder is refused."""
    (tmp_path / "env.yaml").write_text("python: '3.11'")
    folder = project(MLproject="python_env: ../env.yaml")
    (folder / "link.yaml").symlink_to(tmp_path / "env.yaml")
    for name in ("../env.yaml", "link.yaml"):
        (folder / "MLproject").write_text(f"python_env: {name}")
        with pytest.raises(ProjectInvalid, match="outside of the project"):
            reading.load(folder)
