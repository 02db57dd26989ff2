from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projection.errors import TrainingError
from projection.records import (
    Entity,
    LabelOrigin,
    ParallelSentence,
    Provenance,
    ReviewedSentence,
    ReviewStatus,
    Span,
)
from training.data.adjudication import (
    AdjudicationPolicy,
    adjudicate,
    marks_of,
    newest_decisions,
    opinions,
)

OPEN, LATEST, MAJORITY, REVIEWER = AdjudicationPolicy
ACCEPTED, CORRECTED, UNUSABLE, SKIPPED, UNSEEN = ReviewStatus

TEXT = "Anna wohnt in Bonn."
ANNA, BONN = Entity(Span(0, 4), "PER"), Entity(Span(14, 18), "LOC")
BONN_ORG = Entity(Span(14, 18), "ORG")
PHRASE = Entity(Span(11, 18), "LOC")


def review(
    annotator: str,
    entities: Sequence[Entity] = (ANNA, BONN),
    status: ReviewStatus = CORRECTED,
    *,
    number: int = 1,
    day: int | None = None,
    text: str = TEXT,
    predicted: tuple[Entity, ...] | None = None,
    provenance: tuple[Provenance, ...] = (),
) -> ReviewedSentence:
    """A decision of the day that is the annotator's number, unless said otherwise."""
    source = "Anna lives in Bonn."
    pair = ParallelSentence(f"s{number}", source, text, "en", "de", f"a.jsonl:{number}")
    moment = int(annotator or 1) if day is None else day
    return ReviewedSentence(
        pair,
        tuple(entities),
        status,
        annotator,
        lead_time=1.0,
        predicted=predicted,
        task_id=100 + number,
        annotation_id=moment,
        updated_at=f"2024-05-{moment:02}T10:00:00Z",
        provenance=provenance,
    )


def test_nothing_to_settle_gives_nothing() -> None:
    for policy in (OPEN, LATEST, MAJORITY):
        assert adjudicate([], policy).sentences == ()
    assert adjudicate([], REVIEWER, reviewer="7").disagreements == ()


@pytest.mark.parametrize(
    ("reviews", "stands"),
    [
        pytest.param([review("1"), review("2")], "2", id="agreement: the newer of equal ones"),
        pytest.param(
            [review("1", status=ACCEPTED), review("2", status=CORRECTED)],
            "2",
            id="what they saw first does not matter",
        ),
        pytest.param(
            [review("1", [ANNA, BONN]), review("2", [BONN, ANNA])], "2", id="nor the order"
        ),
        pytest.param(
            [review("1", [ANNA], UNUSABLE), review("2", [], UNUSABLE)],
            "2",
            id="of an unusable sentence the labels do not matter",
        ),
        pytest.param(
            [review("1"), review("2", [], SKIPPED)], "1", id="skipping is no disagreement"
        ),
        pytest.param([review("1", status=SKIPPED), review("2", status=SKIPPED)], "2", id="skips"),
        pytest.param(
            [review("1"), review("", [], UNSEEN, day=9)], "1", id="nobody contradicts nobody"
        ),
        pytest.param(
            [review("1", [], SKIPPED), review("", [ANNA], UNSEEN, day=9)],
            "1",
            id="who looked and could not decide outweighs who never looked",
        ),
        pytest.param(
            [review("1", [ANNA], day=1), review("1", [BONN], day=2)],
            "1",
            id="changing one's mind is no disagreement",
        ),
    ],
)
def test_agreement_holds_whatever_the_policy(reviews: list[ReviewedSentence], stands: str) -> None:
    for order in permutations(reviews):
        for policy, reviewer in ((OPEN, None), (MAJORITY, None), (REVIEWER, "5")):
            found = adjudicate(order, policy, reviewer=reviewer)
            assert [s.annotator for s in found.sentences] == [stands]
            assert found.disagreements == ()


def test_who_changed_his_mind_has_one_voice_the_newest() -> None:
    [voice] = opinions([review("1", [ANNA], day=1), review("1", [BONN], day=2)])
    assert voice.entities == (BONN,)
    found = adjudicate(
        [review("1", [ANNA], day=1), review("1", [BONN], day=3), review("2", [ANNA])], MAJORITY
    )
    assert not found.disagreements[0].settled, "the first opinion of 1 must not be a second voice"


