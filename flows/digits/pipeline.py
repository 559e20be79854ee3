"""The flows: each candidate is a child run, the winner is judged on data nobody has seen."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from numpy.typing import NDArray
from prefect.runtime import task_run

from prefect_ledger import (
    Artifact,
    Dataset,
    Metrics,
    log_dict,
    log_figure,
    log_metrics,
    log_model,
    set_tags,
    tracked_flow,
    tracked_task,
)

from .data import Split, split
from .families import fitted, scores
from .plots import confusion, roc

CANDIDATES: dict[str, tuple[str, dict[str, int | float]]] = {
    "linear-slow": ("linear", {"learning_rate": 0.001}),
    "linear": ("linear", {"learning_rate": 0.01}),
    "linear-fast": ("linear", {"learning_rate": 0.1}),
    "network-16": ("network", {"hidden": 16, "learning_rate": 0.005}),
    "network-32": ("network", {"hidden": 32, "learning_rate": 0.005}),
    "network-64": ("network", {"hidden": 64, "learning_rate": 0.005}),
    "boosting-shallow": ("boosting", {"depth": 2, "learning_rate": 0.3}),
    "boosting-deep": ("boosting", {"depth": 4, "learning_rate": 0.3}),
}


class Trained(NamedTuple):
    """A candidate's model, and its scores on the validation images."""

    model: Any
    loss: float
    accuracy: float


@tracked_flow(name="digits", experiment="digits")
async def digits(epochs: int = 20, seed: int = 0) -> Annotated[dict[str, float], Metrics]:
    """Train every candidate as a child run, then judge the one with the best validation accuracy on the test images."""
    fetch(seed)
    trained = {}
    for candidate, (family, options) in CANDIDATES.items():
        trained[candidate] = await train_candidate(candidate, family, options, epochs, seed)
    winner = max(trained, key=lambda name: (trained[name].accuracy, -trained[name].loss))
    set_tags({"winner": winner})
    log_dict({name: {"accuracy": one.accuracy, "loss": one.loss} for name, one in trained.items()}, "candidates.json")
    judge(winner, trained[winner].model, seed)
    return {"val.accuracy": trained[winner].accuracy, "val.loss": trained[winner].loss}


@tracked_flow(name="train-candidate", flow_run_name="{candidate}", experiment="digits", log_returns=False)
async def train_candidate(candidate: str, family: str, options: dict[str, int | float], epochs: int, seed: int) -> Trained:
    """Fit one candidate; gives back the model and its scores on the validation images."""
    set_tags({"family": family, "candidate": candidate})
    data = split(seed)
    model = fit(family, options, epochs, seed)
    loss, accuracy = look(candidate, model, data)
    return Trained(model, loss, accuracy)


@tracked_task(retries=1, retry_delay_seconds=0)
def fetch(
    seed: int,
) -> tuple[Annotated[NDArray[Any], Dataset("digits-train", context="train")], Annotated[NDArray[Any], Dataset("digits-test")]]:
    """Get the data. The first try fails, on purpose: so you see what a retry looks like in the ledger."""
    if task_run.run_count < 2:
        raise ConnectionError("the data source does not answer (the demo's first try always fails)")
    data = split(seed)
    return data.x_train, data.x_test


@tracked_task
def fit(family: str, options: dict[str, int | float], epochs: int, seed: int) -> Any:
    """Train, and log the curves round by round, and the model with an example of what it takes."""
    data = split(seed)
    model, rounds = fitted(family, options, data, epochs=epochs, seed=seed)
    for step, metrics in enumerate(rounds):
        log_metrics(metrics, step=step)
    log_model(model, "digits", input_example=data.x_val[:3])
    return model


@tracked_task
def look(candidate: str, model: Any, data: Split) -> tuple[float, float]:
    """Which digits are taken for which; gives back log loss and accuracy."""
    probabilities = model.predict_proba(data.x_val)
    log_figure(confusion(data.y_val, probabilities.argmax(1), candidate), "confusion.png")
    return scores(probabilities, data.y_val)


@tracked_task
def judge(
    winner: str, model: Any, seed: int
) -> tuple[Annotated[dict[str, float], Metrics(prefix="test")], Annotated[str, Artifact("report.md")]]:
    """The winner on images that neither training nor choice has seen."""
    data = split(seed)
    probabilities = model.predict_proba(data.x_test)
    loss, accuracy = scores(probabilities, data.y_test)
    log_figure(roc(data.y_test, probabilities), "roc.png")
    log_model(model, "best", input_example=data.x_test[:5], metadata={"candidate": winner})
    wrong = int((probabilities.argmax(1) != data.y_test).sum())
    report = f"# {winner}\n\n{accuracy:.2%} of {len(data.y_test)} test images read right, {wrong} wrong; log loss {loss:.4f}.\n"
    return {"loss": loss, "accuracy": accuracy}, report
