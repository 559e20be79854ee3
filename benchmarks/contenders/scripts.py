"""The first things of each tracker: what its users import, and a whole script of two params and a hundred points."""

from __future__ import annotations

from benchmarks.contenders.asking import OURS

_STEPS = "for step in range(100):\n    "
SCRIPTS = {
    OURS.name: f"""
from prefect_ledger import start_run
with start_run(experiment="first") as run:
    run.log_params({{"depth": 6, "rate": 0.1}})
    {_STEPS.replace("    ", "        ")}run.log_metric("loss", 1 / (step + 1), step)
""",
    "MLflow": f"""
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("first")
with mlflow.start_run():
    mlflow.log_params({{"depth": 6, "rate": 0.1}})
    {_STEPS.replace("    ", "        ")}mlflow.log_metric("loss", 1 / (step + 1), step=step)
""",
    "Trackio": f"""
import trackio
run = trackio.init(project="first", config={{"depth": 6, "rate": 0.1}}, embed=False)
{_STEPS}trackio.log({{"loss": 1 / (step + 1)}}, step=step)
trackio.finish()
""",
    "W&B offline": f"""
import wandb
run = wandb.init(project="first", config={{"depth": 6, "rate": 0.1}}, mode="offline")
{_STEPS}run.log({{"loss": 1 / (step + 1)}}, step=step)
run.finish()
""",
    "TensorBoard": f"""
from tensorboardX import SummaryWriter
writer = SummaryWriter("runs/first")
writer.add_text("params", "depth 6, rate 0.1")
{_STEPS}writer.add_scalar("loss", 1 / (step + 1), step)
writer.close()
""",
}
IMPORTS = {
    OURS.name: "from prefect_ledger import start_run, log_metric, log_params, search_runs",
    "MLflow": "import mlflow",
    "Trackio": "import trackio",
    "W&B offline": "import wandb",
    "TensorBoard": "from tensorboardX import SummaryWriter",
}
