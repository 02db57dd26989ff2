"""The backend's metrics in Prometheus' text format.

Several processes add up their counts in the folder SHARED_COUNTS: it must be in the environment
before prometheus_client is imported. The gauges are those of the process that is scraped.
"""

import os
from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ml_backend.jobs.queue import JobQueue, State
from ml_backend.jobs.reviews import reviews_known
from ml_backend.serving.engine import Engine

SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"

# In seconds. Label Studio gives /health 1 s and a prediction 100 s.
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)


class _Now(Collector):
    """The gauges, read when they are scraped."""

    def __init__(self, engine: Engine, queue: JobQueue) -> None:
        self._engine, self._queue = engine, queue

    def collect(self) -> Iterator[Metric]:
        version = self._engine.model_version or "none"
        yield InfoMetricFamily("spanferry_model", "The model that answers.", {"version": version})
        degraded = float(self._engine.degraded is not None)
        said = "1 while the active model cannot be loaded."
        yield GaugeMetricFamily("spanferry_model_degraded", said, degraded)
        said = "Sentences and drawn regions that wait for the model."
        yield GaugeMetricFamily("spanferry_model_queue", said, self._engine.queue.waiting)
        jobs = GaugeMetricFamily("spanferry_training_jobs", "Training jobs.", labels=["state"])
        states = Count(job.state for job in self._queue.shown())
        for state in State:
            jobs.add_metric([state], states[state])
        yield jobs
        said = "Reviews of a project when Label Studio was asked last."
        reviews = GaugeMetricFamily("spanferry_reviews", said, labels=["project"])
        for project, count in reviews_known(self._queue.root).items():
            reviews.add_metric([str(project)], count)
        yield reviews


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self, engine: Engine, queue: JobQueue) -> None:
        self._registry, self._now = CollectorRegistry(), _Now(engine, queue)

        def counter(name: str, said: str, *labels: str) -> Counter:
            return Counter(f"spanferry_{name}", said, labels, registry=self._registry)

        self.requests = counter("requests", "Requests answered.", "endpoint", "status")
        self.projected = counter("sentences_projected", "Sentences projected for /predict.")
        self.conflicts = counter("conflicts", "Conflicts in projected sentences.", "kind")
        refused = "Tasks answered with nothing because they cannot be projected."
        self.refused = counter("tasks_refused", refused, "reason")
        self.events = counter("webhook_events", "Webhook events received.", "action")
        self.seconds = Histogram(
            "spanferry_request_seconds",
            "Seconds from a request's first byte to its answer.",
            ["endpoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        counts = self._registry
        if SHARED_COUNTS in os.environ:
            counts = CollectorRegistry()
            MultiProcessCollector(counts)  # type: ignore[no-untyped-call]  # its class has none
        now = CollectorRegistry()
        now.register(self._now)
        return generate_latest(now) + generate_latest(counts)
