"""The numbers of a run: counted while it is written, kept with every part, shown at the end."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from projection.errors import RunError
from projection.io.files import read_object
from projection.io.json_fields import Fields
from projection.io.records_json import SCHEMA, Json
from projection.languages import is_untrained

RunRow = Mapping[str, Any]
"""A line of a run's files: a ProjectedSentence, or a sentence with `dropped`, the reasons."""


def sentence_in(row: RunRow) -> Mapping[str, Any]:
    """The sentence pair of a line."""
    pair: Mapping[str, Any] = row.get("sentence", row)
    return pair


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The numbers of a run: `read = kept + flagged_sentences + dropped_sentences`."""

    read: int
    kept: int
    flagged: Mapping[str, int]  # sentences by kind of conflict, in several of which one may count
    dropped: Mapping[str, int]  # sentences by kind of conflict or other reason, likewise
    flagged_sentences: int
    dropped_sentences: int
    entities: int  # in kept and flagged sentences
    teacher_labelled: int  # kept and flagged sentences without entities of the corpus's own
    target_labelled: int  # kept sentences with target entities of the corpus's own
    windowed: int  # sentences with a side too long to be read at once
    untrained: Mapping[str, int]  # sentences to align, by language the aligner was not trained on
    seconds: float  # wall time of the call that finished the run

    def to_json(self) -> Json:
        """The content of summary.json."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass(slots=True)
class RunCounts:
    """What a summary is made of; the counts of parts add up."""

    sentences: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)  # of sentences to align

    @property
    def projected(self) -> int:
        """Sentences that were kept or flagged."""
        return self.sentences["kept"] + self.sentences["flagged"]

    @property
    def read(self) -> int:
        """All sentences."""
        return self.projected + self.sentences["dropped"]

    def count(self, rows: Sequence[RunRow], needs_windows: Callable[[str, str], bool]) -> None:
        """Add lines of the run's files; `needs_windows` takes both texts."""
        for row in rows:
            pair = sentence_in(row)
            own = "target_entities" in pair  # no model reads it
            self.languages.update([] if own else [pair["target_lang"]])
            if "dropped" in row:
                self.sentences["dropped"] += 1
                self.dropped.update({drop["kind"] for drop in row["dropped"]})
                continue
            self.sentences["flagged" if row["conflicts"] else "kept"] += 1
            self.sentences["entities"] += len(row["entities"])
            self.sentences["target"] += own
            if not own:
                self.sentences["teacher"] += pair["entities"] is None
                self.sentences["windowed"] += needs_windows(pair["source"], pair["target"])
            self.flagged.update({conflict["kind"] for conflict in row["conflicts"]})

    def add(self, other: "RunCounts") -> None:
        """Add the counts of a part."""
        for name in self.__slots__:
            getattr(self, name).update(getattr(other, name))

    def summary(self, trained: Sequence[str], seconds: float) -> RunSummary:
        """The summary; `trained` are the languages of the aligner."""
        counts, languages = self.sentences, sorted(self.languages.items())
        return RunSummary(
            read=self.read,
            kept=counts["kept"],
            flagged=dict(sorted(self.flagged.items())),
            dropped=dict(sorted(self.dropped.items())),
            flagged_sentences=counts["flagged"],
            dropped_sentences=counts["dropped"],
            entities=counts["entities"],
            teacher_labelled=counts["teacher"],
            target_labelled=counts["target"],
            windowed=counts["windowed"],
            untrained={lang: count for lang, count in languages if is_untrained(lang, trained)},
            seconds=round(seconds, 3),
        )

    def to_json(self) -> Json:
        """The counts by name; the same counts give the same JSON."""
        return {name: dict(sorted(getattr(self, name).items())) for name in self.__slots__}

    @classmethod
    def of(cls, fields: Fields) -> "RunCounts":
        """The counts that `to_json` wrote."""
        read = (fields.child(name) for name in cls.__slots__)
        return cls(*(Counter({key: each.integer(key) for key in each.row}) for each in read))


def load_summary(run: Path) -> RunSummary:
    """The summary of a finished run."""
    path = existing_run(run) / "summary.json"
    if not path.is_file():
        raise RunError(str(run), "not done (no summary.json)", "Run `spanferry project` again")
    fields = Fields(read_object(path), str(path))
    flagged, dropped = fields.child("flagged"), fields.child("dropped")
    untrained = fields.child("untrained").row if fields.has("untrained") else {}  # older
    counts = ("read", "kept", "flagged_sentences", "dropped_sentences", "entities")
    return RunSummary(
        **{name: fields.integer(name) for name in counts},
        flagged={kind: flagged.integer(kind) for kind in flagged.row},
        dropped={kind: dropped.integer(kind) for kind in dropped.row},
        untrained={lang: int(str(count)) for lang, count in untrained.items()},
        windowed=fields.integer_or_none("windowed") or 0,  # older
        teacher_labelled=fields.integer_or_none("teacher_labelled") or 0,  # older
        target_labelled=fields.integer_or_none("target_labelled") or 0,  # older
        seconds=fields.number("seconds"),
    )


def existing_run(path: Path) -> Path:
    """The path; RunError if it is no run folder."""
    if not (path / "run.json").is_file():
        what = "not a run folder (no run.json)"
        raise RunError(str(path), what, "Name one that `spanferry project` made")
    return path
