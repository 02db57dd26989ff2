"""What the filters of a run did, before anybody reviewed anything."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from projection.io.files import read_jsonl
from projection.io.json_fields import Fields
from projection.io.records_json import Json
from projection.pipeline.run import load_summary


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of conflict, or what else makes a sentence unfit: how many it flagged and dropped.

    `example` is what was said of the first sentence dropped for it.
    """

    kind: str
    flagged: int
    dropped: int
    example: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What became of a corpus: `read = kept + flagged + dropped`; all of them are sentences."""

    read: int
    kept: int
    flagged: int
    dropped: int
    reasons: tuple[Reason, ...]

    @classmethod
    def of_run(cls, run: Path) -> Self:
        """Read the summary of a run folder.

        Raises:
            RunError: if it is no run folder, or the run is not done.
            CorpusError: if a file of it is damaged.
        """
        summary = load_summary(run)
        flagged, dropped = summary.flagged, summary.dropped
        examples = _examples(run / "dropped.jsonl", set(dropped))
        return cls(
            read=summary.read,
            kept=summary.kept,
            flagged=summary.flagged_sentences,
            dropped=summary.dropped_sentences,
            reasons=tuple(
                Reason(kind, flagged.get(kind, 0), dropped.get(kind, 0), examples.get(kind, ""))
                for kind in sorted({*flagged, *dropped})
            ),
        )

    def to_json(self) -> Json:
        """All of it."""
        return asdict(self)


def _examples(path: Path, kinds: set[str]) -> Mapping[str, str]:
    """The first reason of each kind; reads no further than it has to."""
    found: dict[str, str] = {}
    for line, row in read_jsonl(path) if kinds else ():
        for drop in Fields(row, f"{path}:{line}").children("dropped"):
            found.setdefault(drop.text("kind"), drop.text("reason"))
        if kinds <= found.keys():
            break
    return found
