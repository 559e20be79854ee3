"""Floor 5. A Keras callback: what it reports each epoch, and at the end how it was trained and the model."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from prefect_ledger.autolog.writer import Writer, check_model, where_written

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "KerasCallback"
_TRAINED = ("epochs", "steps")  # what Keras tells of a ``fit``


class KerasCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Log a training into the run: ``model.fit(..., callbacks=[KerasCallback()])``.

    Each value of an epoch is a series such as ``loss`` and ``val_accuracy``, with epochs as steps. Epochs, steps and the settings of the
    optimizer (``optimizer.learning_rate``) are parameters; at the end come the model's summary as ``model.txt``, and the model as ``name``
    (None logs none). List it after an ``EarlyStopping`` that restores the best weights, so that the model it sees is the one you get.

    Args:
        name, input_example, register: As in ``log_model``.
        prefix: Before every key and artifact.
        run: The run to log into; the open one when left out.

    Raises:
        InvalidValue, InvalidName: an argument that cannot be. NoActiveRun: no run is open.
    """

    def __init__(
        self,
        *,
        name: str | None = "model",
        prefix: str = "",
        input_example: Any = None,
        register: str | bool | None = None,
        run: ActiveRun | None = None,
    ) -> None:
        super().__init__()
        check_model(_WHO, name, register)
        self._writer = Writer(run, prefix, _WHO)
        self._name, self._example, self._register = name, input_example, register

    @where_written
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        with self._writer.attempt("parameters"):
            told = {name: self.params[name] for name in _TRAINED if (self.params or {}).get(name) is not None}
            self._writer.params({**told, **_optimizer(self.model)})

    @where_written
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        with self._writer.attempt("metrics"):
            for name, value in (logs or {}).items():
                self._writer.metric(name, value, epoch)

    @where_written
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        with self._writer.attempt("the summary"):
            text = io.StringIO()
            self.model.summary(print_fn=lambda line, **_: text.write(f"{line}\n"))
            self._writer.run.log_text(text.getvalue(), self._writer.path("model.txt"))
        if self._name is not None:
            self._writer.model(self.model, self._name, input_example=self._example, register=self._register)
        self._writer.settle()


def _optimizer(model: Any) -> dict[str, Any]:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    settings = {f"optimizer.{key}": value for key, value in optimizer.get_config().items() if isinstance(value, int | float | str | bool)}
    return {"optimizer": type(optimizer).__name__, **settings}
