"""Floor 5. A callback for the Trainer of Hugging Face transformers: its arguments, and what it logs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import transformers

from prefect_ledger.autolog.writer import Writer, where_written

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "TransformersCallback"
# Places, secrets, and what follows from others.
_NOT_CHOSEN = frozenset({"accelerator_config", "disable_tqdm", "hub_token", "logging_dir", "output_dir", "run_name"})


class TransformersCallback(transformers.TrainerCallback):  # type: ignore[misc]  # transformers loads its classes when they are used
    """Log a training into the run: ``Trainer(..., callbacks=[TransformersCallback()])``.

    What the trainer logs is a series each, such as ``loss``, ``learning_rate`` and ``eval_loss``, at the trainer's global step. Those of
    the training arguments that somebody chose are parameters, as are the model's class and its number of weights. Of several processes
    that train together, the first one logs. The model is logged by whoever has it, once the training has ended.

    Args:
        prefix: Before every key.
        run: The run to log into; the open one when left out.

    Raises:
        InvalidValue: an argument that cannot be. NoActiveRun: no run is open.
    """

    def __init__(self, *, prefix: str = "", run: ActiveRun | None = None) -> None:
        self._writer = Writer(run, prefix, _WHO)

    @where_written
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """The trainer begins."""
        if state.is_world_process_zero:
            with self._writer.attempt("parameters"):
                self._writer.params({**_chosen(args), **_about(model)})

    @where_written
    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002
        """The trainer logs."""
        if state.is_world_process_zero:
            with self._writer.attempt("metrics"):
                for name, value in (logs or {}).items():
                    if isinstance(value, int | float):
                        self._writer.metric(name, value, state.global_step)

    @where_written
    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """The trainer ends."""
        self._writer.settle()


def _chosen(args: Any) -> dict[str, Any]:
    """The arguments that somebody chose, of more than a hundred; told by their defaults, since making others changes the trainer's state.
    One that is open by default and lists by default are left out where they are empty."""
    usual = {one.name: getattr(one.default, "value", one.default) for one in dataclasses.fields(args)}
    said = {name: value for name, value in args.to_sanitized_dict().items() if name in usual and name not in _NOT_CHOSEN}
    return {name: value for name, value in said.items() if value != usual[name] and value not in ("None", "[]", "{}")}


def _about(model: Any) -> dict[str, Any]:
    return {} if model is None else {"model": type(model).__name__, "weights": sum(one.numel() for one in model.parameters())}
