"""The backend's metrics in Prometheus' text format. Each process counts its own requests."""

from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ml_backend.jobs.queue import JobQueue, State
from ml_backend.jobs.reviews import reviews_known
from ml_backend.serving.engine import Engine

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
        self._registry = CollectorRegistry()
        self._registry.register(_Now(engine, queue))

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
        return generate_latest(self._registry)
