"""The plan of a draw, from tasks as Label Studio exports them."""

import json
from collections import Counter
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.audit.sample import EDGES, Stratum, allocate, audit_of, plan
from projection.errors import ReviewError
from tests.ml_backend.audit.tasks import (
    VERSION,
    Task,
    draw,
    predicted_again,
    reviewed,
    sample,
    task,
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


def test_a_task_that_cannot_be_read_is_not_drawn_and_stops_nothing() -> None:
    tasks = [task(n) for n in range(4)]
    del tasks[1]["data"]["record"]
    fields, drawn = plan(tasks, VERSION, "a", size=9, threshold=0.8)
    assert [*fields] == [0, 2, 3]
    assert (drawn.population, drawn.to_json()["unreadable"]) == (3, 1)
    assert drawn.unreadable[0].reason.startswith("task 1 data record: missing")
