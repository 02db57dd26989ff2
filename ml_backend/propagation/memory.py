"""What reviewers of a project have corrected, applied to new predictions of the same project.

In its own document a correction holds from the first time it was made, because there a word seldom
changes its meaning (Gale, Church & Yarowsky, 1992); elsewhere once two documents have it. Two
sentences of one are not enough: “Australia” is a team in some texts, and a country in most. A
contested correction holds nowhere.

The memory of project 5 is `5.json` in the folder of memories. Whoever reads the reviews writes it;
the backend, which may not ask Label Studio while it answers it, reads it.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from label_config.tasks import TaskView
from ml_backend.propagation.apply import prediction_corrected, shown_corrected
from ml_backend.review.corrections import (
    ENOUGH,
    Correction,
    Rules,
    Selection,
    corrections_in,
    weigh,
)
from projection.io.files import write_json
from projection.records import ProjectedSentence, ReviewedSentence
from projection.text.documents import document_of
from training.data.adjudication import decisions

log = logging.getLogger(__name__)

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """A correction that was made in so many `sentences`. It holds in `documents`; None: in all."""

    correction: Correction
    sentences: int
    documents: tuple[str, ...] | None


@dataclass(frozen=True)
class Memory:
    """The corrections of a project that hold for new predictions."""

    corrections: tuple[Remembered, ...] = ()

    @classmethod
    def of(cls, reviewed: Iterable[ReviewedSentence]) -> Self:
        """Remember what was corrected, unless it is contested or too short."""
        reviews = [*reviewed]
        made: defaultdict[Correction, set[str]] = defaultdict(set)
        for one in decisions(reviews):
            if one.judged and one.predicted is not None:
                for correction in corrections_in(one):
                    made[correction].add(document_of(one.sentence))
        found = []
        for each in weigh(reviews):
            if Selection(at_least=1).against(each) is None:
                own = tuple(sorted(made[each.correction]))
                documents = None if len(own) >= ENOUGH else own
                found.append(Remembered(each.correction, each.sentences, documents))
        return cls(tuple(found))

    def prediction(self, projected: ProjectedSentence) -> dict[str, Any]:
        """Return the prediction of a sentence, with the corrections that hold in it."""
        return prediction_corrected(projected, self._rules_for(projected), self._said_by)

    def shown(self, projected: ProjectedSentence) -> TaskView:
        """Return what a task shows of a sentence, with the corrections that hold in it."""
        return shown_corrected(projected, self._rules_for(projected), self._said_by)

    def _rules_for(self, projected: ProjectedSentence) -> Rules:
        return self._rules.get(document_of(projected.sentence), self._everywhere)

    def write(self, folder: Path, project: int) -> None:
        """Write the memory of a project, whole or not at all."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(_path(folder, project), {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read what `write` has written; raises ValueError, KeyError or TypeError if it is not."""
        if record["schema"] != SCHEMA:
            raise ValueError(f"schema {record['schema']}, not {SCHEMA}")
        found = []
        for each in record["corrections"]:
            documents = None if each["documents"] is None else tuple(each["documents"])
            correction = Correction(**each["correction"])
            found.append(Remembered(correction, each["sentences"], documents))
        return cls(tuple(found))

    @cached_property
    def _said_by(self) -> dict[Correction, int]:
        return {each.correction: each.sentences for each in self.corrections}

    @cached_property
    def _everywhere(self) -> Rules:
        return Rules(each.correction for each in self.corrections if each.documents is None)

    @cached_property
    def _rules(self) -> dict[str, Rules]:
        """The rules of each document that has some of its own."""
        documents = {name for each in self.corrections for name in each.documents or ()}
        return {
            name: Rules(
                each.correction
                for each in self.corrections
                if each.documents is None or name in each.documents
            )
            for name in documents
        }


class Memories:
    """The memories in a folder, each read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[int, tuple[tuple[int, int], Memory]] = {}

    def of(self, project: int | None) -> Memory:
        """Return the memory of a project; an empty one if there is none that can be read."""
        if project is None:
            return Memory()
        path = _path(self._folder, project)
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            known = self._read.get(project)
            if known is None or known[0] != stamp:
                known = stamp, Memory.from_json(json.loads(path.read_text("utf-8")))
                self._read[project] = known
        except FileNotFoundError:
            return Memory()
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = "%s cannot be read (%s): nothing is remembered until the next training"
            log.warning(said, path, type(error).__name__)
            return Memory()
        return known[1]


def _path(folder: Path, project: int) -> Path:
    return folder / f"{project}.json"