@pytest.mark.parametrize(
    ("reviews", "differs"),
    [
        pytest.param(
            [review("1", [BONN]), review("2", [BONN_ORG])],
            "1: LOC “Bonn”; 2: ORG “Bonn”",
            id="the label",
        ),
        pytest.param(
            [review("1", [BONN]), review("2", [PHRASE])],
            "1: LOC “Bonn”; 2: LOC “in Bonn”",
            id="a border",
        ),
        pytest.param(
            [review("1", [ANNA, BONN]), review("2", []), review("3", [BONN])],
            "1: PER “Anna”, LOC “Bonn”; 2: nothing; 3: LOC “Bonn”",
            id="three versions",
        ),
        pytest.param(
            [review("1", [ANNA]), review("2", [ANNA], UNUSABLE)],
            "1: usable; 2: unusable",
            id="whether it is usable",
        ),
        pytest.param(
            [
                review("1", [BONN, PHRASE, ANNA]),
                review("2", [ANNA]),
                review("3", [ANNA, PHRASE, BONN]),
            ],
            "1 and 3: LOC “in Bonn”, LOC “Bonn”; 2: nothing",
            id="who agree are one version",
        ),
        pytest.param(
            [
                review("1", [Entity(Span(0, 1), "MISC")], text="𠮷, 𠮷"),
                review("2", [Entity(Span(3, 4), "MISC")], text="𠮷, 𠮷"),
            ],
            "1: MISC “𠮷” [0, 1); 2: MISC “𠮷” [3, 4)",
            id="words that stand twice are told apart by their place",
        ),
    ],
)
def test_a_disagreement_says_who_has_what(reviews: list[ReviewedSentence], differs: str) -> None:
    for order in permutations(reviews):
        [found] = adjudicate(order).disagreements
        assert found.differs == differs
        assert (found.sentence_id, found.task_id) == ("s1", 101)
        assert found.annotators == tuple(sorted(r.annotator for r in reviews))


def test_without_a_policy_a_disagreement_has_no_decision() -> None:
    reviews = [review("1", [ANNA]), review("2", [BONN]), review("3", number=2)]
    found = adjudicate(reviews)
    assert [s.sentence.id for s in found.sentences] == ["s2"]
    assert not found.disagreements[0].settled
    assert [v.annotation_ids for v in found.disagreements[0].versions] == [(1,), (2,)]
    [latest, _] = adjudicate(reviews, LATEST).sentences
    assert latest.annotator == "2"


@pytest.mark.parametrize("policy", [OPEN, LATEST, MAJORITY])
def test_what_a_person_settled_holds_whatever_the_policy(policy: AdjudicationPolicy) -> None:
    settled = replace(review("1", [ANNA]), final=True)
    for order in permutations([settled, review("2", [BONN]), review("3", [BONN])]):
        found = adjudicate(order, policy)
        assert found.sentences == (settled,)
        assert found.disagreements[0].settled
    later = review("1", [BONN], day=9)
    assert adjudicate([settled, review("2", [BONN]), later]).sentences == (settled,)


def test_the_reviewer_settles_what_the_reviewer_decided() -> None:
    reviews = [
        *(review("1", [ANNA]), review("2", [BONN])),
        *(review("1", [ANNA], number=2), review("3", [BONN], number=2)),
    ]
    found = adjudicate(reviews, REVIEWER, reviewer="1")
    assert [s.annotator for s in found.sentences] == ["1", "1"]
    assert [d.settled for d in found.disagreements] == [True, True]

    found = adjudicate(reviews, REVIEWER, reviewer="2")
    assert [s.annotator for s in found.sentences] == ["2"]
    assert [d.settled for d in found.disagreements] == [True, False]


