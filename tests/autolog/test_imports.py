"""What autologging costs whoever does not use it: nothing; and it is what its page says it is."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import optuna

import prefect_ledger.autolog
from prefect_ledger.tracking.ledger import Ledger


def test_no_framework_is_imported_before_it_is_used() -> None:
    """The package, scikit-learn's verbs and the callbacks of CatBoost, LightGBM and Optuna bring no framework with them."""
    code = (
        "import sys; from prefect_ledger.autolog import CatBoostCallback, LightGBMCallback, OptunaCallback;"
        "from prefect_ledger.autolog import log_cross_validation, log_search, log_sklearn;"
        "print(sorted({'sklearn', 'xgboost', 'lightgbm', 'catboost', 'optuna', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    """Names are loaded when they are first used, so that a wrong one would only then be seen."""
    for name in prefect_ledger.autolog.__all__:
        with not_installed():
            assert getattr(prefect_ledger.autolog, name).__doc__


@contextlib.contextmanager
def not_installed() -> Iterator[None]:
    """What stands on PyTorch is in no lock: test_torch.py is about that."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "pytorch_lightning", "transformers"):
            raise


def test_docstring_examples_run(fresh_ledger: Ledger) -> None:
    """The examples in the docstrings are true."""
    before, ran = optuna.logging.get_verbosity(), 0
    for module in pkgutil.iter_modules(prefect_ledger.autolog.__path__):
        with not_installed():
            result = doctest.testmod(importlib.import_module(f"prefect_ledger.autolog.{module.name}"))
            assert result.failed == 0
            ran += result.attempted
    optuna.logging.set_verbosity(before)
    assert ran > 40
