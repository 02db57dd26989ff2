"""What the rows of an experiment learn from in one language, and what they are judged on."""

from collections.abc import Mapping
from functools import cached_property

from projection.errors import TrainingError
from training.data.rows import Rows
from training.experiments.config import Corpus, DataConfig, Language
from training.experiments.definition import Reads, Row
from training.experiments.reviewing import Pool, Reviews, read_pool
from training.experiments.sources import read_labelled, read_pseudo, read_unlabelled
from training.tagger.presets import Draw, Part, Preset
from training.tagger.sampling import drawn
from training.tagger.training_data import TrainingData
from training.trainer.trainer import OnProgress


class LanguageData:
    """The data of a language, each part read once and when it is needed.

    Args:
        reads: which sentences of the language are learned from.
        config: names the data.
        language: of it.
        scored: how many sentences of the test data, None for all.
        on_progress: hears of what is projected.
    """

    def __init__(
        self,
        reads: Reads,
        config: DataConfig,
        language: Language,
        scored: int | None,
        on_progress: OnProgress,
    ) -> None:
        self.reads, self.config, self.language = reads, config, language
        self.scored, self.on_progress = scored, on_progress
        self.lang, self.labels = language.lang, config.labels
        self._read: dict[str, Rows] = {}

    def reason_against(self, row: Row, preset: Preset) -> str | None:
        """Why the row cannot be run on these data; None if it can."""
        if row.pseudo is not None and row.pseudo not in self._corpora:
            return f"{self.lang} has no {row.pseudo}"
        if row.sentences is not None:
            found = drawn(self._pseudo(row).rows, _pseudo_draw(preset), 0)
            if len(found) < row.sentences:
                return f"the data give only {len(found):,} sentences"
        return None

    def check(self, row: Row) -> None:
        """Read what the row needs.

        Raises:
            SpanferryError: if something cannot be read, or there is no test data.
        """
        self.training(row, 0)
        _ = self.test

    def training(self, row: Row, seed: int) -> tuple[TrainingData, Reviews | None]:
        """What a row learns from, and what simulated people did."""
        reviews = None if row.reviewed is None else self._pool.review(row.reviewed, seed)
        pseudo = self._pseudo(row) if reviews is None else reviews.pseudo
        return TrainingData(
            english=self._english or Rows(),
            pseudo=pseudo,
            reviewed=Rows() if reviews is None else reviews.reviewed,
            unlabelled=self._unlabelled or Rows(),
            dev=self._dev,
            lang=self.lang,
        ), reviews

    @cached_property
    def test(self) -> Rows:
        """What rows are judged on."""
        if self.reads is Reads.REVIEWS and self._held_out is not None:
            found: Rows | None = self._held_out
        else:
            found = read_labelled(self.language.test, self.lang, self.labels, "test")
        if found is None:
            fix = 'Add test = "FILE"'
            raise TrainingError(
                f"{self.config.file} languages.{self.lang} test", "no test data", fix
            )
        return Rows(found.rows[: self.scored], found.labels)

    @property
    def _corpora(self) -> Mapping[str, Corpus]:
        teachers = self.reads is Reads.TEACHERS
        return self.language.teachers if teachers else self.language.corpora

    def _pseudo(self, row: Row) -> Rows:
        return self._together if row.pseudo is None else self._corpus(row.pseudo)

    @cached_property
    def _together(self) -> Rows:
        found = Rows.joined(*map(self._corpus, self._corpora))
        if not self._corpora:
            where = f"{self.config.file} languages.{self.lang} corpora"
            raise TrainingError(where, "none is named", 'Such as news = "runs/news-de"')
        return found

    def _corpus(self, name: str) -> Rows:
        if name not in self._read:
            self._read[name] = read_pseudo(
                self._corpora[name], self.lang, self.labels, self.config.projected, self.on_progress
            )
        return self._read[name]

    @cached_property
    def _english(self) -> Rows | None:
        return read_labelled(self.config.english, "en", self.labels)

    @cached_property
    def _dev(self) -> Rows | None:
        return read_labelled(self.language.dev, self.lang, self.labels, "validation")

    @cached_property
    def _unlabelled(self) -> Rows | None:
        return read_unlabelled(self.language.unlabelled, self.lang)

    @cached_property
    def _reviewable(self) -> tuple[Pool, Rows | None]:
        return read_pool(self.language, self.labels, self.config.projected, self.on_progress)

    @property
    def _pool(self) -> Pool:
        return self._reviewable[0]

    @property
    def _held_out(self) -> Rows | None:
        return self._reviewable[1]


def _pseudo_draw(preset: Preset) -> Draw:
    uses = [use for stage in preset.stages for use in stage.uses if use.part is Part.PSEUDO]
    return uses[0].draw if uses else Draw()