@pytest.mark.parametrize(
    ("policy", "reviewer", "message"),
    [
        pytest.param(REVIEWER, None, "policy reviewer: needs a reviewer", id="without"),
        pytest.param(LATEST, "1", r"policy latest: knows no reviewer \(1\)", id="needless"),
        pytest.param(REVIEWER, "9", "'9': has decided nothing; annotators are 1, 2", id="unknown"),
    ],
)
def test_a_reviewer_that_cannot_be_meant_is_refused(
    policy: AdjudicationPolicy, reviewer: str | None, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        adjudicate([review("1", [ANNA]), review("2", [])], policy, reviewer=reviewer)


class TestMajority:
    def test_each_label_needs_more_than_half(self) -> None:
        reviews = [review("1", [ANNA, BONN]), review("2", [ANNA, BONN_ORG]), review("3", [BONN])]
        found = adjudicate(reviews, MAJORITY)
        assert found.sentences == (reviews[0],), "it is what 1 left, so it stays theirs"
        assert found.disagreements[0].settled

    def test_what_nobody_left_is_put_together_and_says_so(self) -> None:
        sure = Entity(Span(14, 18), "LOC", 0.9)
        reviews = [
            review("1", [ANNA]),
            review("2", [BONN], provenance=(Provenance(LabelOrigin.PERSON, Span(14, 18)),)),
            review("3", [ANNA, BONN_ORG, BONN], predicted=(ANNA, sure)),
            review("4", [PHRASE]),
            review("5", [ANNA, BONN, Entity(Span(5, 10), "MISC")], predicted=(ANNA, sure)),
        ]
        found = adjudicate(reviews, MAJORITY)
        [answer] = found.sentences
        assert answer.entities == (ANNA, BONN)
        assert answer.annotator == "1+2+3+4+5"
        assert answer.status is ACCEPTED, "it is what the machine had proposed"
        assert (answer.annotation_id, answer.lead_time) == (None, None)
        assert answer.notes == ("majority of 5 annotators, label by label",)
        assert answer.provenance == (), "nobody knows where PER comes from"
        assert found.disagreements[0].settled

    def test_provenance_is_that_of_who_marked_it(self) -> None:
        def from_(origin: LabelOrigin, *entities: Entity, by: str) -> ReviewedSentence:
            return review(by, entities, provenance=(Provenance(origin),) * len(entities))

        extra = [Entity(Span(5, 10), "MISC"), Entity(Span(11, 13), "MISC"), BONN_ORG]
        reviews = [
            from_(LabelOrigin.PROJECTED, ANNA, BONN, extra[0], by="1"),
            from_(LabelOrigin.PERSON, ANNA, extra[1], by="2"),
            from_(LabelOrigin.CHANGED, BONN, extra[2], by="3"),
        ]
        [answer] = adjudicate(reviews, MAJORITY).sentences
        assert answer.entities == (ANNA, BONN)
        assert [p.origin for p in answer.provenance] == [LabelOrigin.PERSON, LabelOrigin.CHANGED]

    def test_half_and_half_stays_open(self) -> None:
        found = adjudicate([review("1", [ANNA, BONN]), review("2", [BONN, PHRASE])], MAJORITY)
        assert found.sentences == ()
        assert not found.disagreements[0].settled

    def test_whether_it_is_usable_is_decided_first(self) -> None:
        no = [review("2", [], UNUSABLE), review("3", [], UNUSABLE)]
        [answer] = adjudicate([review("4"), *no], MAJORITY).sentences
        assert (answer.status, answer.annotator) == (UNUSABLE, "3")

        found = adjudicate([review("1"), review("4", [ANNA]), *no], MAJORITY)
        assert found.sentences == ()
        assert not found.disagreements[0].settled

        found = adjudicate([review("1"), review("2"), no[1]], MAJORITY)
        assert found.sentences[0].annotator == "2"
        assert found.disagreements[0].settled


SPANS = st.builds(lambda a, n: Span(a, a + n), st.integers(0, 12), st.integers(1, 6))
ENTITIES = st.lists(st.builds(Entity, SPANS, st.sampled_from(["PER", "LOC"])), max_size=4)
REVIEWS = st.lists(
    st.builds(
        lambda who, entities, status, number, day: review(
            who, entities, status, number=number, day=day
        ),
        st.sampled_from("12345"),
        ENTITIES,
        st.sampled_from(ReviewStatus),
        st.integers(1, 3),
        st.integers(1, 28),
    ),
    max_size=12,
)


@given(REVIEWS)
@example([review("1", [ANNA], number=1, day=1), review("2", [], number=1, day=1)])
@example([review("2", [], number=1, day=1), review("1", [ANNA], number=1, day=1)])
def test_every_sentence_is_decided_once_unless_it_is_open(
    reviews: list[ReviewedSentence],
) -> None:
    newest = newest_decisions(reviews)
    assert list(adjudicate(reviews, LATEST).sentences) == newest
    decided = [*adjudicate(reviews).sentences]
    disputed = [d.sentence_id for d in adjudicate(reviews).disagreements]
    assert decided == [each for each in newest if each.sentence.id not in disputed]
    settled = adjudicate(reviews, MAJORITY)
    still_open = [d.sentence_id for d in settled.disagreements if not d.settled]
    ids = [each.sentence.id for each in newest]
    assert [s.sentence.id for s in settled.sentences] == [i for i in ids if i not in still_open]
    assert set(still_open) <= set(disputed)


@given(REVIEWS)
def test_a_majority_never_makes_an_overlap_nobody_made(reviews: list[ReviewedSentence]) -> None:
    for answer in adjudicate(reviews, MAJORITY).sentences:
        of_sentence = [r for r in reviews if r.sentence == answer.sentence]
        for a, b in combinations(sorted(marks_of(answer.entities)), 2):
            if a[0].overlaps(b[0]):
                assert any({a, b} <= marks_of(r.entities) for r in of_sentence)
