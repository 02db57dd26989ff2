"""The report on an audit, from tasks as Label Studio exports them."""

import json

import pytest

from ml_backend.audit.estimates import NOT_KNOWN, ThresholdVerdict
from ml_backend.audit.sample import audit_of
from projection.errors import ReviewError
from projection.records import (
    Entity,
    ReviewStatus,
)
from tests.ml_backend.audit.tasks import (
    ANNA,
    BONN,
    LOC,
    PER,
    VERSION,
    Task,
    carried_over,
    draw,
    predicted_again,
    report,
    review_all,
    reviewed,
    task,
)


def test_a_sample_that_is_right_shows_a_threshold() -> None:
    tasks = [task(n, (0.85, 0.99)[n % 2]) for n in range(2000)]
    found = report(review_all(draw(tasks, 200)))

    assert (found.drawn, found.reviewed, found.waiting, found.remaining) == (200, 200, 0, 1800)
    assert found.entities == 3600
    assert (found.precision.value, found.recall.value) == (1.0, 1.0)
    assert found.precision.low > 0.97
    assert found.accepted is not None
    assert found.accepted.threshold == 0.8
    assert (found.accepted.tasks, found.accepted.entities) == (1800, 3600)
    assert list(found.notes()) == []
    assert [(s.name, s.size, s.drawn, s.reviewed, s.right) for s in found.strata] == [
        ("de 0.98–1", 1000, 100, 100, 200),
        ("de 0.8–0.9", 1000, 100, 100, 200),
    ]


def test_a_band_of_many_errors_is_not_recommended() -> None:
    tasks = [task(n, (0.85, 0.99)[n % 2]) for n in range(2000)]
    drawn = draw(tasks, 300)
    unsure = [n for n, each in enumerate(t for t in drawn if audit_of(t)) if not each["id"] % 2]

    found = report(review_all(drawn, unsure[:40]))

    assert found.precision.value == pytest.approx(1 - 40 / 600)
    assert found.recall.value == found.precision.value
    assert [test.verdict for test in found.thresholds] == [
        ThresholdVerdict.HOLDS,
        ThresholdVerdict.FAILS,
    ]
    assert found.accepted is not None
    assert found.accepted.threshold == 0.98
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["threshold"] == 0.98
    assert written["above_threshold"] == {"tasks": 850, "entities": 1700}
    assert written["precision"]["low"] < written["precision"]["value"]
    assert written["thresholds"][1]["verdict"] == "fails"
    assert "Learn then Test" in written["method"]


def test_a_half_reviewed_sample_says_so_and_which_strata_are_thin(corpus: list[Task]) -> None:
    drawn = draw(corpus, 30)
    in_german = [reviewed(t) if audit_of(t) and t["data"]["lang"] == "de" else t for t in drawn]

    found = report(in_german)

    assert (found.reviewed, found.waiting) == (10, 20)
    notes = "\n".join(found.notes())
    assert "20 of the sample not reviewed yet: the figures are preliminary" in notes
    assert "nl 0.8–0.9" in notes
    assert "takes at least 59 reviewed sentences" in notes
    assert [test.verdict for test in found.thresholds] == [ThresholdVerdict.NOT_TESTED] * 2
    assert "nothing reviewed of nl 0.98–1, zh-Hans 0.98–1" in found.thresholds[0].reason
    assert found.remaining == 90 - 10


def test_nothing_reviewed_yet_is_no_figure(corpus: list[Task]) -> None:
    found = report(draw(corpus, 30))
    assert (found.precision, found.recall, found.unusable_share) == (NOT_KNOWN,) * 3
    assert (found.reviewed, found.waiting, found.accepted) == (0, 30, None)
    json.dumps(found.to_json(), allow_nan=False)


def test_what_cannot_be_read_is_named_and_the_rest_reported() -> None:
    """A task that does not agree with itself costs itself, in the sample and outside."""
    drawn = review_all(draw([task(n) for n in range(50)], 10))
    inside = [each for each in drawn if audit_of(each)]
    outside = [each for each in drawn if not audit_of(each)]
    inside[0]["annotations"][0]["result"][0]["value"]["end"] = 900
    inside[1]["data"]["audit_stratum"] = "de high"
    del outside[0]["data"]["record"]
    outside[1]["data"]["target"] = "another text"
    outside[2]["predictions"][0]["result"][0]["value"]["end"] = 900

    found = report(drawn)

    assert (found.drawn, found.reviewed, found.waiting, found.remaining) == (9, 8, 1, 37)
    broken = [inside[0], inside[1], *outside[:3]]
    assert [each.task_id for each in found.unreadable] == [each["id"] for each in broken]
    assert found.to_json()["unreadable"] == 5
    assert "5 cannot be read: left out, and not accepted unseen" in found.notes()


def test_a_sample_of_which_nothing_can_be_read_is_refused() -> None:
    drawn = draw([task(1)], 1)
    drawn[0]["data"]["audit_stratum"] = "de high"
    with pytest.raises(ReviewError, match=r"no task of the audit 'a' can be read.*high"):
        report(drawn)


def test_skipped_and_unusable_are_counted_apart() -> None:
    drawn = draw([task(n) for n in range(50)], 10)
    decided, met = [], 0
    for each in drawn:
        if audit_of(each):
            met += 1
            status = {1: ReviewStatus.SKIPPED, 2: ReviewStatus.UNUSABLE}.get(met)
            decided.append(reviewed(each, [PER], status) if status else reviewed(each))
        else:
            decided.append(each)

    found = report(decided)

    assert (found.drawn, found.reviewed, found.skipped, found.unusable) == (10, 9, 1, 1)
    assert found.unusable_share.value == pytest.approx(1 / 9)
    assert found.precision.value == 1.0, "an unusable sentence counts no entities"
    assert "1 of the sample skipped, and counted as not reviewed" in found.notes()


