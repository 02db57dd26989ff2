"""What the annotator reads above the target sentence."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.chips import CSS, MOST_SHOWN, numbered_sources, source_html
from projection.conflicts import PAPER_CHECKS, find_conflicts
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

OURS = {"div", "span", "bdi", "sup", "ul", "li"}


class Page(HTMLParser):
    """Reads HTML as a browser does: which tags there are, and which text is shown."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.source: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(f"{tag}.{dict(attrs).get('class')}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().startswith(f"{tag}.")

    def handle_data(self, data: str) -> None:
        self.shown.append(data)
        if "div.sf-source" in self.open and "sup.sf-tag" not in self.open:
            self.source.append(data)

    @property
    def text(self) -> str:
        return "".join(self.shown)

    def chips(self) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if (attrs.get("class") or "").startswith("sf-chip")]


def one(
    source: str,
    target: str,
    *projections: Projection,
    conflicts: tuple[Conflict, ...] = (),
) -> ProjectedSentence:
    entities = tuple(dict.fromkeys(p.source for p in projections))
    sentence = ParallelSentence("p", source, target, "en", "ar", "a.en:1", entities)
    return ProjectedSentence(sentence, (), projections, conflicts, 0.5, "v")


def test_chips_are_numbered_in_reading_order_and_show_label_and_confidence(
    overlapping: ProjectedSentence,
) -> None:
    shown = Page(source_html(overlapping)).text
    assert "Bank of Portugal1 ORG 0.66" in shown
    assert "Portugal2 LOC 0.41" in shown
    assert "Porto3 LOC not found" in shown


def test_a_source_entity_that_went_nowhere_is_dashed(overlapping: ProjectedSentence) -> None:
    looks = [chip["class"] for chip in Page(source_html(overlapping)).chips()]
    assert looks == ["sf-chip", "sf-chip", "sf-chip sf-failed"]
    assert "dashed" in CSS


def test_hovering_a_chip_tells_where_the_entity_went(overlapping: ProjectedSentence) -> None:
    assert [chip["title"] for chip in Page(source_html(overlapping)).chips()] == [
        "ORG → “Banco de Portugal” 0.66",
        "LOC → “Portugal” 0.41",
        "LOC → not found",
    ]


def test_conflicts_are_told_with_kind_reason_and_confidence(overlapping: ProjectedSentence) -> None:
    shown = Page(source_html(overlapping)).text
    assert (
        "⚠ overlap — “Portugal” is claimed by both “Bank of Portugal” and “Portugal” · 0.41"
        in shown
    )
    assert shown.endswith("⚠ failed mapping — no place was found for “Porto”")


def test_a_long_list_of_conflicts_ends_early_and_says_so(overlapping: ProjectedSentence) -> None:
    """So that the target sentence stays on the screen."""
    many = tuple(
        Conflict(ConflictKind.FAILED_MAPPING, f"reason {n}") for n in range(MOST_SHOWN + 3)
    )
    text = Page(source_html(replace(overlapping, conflicts=many))).text
    assert f"reason {MOST_SHOWN - 1}" in text
    assert f"reason {MOST_SHOWN}" not in text
    assert "… and 3 more" in text


def test_what_else_an_entity_could_be_is_told_in_reason_and_on_the_chip(
    overlapping: ProjectedSentence,
) -> None:
    bank, country, city = overlapping.projections
    taken, other = country.target, Span(24, 27)
    assert taken
    found = (
        replace(bank, target=Span(3, 8), alternatives=(other,)),
        country,
        replace(city, alternatives=(taken,)),
    )
    conflicts = find_conflicts(overlapping.sentence, found, PAPER_CHECKS)
    page = Page(source_html(replace(overlapping, projections=found, conflicts=conflicts)))
    assert [chip["title"] for chip in page.chips()] == [
        "ORG → “Banco” 0.66 · possible: “fue”",
        "LOC → “Portugal” 0.41",
        "LOC → not found · possible: “Portugal”",
    ]
    assert page.text.endswith(
        "⚠ failed mapping — “Porto” (LOC) was not found in the translation: "
        "“Portugal” is taken by “Portugal”"
        "⚠ one to many — “Bank of Portugal” was found as “Banco” but could also be “fue” · 0.66"
    )


