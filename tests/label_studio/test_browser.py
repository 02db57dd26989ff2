"""What a reviewer sees and does, in a real browser."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from label_config.labeling_config import build_config
from label_config.source_html import WHAT_TO_DO
from label_config.tasks import record_of, task_fields
from ml_backend.cli import app
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.tabs import REVIEW_QUEUE, review_tabs
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.push import push
from projection.pipeline.review_order import review_order
from projection.records import LabelOrigin, ProjectedSentence, ReviewedSentence, ReviewStatus, Span
from tests.label_studio.examples import (
    BY_ID,
    EXAMPLES,
    FULL,
    LABELS,
    MANY_LABELS,
    NOT_FOUND,
    RIGHT_TO_LEFT,
    TRICKY,
    Example,
    crowded,
    many,
    place,
    projected,
    projected_as,
)

playwright = pytest.importorskip("playwright", reason="playwright is not installed: the dev extra")

from tests.label_studio.pages import MARK, NEXT_SPAN, SOURCE, ReviewPage  # noqa: E402

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

PER, ORG, LOC, MISC = "1", "2", "3", "4"  # the keys of the target labels
SOURCE_ORG = "w"
DELETE, LET_GO, UNUSABLE = "Backspace", "u", "x"


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


SCRIPT = "<img src=x onerror=window.ran=1>"
HOSTILE = Example(
    "hostile",
    "de",
    f"</style></title>{SCRIPT} met <svg onload=window.ran=1> \"'>{SCRIPT} {{{{ran}}}}.",
    f"</style></title>{SCRIPT} traf <script>window.ran=1</script> \"'>{SCRIPT} {{{{ran}}}}.",
    (
        (f"T{SCRIPT}", f"</style></title>{SCRIPT}", f"</style></title>{SCRIPT}", 0.3),
        ("LOC", "<svg onload=window.ran=1>", "<script>window.ran=1</script>", 0.3),
        ("PER", f"\"'>{SCRIPT}", None, 0.0),
    ),
)


def test_the_words_on_screen_are_the_projected_ones_and_ctrl_enter_accepts_them(
    desk: Desk,
) -> None:
    """Words, labels and the project's name are shown, and nothing of them is run."""
    config = build_config((*LABELS, f"T{SCRIPT}"))
    desk.project = desk.server.ensure_project(f"Words {SCRIPT}", config)
    desk.lay_out(*projected(), projected_as(HOSTILE))
    examples = (*EXAMPLES, HOSTILE)
    seen = {e.id: [tuple(mark) for mark in desk.open(e.id).marked()] for e in examples}
    hostile, conflicts, ran = desk.page.source(), desk.page.conflicts(), desk.page.ran()
    page = desk.open("emoji")
    source = page.source()
    page.submit()

    assert seen == {example.id: example.marks for example in examples}
    assert hostile == HOSTILE.source
    assert conflicts.count(SCRIPT) >= 2
    assert not ran
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
def test_a_full_task_says_everything_readably_at_a_glance(desk: Desk, theme: str) -> None:
    desk.lay_out(projected_as(FULL))
    page = desk.open("full")
    page.set_theme(theme)

    assert len(FULL.source.split()) == 40
    assert page.overflow() == 0, "nothing scrolls on a small laptop"
    assert page.tags() == ["2 PER", "3 ORG", "4 ORG 0.66", "1 LOC 0.41", "5 LOC"]
    assert page.conflicts().splitlines() == [
        f"⚠ failed mapping 6 — “Lisbon” (LOC) was not found in the translation{WHAT_TO_DO}",
        "⚠ overlap 1, 4 — “España” is claimed by both “Spain” and “Bank of Spain” · 0.41",
        "⚠ low confidence 1 — only 41 % sure that “España” is “Spain”",
    ]
    assert sorted(page.outlined()) == ["Banco de España", "España"]
    # WCAG 2.1, 1.4.3: small text.
    for what in ((".sf-chip[data-tag]", "::after"), (MARK, "::after"), (".sf-conflicts li", "")):
        assert min(page.contrasts(*what)) >= 4.5, what
    assert {"light": page.brightness() > 0.9, "dark": page.brightness() < 0.1}[theme]


def test_the_fullest_task_fits_on_a_small_laptop(desk: Desk) -> None:
    """Every kind of doubt, more of them than there are lines for, what was propagated, and labels
    on two lines.
    """
    project = desk.server.ensure_project("Crowded", build_config(MANY_LABELS))
    desk.project = project
    desk.lay_out(crowded())
    (task,) = desk.server.tasks(project)
    fields = task_fields(record_of(task), "Siemens: LOC → ORG; Ana: LOC → PER")
    desk.server.update_task_data(task["id"], {**task["data"], **fields})
    page = desk.open("full")

    lines = page.conflicts().splitlines()
    assert [line.split(" ")[0] for line in lines] == [*"⚠⚠⚠⚠⚠", "↪"]
    assert page.overflow() == 0


