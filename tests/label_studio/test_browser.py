"""What a reviewer sees and does, in a real browser."""

from collections.abc import Iterator

import pytest

from ml_backend.label_studio import Project, ReviewServer
from ml_backend.label_studio_server import LabelStudioServer
from ml_backend.pull import fetch_reviewed
from ml_backend.push import push
from ml_backend.review_tabs import REVIEW_QUEUE
from projection.records import LabelOrigin, ProjectedSentence, ReviewedSentence, ReviewStatus, Span
from tests.label_studio.examples import (
    BY_ID,
    EXAMPLES,
    FULL,
    RIGHT_TO_LEFT,
    TRICKY,
    many,
    place,
    projected,
    projected_as,
)

playwright = pytest.importorskip("playwright", reason="playwright is not installed: the dev extra")

from tests.label_studio.pages import NEXT_SPAN, SOURCE, ReviewPage, chromium, reviewing  # noqa: E402

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

PER, ORG, LOC, MISC = "1", "2", "3", "4"  # the keys of the target labels
SOURCE_ORG = "w"
DELETE, LET_GO, UNUSABLE = "Backspace", "u", "x"


@pytest.fixture
def reviewer(label_studio: LabelStudioServer) -> Iterator[ReviewPage]:
    if chromium() is None:
        pytest.skip("there is no Chromium: install one, or name it in CHROMIUM")
    with reviewing(label_studio) as page:
        yield page


class Desk:
    """A project with some sentences, and a reviewer in front of it."""

    def __init__(self, page: ReviewPage, server: ReviewServer, project: Project) -> None:
        self.page, self.server, self.project = page, server, project
        self.pair_ids: dict[int, str] = {}

    def lay_out(self, *sentences: ProjectedSentence) -> None:
        push(self.server, self.project, sentences)
        tasks = self.server.tasks(self.project)
        self.pair_ids = {task["id"]: task["data"]["pair_id"] for task in tasks}

    def open(self, pair_id: str) -> ReviewPage:
        (task,) = (task for task, known in self.pair_ids.items() if known == pair_id)
        self.page.open(self.server.task_url(self.project, task))
        return self.page

    def reviewed(self) -> dict[str, ReviewedSentence]:
        found = fetch_reviewed(self.server, self.server.project(self.project.id))
        return {review.sentence.id: review for review in found}


@pytest.fixture
def desk(reviewer: ReviewPage, server: ReviewServer, project: Project) -> Desk:
    return Desk(reviewer, server, project)


KNOWN = {**BY_ID, **{example.id: example for example in (FULL, TRICKY, RIGHT_TO_LEFT)}}


def marks(review: ReviewedSentence) -> list[tuple[str, str]]:
    return [(e.label, e.span.of(review.sentence.target)) for e in review.entities]


