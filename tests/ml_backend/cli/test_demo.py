"""What `spanferry demo --headless` prints at its end."""

from rich.console import Console

from ml_backend.cli.demo import _table

FIGURES = {
    "projected": 192,
    "flagged": {"overlap": 3, "one_to_many": 12},
    "accepted": 102,
    "corrected": 42,
    "exported": 144,
    "f1": {"all": {"before": 0.701, "after": 0.804}, "de": {"before": 0.7, "after": 0.8}},
    "gain": {"before": 0.9, "after": 0.91, "low": -0.02, "high": 0.04, "beyond_chance": False},
    "audit": {
        "precision": {"value": 0.951, "low": 0.9, "high": 0.98},
        "recall": {"value": None, "low": 0.0, "high": 1.0},
    },
    "report": ".demo/headless/report/index.html",
    "repredicted": 48,
    "versions": ["a", "b"],
    "seconds": {"project the sample": 4.2},
}


def test_the_table_has_every_figure() -> None:
    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        console.print(_table(FIGURES))
    said = " ".join(captured.get().replace("│", " ").split())
    for expected in (
        "flagged one-to-many 12, overlap 3",
        "reviewed 42 corrected, 102 accepted",
        "audit, precision of the rest 95.1 % [90.0, 98.0]",
        "audit, recall of the rest – % [0.0, 100.0]",
        "target model F1, all 70.1 before, 80.4 after",
        "pre-annotation F1 90.0 before, 91.0 after (95 % interval of the gain -2.0 to 4.0): "
        "a training at the backend would not serve this model",
        "model version a → b",
        "project the sample 4.2 s",
    ):
        assert expected in said
