"""The plan of a draw and the report on it, from tasks as Label Studio exports them."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from label_config.tasks import to_prediction, to_task
from ml_backend.audit.estimates import NOT_KNOWN, ThresholdVerdict
from ml_backend.audit.report import AuditReport, audit_report
from ml_backend.audit.sample import EDGES, Stratum, allocate, audit_of, plan
from ml_backend.label_studio.client import Project
from ml_backend.label_studio.tasks import Obstacle, obstacle
from projection.errors import ReviewError
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    ReviewStatus,
    Span,
)

VERSION = "v1"
TEXT = "😀 Anna wohnt in Bonn."
ANNA, BONN = Span(2, 6), Span(16, 20)
LABELS = ("PER", "LOC")
Task = dict[str, Any]


def task(
    number: int,
    score: float = 0.99,
    *,
    lang: str = "de",
    entities: Sequence[Entity] = (Entity(ANNA, "PER", 0.99), Entity(BONN, "LOC", 0.99)),
    conflict: bool = False,
    version: str = VERSION,
    annotations: Sequence[Task] = (),
    drafts: Sequence[int] = (),
) -> Task:
    sentence = ParallelSentence(
        f"n{number}", "Anna lives in Bonn.", TEXT, "en", lang, f"news.en:{number}"
    )
    conflicts = (Conflict(ConflictKind.LOW_CONFIDENCE, "unsure"),) if conflict else ()
    projected = ProjectedSentence(sentence, tuple(entities), (), conflicts, score, version)
    prediction = {"id": 1000 + number, "created_at": "2026-01-01", **to_prediction(projected)}
    return {
        "id": number,
        **to_task(projected),
        "predictions": [prediction],
        "annotations": list(annotations),
        "drafts": list(drafts),
    }


def reviewed(
    original: Task,
    entities: Sequence[Entity] | None = None,
    status: ReviewStatus = ReviewStatus.ACCEPTED,
    by: int = 1,
) -> Task:
    """The task after somebody decided, as proposed unless said otherwise."""
    if entities is None:
        proposed = [region["value"] for region in original["predictions"][-1]["result"]]
        entities = [
            Entity(Span(value["start"], value["end"]), value["labels"][0]) for value in proposed
        ]
    made = len(original["annotations"])
    annotation = {
        "id": 10 * original["id"] + made,
        "completed_by": by,
        "result": annotation_of(entities, TEXT, status),
        "was_cancelled": status is ReviewStatus.SKIPPED,
        "parent_prediction": original["predictions"][-1]["id"],
        "lead_time": 2.0,
        "updated_at": f"2026-01-02T00:00:{made:02}Z",
    }
    return {**original, "annotations": [*original["annotations"], annotation]}


def predicted_again(original: Task, version: str = "v2") -> Task:
    """The task with the same prediction of a newer model beside the old one."""
    old = original["predictions"][-1]
    newer = {**old, "id": 5000 + original["id"], "model_version": version}
    return {**original, "predictions": [*original["predictions"], newer]}


def carried_over(original: Task) -> Task:
    """The task after `spanferry propagate` gave Bonn another type."""
    [anna, bonn] = original["predictions"][-1]["result"]
    changed = {**bonn, "value": {**bonn["value"], "labels": ["PER"]}}
    prediction = {**original["predictions"][-1], "result": [anna, changed]}
    said = {**original["data"], "propagated": "“Bonn”: LOC → PER"}
    return {**original, "data": said, "predictions": [prediction]}


def draw(tasks: Sequence[Task], size: int, *, name: str = "a", **options: Any) -> list[Task]:
    """All tasks as they are once the plan is done."""
    planned = plan(tasks, VERSION, name, size=size, **{"threshold": 0.8, **options})
    return [{**t, "data": {**t["data"], **planned.fields.get(t["id"], {})}} for t in tasks]


def sample(tasks: Sequence[Task], name: str = "a") -> set[int]:
    return {t["id"] for t in tasks if audit_of(t) == name}


def report(tasks: Sequence[Task], name: str | None = None, **options: Any) -> AuditReport:
    version = options.pop("version", VERSION)
    project = Project(1, "News", build_config(LABELS), version, len(tasks), 0, 0)
    return audit_report(project, tasks, name, **options)


@pytest.fixture
def corpus() -> list[Task]:
    """90 tasks in six strata of 3 languages and 2 bands, and some that are left out."""
    tasks = [
        task(n, (0.85, 0.99)[n % 2], lang=("de", "zh-Hans", "nl")[n % 3]) for n in range(1, 91)
    ]
    drafted = task(101, drafts=[7])
    unsure = [task(102, 0.79), task(103, 0.1)]
    left = [drafted, *unsure, task(104, conflict=True), task(105, version="v0")]
    return [*tasks, *left, reviewed(task(106))]


# Who is in the population, and in which stratum


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param(task(1, 0.8), None, id="just sure enough"),
        pytest.param(task(1, 1.0, entities=()), None, id="without entities"),
        pytest.param(task(1, 0.7999), Obstacle.UNSURE, id="unsure"),
        pytest.param(task(1, conflict=True), Obstacle.CONFLICT, id="a conflict"),
        pytest.param(task(1, version="v0"), Obstacle.NO_PREDICTION, id="an old prediction"),
        pytest.param(carried_over(task(1)), Obstacle.PROPAGATED, id="changed by a correction"),
        pytest.param(carried_over(task(1, 0.5)), Obstacle.UNSURE, id="changed, and unsure anyway"),
        pytest.param({**task(1), "predictions": []}, Obstacle.NO_PREDICTION, id="no prediction"),
        pytest.param(task(1, drafts=[3]), Obstacle.TOUCHED, id="begun"),
        pytest.param(reviewed(task(1)), Obstacle.TOUCHED, id="reviewed"),
        pytest.param(
            reviewed(task(1), status=ReviewStatus.SKIPPED), Obstacle.TOUCHED, id="skipped"
        ),
    ],
)
def test_what_would_be_accepted_unseen(made: Task, why: Obstacle | None) -> None:
    assert obstacle(made, VERSION, 0.8) is why


def test_of_several_predictions_of_a_version_the_newest_counts() -> None:
    made = task(1, 0.99)
    older = {**made["predictions"][0], "id": 3, "score": 0.2}
    unscored = {**made["predictions"][0], "id": 9000, "score": None}
    assert obstacle({**made, "predictions": [made["predictions"][0], older]}, VERSION, 0.8) is None
    assert (
        obstacle({**made, "predictions": [*made["predictions"], unscored]}, VERSION, 0.8)
        is Obstacle.UNSURE
    )


@given(
    st.sampled_from(["de", "zh-Hans", "sr Latn"]),
    st.floats(0, 1).map(lambda x: round(x, 4)),
    st.floats(0, 1),
)
def test_a_stratum_is_found_again_from_its_name(lang: str, threshold: float, score: float) -> None:
    score = max(score, threshold)
    stratum = Stratum.of(lang, score, threshold)
    assert stratum.low <= score <= stratum.high
    assert stratum.low in {threshold, *EDGES}
    assert Stratum.parse(str(stratum), "task 1") == stratum
    assert Stratum.of(lang, stratum.low, threshold) == stratum


def test_a_stratum_somebody_edited_is_named() -> None:
    with pytest.raises(ReviewError, match="task 7 audit_stratum: 'de high' is no stratum"):
        Stratum.parse("de high", "task 7")


# Allocation

BIG, MIDDLE, SMALL = (Stratum(0.8, 0.9, lang) for lang in ("de", "nl", "zh"))


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        pytest.param(100, (80, 18, 2), id="in proportion, and two of the small one"),
        pytest.param(6, (2, 2, 2), id="two of each"),
        pytest.param(5, (4, 1, 0), id="too few for two of each: in proportion"),
        pytest.param(1, (1, 0, 0), id="one"),
        pytest.param(9999, (809, 184, 7), id="more than there are"),
    ],
)
def test_a_sample_is_shared_out_in_proportion(size: int, drawn: tuple[int, ...]) -> None:
    assert tuple(allocate({BIG: 809, MIDDLE: 184, SMALL: 7}, size).values()) == drawn


def test_a_stratum_with_one_task_gives_one() -> None:
    assert allocate({BIG: 50, SMALL: 1}, 10) == {BIG: 9, SMALL: 1}


@given(
    st.dictionaries(
        st.builds(Stratum, st.sampled_from(EDGES), st.just(1.0), st.sampled_from("abc")),
        st.integers(1, 60),
        min_size=1,
    ),
    st.integers(1, 200),
)
def test_a_sample_is_as_large_as_asked_and_no_stratum_gives_more_than_it_has(
    sizes: dict[Stratum, int], size: int
) -> None:
    drawn = allocate(sizes, size)
    assert sum(drawn.values()) == min(size, sum(sizes.values()))
    assert all(0 <= drawn[stratum] <= sizes[stratum] for stratum in sizes)
    if 2 * len(sizes) <= size:
        assert all(drawn[stratum] >= min(2, sizes[stratum]) for stratum in sizes)


# Drawing


def test_a_draw_marks_a_sample_and_says_what_it_could_not_draw_from(corpus: list[Task]) -> None:
    planned = plan(corpus, VERSION, "May", size=30, threshold=0.8)

    assert planned.report.population == 90
    assert (planned.report.drawn, planned.report.added) == (30, 30)
    assert planned.report.left_out == {
        "touched by somebody": 2,
        "below the threshold": 2,
        "with a conflict": 1,
        "without a prediction of the current model": 1,
    }
    assert [(s.name, s.size, s.drawn) for s in planned.report.strata] == [
        *((f"{lang} 0.98–1", 15, 5) for lang in ("zh-Hans", "nl", "de")),
        *((f"{lang} 0.8–0.9", 15, 5) for lang in ("zh-Hans", "nl", "de")),
    ]
    by_id = {each["id"]: each for each in corpus}
    for task_id, fields in planned.fields.items():
        before = by_id[task_id]["data"]
        band = "0.98–1" if task_id % 2 else "0.8–0.9"
        assert fields == {
            "audit": "May",
            "audit_stratum": f"{before['lang']} {band}",
            "audit_stratum_size": 15,
            "audit_model_version": VERSION,
            "audit_threshold": 0.8,
        }
    json.dumps(asdict(planned.report))


def test_a_finished_draw_changes_nothing(corpus: list[Task]) -> None:
    drawn = draw(corpus, 30)
    for size in (30, 10):
        again = plan(drawn, VERSION, "a", size=size, threshold=0.8)
        assert again.fields == {}
        assert (again.report.drawn, again.report.added) == (30, 0)
    assert plan(corpus, VERSION, "a", size=500, threshold=0.8).report.drawn == 90
    assert plan(draw(corpus, 500), VERSION, "a", size=500, threshold=0.8).fields == {}


@pytest.mark.parametrize("done", [1, 7, 29])
def test_an_interrupted_draw_ends_in_the_same_sample(corpus: list[Task], done: int) -> None:
    planned = plan(corpus, VERSION, "a", size=30, threshold=0.8)
    written = dict(list(planned.fields.items())[:done])
    half = [{**t, "data": {**t["data"], **written.get(t["id"], {})}} for t in corpus]

    rest = plan(half, VERSION, "a", size=30, threshold=0.8)

    assert rest.fields.keys() == planned.fields.keys() - written.keys()
    assert all(rest.fields[key] == planned.fields[key] for key in rest.fields)


def test_it_goes_on_when_some_were_reviewed_in_between(corpus: list[Task]) -> None:
    half = draw(corpus, 12)
    begun = [reviewed(each) if audit_of(each) else each for each in half]
    grown = draw(begun, 30)
    assert sample(grown) >= sample(half)
    assert len(sample(grown)) == 30
    assert {each["data"]["audit_stratum_size"] for each in grown if audit_of(each)} == {15}


def test_seed_and_name_decide_who_is_drawn(corpus: list[Task]) -> None:
    drawn = sample(draw(corpus, 30))
    assert sample(draw(corpus[::-1], 30)) == drawn
    assert sample(draw(corpus, 30, seed=1)) != drawn
    assert sample(draw(corpus, 30, name="b"), "b") != drawn


def test_every_task_of_a_stratum_is_as_likely() -> None:
    tasks = [task(n) for n in range(20)]
    counts = Counter(n for seed in range(400) for n in sample(draw(tasks, 5, seed=seed)))
    assert len(counts) == 20
    # 100 of 400 expected, standard deviation 8.7
    assert all(65 < count < 135 for count in counts.values()), counts


def test_a_new_audit_leaves_the_sample_of_an_older_one(corpus: list[Task]) -> None:
    first = draw(corpus, 30)
    planned = plan(first, VERSION, "b", size=30, threshold=0.8)
    assert not planned.fields.keys() & sample(first)
    assert (planned.report.population, planned.report.other_audits) == (60, 30)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        pytest.param([], r"project audit 'a': nothing to draw \(it has no tasks\)", id="empty"),
        pytest.param(
            [task(1, 0.5)], r"\(1 below the threshold\).*lower the threshold", id="unsure"
        ),
        pytest.param([reviewed(task(1))], r"\(1 touched by somebody\)", id="all reviewed"),
    ],
)
def test_nothing_to_draw_says_why(tasks: list[Task], message: str) -> None:
    with pytest.raises(ReviewError, match=message):
        plan(tasks, VERSION, "a", size=5, threshold=0.8)


def test_an_audit_has_one_threshold(corpus: list[Task]) -> None:
    drawn = draw(corpus, 30)
    for threshold in (0.5, 0.7999, 0.85, 0.9, 0.99):
        what = rf"was drawn for the threshold 0\.8, not {threshold}\. .*--name"
        with pytest.raises(ReviewError, match=what):
            plan(drawn, VERSION, "a", size=40, threshold=threshold)


def test_an_audit_is_of_one_model(corpus: list[Task]) -> None:
    drawn = [predicted_again(each) for each in draw(corpus, 30)]
    with pytest.raises(ReviewError, match=r"was drawn for the model version v1, not v2\. .*--name"):
        plan(drawn, "v2", "a", size=40, threshold=0.8)


def test_an_audit_has_one_population(corpus: list[Task]) -> None:
    drawn = draw(corpus, 30)
    more = [*drawn, task(500, lang="de")]
    assert plan(more, VERSION, "a", size=30, threshold=0.8).fields == {}
    with pytest.raises(ReviewError, match=r"tasks have joined de 0.98–1 since it was begun"):
        plan(more, VERSION, "a", size=40, threshold=0.8)


def test_tasks_of_an_older_spanferry_have_no_audit() -> None:
    old = task(1)
    for key in [key for key in old["data"] if key.startswith("audit")]:
        del old["data"][key]
    assert sample(draw([old], 1)) == {1}


# Reporting

PER, LOC = Entity(ANNA, "PER"), Entity(BONN, "LOC")


def review_all(tasks: Sequence[Task], wrong: Sequence[int] = ()) -> list[Task]:
    """The sample reviewed; in the n-th of it for n in `wrong` one border was off."""
    done, met = [], 0
    for each in tasks:
        if not audit_of(each):
            done.append(each)
            continue
        corrected = [PER, Entity(Span(13, 20), "LOC")]
        done.append(reviewed(each, corrected if met in wrong else None))
        met += 1
    return done


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
