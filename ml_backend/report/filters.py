"""What the conflict checks of a run flagged and dropped before the review."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from projection.io.files import read_jsonl
from projection.io.json_fields import Fields
from projection.io.records_json import Json
from projection.pipeline.run import load_summary


@dataclass(frozen=True, slots=True)
class FilterReason:
    """How many sentences a kind of conflict, or of unfit sentence, flagged and dropped.

    `example` is the reason of the first sentence dropped for it.
    """

    kind: str
    flagged: int
    dropped: int
    example: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Sentences of a corpus by outcome: `read = kept + flagged + dropped`."""

    read: int
    kept: int
    flagged: int
    dropped: int
    reasons: tuple[FilterReason, ...]

    @classmethod
    def of_run(cls, run: Path) -> Self:
        """Read the summary of a run folder.

        Raises:
            RunError: if it is not a run folder, or the run is not done.
            CorpusError: if one of its files is damaged.
        """
        summary = load_summary(run)
        flagged, dropped = summary.flagged, summary.dropped
        examples = _examples(run / "dropped.jsonl", set(dropped))
        return cls(
            summary.read,
            summary.kept,
            summary.flagged_sentences,
            summary.dropped_sentences,
            tuple(
                FilterReason(
                    kind, flagged.get(kind, 0), dropped.get(kind, 0), examples.get(kind, "")
                )
                for kind in sorted({*flagged, *dropped})
            ),
        )

    def to_json(self) -> Json:
        """All of it."""
        return asdict(self)


def _examples(path: Path, kinds: set[str]) -> dict[str, str]:
    """Return the first reason of each kind; read no further than needed."""
    found: dict[str, str] = {}
    for line, row in read_jsonl(path) if kinds else ():
        for drop in Fields(row, f"{path}:{line}").children("dropped"):
            found.setdefault(drop.text("kind"), drop.text("reason"))
        if kinds <= found.keys():
            break
    return found