def test_what_was_not_found_alone_says_what_to_do_and_can_be_drawn(desk: Desk) -> None:
    desk.lay_out(projected_as(NOT_FOUND))
    page = desk.open("not-found")
    page.press(NEXT_SPAN)
    nothing = page.selected()
    said = page.conflicts().splitlines()
    asks = page.page.locator(".sf-failed_mapping")
    before = asks.evaluate("line => getComputedStyle(line).opacity")
    page.press(LOC)
    page.drag_over(place(NOT_FOUND.target, "Lisboa"))
    after = asks.evaluate("line => getComputedStyle(line).opacity")
    page.submit()

    assert nothing == "", "there is no span to go to"
    assert (before, after) == ("1", "0.5"), "what was drawn answers it"
    assert WHAT_TO_DO == " · draw it below, or leave it"
    assert said == [
        f"⚠ failed mapping 1 — “Lisbon” (LOC) was not found in the translation{WHAT_TO_DO}"
    ]
    review = desk.reviewed()["not-found"]
    assert (review.status, marks(review)) == (ReviewStatus.CORRECTED, [("LOC", "Lisboa")])


def test_pointing_at_one_side_lights_up_the_other(desk: Desk) -> None:
    desk.lay_out(projected_as(FULL))
    page = desk.open("full")
    page.point_at(".sf-chip", "Ana Torres")
    marks_lit = page.lit_marks()
    page.point_at(MARK, "Siemens")

    assert marks_lit == ["Ana Torres"]
    assert (page.lit_marks(), page.lit_chips()) == ([], ["Siemens"])


def test_ends_are_said_to_be_draggable_only_where_they_are(desk: Desk) -> None:
    desk.lay_out(*projected())
    shown = {n: desk.open(n).page.locator(".sf-ends").is_visible() for n in ("plain", "emoji")}
    assert shown == {"plain": True, "emoji": False}


def test_what_is_not_offered_any_more_is_not_shown(desk: Desk) -> None:
    desk.lay_out(*projected())
    page = desk.open("plain")
    offered = page.page.locator(".sf-review [class*=choice__item]").all()
    seen = [choice.inner_text() for choice in offered if choice.is_visible()]
    page.press("5", "o", "f", "j")
    page.submit()

    assert seen == ["unusable[x]"]
    assert desk.reviewed()["plain"].status is ReviewStatus.ACCEPTED, "and no key chooses it"


def test_one_key_goes_through_the_spans_those_in_conflicts_first(desk: Desk) -> None:
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
    assert page.tags() == ["1 ORG", "MISC", "2 LOC"]


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
        said = [
            f"marked in the source: ORG “{span.of(text)}” {span}, not projected" for span in spans
        ]
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


def test_twenty_tasks_of_the_review_queue_are_done_by_keys_alone_and_exported(
    desk: Desk, tmp_path: Path
) -> None:
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

    in_order = [sentences[place].sentence.id for place in review_order(sentences)]
    assert came == in_order, "those worth most first, and each once"
    assert {
        pair_id: (review.status, [label for label, _ in marks(review)])
        for pair_id, review in desk.reviewed().items()
    } == {pair_id: (status, labels) for pair_id, (_, status, labels) in decisions.items()}
    assert exported(desk, tmp_path / "export") == (
        {pair_id: status.value for pair_id, (_, status, _) in decisions.items()},
        [
            [
                f"{n} O",
                "reiste O",
                "nach O",
                f"Berlin B-{labels[0]}" if labels else "Berlin O",
                ". O",
            ]
            for n, (_, status, labels) in enumerate(decisions.values())
            if status in (ReviewStatus.ACCEPTED, ReviewStatus.CORRECTED)
        ],
    )


def test_the_link_to_a_tab_leads_through_its_tasks_alone_and_shows_the_guidelines_first(
    desk: Desk,
) -> None:
    """As “Label Tasks As Displayed” does, while “Label All Tasks” asks for those of all tabs."""
    desk.lay_out(projected_as(FULL), projected_as(NOT_FOUND), *many(3))
    desk.server.set_guidelines(desk.project, "<h1>Old</h1>")
    desk.server.set_guidelines(desk.project, "<h1>Names</h1><p>without titles</p>")
    tabs = desk.server.ensure_tabs(desk.project, list(review_tabs()))
    page = desk.page
    page.page.goto(desk.server.stream_url(desk.project, tabs["Failed"]))
    page.page.wait_for_selector("text=without titles")
    read = page.page.locator(".guidelines").inner_text()
    page.page.keyboard.press("Escape")
    page.await_task()

    came = []
    more = True
    while more:
        came.append(desk.pair_ids[task := page.task])
        page.submit()
        more = page.await_next(task)

    assert "Names" in read
    assert "Old" not in read
    assert sorted(came) == ["full", "not-found"]


def exported(desk: Desk, out: Path) -> tuple[dict[str, str], list[list[str]]]:
    """What `spanferry export` writes: the status of every sentence, and the words to train on."""
    url, key = desk.page.server.url, desk.page.server.account.token
    where = ["--url", url, "--api-key", key, "--project", desk.project.title]
    command = ["export", *where, "--out", str(out), "--plain-iob2"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = [json.loads(row) for row in (out / "reviewed.jsonl").read_text("utf-8").splitlines()]
    blocks = (out / "data.iob2").read_text("utf-8").strip().split("\n\n")
    words = [[line.replace("\t", " ") for line in block.splitlines()] for block in blocks]
    return {row["sentence"]["id"]: row["status"] for row in rows}, words
