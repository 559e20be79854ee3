"""What trains on PyTorch, logged in each framework's own idiom. Run by ``make test-torch``: none of these packages is in a lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prefect_ledger import get_run, load_model, start_run
from prefect_ledger.tracking.ledger import Ledger

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="no torch: make test-torch runs these")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("float32")


@pytest.mark.filterwarnings("default")  # what PyTorch, and what stands on it, deprecate of one another
def test_keras_logs_each_epoch_and_the_model(fresh_ledger: Ledger) -> None:
    """Every value that fit gives back, at its epoch; the optimizer's settings; and the very model."""
    keras = pytest.importorskip("keras", reason="no keras: make test-torch runs these")
    from prefect_ledger.autolog import KerasCallback

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.125), loss="mse", metrics=["mae"])
    with start_run(experiment="keras") as run:
        told = model.fit(X, Y, validation_split=0.25, epochs=3, verbose=0, callbacks=[KerasCallback(name="net", input_example=X[:2])])
    shown = get_run(run.id)
    assert set(told.history) == {"loss", "mae", "val_loss", "val_mae"}
    for name, values in told.history.items():
        np.testing.assert_allclose(shown.metric(name).values, values)
        np.testing.assert_array_equal(shown.metric(name).steps, range(3))
    assert {"epochs": "3", "optimizer": "SGD", "optimizer.learning_rate": "0.125"}.items() <= shown.params.items()
    assert b"Dense" in shown.read_artifact("model.txt")
    assert shown.notes == []
    np.testing.assert_allclose(load_model(f"runs:/{run.id}/net").predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


@pytest.mark.filterwarnings("default")
def test_lightning_logs_what_a_module_logs(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """Steps and epochs of self.log, and the hyperparameters that were kept."""
    lightning = pytest.importorskip("lightning", reason="no lightning: make test-torch runs these")
    from prefect_ledger.autolog import LightningLogger

    class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self, width: int = 4, rate: float = 0.25) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layers = torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
            self.seen: list[float] = []

        def training_step(self, batch: Any, _: int) -> Any:
            loss = ((self.layers(batch[0])[:, 0] - batch[1]) ** 2).mean()
            self.seen.append(float(loss))
            self.log("train_loss", loss)
            self.log("epoch_loss", loss, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams.rate)

    net = Net(width=5)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=16)
    with start_run(experiment="lightning") as run:
        trainer = lightning.Trainer(
            max_epochs=2,
            logger=LightningLogger(prefix="net."),
            log_every_n_steps=1,
            accelerator="cpu",
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(net, data)
    shown = get_run(run.id)
    np.testing.assert_allclose(shown.metric("net.train_loss").values, net.seen)
    np.testing.assert_array_equal(shown.metric("net.train_loss").steps, range(8))
    np.testing.assert_allclose(shown.metric("net.epoch_loss").values, [np.mean(net.seen[:4]), np.mean(net.seen[4:])], rtol=1e-6)
    assert {"net.width": "5", "net.rate": "0.25"}.items() <= shown.params.items()
    assert shown.notes == []


@pytest.mark.filterwarnings("default")
def test_the_trainer_of_transformers_logs(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """What the trainer logs, at its global steps; the arguments somebody chose; the model's class and size."""
    transformers = pytest.importorskip("transformers", reason="no transformers: make test-torch runs these")
    pytest.importorskip("accelerate", reason="no accelerate: make test-torch runs these")
    from prefect_ledger.autolog import TransformersCallback

    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, num_labels=2
    )
    model = transformers.BertForSequenceClassification(config)
    rows = [{"input_ids": RNG.integers(0, 20, 6).tolist(), "labels": number % 2} for number in range(16)]
    args = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=4, logging_steps=2, learning_rate=0.001, report_to=[], save_strategy="no", use_cpu=True
    )
    with start_run(experiment="transformers") as run:
        trainer = transformers.Trainer(model=model, args=args, train_dataset=rows, callbacks=[TransformersCallback()])
        trainer.remove_callback(transformers.trainer_callback.ProgressCallback)
        trainer.train()
    shown = get_run(run.id)
    logged = [(one["step"], one["loss"]) for one in trainer.state.log_history if "loss" in one]
    assert list(zip(shown.metric("loss").steps.tolist(), shown.metric("loss").values.tolist(), strict=True)) == logged
    assert {"max_steps": "4", "learning_rate": "0.001", "model": "BertForSequenceClassification"}.items() <= shown.params.items()
    assert int(shown.params["weights"]) == sum(one.numel() for one in model.parameters())
    assert "output_dir" not in shown.params
    assert shown.notes == []
