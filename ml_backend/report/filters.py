"""What the filters of a run did, before anybody reviewed anything."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from projection.errors import RunError
from projection.fields import Fields
from projection.files import parse_object, read_jsonl
from projection.json_form import Json


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
        path = run / "summary.json"
        if not (run / "run.json").is_file():
            raise RunError(str(run), "not a run folder (no run.json)", "Name one: --run FOLDER")
        if not path.is_file():
            raise RunError(str(run), "not done (no summary.json)", "Run `spanferry project` again")
        summary = Fields(parse_object(path.read_text("utf-8"), str(path)), str(path))
        flagged, dropped = summary.child("flagged"), summary.child("dropped")
        examples = _examples(run / "dropped.jsonl", set(dropped.row))
        return cls(
            read=summary.integer("read"),
            kept=summary.integer("kept"),
            flagged=summary.integer("flagged_sentences"),
            dropped=summary.integer("dropped_sentences"),
            reasons=tuple(
                Reason(kind, _count(flagged, kind), _count(dropped, kind), examples.get(kind, ""))
                for kind in sorted({*flagged.row, *dropped.row})
            ),
        )

    def to_json(self) -> Json:
        """All of it."""
        return asdict(self)


def _count(fields: Fields, kind: str) -> int:
    return fields.integer(kind) if fields.has(kind) else 0


def _examples(path: Path, kinds: set[str]) -> Mapping[str, str]:
    """The first reason of each kind; reads no further than it has to."""
    found: dict[str, str] = {}
    for line, row in read_jsonl(path) if kinds else ():
        for drop in Fields(row, f"{path}:{line}").children("dropped"):
            found.setdefault(drop.text("kind"), drop.text("reason"))
        if kinds <= found.keys():
            break
    return found
