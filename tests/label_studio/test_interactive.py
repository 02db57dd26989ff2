"""Drawing in one sentence and seeing the other follow: real models, a real browser, a mouse."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from label_config.labeling_config import LABEL_HOTKEYS, SOURCE_ENTITIES
from label_config.target_css import score_tag
from ml_backend.api.interactive import NOT_FOUND
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.review.pull import fetch_reviewed
from projection.records import LabelOrigin, ReviewedSentence, ReviewStatus, Span

playwright = pytest.importorskip("playwright", reason="playwright is not installed: the dev extra")

from tests.label_studio.bundled_backend import BundledBackend, bundled_backend  # noqa: E402
from tests.label_studio.examples import LABELS, place  # noqa: E402
from tests.label_studio.interactive_pictures import (  # noqa: E402
    FOUND,
    LABEL,
    MISSED,
    SENTENCE,
    interactive_pictures,
    mark_missed,
    project_of,
    ready_to_draw,
    source_key,
)
from tests.label_studio.pages import NEXT_SPAN, SOURCE, TARGET, ReviewPage  # noqa: E402

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

PREDICTED = [["PER", "Marta Vidal"], ["LOC", "Gent"]]
_numbers = count(1)
_ANSWERED = "text => Htx.annotationStore.selected.results.some(r => r.area.text === text && r.meta)"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BundledBackend]:
    """Loading the models takes seconds: once is enough."""
    with bundled_backend(tmp_path_factory.mktemp("bundled")) as backend:
        yield backend


@pytest.fixture
def bundled(serving: BundledBackend) -> BundledBackend:
    """The backend, not asked anything yet."""
    serving.asked.clear()
    return serving


@pytest.fixture
def project(server: ReviewServer) -> Project:
    return project_of(server, f"Drawing {next(_numbers)}")


@pytest.fixture
def drawing(
    reviewer: ReviewPage, server: ReviewServer, project: Project, bundled: BundledBackend
) -> Iterator[ReviewPage]:
    """The sentence on screen, waiting for the mouse; nothing may go wrong in the page."""
    wrong: list[str] = []
    reviewer.page.on("pageerror", lambda error: wrong.append(str(error)))
    ready_to_draw(reviewer, server, project, bundled)
    assert reviewer.page.evaluate("Htx.autoAnnotation") is False
    yield reviewer
    assert wrong == []


def submitted(server: ReviewServer, project: Project) -> ReviewedSentence:
    (found,) = fetch_reviewed(server, server.project(project.id))
    return found


def result(page: ReviewPage) -> list[dict[str, Any]]:
    """What would be submitted now."""
    regions: list[dict[str, Any]] = page.page.evaluate(
        "Htx.annotationStore.selected.serializeAnnotation()"
    )
    return regions


def wait_for_calls(page: ReviewPage, bundled: BundledBackend, more_than: int) -> None:
    """Until Label Studio has asked again, and has taken up the answer."""
    for _ in range(100):
        if len(bundled.drawn) > more_than:
            break
        page.page.wait_for_timeout(100)
    assert len(bundled.drawn) > more_than
    page.page.wait_for_timeout(300)
    page.await_answer()


def draw(page: ReviewPage, key: str, span: Span, box: str = TARGET) -> None:
    page.press(key)
    page.drag_over(span, box)


def target_key(label: str) -> str:
    return LABEL_HOTKEYS[LABELS.index(label)]


def marks(review: ReviewedSentence) -> list[tuple[str, str]]:
    return [(e.label, e.span.of(review.sentence.target)) for e in review.entities]


def delete(page: ReviewPage, phrase: str, box: str) -> None:
    page.page.locator(f"{box} .htx-highlight").filter(has_text=phrase).first.click()
    page.press("Backspace")


def test_a_missed_entity_marked_in_the_source_appears_in_the_target_and_is_exported(
    drawing: ReviewPage, server: ReviewServer, project: Project
) -> None:
    assert drawing.marked() == PREDICTED
    mark_missed(drawing)
    assert drawing.marked() == [*PREDICTED, [LABEL, FOUND]]
    drawing.submit()

    left = submitted(server, project)
    assert left.status is ReviewStatus.CORRECTED
    words = [(e.label, e.span.of(left.sentence.target)) for e in left.entities]
    assert words == [("PER", "Marta Vidal"), ("LOC", "Gent"), (LABEL, FOUND)]
    assert left.entities[2].span == place(SENTENCE.target, FOUND)
    origins = [(each.origin, each.source) for each in left.provenance]
    assert origins == [
        (LabelOrigin.PROJECTED, place(SENTENCE.source, "Marta Vidal")),
        (LabelOrigin.PROJECTED, place(SENTENCE.source, "Ghent")),
        (LabelOrigin.SUGGESTED, place(SENTENCE.source, MISSED)),
    ]


def test_a_span_drawn_in_the_target_stays_as_drawn_and_is_linked_to_the_source(
    drawing: ReviewPage, server: ReviewServer, project: Project
) -> None:
    draw(drawing, target_key("MISC"), place(SENTENCE.target, "Bürgermeister"))
    drawing.page.wait_for_function(_ANSWERED, arg="Bürgermeister")
    drawn = next(each for each in result(drawing) if each["value"]["text"] == "Bürgermeister")
    assert drawn["value"] == {
        "start": 23,
        "end": 36,
        "text": "Bürgermeister",
        "labels": ["MISC"],
    }
    assert drawn["meta"]["text"][0].startswith("from “mayor” · ")
    drawing.submit()

    left = submitted(server, project)
    assert [e.span.of(left.sentence.target) for e in left.entities][1] == "Bürgermeister"
    mine = left.provenance[1]
    assert (mine.origin, mine.source) == (LabelOrigin.PERSON, place(SENTENCE.source, "mayor"))


def test_the_same_answer_again_changes_nothing(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    mark_missed(drawing)
    before = result(drawing)
    _, answer = bundled.drawn[-1]
    for _ in range(3):
        drawing.page.evaluate(
            "regions => Htx.annotationStore.selected.setSuggestions(regions)", answer["result"]
        )
    assert result(drawing) == before
    assert drawing.marked() == [*PREDICTED, [LABEL, FOUND]]


def test_what_was_deleted_is_not_brought_back_by_what_is_drawn_later(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    mark_missed(drawing)
    delete(drawing, FOUND, TARGET)
    asked = len(bundled.drawn)
    # With the same label: Label Studio sends both marks along.
    draw(drawing, source_key(LABEL), place(SENTENCE.source, "mayor"), SOURCE)
    wait_for_calls(drawing, bundled, asked)
    assert [each["value"]["text"] for each in bundled.drawn[-1][0]["result"]] == [MISSED, "mayor"]
    assert drawing.marked() == [PREDICTED[0], [LABEL, "Bürgermeister"], PREDICTED[1]]


def test_two_marks_in_a_hurry_are_both_answered(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    """Label Studio takes only the answer to its last call."""
    asked = len(bundled.drawn)
    draw(drawing, source_key(LABEL), place(SENTENCE.source, MISSED), SOURCE)
    draw(drawing, source_key(LABEL), place(SENTENCE.source, "mayor"), SOURCE)
    wait_for_calls(drawing, bundled, asked + 1)
    assert [words for _, words in drawing.marked()] == [
        "Marta Vidal",
        "Bürgermeister",
        "Gent",
        FOUND,
    ]


def test_an_answer_keeps_the_label_that_was_asked_for_whatever_is_selected_when_it_comes(
    drawing: ReviewPage, server: ReviewServer, project: Project
) -> None:
    """Label Studio gives what comes the label that is active in its sentence."""
    with drawing.answers_held():
        draw(drawing, source_key(LABEL), place(SENTENCE.source, MISSED), SOURCE)
        drawing.press(NEXT_SPAN)
        assert drawing.selected() == "Gent", "the one in a conflict"
    assert drawing.tags()[-1] == "LOC (asked: ORG)", "so one sees that something is wrong"
    drawing.submit()

    left = submitted(server, project)
    assert marks(left) == [("PER", "Marta Vidal"), ("LOC", "Gent"), (LABEL, FOUND)]
    assert any("was shown as LOC, which nobody asked for" in note for note in left.notes)


def test_a_drawn_span_keeps_its_label_when_the_next_key_is_quicker_than_its_link(
    drawing: ReviewPage, server: ReviewServer, project: Project, bundled: BundledBackend
) -> None:
    with drawing.answers_held():
        draw(drawing, target_key("MISC"), place(SENTENCE.target, "Bürgermeister"))
        drawing.press(target_key("PER"))
    mistaken = drawing.marked()
    asked = len(bundled.drawn)
    drawing.drag_over(place(SENTENCE.target, "Urkunde"))
    wait_for_calls(drawing, bundled, asked)
    put_right = drawing.marked()
    drawing.submit()

    assert ["PER", "Bürgermeister"] in mistaken
    assert {("MISC", "Bürgermeister"), ("PER", "Urkunde")} <= {tuple(mark) for mark in put_right}
    left = submitted(server, project)
    assert {("MISC", "Bürgermeister"), ("PER", "Urkunde")} <= {*marks(left)}
    assert left.provenance[1].origin is LabelOrigin.PERSON


def test_what_a_person_makes_of_an_answer_stays(
    drawing: ReviewPage, server: ReviewServer, project: Project, bundled: BundledBackend
) -> None:
    mark_missed(drawing)
    drawing.select(FOUND)
    asked = len(bundled.drawn)
    drawing.press(target_key("MISC"))
    wait_for_calls(drawing, bundled, asked)
    relabelled = drawing.marked()[-1], drawing.tags()[-1]
    draw(drawing, source_key(LABEL), place(SENTENCE.source, MISSED), SOURCE)
    wait_for_calls(drawing, bundled, asked + 1)
    drawing.submit()

    assert relabelled == (["MISC", FOUND], "MISC (asked: ORG)")
    left = submitted(server, project)
    assert ("MISC", FOUND) in marks(left)
    changed = left.provenance[marks(left).index(("MISC", FOUND))]
    assert (changed.origin, changed.source) == (
        LabelOrigin.CHANGED,
        place(SENTENCE.source, MISSED),
    )


def test_of_two_marks_in_a_hurry_with_different_labels_the_first_is_answered_later(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    """Label Studio takes only the answer to its last call, and sends marks of one label."""
    with drawing.answers_held() as asked:
        draw(drawing, source_key(LABEL), place(SENTENCE.source, MISSED), SOURCE)
        draw(drawing, source_key("MISC"), place(SENTENCE.source, "mayor"), SOURCE)
        drawing.await_questions(asked, 2)
    drawing.await_draft()
    calls = len(bundled.drawn)
    draw(drawing, target_key("PER"), place(SENTENCE.target, "Urkunde"))
    wait_for_calls(drawing, bundled, calls)

    assert not drawing.is_waiting()
    found = [["MISC", "Bürgermeister"], PREDICTED[1], ["PER", "Urkunde"], [LABEL, FOUND]]
    assert drawing.marked() == [PREDICTED[0], *found]


def test_a_mark_that_was_submitted_before_its_answer_is_exported_as_not_projected(
    drawing: ReviewPage, server: ReviewServer, project: Project
) -> None:
    with drawing.answers_held() as asked:
        draw(drawing, source_key(LABEL), place(SENTENCE.source, MISSED), SOURCE)
        drawing.await_questions(asked, 1)
        drawing.submit()

    left = submitted(server, project)
    assert [words for _, words in marks(left)] == ["Marta Vidal", "Gent"]
    assert left.notes == (f"marked in the source: ORG “{MISSED}” [38, 51), not projected",)


def test_what_was_found_shows_how_sure_it_is_and_says_what_it_comes_from(
    drawing: ReviewPage,
) -> None:
    mark_missed(drawing)
    drawing.select(FOUND)
    (found,) = [each for each in result(drawing) if each["value"]["text"] == FOUND]
    assert drawing.tags()[-1] == f"{LABEL} {score_tag(found['score'])}".strip()
    panel = drawing.page.locator("[class*=detailed-region__meta-text]").inner_text()
    assert panel == f"from “{MISSED}” · {found['score']:.2f}"


def test_one_undo_takes_back_the_mark_and_what_it_led_to(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    before = result(drawing)
    mark_missed(drawing)
    wait_for_calls(drawing, bundled, 0)
    drawing.press("Control+z")
    assert result(drawing) == before
    assert drawing.marked() == PREDICTED


def test_after_an_answer_one_can_go_on_drawing_in_both_sentences(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    """A text region that is overwritten without its offsets would break the page."""
    for phrase, box, text in (
        ("Urkunde", TARGET, SENTENCE.target),
        ("showed", SOURCE, SENTENCE.source),
        ("zeigte", TARGET, SENTENCE.target),
    ):
        asked = len(bundled.drawn)
        key = source_key("MISC") if box == SOURCE else target_key("MISC")
        draw(drawing, key, place(text, phrase), box)
        wait_for_calls(drawing, bundled, asked)
    drawn = {each["value"]["text"] for each in result(drawing)}
    assert {"Urkunde", "showed", "zeigte"} <= drawn


def test_words_that_are_nowhere_in_the_target_say_so_at_the_mark(
    drawing: ReviewPage, bundled: BundledBackend
) -> None:
    asked = len(bundled.drawn)
    draw(drawing, source_key("MISC"), place(SENTENCE.source, "proud"), SOURCE)
    wait_for_calls(drawing, bundled, asked)
    (mark,) = [each for each in result(drawing) if each["from_name"] == SOURCE_ENTITIES]
    assert mark["meta"]["text"] == [NOT_FOUND]
    assert drawing.marked() == PREDICTED


def test_the_pictures_are_taken(reviewer: ReviewPage, server: ReviewServer, tmp_path: Path) -> None:
    interactive_pictures(reviewer, server, tmp_path / "pictures")
    taken = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert taken == ["interactive-after.png", "interactive-before.png"]
