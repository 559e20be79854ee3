"""What has to be installed for a model: all of it, at its version, and found without running anything."""

from __future__ import annotations

import json
import pickle
import platform
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from prefect_ledger.models import imports, pickled_names
from prefect_ledger.models.requirements import find, write

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution, whose modules must not be imported, where Python finds it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(name: str, number: str, *files: str, listed: bool = True, **more: Any) -> None:
        for file in files:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text("raise SystemExit('imported')", encoding="utf-8")
        info = site / f"{name.replace('-', '_')}-{number}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n", encoding="utf-8")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files) if listed else "", encoding="utf-8")
        for key, text in more.items():
            (info / key.replace("__", ".")).write_text(text, encoding="utf-8")

    return put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a model."""
    made = tmp_path / "model"
    made.mkdir()
    return made


def _pickled(folder: Path, model: object) -> None:
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(model))


def _names(lines: tuple[str, ...]) -> set[str]:
    return {line.partition("==")[0] for line in lines}


def test_what_a_notebooks_model_uses_is_found_however_deep(folder: Path) -> None:
    """Modules used by a helper of a method, imported inside a function inside it, and those of values it holds: all are pinned."""
    offsets = pd.Series([1.0])

    def helper(rows: Any) -> Any:
        import polars

        return [polars.Series(np.asarray(row)) for row in rows]

    class Model:
        def __init__(self) -> None:
            self.offsets = offsets

        def predict(self, data: Any) -> Any:
            def innermost() -> Any:
                import lightgbm.basic

                return lightgbm.basic

            return innermost(), helper(data)

    _pickled(folder, make_pipeline(FunctionTransformer(Model().predict), LinearRegression()))
    found = find(Model(), folder, ())
    assert _names(found.lines) == {"cloudpickle", "lightgbm", "numpy", "pandas", "polars", "scikit-learn"} | _arrow(found.lines)
    assert all(line == f"{line.partition('==')[0]}=={version(line.partition('==')[0])}" for line in found.lines)
    assert found.own == ()


def _arrow(lines: tuple[str, ...]) -> set[str]:
    return _names(lines) & {"pyarrow"}  # pandas may hold texts in it


def test_the_framework_of_a_native_format_is_told_by_its_classes(folder: Path) -> None:
    """A file that names no module says nothing, and the model's classes do."""
    (folder / "model.ubj").write_bytes(b"\x00")
    assert "scikit-learn" in _names(find(LinearRegression(), folder, ()).lines)


def test_reading_a_pickle_imports_and_runs_nothing(install: Install, folder: Path, tmp_path: Path) -> None:
    """A pickle that would run a command gives its names and nothing else; the packages it names stay unimported."""
    install("never-imported", "3.1", "never_imported/__init__.py")
    said = tmp_path / "ran"

    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (f"open({str(said)!r}, 'w')",)

    data = pickle.dumps(Runs(), protocol=4)
    (folder / "a.pkl").write_bytes(data)
    (folder / "b.pkl").write_bytes(b"cnever_imported.part\nthing\n(tR.")
    assert find(None, folder, ()).lines == ("never-imported==3.1",)
    assert pickled_names.modules(folder / "a.pkl") == {"builtins"}
    assert not said.exists()
    assert "never_imported" not in sys.modules


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_read_to_its_end(protocol: int, folder: Path) -> None:
    """What comes after many numbers and long arrays is found too, in old pickles and new ones."""
    held = {"many": list(map(float, range(200_000))), "long": np.zeros(100_000), "text": "x" * 100_000, "last": LinearRegression()}
    (folder / "model.pkl").write_bytes(pickle.dumps(held, protocol=protocol))
    tops = set(imports.foreign(pickled_names.modules(folder / "model.pkl")))
    assert tops == {"numpy", "sklearn"}


@pytest.mark.parametrize("data", [b"", b"\x80\x05garbage", b"\x80\x05\x8e" + b"\xff" * 8, b"cnumpy\nndarray\n\x8e" + b"\xff" * 7 + b"\x00"])
def test_a_broken_pickle_gives_what_was_read(data: bytes, folder: Path) -> None:
    """A file that is no pickle, or claims to be larger than it is, is no fault: its names until there count."""
    (folder / "model.pkl").write_bytes(data)
    assert pickled_names.modules(folder / "model.pkl") == ({"numpy"} if b"numpy" in data else set())


