"""Floor 5. A logger for PyTorch Lightning, which takes what ``self.log`` and ``save_hyperparameters`` give."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.autolog.writer import Writer, where_written

try:
    from lightning.pytorch.loggers.logger import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:
    from pytorch_lightning.loggers.logger import Logger
    from pytorch_lightning.utilities import rank_zero_only

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "LightningLogger"


class LightningLogger(Logger):  # type: ignore[misc]  # Lightning may be either of two packages
    """Log into the run what a Lightning module logs: ``Trainer(logger=LightningLogger())``.

    Every ``self.log("train_loss", …)`` is a point of that series at the trainer's global step, an epoch's values too, beside the series
    ``epoch``; hyperparameters become parameters. Of several processes that train together, the first one logs. The model is logged
    where its training has ended, by ``log_model(module, "name")``.

    Args:
        prefix: Before every key.
        run: The run to log into; the open one when left out.

    Raises:
        InvalidValue: an argument that cannot be. NoActiveRun: no run is open.
    """

    def __init__(self, *, prefix: str = "", run: ActiveRun | None = None) -> None:
        super().__init__()
        self._writer = Writer(run, prefix, _WHO)

    @property
    def name(self) -> str:
        """The experiment, by which Lightning names folders of checkpoints."""
        return "prefect-ledger"

    @property
    def version(self) -> str:
        """The run's id."""
        return self._writer.run.id

    @rank_zero_only  # type: ignore[untyped-decorator]
    @where_written
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Lightning calls this with what was logged at a global step."""
        with self._writer.attempt("metrics"):
            for name, value in metrics.items():
                self._writer.metric(name, value, step)

    @rank_zero_only  # type: ignore[untyped-decorator]
    @where_written
    def log_hyperparams(self, params: Any, *_more: Any, **_others: Any) -> None:
        """Lightning calls this once, with what ``save_hyperparameters`` kept."""
        with self._writer.attempt("parameters"):
            self._writer.params(dict(vars(params)) if isinstance(params, argparse.Namespace) else dict(params))

    @rank_zero_only  # type: ignore[untyped-decorator]
    @where_written
    def finalize(self, status: str) -> None:  # noqa: ARG002
        """Lightning calls this when the training has ended; the run's own end is whoever's began it."""
        self._writer.settle()