def test_the_words_on_screen_are_the_projected_ones_and_ctrl_enter_accepts_them(
    desk: Desk,
) -> None:
    desk.lay_out(*projected())
    seen = {e.id: [tuple(mark) for mark in desk.open(e.id).marked()] for e in EXAMPLES}
    page = desk.open("emoji")
    source = page.source()
    page.submit()

    assert seen == {example.id: example.marks for example in EXAMPLES}
    assert source == BY_ID["emoji"].source
    review = desk.reviewed()["emoji"]
    assert review.status is ReviewStatus.ACCEPTED
    assert marks(review) == BY_ID["emoji"].marks
    assert {each.origin for each in review.provenance} == {LabelOrigin.PROJECTED}
    assert [each.source and each.source.of(source) for each in review.provenance] == [
        "Ada Lovelace",
        "Berlin",
        "Bremen",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_full_task_says_everything_at_a_glance(desk: Desk, theme: str) -> None:
    desk.lay_out(projected_as(FULL))
    page = desk.open("full")
    page.set_theme(theme)

    assert len(FULL.source.split()) == 40
    assert page.overflow() == 0, "nothing scrolls on a small laptop"
    assert page.tags() == ["2 PER 0.99", "3 ORG 0.97", "4 ORG 0.66", "1 LOC 0.41", "5 LOC 0.94"]
    assert page.doubts().splitlines() == [
        "⚠ failed mapping 6 — “Lisbon” (LOC) was not found in the translation",
        "⚠ overlap 1, 4 — “España” is claimed by both “Spain” and “Bank of Spain” · 0.41",
        "⚠ low confidence 1 — only 41 % sure that “España” is “Spain”",
    ]
    assert sorted(page.outlined()) == ["Banco de España", "España"]


def test_one_key_goes_through_the_spans_doubtful_ones_first(desk: Desk) -> None:
    desk.lay_out(projected_as(FULL))
    page = desk.open("full")
    seen, lit = [], []
    for _ in range(6):
        page.press(NEXT_SPAN)
        seen.append(page.selected())
        lit.append(page.lit_chips())
    page.press(LET_GO)

    assert seen == [
        "Banco de España",
        "España",
        "Ana Torres",
        "Siemens",
        "Portugal",
        "Banco de España",
    ]
    assert lit[:3] == [["Bank of Spain"], ["Spain"], ["Ana Torres"]]
    assert (page.selected(), page.lit_chips()) == ("", [])


def test_a_drawn_span_shows_its_label_and_a_relabelled_one_loses_the_confidence(
    desk: Desk,
) -> None:
    desk.lay_out(*projected())
    page = desk.open("plain")
    page.press(NEXT_SPAN, ORG, LET_GO, MISC)
    page.drag_over(place(BY_ID["plain"].target, "besuchte"))
    assert page.tags() == ["1 ORG", "MISC", "2 LOC 0.97"]


# Between the words of this example there is everything that ever moved an offset.
IN_TRICKY = [
    "met",  # between two chips
    "Ana 𠮷野",  # two chips and what is between them
    "n",  # inside a chip
    "𠮷",
    "😀 Ana",  # into a chip
    "野 met",  # out of a chip
    "سام",
    "سامي",
    "met سامي",
    "Espan\u0303a",
    "<b>&amp;",
    "👩‍👩‍👧",
    "now\r\nin  Ber",
    "Berlin",
]

IN_RIGHT_TO_LEFT = ["לוי", "דנה לוי", "גרה", "חיפה", "לוי גרה", "Bea"]


def test_what_is_marked_in_the_source_has_the_offsets_it_has_in_the_sentence(desk: Desk) -> None:
    desk.lay_out(projected_as(TRICKY), projected_as(RIGHT_TO_LEFT))
    expected = {
        "tricky": [place(TRICKY.source, phrase) for phrase in IN_TRICKY],
        "right-to-left": [place(RIGHT_TO_LEFT.source, phrase) for phrase in IN_RIGHT_TO_LEFT],
    }
    for pair_id, spans in expected.items():
        page = desk.open(pair_id)
        for span in spans:
            page.press(LET_GO, SOURCE_ORG)
            page.drag_over(span, SOURCE)
        page.submit()

    reviewed = desk.reviewed()
    for pair_id, spans in expected.items():
        review = reviewed[pair_id]
        text = review.sentence.source
        said = [f"marked in the source: ORG “{span.of(text)}” {span}" for span in spans]
        assert list(review.notes) == said
        assert review.status is ReviewStatus.ACCEPTED, "nothing was changed in the target"


def test_borders_are_fixed_by_drawing_again(desk: Desk) -> None:
    """Delete, press the label's key, drag: in scripts that count differently."""
    desk.lay_out(*projected(), projected_as(TRICKY), projected_as(RIGHT_TO_LEFT))
    drawn = {  # what to delete, and what to draw instead
        "emoji": ("Berlin", LOC, "👩‍👩‍👧 Berlin"),
        "chinese": ("大西洋", LOC, "大西洋,𠮷野"),
        "combining": ("Banco de Espan\u0303a", ORG, "Espan\u0303a"),
        "lines": ("Anne Frank", PER, "Frank\r\nwoonde  in"),
        "tricky": ("𠮷野", LOC, "野"),
        "right-to-left": ("دانا ليفي", PER, "ليفي"),
    }
    for pair_id, (wrong, key, right) in drawn.items():
        page = desk.open(pair_id)
        page.select(wrong)
        page.press(DELETE, key)
        page.drag_over(place(KNOWN[pair_id].target, right))
        page.submit()

    reviewed = desk.reviewed()
    for pair_id, (wrong, _, right) in drawn.items():
        review = reviewed[pair_id]
        assert review.status is ReviewStatus.CORRECTED
        words = [phrase for _, phrase in marks(review)]
        assert words == [right if phrase == wrong else phrase for _, phrase in KNOWN[pair_id].marks]
        changed = review.provenance[words.index(right)]
        assert changed.origin is LabelOrigin.CHANGED
        assert changed.source, "it comes from where the deleted one came from"


def test_borders_are_fixed_by_dragging_where_label_studio_counts_right(desk: Desk) -> None:
    desk.lay_out(*projected())
    target = BY_ID["combining"].target
    page = desk.open("combining")
    page.select("Banco de")
    page.drag_end(place(target, "Espan\u0303a advirtió").end)
    page.submit()
    page = desk.open("emoji")
    page.select("Ada Lovelace")

    assert not page.can_drag_ends(), "Label Studio counts in UTF-16 there"
    review = desk.reviewed()["combining"]
    assert marks(review)[0] == ("ORG", "Banco de Espan\u0303a advirtió")
    assert review.provenance[0].origin is LabelOrigin.CHANGED
    assert review.provenance[0].source == Span(4, 17)


def test_relabelling_deleting_and_giving_up_need_no_mouse(desk: Desk) -> None:
    desk.lay_out(*projected())
    desk.open("combining").press(NEXT_SPAN, NEXT_SPAN, ORG)  # the second span
    desk.page.submit()
    desk.open("chinese").press(NEXT_SPAN, DELETE)
    desk.page.submit()
    desk.open("overlap").press(UNUSABLE)
    desk.page.submit()

    reviewed = desk.reviewed()
    assert marks(reviewed["combining"])[1] == ("ORG", "Sa\u0303o Paulo")
    assert reviewed["combining"].provenance[1].origin is LabelOrigin.CHANGED
    assert marks(reviewed["chinese"]) == [("LOC", "大西洋")]
    assert reviewed["overlap"].status is ReviewStatus.UNUSABLE


# What to press before submitting, and what must come of it. Without keys: skip.
DECISIONS: tuple[tuple[tuple[str, ...] | None, ReviewStatus, list[str]], ...] = (
    ((), ReviewStatus.ACCEPTED, ["LOC"]),
    ((NEXT_SPAN, PER), ReviewStatus.CORRECTED, ["PER"]),
    ((NEXT_SPAN, DELETE), ReviewStatus.CORRECTED, []),
    ((UNUSABLE,), ReviewStatus.UNUSABLE, ["LOC"]),
    (None, ReviewStatus.SKIPPED, ["LOC"]),
)


def test_twenty_tasks_of_the_review_queue_are_done_by_keys_alone(desk: Desk) -> None:
    sentences = many(20)
    desk.lay_out(*sentences)
    decisions = {s.sentence.id: DECISIONS[n % 5] for n, s in enumerate(sentences)}
    tabs = desk.server.ensure_tabs(desk.project, [REVIEW_QUEUE])
    page = desk.page
    page.open_stream(desk.server.tab_url(desk.project, tabs[REVIEW_QUEUE.title]))

    came = []
    more = True
    while more:
        task = page.task
        came.append(desk.pair_ids[task])
        keys, _, _ = decisions[came[-1]]
        page.press(*keys or ())
        page.skip() if keys is None else page.submit()
        more = page.await_next(task)

    assert came == [s.sentence.id for s in sentences], "the least sure first, and each once"
    assert {
        pair_id: (review.status, [label for label, _ in marks(review)])
        for pair_id, review in desk.reviewed().items()
    } == {pair_id: (status, labels) for pair_id, (_, status, labels) in decisions.items()}
