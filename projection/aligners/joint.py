"""The context-joint aligner: every entity of a sentence pair found in one pass of the encoder.

Unlike the pair aligner of Li, He and Xu (2021), which is given one bare name at a time, it sees the
entities in their sentence, which tells two mentions and rival entities apart.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from projection.aligners.confidence import UNCALIBRATED, Calibration
from projection.aligners.decoding import JOINT, Decoding, saved_decoding
from projection.aligners.joint_decoding import Answer, Beliefs, answers_of, word_by_word
from projection.aligners.joint_inputs import PairInputs, Reader, batch_of, evidence_of
from projection.aligners.joint_network import BIASED_ATTENTION, JointConfig, JointModel
from projection.aligners.lexical_evidence import Lexicon
from projection.errors import ModelError
from projection.io.pharaoh import WordLinks
from projection.models.checkpoints import Checkpoint, load_checkpoint, longest_input
from projection.models.computing import Made, on_gpu
from projection.models.versions import version_of
from projection.records import ParallelSentence, Projection
from projection.text.words import word_spans, words_touched

PAIRS = 2  # batches of texts in one of pairs
LINKED = 0.2  # the least strength of a word link


class JointAligner(Checkpoint[JointModel]):
    """Finds all source entities of a sentence in its translation at once."""

    def __init__(
        self,
        model: JointModel,
        tokenizer: PreTrainedTokenizerBase,
        decoding: Decoding = JOINT,
        calibration: Calibration = UNCALIBRATED,
    ) -> None:
        super().__init__(model, tokenizer)
        if model.config.apart:
            self.batch_tokens *= PAIRS  # the network sorts their texts by length again
        self.decoding = decoding
        self.calibration = calibration
        self.lexicon = model.lexicon

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, decoding: Decoding | None = None) -> Self:
        """Load a trained joint aligner from a folder or by its name on the hub."""
        model, tokenizer = load_checkpoint(AutoModel, name_or_path)
        if not isinstance(model, JointModel):
            what = f"is a {model.config.model_type}, not a joint aligner"
            fix = "Train one on it first: spanferry aligner train --preset context-joint"
            raise ModelError(str(name_or_path), what, fix)
        where = f"{name_or_path}/config.json"
        saved = model.config.calibration
        return cls(
            on_gpu(model),
            tokenizer,
            decoding or saved_decoding(model.config.decoding, JOINT, where),
            UNCALIBRATED if saved is None else Calibration.from_json(saved, where),
        )

    @classmethod
    def from_encoder(cls, name_or_path: str | Path, lexicon: Lexicon, *, apart: bool) -> Self:
        """An untrained aligner on any encoder, to start training from.

        `apart` encodes each sentence by itself, which needs a multilingual encoder, of BERT's kind.
        """
        encoder, tokenizer = load_checkpoint(AutoModel, name_or_path)
        if apart and encoder.config.model_type not in BIASED_ATTENTION:
            what = f"a {encoder.config.model_type} cannot encode the sentences apart"
            fix = f"Choose one of {', '.join(sorted(BIASED_ATTENTION))}"
            raise ModelError(str(name_or_path), what, fix)
        config = JointConfig(
            encoder.config.to_dict(), apart=apart, lexicon_size=len(lexicon), languages=[]
        )
        model = JointModel(config)
        model.encoder.load_state_dict(encoder.state_dict(), strict=False)
        model.lexicon = lexicon
        return cls(model, tokenizer)

    def use(self, lexicon: Lexicon) -> None:
        """Take another lexicon."""
        self.model.lexicon = self.lexicon = lexicon

    @property
    def _encoder(self) -> PreTrainedModel | None:
        # Read together, the entities and the evidence come into it in single precision.
        return self.model.encoder if self.model.config.apart else None

    def _settings(self) -> dict[str, object]:
        calibration = None if self.calibration == UNCALIBRATED else self.calibration.to_json()
        return {"decoding": asdict(self.decoding), "calibration": calibration}

    def _version(self) -> str:
        settings = [asdict(self.decoding), self.calibration.to_json()]
        return version_of(self.model, self.tokenizer, settings)

    @property
    def languages(self) -> tuple[str, ...]:
        """The base languages it was trained on, sorted; empty if unknown."""
        return tuple(sorted(self.model.config.languages or ()))

    def add_languages(self, languages: Iterable[str]) -> None:
        """Add languages it was trained on; where those before are unknown, they all stay so."""
        if (known := self.model.config.languages) is not None:
            self.model.config.languages = sorted({*known, *languages})

    @cached_property
    def reader(self) -> Reader:
        """How the model reads a pair."""
        longest = longest_input(self.model.encoder, self.tokenizer)
        return Reader(self.tokenizer, longest, self.model.config.apart)

    def fits(self, sentence: ParallelSentence) -> bool:
        """Return whether both sentences can be read whole: always, if they are encoded apart."""
        return self.model.config.apart or self._inputs(sentence).is_whole

    def needs_windows(self, *texts: str) -> bool:
        """Return whether a text is too long to be read at once, and is read in windows."""
        return self.reader.needs_windows(*texts)

    def align(self, sentences: Sequence[ParallelSentence]) -> list[tuple[Projection, ...]]:
        """Find every source entity of sentences whose `entities` are known.

        Returns one tuple a sentence, with one projection an entity (several if decoded word by
        word), in order. The `target` of an entity that was not found is None.
        """
        if self.decoding.in_places:
            return [tuple(p for p, _ in answers) for answers in self.signals(sentences)]
        return self._each(sentences, lambda s, found: tuple(word_by_word(s, found, self.decoding)))

    def signals(self, sentences: Sequence[ParallelSentence]) -> list[list[Answer]]:
        """The projections of every sentence, with the signals of those that were found."""
        return self._each(
            sentences, lambda s, found: answers_of(s, found, self.decoding, self.calibration)
        )

    def links(self, sentences: Sequence[ParallelSentence]) -> list[WordLinks]:
        """The word links of sentences whose entities are their English words, one by one.

        A link counts from a strength of `LINKED` on, the geometric mean of both directions.
        """

        def linked(_sentence: ParallelSentence, beliefs: Sequence[Beliefs]) -> WordLinks:
            return frozenset(
                (i, j)
                for i, belief in enumerate(beliefs)
                for j, strength in enumerate(belief.agreed)
                if strength >= LINKED
            )

        return self._each(sentences, linked)

    def beliefs(self, sentences: Sequence[ParallelSentence]) -> list[list[Beliefs]]:
        """For each sentence, the beliefs about each of its entities."""
        return self._each(sentences, lambda _sentence, found: [*found])

    def _each(
        self,
        sentences: Sequence[ParallelSentence],
        make: Callable[[ParallelSentence, Sequence[Beliefs]], Made],
    ) -> list[Made]:
        """What is made of each sentence and the beliefs about its entities, if it has any."""
        asked = {i: self._inputs(each) for i, each in enumerate(sentences) if each.entities}

        def work(chosen: Sequence[int]) -> list[Made]:
            found = self._beliefs([asked[i] for i in chosen])
            return [make(sentences[i], beliefs) for i, beliefs in zip(chosen, found, strict=True)]

        made: dict[int, Made] = {}
        for chosen, answers in self.each_batch(asked, lambda i: len(asked[i].input_ids), work):
            made |= zip(chosen, answers, strict=True)
        return [made[i] if i in made else make(each, ()) for i, each in enumerate(sentences)]

    def _inputs(self, sentence: ParallelSentence) -> PairInputs:
        source = word_spans(sentence.source, sentence.source_lang)
        touched = [words_touched(source, entity.span) for entity in sentence.entities or ()]
        return self.reader.pair(
            (sentence.source, sentence.target),
            (sentence.source_lang, sentence.target_lang),
            [found or (0, 0) for found in touched],
        )

    @torch.inference_mode()
    def _beliefs(self, pairs: Sequence[PairInputs]) -> Iterator[list[Beliefs]]:
        grids = [evidence_of(pair, self.lexicon) for pair in pairs]
        batch = batch_of(pairs, grids, int(self.tokenizer.pad_token_id or 0))
        inputs: Any = {name: tensor.to(self.model.device) for name, tensor in batch.items()}
        output = self.model(**inputs)
        inside, agreed = output.logits.float().sigmoid(), output.agreement.float()
        first = 0
        for pair in pairs:
            units = pair.target.unit_of
            rows = slice(first, first := first + len(pair.entities))
            both = inside[rows][:, units].tolist(), agreed[rows][:, units].tolist()
            yield [Beliefs(*belief) for belief in zip(*both, strict=True)]
