"""Tagged sentences to train on: tokens, IOB2 tags, and where they came from."""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from projection.errors import TrainingError
from projection.io.records_json import Json
from projection.languages import language_tag
from projection.records import ReviewedSentence
from projection.text.iob2 import (
    MASKED,
    OUTSIDE,
    TYPES,
    Misfit,
    TaggedSentence,
    encode,
    labels_of,
    tag_names,
)

GOLD = "gold"  # the status of sentences that came without one
PROJECTED = "projected"  # the status of a sentence nobody has looked at
UNREVIEWED = frozenset({PROJECTED, "unseen"})
UNDETERMINED = "und"  # an unknown language, in BCP 47
UNKNOWN = "unknown"  # a label's origin, in exports that did not keep it
CORPORA_NAMED = 20


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Entity types renamed by `rename`, then ignored by `ignore` (shell patterns: `*deriv`)."""

    rename: Mapping[str, str]
    ignore: tuple[str, ...] = ()

    @classmethod
    def parse(cls, renames: Iterable[str] | None, ignore: Iterable[str] | None) -> Self:
        """Read `OLD=NEW` texts; raises TrainingError at a text that is not of that form."""
        pairs = {}
        for text in renames or ():
            old, _, new = map(str.strip, text.partition("="))
            if not (old and new):
                raise TrainingError(f"--map-label {text}", "is not OLD=NEW", "Such as OTH=MISC")
            pairs[old] = new
        return cls(pairs, tuple(ignore or ()))

    def label(self, label: str) -> str | None:
        """Return the type to use for `label`, or None if it is ignored."""
        label = self.rename.get(label, label)
        return None if any(fnmatchcase(label, pattern) for pattern in self.ignore) else label

    def tags(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return `tags` with their types mapped; ignored types become `O`."""
        mapped = []
        for tag in tags:
            if tag == MASKED:
                mapped.append(tag)
                continue
            prefix, _, label = tag.partition("-")
            kept = self.label(label) if label else None
            mapped.append(f"{prefix}-{kept}" if kept else OUTSIDE)
        return tuple(mapped)


