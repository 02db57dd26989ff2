"""What is corrected and added most often."""

from ml_backend.report.acceptance import with_entries
from ml_backend.report.corrections import most_added, most_corrected
from projection.records import Entity, Span
from tests.ml_backend.reviews import ALL, ANNA, BERN, RIGHT, WEBER, review


def test_phrases_are_counted_with_what_they_became() -> None:
    made = with_entries(
        [
            review(ALL, RIGHT),
            review(ALL, RIGHT, number=2),
            review(ALL, [ANNA, BERN], number=3),
            review(ALL, ALL, number=4),
            review([WEBER], [ANNA], number=5),
        ]
    )
    siemens, weber = most_corrected(made)
    assert (siemens["text"], siemens["label"], siemens["lang"]) == ("Siemens", "LOC", "de")
    assert (siemens["proposed"], siemens["corrected"]) == (4, 3)
    assert siemens["became"] == [
        {"change": "relabelled", "text": "Siemens", "label": "ORG", "times": 2},
        {"change": "deleted", "text": "", "label": "", "times": 1},
    ]
    assert weber["text"] == "Weber"
    assert weber["became"] == [
        {"change": "border_moved", "text": "Anna Weber", "label": "PER", "times": 1}
    ]
    assert most_corrected(made, most=1) == [siemens]


def test_phrases_are_the_same_in_every_normal_form() -> None:
    one = review([Entity(Span(0, 3), "LOC", 0.5)], [], target="Köl")
    other = review([Entity(Span(0, 4), "LOC", 0.5)], [], target="Ko\u0308l", number=2)
    [found] = most_corrected(with_entries([one, other]))
    assert found["corrected"] == 2


def test_what_was_added_where_nothing_was_proposed() -> None:
    made = with_entries([review([], [BERN]), review([], [BERN], number=2), review(None, [ANNA])])
    [found] = most_added(made)
    assert found == {"text": "Bern", "label": "LOC", "lang": "de", "count": 2}
