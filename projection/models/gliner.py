"""GLiNER checkpoints (Zaratiana et al., NAACL 2024): entities of types that are named in words."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from huggingface_hub import snapshot_download
from safetensors import safe_open

from projection.errors import ModelError
from projection.models.checkpoint_checks import NEEDS_CODE
from projection.models.checkpoints import loading
from projection.models.computing import on_gpu
from projection.models.tagger import OUTSIDE, label_table
from projection.models.versions import version_of
from projection.models.windows import windows
from projection.protocols import Tagging
from projection.records import Entity, Span

CONFIG, WEIGHTS = "gliner_config.json", "model.safetensors"
_FILES = ("*.json", WEIGHTS, "*.txt", "*.model")  # no others are downloaded
CHOSEN = 0.5  # GLiNER's own threshold
NEAR = 0.3  # from here to CHOSEN, what it finds are alternatives
LEAST_ROOM = 32  # subwords of text
# What shapes an answer beside the weights.
_SETTINGS = ("max_len", "max_width", "span_mode", "subtoken_pooling", "words_splitter_type")
# GLiNER's classes that find entities and nothing else.
_KINDS = {f"{n}Encoder{kind}GLiNER" for n in ("Uni", "Bi") for kind in ("Span", "Token")}
_FIX = (
    "Save it on a machine where you trust it: "
    "GLiNER.from_pretrained(NAME).save_pretrained(FOLDER, safe_serialization=True)"
)


class _Part(NamedTuple):
    """A part of text `number` that is read at once; entities that begin in `owned` are its own."""

    number: int
    offset: int
    text: str
    owned: Span


class GlinerTagger:
    """Labels entities of `types`, words such as `drug`, which GLiNER reads beside the text.

    `labels` maps each type to one of the project's (None keeps them); types in `suppress` are
    looked for and left out. Scores are GLiNER's, and not calibrated. Texts that it cannot read at
    once are read in overlapping windows.
    """

    def __init__(
        self,
        model: Any,  # of gliner, which is an extra and has no types
        types: Sequence[str],
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
        *,
        batch_size: int = 32,
    ) -> None:
        self.model = model.eval()
        self.types = tuple(types)
        self.renamed = label_table([OUTSIDE, *types], labels, suppress, "entity types")
        self.batch_size = batch_size
        self.tokenizer = model.data_processor.transformer_tokenizer
        self.room = self._room()

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        types: Sequence[str],
        labels: Mapping[str, str] | None = None,
        suppress: Collection[str] = (),
    ) -> Self:
        """Load a GLiNER checkpoint with safetensors from a folder or by its name on the hub."""
        where = str(name_or_path)
        with loading(where, CONFIG):
            folder = Path(where)
            if not folder.is_dir():
                folder = Path(snapshot_download(where, allow_patterns=[*_FILES]))
            _check_files(folder, where)
            from gliner import GLiNER  # noqa: PLC0415  an extra

            model = GLiNER.from_pretrained(str(folder), local_files_only=True)
            _check_model(model, folder / WEIGHTS, where)
        return cls(on_gpu(model), types, labels, suppress)

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types it can answer with, sorted."""
        return tuple(sorted(set(self.renamed.values())))

    @property
    def version(self) -> str:
        """A hash of weights, settings, types and labels: changes whenever an answer could."""
        settings = [getattr(self.model.config, name) for name in _SETTINGS]
        kind = type(self.model).__name__
        parts = [kind, settings, self.room, self.types, self.renamed, CHOSEN, NEAR]
        return version_of(self.model, self.tokenizer, parts)

    def tag(self, texts: Sequence[str], lang: str) -> list[tuple[Entity, ...]]:
        """The entities of each text, in reading order, one tuple a text."""
        return [tagging.entities for tagging in self.tag_with_alternatives(texts, lang)]

    def tag_with_alternatives(self, texts: Sequence[str], lang: str) -> list[Tagging]:  # noqa: ARG002
        """The entities of each text, and phrases that it holds for entities with a low score."""
        parts = [part for number, text in enumerate(texts) for part in self._parts(number, text)]
        parts.sort(key=lambda part: len(part.text))  # less padding in a batch
        answers = self.model.inference(
            [part.text for part in parts],
            [*self.types],
            threshold=NEAR,
            batch_size=self.batch_size,
        )
        found: list[list[Entity]] = [[] for _ in texts]
        for part, answer in zip(parts, answers, strict=True):
            for each in answer:
                span = Span(part.offset + each["start"], part.offset + each["end"])
                if part.owned.start <= span.start < part.owned.end:
                    found[part.number].append(Entity(span, each["label"], each["score"]))
        return [self._tagging(entities) for entities in found]

    def _tagging(self, found: Iterable[Entity]) -> Tagging:
        """The best entities that share no words, as GLiNER chooses them, under our labels."""
        apart: list[Entity] = []
        for entity in sorted(found, key=lambda each: (-_score(each), each.span)):
            if not any(entity.span.overlaps(other.span) for other in apart):
                apart.append(entity)
        answers: dict[bool, list[Entity]] = {True: [], False: []}
        for entity in sorted(apart, key=lambda each: each.span):
            if (label := self.renamed.get(entity.label)) is not None:
                named = Entity(entity.span, label, entity.score)
                answers[_score(entity) > CHOSEN].append(named)
        return Tagging(tuple(answers[True]), tuple(answers[False]))

    def _parts(self, number: int, text: str) -> Iterator[_Part]:
        """Yield what is read of a text at once: all of it, or windows of whole words."""
        words = [(start, end) for _, start, end in self.model.data_processor.words_splitter(text)]
        sizes = self._sizes([text[start:end] for start, end in words])
        for start, end, tag_start, tag_end in windows(sizes, self.room, context=self.room // 4):
            first, last = words[start][0], words[end - 1][1]
            owned = Span(words[tag_start][0], words[tag_end - 1][1])
            yield _Part(number, first, text[first:last], owned)

    def _sizes(self, words: Sequence[str]) -> list[int]:
        """The subwords of each word; one that has none still takes a place."""
        encoding = self.tokenizer(
            [*words], is_split_into_words=True, add_special_tokens=False, verbose=False
        )
        subwords = Counter(encoding.word_ids())
        return [max(1, subwords[i]) for i in range(len(words))]

    def _room(self) -> int:
        """The subwords of text that are read at once beside the types; at most `max_len` words."""
        config = self.model.config
        encoder = config.encoder_config
        longest = self.tokenizer.model_max_length
        if (positions := getattr(encoder, "max_position_embeddings", None)) is not None:
            # RoBERTa counts from after its padding index.
            longest = min(longest, positions - (encoder.pad_token_id or 0) - 1)
        self.tokenizer.model_max_length = longest
        prompt: list[str] = []
        if not getattr(config, "labels_encoder", None):  # which reads the types by itself
            prompt = [part for each in self.types for part in (config.ent_token, each)]
        taken = len(self.tokenizer([*prompt, config.sep_token], is_split_into_words=True)[0])
        room = min(config.max_len, longest - taken)
        if room < LEAST_ROOM:
            what = f"{len(self.types)} of them take {taken} of the {longest} subwords it reads"
            raise ModelError("entity types", what, "Name fewer, or shorter ones")
        return int(room)


def _score(entity: Entity) -> float:
    return entity.score or 0.0


def _check_files(folder: Path, where: str) -> None:
    """Raise ModelError unless a folder has all of a checkpoint: no pickles, no code."""
    if not (folder / WEIGHTS).is_file():
        what = "has no safetensors weights, and pickled ones are never loaded"
        raise ModelError(where, what, _FIX)
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    parts = ["encoder_config", *(["labels_encoder_config"] if config.get("labels_encoder") else [])]
    tokenizer = (folder / "tokenizer_config.json").is_file()
    if not (tokenizer and all(config.get(part) for part in parts)):
        raise ModelError(where, "needs parts of another checkpoint", _FIX)
    # GLiNER lets transformers run what this names.
    if any(_names_code(json.loads(f.read_text("utf-8"))) for f in folder.rglob("*config.json")):
        raise ModelError(where, *NEEDS_CODE)


def _names_code(value: object) -> bool:
    """Return whether a configuration has an `auto_map`, at any depth."""
    if isinstance(value, dict):
        return "auto_map" in value or any(map(_names_code, value.values()))
    return isinstance(value, list) and any(map(_names_code, value))


def _check_model(model: Any, weights: Path, where: str) -> None:
    """Raise ModelError if a model was made for another task, or its weights are not all there."""
    if (kind := type(model).__name__) not in _KINDS:
        raise ModelError(
            where, f"is a {kind}, which does more than find entities", "Choose another"
        )
    with safe_open(weights, framework="pt") as file:
        saved = {*file.keys(), *(file.metadata() or {})}
    if lost := model.model.state_dict().keys() - saved:
        what = f"{len(lost)} of its weights are missing ({min(lost)})"
        raise ModelError(where, what, "Copy or download the whole folder again")
    if not all(bool(part.isfinite().all()) for part in model.parameters()):
        what = "its weights are not all numbers (NaN)"
        raise ModelError(where, what, "They are damaged: download or train it again")