def test_false_and_missed_entities_are_told_apart() -> None:
    only_anna = task(1, entities=[Entity(ANNA, "PER", 0.99)])
    drawn = draw([only_anna, *(task(n) for n in range(2, 40))], 39)
    tasks = [
        reviewed(drawn[0], [PER, LOC]),  # one missed
        reviewed(drawn[1], [PER]),  # one false
        reviewed(drawn[2], [PER, Entity(BONN, "PER")]),  # a wrong label: one false, one missed
        *drawn[3:],
    ]
    [stratum] = report(tasks).strata
    assert (stratum.proposed, stratum.true, stratum.right) == (5, 5, 3)


def test_several_annotators_are_one_decision_and_a_disagreement_is_noted() -> None:
    drawn = draw([task(n) for n in range(5)], 3)
    sampled = [t for t in drawn if audit_of(t)]
    rest = [t for t in drawn if not audit_of(t)]
    agreed = reviewed(reviewed(sampled[0], by=1), by=2)
    contested = reviewed(reviewed(sampled[1], by=1), [PER], by=2)

    found = report([agreed, contested, sampled[2], *rest])

    assert (found.reviewed, found.waiting, found.disagreements) == (2, 1, 1)
    assert sum(s.right for s in found.strata) == 3, "the latest left one of two"
    assert "Annotators disagree on 1 of the sample: the latest decision counts" in found.notes()


def test_a_newer_model_makes_an_audit_old() -> None:
    reviewed_first = review_all(draw([task(n) for n in range(100)], 20))
    tasks = [each if each["annotations"] else predicted_again(each) for each in reviewed_first]

    found = report(tasks, version="v2")

    assert (found.model_version, found.current, found.remaining) == (VERSION, False, 80)
    assert any("no longer shows predictions of v1" in note for note in found.notes())


def test_what_was_drawn_for_one_model_and_reviewed_for_another_tells_of_neither() -> None:
    """The strata are those of the first one's scores, and the sample was random for it alone."""
    drawn = draw([task(n) for n in range(100)], 20)
    again = review_all([predicted_again(each) for each in drawn])

    found = report(again, version="v2")

    assert (found.model_version, found.current) == (VERSION, False)
    assert (found.reviewed, found.foreign, found.remaining) == (0, 20, 80)
    assert (found.precision, found.accepted) == (NOT_KNOWN, None)
    notes = "\n".join(found.notes())
    assert "20 of the sample left out: not reviewed against predictions of v1" in notes
    assert "no longer shows predictions of v1" in notes


def test_what_was_propagated_after_the_draw_is_left_out_and_told() -> None:
    drawn = draw([task(n) for n in range(100)], 20)
    sampled = [each for each in drawn if audit_of(each)]
    others = [each for each in drawn if not audit_of(each)]
    tasks = [
        reviewed(carried_over(sampled[0])),
        carried_over(sampled[1]),
        *map(reviewed, sampled[2:]),
        *map(carried_over, others[:5]),
        *others[5:],
    ]

    found = report(tasks)

    assert (found.drawn, found.reviewed, found.propagated, found.waiting) == (20, 18, 2, 0)
    assert (found.remaining, found.propagated_others) == (75, 5)
    assert any("changed 2 of the sample and 5 other tasks: left out" in n for n in found.notes())


def test_reviews_of_two_models_are_not_mixed() -> None:
    drawn = draw([task(n) for n in range(60)], 12)
    sampled = [t for t in drawn if audit_of(t)]
    for each in sampled[:4]:
        each["predictions"][0]["model_version"] = "v0"
    sampled[4]["predictions"].clear()
    tasks = [
        *(reviewed(t) for t in sampled[:4]),
        reviewed({**sampled[4], "predictions": [{"id": 1, "result": []}]}) | {"predictions": []},
        *(reviewed(t) for t in sampled[5:]),
        *(t for t in drawn if not audit_of(t)),
    ]

    found = report(tasks)

    assert (found.model_version, found.reviewed, found.foreign) == (VERSION, 7, 5)
    assert any("5 of the sample left out: not reviewed" in note for note in found.notes())


def test_when_everything_is_reviewed_nothing_remains_to_be_told_about() -> None:
    found = report(review_all(draw([task(n) for n in range(8)], 100)))
    assert (found.reviewed, found.remaining, found.precision) == (8, 0, NOT_KNOWN)
    assert "Nothing remains that would be accepted unseen" in found.notes()
    assert [test.reason for test in found.thresholds] == ["nothing remains"]


def test_sentences_without_entities_have_no_precision() -> None:
    found = report(review_all(draw([task(n, 1.0, entities=()) for n in range(50)], 20)))
    assert found.precision == found.recall == NOT_KNOWN
    assert found.unusable_share.value == 0
    assert found.accepted is None


@pytest.mark.parametrize(
    ("drawn", "name", "message"),
    [
        pytest.param((), None, "project 'News': has no audit. Draw one with", id="none"),
        pytest.param((), "b", "has no audit. Draw one with `spanferry audit draw`", id="no name"),
        pytest.param(("a",), "b", "has no audit 'b'. Give as --name one of: a", id="another"),
        pytest.param(("a", "b"), None, "several audits. Give as --name one of: a, b", id="two"),
    ],
)
def test_which_audit_must_be_clear(
    corpus: list[Task], drawn: tuple[str, ...], name: str | None, message: str
) -> None:
    for each in drawn:
        corpus = draw(corpus, 5, name=each)
    with pytest.raises(ReviewError, match=message):
        report(corpus, name)
