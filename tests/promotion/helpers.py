"""Models of one column, good and bad ones, and rows to judge them by."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prefect_ledger import registry, start_run
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.registered import ModelVersion

ALICE, BOB, CAROL = (Identity(name, Strength.OS, f"user {name}") for name in ("alice", "bob", "carol"))
_ANYBODY = Strength.CLAIMED  # a worker, root in a container perhaps, carries it out
GATED = Policy((Rule("churn", "production", gates=("metrics.auc >= 0.5",), identity=_ANYBODY, aliases=("champion",)),))
ASKED = Policy((Rule("churn", "production", approvals=1, identity=Strength.OS, aliases=("champion",)),))


def trained(factor: float = 2.0, auc: float = 0.9, *, by: Identity = ALICE, name: str = "churn") -> ModelVersion:
    """A registered version of a model that multiplies by ``factor``, with an example."""
    with start_run(experiment="churn") as run:
        run.log_metric("auc", auc)
        model = run.log_model(lambda data: [factor * x for x in data], name, input_example=[1.0, 2.0], requirements=[])
    return registry.register_model(name, model, by=by)


def broken(*, by: Identity = ALICE) -> ModelVersion:
    """A registered version that raises when it is asked for its example in another process or again."""
    with start_run(experiment="churn") as run:
        model = run.log_model(_refuses, "churn", signature=None, requirements=[])
    return registry.register_model("churn", model, by=by)


def _refuses(data: object) -> object:
    raise ValueError("this model answers nobody")


def rows(folder: Path, count: int = 300) -> str:
    """A CSV file with a column ``x``, a ``region``, and a target that is twice x and a little."""
    lines = ["x,region,target", *(f"{n / 10},{'north' if n % 3 else 'south'},{n / 5 + (n % 7) / 100}" for n in range(count))]
    path = folder / "holdout.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def framed(factor: float, *, by: Identity = ALICE, error: float = 0.0) -> ModelVersion:
    """A registered version that multiplies the column ``x`` of a frame."""
    import pandas as pd

    def ask(data: pd.DataFrame) -> list[float]:
        return [factor * x + error for x in data["x"]]

    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        model = run.log_model(ask, "churn", signature=None, input_example=pd.DataFrame({"x": [1.0, 2.0]}), requirements=[])
    return registry.register_model("churn", model, by=by)


@contextmanager
def answering(*answers: Any) -> Iterator[str]:
    """A server that says one after the other, the last again and again; a number is a status."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = left.pop(0) if len(left) > 1 else left[0]
            body = b"" if isinstance(found, int) else found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(found if isinstance(found, int) else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()
        thread.join()