AS_IS = LabelMap({})


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence to train on: parallel tokens and IOB2 tags, and where they came from.

    `label_origin` is parallel to both: the `LabelOrigin` of the entity a token is in, "" outside;
    empty if unknown for all. `confidence` is parallel, too: the probability that the entity a token
    is in is right, 1 outside; empty where nothing was projected. `margin` is the corpus's score of
    how parallel the sentence and its source are. `types` are the entity types its annotators looked
    for: `O` means none of these (empty: all types). A tag may be `MASKED`. `lang` is normalised;
    LanguageTagError if it is no language tag.
    """

    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    lang: str = UNDETERMINED
    status: str = GOLD
    annotator: str = ""
    model_version: str = ""
    origin: str = ""
    label_origin: tuple[str, ...] = ()
    confidence: tuple[float, ...] = ()
    margin: float | None = None
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        tag = language_tag(self.lang, f"{self.origin or self.id} lang")
        object.__setattr__(self, "lang", tag)

    @property
    def tagged(self) -> TaggedSentence:
        """The sentence for an IOB2 file; id, language, status, types and origins are comments.

        Raises TrainingError if the name of a type looked for holds white space.
        """
        comments = {"sent_id": self.id, "lang": self.lang, "status": self.status}
        if self.types:
            comments[TYPES] = " ".join(self.types)
            if len(comments[TYPES].split()) != len(self.types):
                what = f"the types looked for hold white space: {', '.join(self.types)}"
                raise TrainingError(self.id, what, "Rename them with --map-label")
        if self.entity_origins:
            comments["label_origin"] = " ".join(self.entity_origins)
        return TaggedSentence(self.tokens, self.tags, comments=comments)

    @property
    def origins(self) -> tuple[str, ...]:
        """`label_origin`, one a token even where it is unknown."""
        return self.label_origin or ("",) * len(self.tokens)

    @property
    def entity_origins(self) -> list[str]:
        """`label_origin` of each entity, `unknown` where it is not known."""
        origins = zip(self.tags, self.origins, strict=True)
        return [origin or UNKNOWN for tag, origin in origins if tag.startswith("B-")]

    @property
    def corpus(self) -> str:
        """The file the sentence comes from: its origin without the line."""
        return self.origin.rpartition(":")[0] or self.origin

    @property
    def has_entity(self) -> bool:
        """True if any token is in an entity."""
        return any(tag not in (OUTSIDE, MASKED) for tag in self.tags)

    @property
    def is_reviewed(self) -> bool:
        """True if people or gold stand behind the labels."""
        return self.status not in UNREVIEWED

    @property
    def text_key(self) -> str:
        """The sentence in NFC without white space: equal in all tokenisations."""
        return unicodedata.normalize("NFC", "".join("".join(self.tokens).split()))

    def mapped(self, labels: LabelMap) -> Self:
        """Return the sentence with its types renamed and ignored.

        If only ignored types were looked for, nothing is known of the tokens outside entities.
        """
        tags = labels.tags(self.tags)
        types = tuple(dict.fromkeys(new for old in self.types if (new := labels.label(old))))
        if self.types and not types:
            tags = tuple(MASKED if tag == OUTSIDE else tag for tag in tags)
        return replace(self.with_tags(tags), types=types)

    def with_tags(self, tags: tuple[str, ...]) -> Self:
        """Return the sentence with these tags; outside entities there is no origin and no doubt."""
        outside = [tag in (OUTSIDE, MASKED) for tag in tags]
        origins = ("" if out else each for out, each in zip(outside, self.origins, strict=True))
        sure = (1.0 if out else each for out, each in zip(outside, self.confidence, strict=False))
        return replace(
            self,
            tags=tags,
            label_origin=tuple(origins) if self.label_origin else (),
            confidence=tuple(sure),
        )


def row_of(review: ReviewedSentence) -> tuple[Row, tuple[Misfit, ...]]:
    """Convert a review to a row, possibly without tokens, and what IOB2 could not hold of it."""
    pair = review.sentence
    encoded = encode(pair.target, review.entities, pair.target_lang)
    origins = [each.origin.value for each in review.provenance] or [UNKNOWN] * len(review.entities)
    of_tokens = tuple("" if owner is None else origins[owner] for owner in encoded.owners)
    row = Row(
        id=pair.id,
        tokens=encoded.tokens,
        tags=encoded.tags,
        lang=pair.target_lang,
        status=review.status.value,
        annotator=review.annotator,
        model_version=review.model_version or "",
        origin=pair.origin,
        label_origin=of_tokens if any(of_tokens) else (),
    )
    return row, encoded.misfits


@dataclass(frozen=True, slots=True)
class Rows:
    """Sentences, and the sorted entity types they are annotated for, used or not."""

    rows: tuple[Row, ...] = ()
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Row], labels: Iterable[str] = ()) -> Self:
        """Collect rows; `labels` adds types that no row may use."""
        found = tuple(rows)
        used = labels_of(tag for row in found for tag in row.tags)
        looked_for = (label for row in found for label in row.types)
        return cls(found, tuple(sorted({*labels, *used, *looked_for})))

    @classmethod
    def joined(cls, *parts: Self) -> Self:
        """Join several, in order, with the types of all."""
        labels = {label for part in parts for label in part.labels}
        return cls(tuple(row for part in parts for row in part), tuple(sorted(labels)))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The IOB2 tags of `labels`, `O` first."""
        return tuple(tag_names(self.labels))

    @property
    def languages(self) -> list[str]:
        """The languages of the sentences, sorted."""
        return sorted({row.lang for row in self.rows})

    @property
    def fingerprint(self) -> str:
        """A hash of all that is learned from, in order: equal data trains equal models."""
        digest = hashlib.sha256()
        for row in self.rows:
            learned: list[object] = [row.tokens, row.tags]
            if row.confidence or row.margin is not None:
                learned += [row.confidence, row.margin]
            if row.types:
                learned.append({TYPES: sorted(row.types)})
            digest.update(json.dumps(learned, ensure_ascii=False).encode())
        return digest.hexdigest()[:16]

    def filter(self, keep: Callable[[Row], bool]) -> Self:
        """Return the sentences that `keep` accepts, annotated for the same types."""
        return replace(self, rows=tuple(row for row in self.rows if keep(row)))

    def mapped(self, labels: LabelMap) -> Self:
        """Return the sentences with their types renamed and ignored."""
        mapped = (labels.label(label) for label in self.labels)
        return self.of((row.mapped(labels) for row in self.rows), (each for each in mapped if each))

    def in_language(self, lang: str) -> Self:
        """Return the sentences with `lang` set where the language is undetermined."""
        rows = (replace(r, lang=lang) if r.lang == UNDETERMINED else r for r in self.rows)
        return replace(self, rows=tuple(rows))

    def describe(self) -> Json:
        """Return size, languages, largest corpus files (by name only) and hash, for a record."""
        corpora = Counter(Path(row.corpus).name for row in self.rows)
        return {
            "fingerprint": self.fingerprint,
            "sentences": len(self.rows),
            "entities": sum(tag.startswith("B-") for row in self.rows for tag in row.tags),
            "languages": self.languages,
            "corpora": dict(corpora.most_common(CORPORA_NAMED)),
        }


NO_ROWS = Rows()
