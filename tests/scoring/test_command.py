"""``prefect-ledger score``: what it says, as a person and as a script meet it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import command, document, python
from tests.scoring.conftest import customers

_LOG = """
import pandas as pd
from prefect_ledger import start_run
class Model:
    def predict(self, data, params=None):
        return data["age"] * (params or {}).get("by", 2)
with start_run(experiment="models") as run:
    print(run.log_model(Model(), "double").uri)
"""


@pytest.mark.long
def test_the_command_scores_and_says_what_came_of_it(tmp_path: Path) -> None:
    """Rows and place on stdout, JSON when asked for; errors are one line, and each leaves with 1."""
    home = tmp_path / "ledger"
    logged = python(_LOG, home)
    assert logged.returncode == 0, logged.stderr
    ref, place, out = logged.stdout.strip(), str(tmp_path / "in.csv"), str(tmp_path / "out.parquet")
    customers(10).to_csv(place, index=False)

    done = command("score", ref, place, out, "--keep", "city", "--param", "by=3", home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("10 rows in ")
    assert out in done.stdout
    found = pd.read_parquet(out)
    assert list(found.columns) == ["city", "prediction"]
    pd.testing.assert_series_equal(found["prediction"], customers(10)["age"] * 3, check_names=False, rtol=1e-9)

    again = command("score", ref, place, out, home=home)
    assert again.returncode == 1
    assert again.stderr.startswith(f"error: {out} is there already")
    said = document(command("score", ref, place, out, "--overwrite", "--keep-none", "--prediction", "twice", "--json", home=home))
    assert (said["rows"], said["output"]) == (10, out)
    assert list(pd.read_parquet(out).columns) == ["twice"]
    new = str(tmp_path / "new.parquet")
    for words, message in (
        (("score", ref, str(tmp_path / "none.csv"), new), "there is no file or folder"),
        (("score", ref, place, new, "--param", "by"), "write NAME=VALUE"),
        (("score", "models:/m-1", place, new), "error: "),
        (("score", ref, place, place, "--overwrite"), "is written as Parquet: give it a name that ends in .parquet"),
        (("score", ref, out, str(tmp_path / "ledger" / ".." / "out.parquet"), "--overwrite"), "would be a part of the source"),
    ):
        failed = command(*words, home=home)
        assert failed.returncode == 1
        assert message in failed.stderr
