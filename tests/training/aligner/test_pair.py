"""What a pair aligner is trained on: names, sentences, and a label for every token."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from projection.records import Span
from training.aligner.pair import IGNORED, PairExample, encode, pair_examples
from training.aligner.silver import SilverSentence


def silver(number: int) -> SilverSentence:
    """A sentence whose one name no other has."""
    name = f"Anna{number:03}"
    return SilverSentence(f"{name} left", f"dann ging {name}", "de", ((Span(0, 7), Span(10, 17)),))


def examples_of(
    silver: Iterable[SilverSentence], *args: Any, **settings: Any
) -> Iterator[PairExample]:
    return (example for _, example in pair_examples(silver, *args, **settings))


class TestExamples:
    def test_every_name_with_all_its_places(self) -> None:
        text = "Anna saw Anna in Bern"
        spans = (Span(0, 4), Span(9, 13), Span(17, 21))
        sentence = SilverSentence(text, text, "de", tuple((span, span) for span in spans))
        assert list(examples_of([sentence], negatives=0, seed=0)) == [
            PairExample("Anna", text, (spans[0], spans[1])),
            PairExample("Bern", text, (spans[2],)),
        ]

    def test_no_negatives_if_none_are_wanted(self) -> None:
        examples = list(examples_of(map(silver, range(50)), negatives=0, seed=0))
        assert len(examples) == 50
        assert all(example.spans for example in examples)

    def test_as_many_negatives_as_asked_for(self) -> None:
        """The paper's 25 per cent are of all examples."""
        examples = list(examples_of(map(silver, range(900)), negatives=0.25, seed=0))
        absent = sum(not example.spans for example in examples)
        assert absent / len(examples) == pytest.approx(0.25, abs=0.03)

    def test_a_negative_is_a_name_of_an_earlier_sentence_that_is_not_in_this_one(self) -> None:
        seen = Counter[str]()
        for example in examples_of(map(silver, range(200)), negatives=0.5, seed=1):
            if example.spans:
                seen[example.name] += 1
            else:
                assert seen[example.name]
                assert example.name not in example.target

    def test_a_name_that_is_part_of_the_source_is_no_negative(self) -> None:
        """However it is written: the translation may well hold it."""
        shouted = SilverSentence("ANNA left", "ANNA ging", "de", ((Span(0, 4), Span(0, 4)),))
        quiet = SilverSentence("Anna left", "Anna ging", "de", ((Span(0, 4), Span(0, 4)),))
        examples = list(examples_of([quiet, shouted] * 50, negatives=0.9, seed=0))
        assert all(example.spans for example in examples)

    def test_the_same_seed_asks_the_same(self) -> None:
        first, again, other = (
            list(examples_of(map(silver, range(100)), 0.25, seed)) for seed in (1, 1, 2)
        )
        assert first == again != other

    def test_another_entity_of_the_same_sentence_is_no_negative(self) -> None:
        """Its translation is in the sentence: there is something to find."""
        text = "Anna saw Bern"
        spans = (Span(0, 4), Span(9, 13))
        sentence = SilverSentence(text, text, "de", tuple((span, span) for span in spans))
        examples = list(examples_of([sentence] * 50, negatives=0.9, seed=0))
        assert all(example.spans for example in examples)

    def test_so_many_samples_of_each_language_negatives_included(self) -> None:
        mixed = [replace(silver(i), lang=("de", "es")[i % 2]) for i in range(400)]
        examples = list(examples_of(mixed, negatives=0.25, seed=0, per_language=60))
        assert len(examples) == 120
        assert 0.1 < sum(not example.spans for example in examples) / 120 < 0.4
        few = [*map(silver, range(10)), replace(silver(11), lang="es")]
        assert len(list(examples_of(few, 0, 0, per_language=60))) == 11

    def test_a_trusted_sentence_is_read_as_often_as_it_counts(self) -> None:
        trusted = replace(silver(1), weight=5.0)
        assert len(list(examples_of([trusted, silver(2)], negatives=0, seed=0))) == 6
        doubtful = replace(silver(1), weight=0.2)
        assert len(list(examples_of([doubtful], negatives=0, seed=0))) == 1


class TestEncode:
    def labelled(
        self, tokenizer: PreTrainedTokenizerFast, example: PairExample, limit: int = 160
    ) -> list[tuple[str, int]]:
        encoded = encode(example, tokenizer, limit)
        tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
        return list(zip(tokens, encoded["labels"], strict=True))

    def test_only_the_target_sentence_is_labelled(
        self, word_tokenizer: PreTrainedTokenizerFast
    ) -> None:
        example = PairExample("Anna Weber", "das sah Anna Weber", (Span(8, 18),))
        assert self.labelled(word_tokenizer, example) == [
            ("[CLS]", IGNORED),
            ("Anna", IGNORED),
            ("Weber", IGNORED),
            ("[SEP]", IGNORED),
            ("das", 0),
            ("sah", 0),
            ("Anna", 1),
            ("Weber", 1),
            ("[SEP]", IGNORED),
        ]

    @pytest.mark.parametrize(
        ("target", "spans", "inside"),
        [
            pytest.param("Anna sah Anna", (Span(0, 4), Span(9, 13)), ["Anna", "Anna"], id="twice"),
            pytest.param("sah das", (), [], id="nowhere"),
            pytest.param("🎉 Anna", (Span(2, 6),), ["Anna"], id="after an emoji"),
            pytest.param("Zoe\u0308 sah", (Span(0, 4),), ["Zoë"], id="decomposed letters"),
            pytest.param("去柏林了", (Span(1, 3),), ["柏", "林"], id="Chinese"),
            pytest.param(
                "Europaparlament", (Span(0, 6),), ["Europa"], id="part of a word: its pieces"
            ),
        ],
    )
    def test_tokens_inside_a_span(
        self,
        word_tokenizer: PreTrainedTokenizerFast,
        target: str,
        spans: tuple[Span, ...],
        inside: list[str],
    ) -> None:
        labelled = self.labelled(word_tokenizer, PairExample("Anna", target, spans))
        assert [token for token, label in labelled if label == 1] == inside

    def test_what_is_too_long_is_cut(self, word_tokenizer: PreTrainedTokenizerFast) -> None:
        example = PairExample("Anna", "sah " * 50 + "Anna", (Span(200, 204),))
        labelled = self.labelled(word_tokenizer, example, limit=20)
        assert len(labelled) == 20
        assert {label for _, label in labelled} == {IGNORED, 0}
