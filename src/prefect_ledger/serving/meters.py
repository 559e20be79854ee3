"""Floor 5. What a server counts, for Prometheus."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import prometheus_client as prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meters:
    """Requests by status, seconds they took, sizes of batches, how many wait; with several workers, of all of them together."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            "prefect_ledger_requests", "Requests to /invocations, by status.", ["status"], registry=self.registry
        )
        self.seconds = prometheus.Histogram(
            "prefect_ledger_request_seconds", "Seconds from a request's last byte to its answer.", buckets=_SECONDS, registry=self.registry
        )
        self.batch = prometheus.Histogram(
            "prefect_ledger_batch_requests",
            "Requests that the model was asked together.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )
        self.models = prometheus.Counter(
            "prefect_ledger_models_loaded", "Times a model was loaded, by its id.", ["model"], registry=self.registry
        )
        gauge = prometheus.Gauge(
            "prefect_ledger_waiting", "Requests that wait for the model.", registry=self.registry, multiprocess_mode="livesum"
        )
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            gauge.set_function(waiting)
        self._waiting, self._gauge = waiting, gauge
        self._by_status: dict[int, prometheus.Counter] = {}

    def answered(self, status: int, seconds: float) -> None:
        """One request was answered."""
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self.requests.labels(str(status))
        counter.inc()
        self.seconds.observe(seconds)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            from prometheus_client import multiprocess

            self._gauge.set(self._waiting())
            together = prometheus.CollectorRegistry()
            multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return prometheus.generate_latest(together)
        return prometheus.generate_latest(self.registry)
