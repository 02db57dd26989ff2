"""What teachers say of unlabelled text."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from projection.errors import ModelError
from training.tagger.distill import answers_of, probabilities, taught

Word = Callable[..., Path]
TAGS = ("O", "B-LOC", "B-PER")


@pytest.fixture
def teacher(word_tagger: Callable[..., Path]) -> Callable[[Mapping[str, str]], Path]:
    return lambda tag_of: word_tagger(tag_of, ("B-PER", "B-LOC"))


def test_probabilities_stand_in_the_order_asked_for(teacher: Word) -> None:
    seen: list[int] = []
    model = teacher({"Anna": "B-PER", "Bern": "B-LOC"})
    sentences = [("Anna", "sah", "Bern"), (), ("Bern",)]
    found = probabilities(model, sentences, TAGS, seen.append)
    assert [each.shape for each in found] == [(3, 3), (0, 3), (1, 3)]
    assert [TAGS[i] for i in found[0].argmax(-1)] == ["B-PER", "O", "B-LOC"]
    np.testing.assert_allclose(found[0].sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(found[0][2], found[2][0], atol=1e-5)
    assert seen == [3]


def test_a_word_without_a_subword_has_no_probabilities(teacher: Word) -> None:
    (found,) = probabilities(teacher({"Anna": "B-PER"}), [("Anna", "\u200b")], TAGS)
    assert found[0].any()
    assert not found[1].any()


def test_teachers_of_other_tags_are_refused(teacher: Word) -> None:
    with pytest.raises(ModelError, match="its tags are"):
        probabilities(teacher({"Anna": "B-ORG"}), [("Anna",)], TAGS)


def test_answers_are_kept_for_who_comes_later(teacher: Word, tmp_path: Path) -> None:
    """Another process, or the same training after an interruption."""
    sentences, place = [("Anna", "sah"), ("Bern",), ("Anna",)], tmp_path / "answers"
    teachers = [teacher({"Anna": "B-PER"}), teacher({"Bern": "B-LOC", "Anna": "B-LOC"})]
    seen: list[int] = []
    first = answers_of(teachers, sentences, TAGS, place, seen.append)
    again = answers_of(teachers, sentences, TAGS, place, seen.append)
    assert seen == [3, 3]
    for one, other in zip(first, again, strict=True):
        assert [each.shape for each in one] == [(2, 3), (1, 3), (1, 3)]
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    likeliest = [[TAGS[each[0].argmax()] for each in one] for one in first]
    assert likeliest == [["B-PER", "O", "B-PER"], ["B-LOC", "B-LOC", "B-LOC"]]


class TestTaught:
    A = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]], dtype=np.float32)
    B = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0]], dtype=np.float32)

    def test_only_what_all_agree_on_counts_as_a_tag(self) -> None:
        (example,) = taught([("a", "b", "c")], [[self.A], [self.B]], TAGS)
        assert example.tags == ("O", "B-LOC", None)
        assert example.weights == (1.0, 0.0, 1.0)
        assert example.soft is self.A

    def test_one_teacher_agrees_with_itself(self) -> None:
        (example,) = taught([("a", "b", "c")], [[self.A]], TAGS)
        assert example.weights == (1.0, 1.0, 1.0)

    def test_no_sentence(self) -> None:
        assert [*taught([], [[]], TAGS)] == []
