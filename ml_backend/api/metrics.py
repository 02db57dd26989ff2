"""The backend's metrics in Prometheus' text format. Each process counts its own requests."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ml_backend.serving.engine import Engine

# In seconds. Label Studio gives a prediction up after 100 s.
_PREDICT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)


class _Now(Collector):
    """The gauges, read when they are scraped."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> list[Metric]:
        version = self._engine.model_version or "none"
        degraded = float(self._engine.degraded is not None)
        said = "1 while the active model cannot be loaded."
        return [
            InfoMetricFamily("spanferry_model", "The model that answers.", {"version": version}),
            GaugeMetricFamily("spanferry_model_degraded", said, degraded),
        ]


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Now(engine))

        def counter(name: str, said: str, *labels: str) -> Counter:
            return Counter(f"spanferry_{name}", said, labels, registry=self._registry)

        self.requests = counter("requests", "Requests answered.", "endpoint", "status")
        self.projected = counter("sentences_projected", "Sentences projected for /predict.")
        refused = "Tasks answered with nothing because they cannot be projected."
        self.refused = counter("tasks_refused", refused, "reason")
        self.events = counter("webhook_events", "Webhook events received.", "action")
        self.predict_seconds = Histogram(
            "spanferry_predict_seconds",
            "Seconds a /predict took, waiting included.",
            buckets=_PREDICT_BUCKETS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)
