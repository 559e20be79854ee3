"""Floor 5. What frameworks do, logged in each one's own idiom: after a fit for scikit-learn, by callbacks for the others.

No framework is imported before something that needs it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_ledger.autolog.catboost_callback import CatBoostCallback
    from prefect_ledger.autolog.cross_validation import log_cross_validation
    from prefect_ledger.autolog.estimators import log_sklearn
    from prefect_ledger.autolog.keras_callback import KerasCallback
    from prefect_ledger.autolog.lightgbm_callback import LightGBMCallback
    from prefect_ledger.autolog.lightning_logger import LightningLogger
    from prefect_ledger.autolog.optuna_callback import OptunaCallback
    from prefect_ledger.autolog.searches import log_search
    from prefect_ledger.autolog.studies import log_study
    from prefect_ledger.autolog.transformers_callback import TransformersCallback
    from prefect_ledger.autolog.xgboost_callback import XGBoostCallback

_HOME = {
    "CatBoostCallback": "catboost_callback",
    "KerasCallback": "keras_callback",
    "LightGBMCallback": "lightgbm_callback",
    "LightningLogger": "lightning_logger",
    "OptunaCallback": "optuna_callback",
    "TransformersCallback": "transformers_callback",
    "XGBoostCallback": "xgboost_callback",
    "log_cross_validation": "cross_validation",
    "log_search": "searches",
    "log_sklearn": "estimators",
    "log_study": "studies",
}

__all__ = [
    "CatBoostCallback",
    "KerasCallback",
    "LightGBMCallback",
    "LightningLogger",
    "OptunaCallback",
    "TransformersCallback",
    "XGBoostCallback",
    "log_cross_validation",
    "log_search",
    "log_sklearn",
    "log_study",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'prefect_ledger.autolog' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"prefect_ledger.autolog.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