def test_a_sentence_without_conflicts_says_so(clean: ProjectedSentence) -> None:
    assert Page(source_html(clean)).text.endswith("no conflicts found")


def test_an_entity_with_two_places_shows_both_confidences() -> None:
    ana = Entity(Span(0, 3), "PER")
    html = source_html(
        one("Ana", "Ana y Ana", Projection(ana, Span(0, 3), 0.9), Projection(ana, Span(6, 9), 0.8))
    )
    assert "1 PER 0.90, 0.80" in Page(html).text
    assert len(Page(html).chips()) == 1


def test_entities_that_only_the_teacher_knows_are_shown_too(overlapping: ProjectedSentence) -> None:
    unseen = replace(overlapping, sentence=replace(overlapping.sentence, entities=None))
    assert numbered_sources(unseen) == numbered_sources(overlapping)
    assert source_html(unseen) == source_html(overlapping)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param("<script>alert(1)</script>", id="script"),
        pytest.param("\"><img src=x onerror='alert(1)'>", id="out of an attribute"),
        pytest.param("Tom & Jerry &amp; &lt;b&gt;", id="ampersands and entities"),
        pytest.param("</div></bdi></span>", id="closing tags"),
        pytest.param("“<i>” & ”", id="inside the quotes of a reason"),
    ],
)
def test_nothing_from_a_corpus_becomes_markup(hostile: str) -> None:
    here = Span(0, len(hostile))
    placed = Projection(Entity(here, hostile), None, 0.0, (here,))
    page = Page(source_html(one(hostile, hostile, placed)))
    assert {tag for tag, _ in page.tags} <= OURS
    assert page.chips()[0]["title"] == f"{hostile} → not found · possible: “{hostile}”"
    placed = Projection(Entity(here, hostile), here, 0.5)
    conflict = Conflict(ConflictKind.OVERLAP, f"“{hostile}” is claimed twice", (placed,))
    projected = one(hostile, hostile, placed, conflicts=(conflict,))
    page = Page(source_html(replace(projected, sentence=replace(projected.sentence, id=hostile))))
    assert {tag for tag, _ in page.tags} <= OURS
    assert page.text.count(hostile) == 3  # the chip, its label, the reason
    assert page.chips()[0]["title"] == f"{hostile} → “{hostile}” 0.50"


def test_right_to_left_phrases_are_kept_to_themselves() -> None:
    source = "سامي met Ana"
    placed = Projection(Entity(Span(0, 4), "PER"), None, 0.0)
    conflict = Conflict(ConflictKind.FAILED_MAPPING, "no place was found for “سامي”", (placed,))
    html = source_html(one(source, "Ana", placed, conflicts=(conflict,)))
    assert "<bdi>سامي</bdi><sup" in html
    assert "for “<bdi>سامي</bdi>”" in html
    assert 'dir="auto"' in html


@st.composite
def sentences(draw: st.DrawFn) -> ProjectedSentence:
    source = draw(st.text(min_size=1, max_size=20))
    spans = st.builds(
        lambda a, b: Span(min(a, b), max(a, b) + 1),
        *[st.integers(0, len(source) - 1)] * 2,
    )
    labels = st.sampled_from(["PER", "<b>", "a&b"])
    found = draw(st.lists(st.builds(Entity, spans, labels), max_size=5))
    return one(source, "x", *(Projection(entity, None, 0.0) for entity in found))


@settings(deadline=None)  # a busy machine is not a failure
@given(sentences())
def test_nested_crossing_and_equal_entities_leave_the_sentence_readable(
    projected: ProjectedSentence,
) -> None:
    page = Page(source_html(projected))
    assert "".join(page.source) == projected.sentence.source
    assert page.open == []
    tags = [tag for tag, attrs in page.tags if attrs.get("class") == "sf-tag"]
    assert len(tags) == len(numbered_sources(projected))


@pytest.mark.parametrize("fixed", ["white", "black", "background: #", "color: #", "rgb("])
def test_no_color_is_fixed_for_one_theme(fixed: str) -> None:
    assert fixed not in CSS.replace("white-space", "")
