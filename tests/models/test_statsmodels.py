"""statsmodels: results of fits, pickled as it does itself, so that somebody has to answer for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
import statsmodels.formula.api as smf  # type: ignore[import-untyped]

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, UntrustedModel
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import ModelWarning, save_model

CHANCE = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": CHANCE.normal(size=50), "kind": ["a", "b"] * 25, "n": CHANCE.poisson(3, 50)})
SERIES = pd.Series(np.cumsum(CHANCE.normal(size=60)), pd.date_range("2026-01-01", periods=60, freq="D"))
FITTED: dict[str, tuple[Any, Any]] = {
    "formula": (smf.ols("n ~ x + C(kind)", FRAME).fit(), FRAME),
    "glm": (smf.glm("n ~ np.exp(x)", FRAME, family=sm.families.Poisson()).fit(), FRAME),
    "array": (sm.WLS(FRAME["n"].to_numpy(), sm.add_constant(FRAME[["x"]].to_numpy())).fit(), sm.add_constant(FRAME[["x"]].to_numpy())),
    "series": (sm.tsa.AutoReg(SERIES, 1).fit(), pd.DataFrame({"start": ["2026-02-01"], "end": ["2026-03-10"]})),
}
SAYS = r"it is pickled: opening it runs code"


def _asked(model: Any, name: str, data: Any) -> Any:
    return model.predict("2026-02-01", "2026-03-10") if name == "series" else model.predict(data)


@pytest.mark.parametrize("name", FITTED)
def test_a_fit_comes_back_on_somebodys_word(name: str, tmp_path: Path) -> None:
    """And answers as it did, a time series for a span of time; what it needs is pinned, and a note says that it is a pickle."""
    model, data = FITTED[name]
    with pytest.warns(ModelWarning, match=SAYS):
        saved = save_model(model, tmp_path / "m", input_example=data)
    assert sorted(saved.flavors) == ["python_function", "statsmodels"]
    needed = {line.partition("==")[0] for line in (tmp_path / "m" / "requirements.txt").read_text().split()}
    assert needed >= ({"statsmodels", "numpy"} if name == "array" else {"statsmodels", "numpy", "pandas"})
    with pytest.raises(UntrustedModel, match=r"a pickle \(model\.statsmodels\)"):
        open_folder(tmp_path / "m")
    opened = open_folder(tmp_path / "m", trusted=True)
    assert type(opened.model) is type(model)
    np.testing.assert_array_equal(opened.predictor().predict(data), _asked(model, name, data))


def test_it_is_small_without_its_data_and_the_callers_keeps_them(tmp_path: Path) -> None:
    """``statsmodels:small`` leaves out what it was fitted to, which asking does not need; of a formula statsmodels keeps them."""
    many = pd.concat([FRAME] * 200, ignore_index=True)
    model = sm.OLS(many["n"], many[["x"]]).fit()
    for form in ("pickle", "small"):
        with pytest.warns(ModelWarning, match=SAYS):
            save_model(model, tmp_path / form, flavor=f"statsmodels:{form}", requirements=[])
    sizes = [(tmp_path / form / "model.statsmodels").stat().st_size for form in ("pickle", "small")]
    assert sizes[0] > 5 * sizes[1]
    assert model.model.endog is not None
    np.testing.assert_array_equal(
        open_folder(tmp_path / "small", trusted=True).predictor().predict(FRAME[["x"]]), model.predict(FRAME[["x"]])
    )


def test_a_series_is_asked_for_a_span_and_nothing_else(tmp_path: Path) -> None:
    """One row with a start and an end; the refusal says so."""
    with pytest.warns(ModelWarning, match=SAYS):
        save_model(FITTED["series"][0], tmp_path / "m", requirements=[])
    ask = open_folder(tmp_path / "m", trusted=True).predictor().predict
    for wrong in (FRAME, pd.DataFrame({"start": [1, 2], "end": [3, 4]}), [1], pd.DataFrame({"start": [1]})):
        with pytest.raises(InvalidValue, match="one row and the columns 'start' and 'end'"):
            ask(wrong)


def test_a_formula_that_could_not_be_opened_is_not_saved(tmp_path: Path) -> None:
    """statsmodels reads a formula anew when its pickle is opened, where a function of the caller's is not found."""

    def ours(values: Any) -> Any:
        return values * 2

    model = smf.ols("n ~ ours(x)", FRAME).fit()
    with pytest.raises(InvalidValue, match=r"give their values as columns .*ours"):
        save_model(model, tmp_path / "m")


def test_damage_is_named(tmp_path: Path) -> None:
    """Before it is unpickled, where the digest is known."""
    with pytest.warns(ModelWarning, match=SAYS):
        save_model(FITTED["array"][0], tmp_path / "m", requirements=[])
    file = tmp_path / "m" / "model.statsmodels"
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    with pytest.raises(ArtifactCorrupt, match=r"model\.statsmodels"):
        open_folder(tmp_path / "m", trusted=True)
    text = (tmp_path / "m" / "MLmodel").read_text()
    (tmp_path / "m" / "MLmodel").write_text(text.replace("sha256:", "sha256_of_old:"))
    with pytest.raises(InvalidValue, match=r"model\.statsmodels does not unpickle here"):
        open_folder(tmp_path / "m", trusted=True)
