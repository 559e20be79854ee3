"""Three families of models behind one question: fit, and let me look after each round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import CLASSES, Split

Options = Mapping[str, int | float]
BATCH = 64


def fitted(family: str, options: Options, data: Split, *, epochs: int, seed: int) -> tuple[Any, Iterator[dict[str, float]]]:
    """A model and the rounds of its training, with losses and accuracy after each; fitted once they are through."""
    if family == "boosting":
        model = _boosting(options, epochs, seed)
        return model, _staged(model, data)
    model = _linear(options, seed) if family == "linear" else _network(options, seed)
    return model, _by_epoch(model, data, epochs, seed, batch=len(data.x_train) if family == "linear" else BATCH)


def scores(probabilities: NDArray[Any], labels: NDArray[Any]) -> tuple[float, float]:
    """Log loss and accuracy."""
    from sklearn.metrics import log_loss

    return float(log_loss(labels, probabilities, labels=CLASSES)), float((probabilities.argmax(1) == labels).mean())


def _linear(options: Options, seed: int) -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", learning_rate="constant", eta0=options["learning_rate"], alpha=1e-4, random_state=seed)


def _network(options: Options, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((int(options["hidden"]),), learning_rate_init=options["learning_rate"], random_state=seed)


def _boosting(options: Options, rounds: int, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(
        n_estimators=rounds,
        learning_rate=options["learning_rate"],
        max_depth=int(options["depth"]),
        max_features=8,
        subsample=0.5,
        random_state=seed,
    )


def _by_epoch(model: Any, data: Split, epochs: int, seed: int, batch: int) -> Iterator[dict[str, float]]:
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        shuffled = order.permutation(len(data.x_train))
        for low in range(0, len(shuffled), batch):
            picked = shuffled[low : low + batch]
            model.partial_fit(data.x_train[picked], data.y_train[picked], classes=CLASSES)
        yield _round(model.predict_proba(data.x_train), model.predict_proba(data.x_val), data)


def _staged(model: Any, data: Split) -> Iterator[dict[str, float]]:
    model.fit(data.x_train, data.y_train)
    for train, val in zip(model.staged_predict_proba(data.x_train), model.staged_predict_proba(data.x_val), strict=True):
        yield _round(train, val, data)


def _round(train: NDArray[Any], val: NDArray[Any], data: Split) -> dict[str, float]:
    loss, accuracy = scores(val, data.y_val)
    return {"train.loss": scores(train, data.y_train)[0], "val.loss": loss, "val.accuracy": accuracy}