def test_code_that_travels_is_read_and_is_not_missing(folder: Path) -> None:
    """What the code folder imports is pinned; its own modules, optional ones that are not there, and types alone are not asked for."""
    code = folder / "code"
    (code / "features").mkdir(parents=True)
    source = """
        from __future__ import annotations
        import importlib, json
        from typing import TYPE_CHECKING
        from features import other
        from . import sibling
        if TYPE_CHECKING:
            import polars
        try:
            import not_there_at_all
        except ImportError:
            import scipy.special as special
        def late():
            return importlib.import_module("lightgbm.basic"), __import__("yaml")
    """
    (code / "features" / "__init__.py").write_text(textwrap.dedent(source), encoding="utf-8")
    (code / "broken.py").write_text("def", encoding="utf-8")
    found = find(None, folder, ("broken",), code)
    assert _names(found.lines) == {"scipy", "lightgbm", "pyyaml"}
    assert found.own == ()


def test_code_that_no_index_has_is_told(folder: Path, install: Install, tmp_path: Path) -> None:
    """A module beside the program, an editable install and a build from a local folder are named, and not pinned."""
    (tmp_path / "site" / "beside.py").touch()
    (tmp_path / "site" / "edited.py").touch()
    install("edited", "1.0", listed=False)
    install("built", "1.0", "built/__init__.py", direct_url__json=json.dumps({"url": "file:///src/built", "dir_info": {}}))
    found = find(None, folder, ("beside", "edited", "built.part", "numpy"))
    assert found == ((f"numpy=={np.__version__}",), ("beside", "built", "edited"))


def test_a_module_beside_the_program_is_not_taken_for_a_package(folder: Path, install: Install, tmp_path: Path, monkeypatch: Any) -> None:
    """Where one's own ``helpers`` hides a distribution's, the distribution is not what the model uses."""
    install("helpers-of-others", "1.0", "helpers_here/__init__.py")
    assert find(None, folder, ("helpers_here",)).lines == ("helpers-of-others==1.0",)
    (tmp_path / "nearer").mkdir()
    (tmp_path / "nearer" / "helpers_here.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "nearer"))
    assert find(None, folder, ("helpers_here",)) == ((), ("helpers_here",))


def test_versions_are_those_an_index_has(folder: Path, install: Install) -> None:
    """A local label, such as that of a build for one kind of GPU, is left out; a checkout is pinned at its commit, without secrets."""
    install("Torch_Like", "2.13.0+cpu", "torch_like/__init__.py")
    git = {"url": "https://me:secret@code.example/team/tool.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    install("tool-kit", "0.1", "tool_kit.py", direct_url__json=json.dumps(git))
    lines = find(None, folder, ("torch_like", "tool_kit")).lines
    assert lines == ("tool-kit @ git+https://code.example/team/tool.git@abc123", "torch-like==2.13.0")


def test_a_shared_top_level_package_is_told_apart(folder: Path, install: Install) -> None:
    """Of the distributions below one namespace only those are pinned whose modules are used."""
    install("cloudy-storage", "1.0", "cloudy/storage/__init__.py", "cloudy/storage/blob.py")
    install("cloudy-queue", "2.0", "cloudy/queue/__init__.py")
    install("cloudy-compiled", "3.0", "cloudy_compiled.cpython-311-x86_64-linux-gnu.so", "cloudy_compiled.libs/one.so.1")
    (folder / "loader.py").write_text("from cloudy import storage", encoding="utf-8")
    assert find(None, folder, ()).lines == ("cloudy-storage==1.0",)
    assert find(None, folder, ("cloudy.queue.worker",)).lines == ("cloudy-queue==2.0", "cloudy-storage==1.0")
    assert find(None, folder, ("cloudy_compiled",)).lines == ("cloudy-compiled==3.0", "cloudy-storage==1.0")


def test_what_is_installed_meanwhile_is_seen(folder: Path, install: Install) -> None:
    """A package that comes between two models is found for the second."""
    assert find(None, folder, ("just_now",)) == ((), ())
    install("just-now", "1.0", "just_now/__init__.py")
    assert find(None, folder, ("just_now",)).lines == ("just-now==1.0",)


def test_the_three_files_say_the_same(folder: Path) -> None:
    """Lines that go on and comments stay as given in the file for pip, and are single requirements in the file for conda."""
    write(folder, ["# ours", "numpy==2.4.6 \\", "    --hash=sha256:00  # checked", "", "pandas>=2"])
    given = (folder / "requirements.txt").read_text(encoding="utf-8")
    assert given == "# ours\nnumpy==2.4.6 \\\n    --hash=sha256:00  # checked\n\npandas>=2\n"
    python = yaml.safe_load((folder / "python_env.yaml").read_text(encoding="utf-8"))
    assert python["python"] == platform.python_version()
    assert python["dependencies"] == ["-r requirements.txt"]
    conda = yaml.safe_load((folder / "conda.yaml").read_text(encoding="utf-8"))
    assert conda["dependencies"][-1] == {"pip": ["numpy==2.4.6 --hash=sha256:00", "pandas>=2"]}
