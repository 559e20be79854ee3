"""Secrets do not travel with a model: whoever may open it may read all of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import start_run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import save_model


def _texts(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("fresh_ledger")
def test_what_is_said_of_a_model_is_masked_before_it_is_written(tmp_path: Path, home: Path) -> None:
    """Metadata and the parameters of the example, in its folder and in the ledger's; the model was asked with what was given."""

    def model(data: Any, params: Any) -> Any:
        assert len(params["api_key"]) == 7
        return data

    about: dict[str, Any] = {
        "metadata": {"api_key": "hunter2", "team": "risk", "deep": [{"password": "hunter2"}]},
        "input_example": ([1.0], {"api_key": "hunter2", "alpha": 0.5}),
        "requirements": [],
    }
    save_model(model, tmp_path / "m", **about)
    with start_run(experiment="secrets") as run:
        run.log_model(model, "m", **about)
    assert open_folder(tmp_path / "m", trusted=True).file.metadata["team"] == "risk"
    for folder in (tmp_path / "m", home / "artifacts"):
        assert "hunter2" not in _texts(folder)
        assert '"alpha": 0.5' in _texts(folder)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://user:hunter2@packages.example/simple",
        "--extra-index-url=https://hunter2hunter2hunter2@packages.example/simple",
        "tool @ git+https://bob:hunter2@code.example/tool.git",
    ],
)
def test_a_requirement_with_credentials_is_refused(line: str, tmp_path: Path) -> None:
    """Told by its line, without them; from a list and from a file. Names of variables, which pip fills in, may stay."""
    (tmp_path / "needs.txt").write_text(f"numpy\n{line}\n")
    for given in (["numpy", line], tmp_path / "needs.txt"):
        with pytest.raises(InvalidValue, match=r"line 2.*\$\{") as caught:
            save_model(len, tmp_path / "m", requirements=given)
        assert "hunter2" not in str(caught.value)
        assert not (tmp_path / "m").exists()
    fine = ["--index-url https://${NAME}:${TOKEN}@packages.example/simple", "tokenizers==0.20", "tool @ git+ssh://git@code.example/t.git"]
    save_model(lambda data: data, tmp_path / "m", requirements=[*fine, "secretstorage==3.3 --hash=sha256:00"])
    assert fine[0] in (tmp_path / "m" / "requirements.txt").read_text()


def test_files_of_secrets_stay_behind(tmp_path: Path) -> None:
    """``.env`` and its kin in a folder of code; one that is named by itself is refused."""
    lib = tmp_path / "lib"
    (lib / "deep" / ".aws").mkdir(parents=True)
    for name in (".env", ".env.local", ".envrc", "deep/.env", ".netrc", ".pypirc", "deep/.aws/credentials"):
        (lib / name).write_text("KEY=hunter2")
    (lib / "__init__.py").touch()
    (lib / "environment.py").touch()
    save_model(lambda data: data, tmp_path / "m", code_paths=[lib], requirements=[])
    code = tmp_path / "m" / "code" / "lib"
    assert {path.relative_to(code).as_posix() for path in code.rglob("*")} == {"__init__.py", "deep", "environment.py"}
    with pytest.raises(InvalidValue, match=r"\.env.*secrets"):
        save_model(lambda data: data, tmp_path / "n", code_paths=[lib / ".env"])
