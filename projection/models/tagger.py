"""Token classification: the English teacher, and target-language models fine-tuned on reviews."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from projection.errors import ModelError
from projection.models.calibration import CALIBRATION
from projection.models.checkpoint_checks import check_finite
from projection.models.checkpoints import Checkpoint, load_checkpoint, load_config, longest_input
from projection.models.computing import on_gpu
from projection.models.readings import (
    UNCALIBRATED_TAGGER,
    Reading,
    TaggerCalibration,
    readings_of,
)
from projection.models.versions import version_of
from projection.models.windows import Piece, pieces
from projection.protocols import Tagging
from projection.records import Entity
from projection.text.words import span_of_words, word_spans

OUTSIDE = "O"
_BEGINS, _CONTINUES = frozenset("BSU"), frozenset("IEL")  # IOB2, BIOES and BILOU alike


class WordTag(NamedTuple):
    """The most probable tag of a word, with its probability."""

    tag: str
    score: float


class Tagger(Checkpoint[PreTrainedModel]):
    """Labels entities in one language's text.

    `labels` maps each of the checkpoint's entity types to one of the project's (None keeps them);
    types in `suppress` are taken for O, as Li et al. (2021) do with MISC for Chinese. `calibration`
    gives the probability of an entity.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
        *,
        calibration: TaggerCalibration = UNCALIBRATED_TAGGER,
    ) -> None:
        super().__init__(model, tokenizer)
        self.tags = tags_of(model.config)
        self.renamed = label_table(self.tags, labels, suppress, str(model.config.name_or_path))
        self.calibration = calibration

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
    ) -> Self:
        """Load a token-classification checkpoint from a folder or by its name on the hub."""
        # Before the weights, so that an encoder without a head is refused for its labels.
        label_table(tags_of(load_config(name_or_path)), labels, suppress, str(name_or_path))
        model, tokenizer = load_checkpoint(
            AutoModelForTokenClassification, name_or_path, trained=True
        )
        saved, where = getattr(model.config, CALIBRATION, None), f"{name_or_path}/config.json"
        calibration = (
            UNCALIBRATED_TAGGER if saved is None else TaggerCalibration.from_json(saved, where)
        )
        return cls(on_gpu(model), tokenizer, labels, suppress, calibration=calibration)

    def _settings(self) -> dict[str, object]:
        calibrated = self.calibration != UNCALIBRATED_TAGGER
        return {CALIBRATION: self.calibration.to_json() if calibrated else None}

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types it can answer with, sorted."""
        return tuple(sorted(set(self.renamed.values())))

    def _version(self) -> str:
        as_saved = label_table(self.tags, None, (), "")
        settings: object = None if self.renamed == as_saved else self.renamed
        if self.calibration != UNCALIBRATED_TAGGER:
            settings = [settings, self.calibration.to_json()]
        return version_of(self.model, self.tokenizer, settings)

    def tag(self, texts: Sequence[str], lang: str) -> list[tuple[Entity, ...]]:
        """The entities of each text, in reading order, one tuple a text."""
        return [tagging.entities for tagging in self.tag_with_alternatives(texts, lang)]

    def tag_with_alternatives(self, texts: Sequence[str], lang: str) -> list[Tagging]:
        """The entities of each text and the likeliest others, each with its probability."""
        words = [word_spans(text, lang) for text in texts]
        tokens = [[w.of(text) for w in spans] for text, spans in zip(texts, words, strict=True)]
        taggings = []
        for spans, readings in zip(words, self.readings(tokens), strict=True):
            answers: dict[bool, list[Entity]] = {True: [], False: []}
            for start, end, label, signals, chosen in readings:
                score = self.calibration.probability(signals)
                answers[chosen].append(Entity(span_of_words(spans, start, end), label, score))
            taggings.append(Tagging(tuple(answers[True]), tuple(answers[False])))
        return taggings

    def readings(self, sentences: Sequence[Sequence[str]]) -> list[list[Reading]]:
        """The entities of sentences of words and their alternatives, with the signals of each."""
        labels = self.labels
        types = [self.renamed.get(entity_type(tag)) for tag in self.tags]
        # Tags × types: adds up the tags of one type.
        of_type = np.array([[kind == label for label in labels] for kind in types], np.float32)
        return [
            [*readings_of([*self._entities(likely.argmax(1))], labels, likely @ of_type)]
            for likely in self._word_probabilities(sentences)
        ]

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[list[WordTag]]:
        """The checkpoint's own tag of every word; words without subwords are O.

        Sentences longer than the model reads are tagged in overlapping windows.
        """
        return [
            [
                WordTag(self.tags[best], score)
                for best, score in zip(
                    likely.argmax(1).tolist(), likely.max(1).tolist(), strict=True
                )
            ]
            for likely in self._word_probabilities(sentences)
        ]

    def _word_probabilities(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """The probability of each tag of each word: words × tags, an array a sentence."""
        outside = np.array([tag == OUTSIDE for tag in self.tags], np.float32)
        goes_on = self._continued()
        answers = [np.tile(outside, (len(words), 1)) for words in sentences]
        inputs = pieces(sentences, self.tokenizer, longest_input(self.model, self.tokenizer))
        for batch, likely in self.each_batch(inputs, lambda p: p.length, self.probabilities):
            for row, piece in enumerate(batch):
                last = None
                for word, place in piece.first_subwords:
                    found = likely[row, place]
                    # A further character of a subword continues what the first one begins.
                    answers[piece.sentence][word] = found @ goes_on if place == last else found
                    last = place
        return answers

    def _continued(self) -> NDArray[np.float32]:
        """Tags × tags: the tag of the next word of the same entity, if the model has one."""
        number = {tag: i for i, tag in enumerate(self.tags)}
        continued = np.zeros((len(self.tags), len(self.tags)), np.float32)
        for i, tag in enumerate(self.tags):
            after = f"I-{entity_type(tag)}" if begins(tag) else tag
            continued[i, number.get(after, i)] = 1
        return continued

    @torch.inference_mode()
    def probabilities(self, batch: Sequence[Piece]) -> NDArray[np.float32]:
        """Probabilities of the tags: pieces × subwords of the longest piece × tags."""
        padded = self.tokenizer.pad([piece.inputs for piece in batch], return_tensors="pt")
        logits: Tensor = self.model(**padded.to(self.model.device)).logits
        return check_finite(logits.float().softmax(-1), self.model).cpu().numpy()

    def _entities(self, best: NDArray[np.intp]) -> Iterator[tuple[int, int, str]]:
        """Runs of words of one type, (start, end, type), by the number of each word's best tag.

        An I- that continues nothing begins an entity.
        """
        start, label = 0, None
        for i, tag in enumerate([*(self.tags[number] for number in best.tolist()), OUTSIDE]):
            found = self.renamed.get(entity_type(tag))
            if label is not None and (found != label or begins(tag)):
                yield start, i, label
                label = None
            if found is not None and label is None:
                start, label = i, found


def tags_of(config: PreTrainedConfig) -> list[str]:
    """The tags of a token classifier by number; ModelError unless there is one for each."""
    id2label = cast("dict[int, object]", config.id2label or {})
    tags = [id2label.get(i) for i in range(len(id2label))]
    if not all(isinstance(tag, str) and entity_type(tag) for tag in tags):
        what = f"id2label is no table of the labels 0 to {len(tags) - 1}"
        raise ModelError(str(config.name_or_path), what, "Train or download it again")
    return cast("list[str]", tags)


def entity_type(tag: str) -> str:
    """`PER` of `B-PER`, `I-PER` or `PER`."""
    prefix, dash, kind = tag.partition("-")
    return kind if dash and prefix in _BEGINS | _CONTINUES else tag


def begins(tag: str) -> bool:
    """Return whether a tag begins an entity: `B-PER` does, `BRAND` and `I-PER` do not."""
    prefix, dash, _ = tag.partition("-")
    return bool(dash) and prefix in _BEGINS


def label_table(
    tags: Iterable[str], labels: Mapping[str, str] | None, suppress: Collection[str], where: str
) -> dict[str, str]:
    """The project's type for each of the checkpoint's; suppressed ones are left out.

    Raises ModelError if a type is neither mapped nor suppressed, or is named but unknown; or if
    there is no O, as in the default labels of an encoder that was never trained to tag.
    """
    kinds = {entity_type(tag) for tag in tags}
    if OUTSIDE not in kinds:
        what = f"its labels are {', '.join(sorted(kinds))}, without an {OUTSIDE}"
        raise ModelError(where, what, "Give a checkpoint fine-tuned for named entities")
    types = sorted(kinds - {OUTSIDE})
    table = dict(labels) if labels is not None else {kind: kind for kind in types}
    if missing := [kind for kind in types if kind not in table and kind not in suppress]:
        what = f"the label table says nothing of {', '.join(missing)}"
        raise ModelError(where, what, "Map each to one of your labels, or suppress it")
    if unknown := sorted(({*table} | {*suppress}) - {*types} - {*table.values()}):
        what = f"has no entity type {', '.join(unknown)}"
        raise ModelError(where, what, f"Its types are {', '.join(types)}")
    return {k: table[k] for k in types if k not in suppress and table[k] not in suppress}
