"""What the annotator reads above the target sentence, and how the two sentences belong together."""

import re
from collections import defaultdict
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.source_html import (
    CSS,
    MOST_SHOWN,
    as_html_text,
    conflicts_html,
    numbered_sources,
    source_html,
)
from label_config.target_css import CSS as MARKS
from label_config.target_css import Mark
from projection.pipeline.conflicts import PAPER_CHECKS, find_conflicts
from projection.records import (
    Conflict,
    ConflictKind,
    Entity,
    ParallelSentence,
    ProjectedSentence,
    Projection,
    Span,
)

OURS = {"div", "span", "bdi", "style", "ul", "li"}


class Page(HTMLParser):
    """Reads HTML as a browser does: which tags there are, and which text is shown."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.css = ""
        self.texts: defaultdict[str, list[str]] = defaultdict(list)
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.css += data
            return
        self.shown.append(data)
        for tag in {*self.open}:
            self.texts[tag][-1] += data

    @property
    def text(self) -> str:
        return "".join(self.shown)

    def lines(self, tag: str) -> list[str]:
        """The text of each element with this tag."""
        return self.texts[tag]

    def rules(self) -> list[str]:
        """The rules of its style sheet, in any order."""
        return sorted(re.findall(r"[^{}]+\{[^{}]*\}", self.css))

    def chips(self) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if (attrs.get("class") or "").startswith("sf-chip")]

    def chip_tags(self) -> list[str]:
        return [chip["data-tag"] or "" for chip in self.chips() if "data-tag" in chip]


def doubts(projected: ProjectedSentence) -> Page:
    return Page(conflicts_html(projected, ()))


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
    page = Page(source_html(overlapping))
    assert page.chip_tags() == ["1 ORG 0.66", "2 LOC 0.41", "3 LOC failed mapping"]


def test_the_text_of_the_source_is_the_sentence_and_nothing_else(
    overlapping: ProjectedSentence,
) -> None:
    """So that a selection in the browser has the offsets it has in the sentence."""
    assert Page(source_html(overlapping)).text == overlapping.sentence.source


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\r\nb", "a \nb", id="HTML has one character for the end of a line"),
        pytest.param("a\rb", "a\nb", id="old line ends"),
        pytest.param("a\0b", "a\ufffdb", id="HTML has no NUL"),
        pytest.param("a  b\n\n\tc\u2028", "a  b\n\n\tc\u2028", id="other white space stays"),
    ],
)
def test_what_html_cannot_hold_is_replaced_code_point_by_code_point(text: str, shown: str) -> None:
    assert as_html_text(text) == shown
    assert len(shown) == len(text)
    assert Page(source_html(one(text, "x"))).text == shown


def test_a_source_entity_that_went_nowhere_is_dashed(overlapping: ProjectedSentence) -> None:
    looks = [chip["class"] for chip in Page(source_html(overlapping)).chips()]
    assert looks == ["sf-chip sf-n1", "sf-chip sf-n2", "sf-chip sf-n3 sf-failed"]
    assert "dashed" in CSS


def test_hovering_a_chip_tells_where_the_entity_went(overlapping: ProjectedSentence) -> None:
    assert [chip["title"] for chip in Page(source_html(overlapping)).chips()] == [
        "ORG → “Banco de Portugal” 0.66",
        "LOC → “Portugal” 0.41",
        "LOC → failed mapping",
    ]


def test_conflicts_are_told_with_kind_reason_and_confidence(overlapping: ProjectedSentence) -> None:
    shown = doubts(overlapping).text
    assert (
        "⚠ overlap 1, 2 — “Portugal” is claimed by both “Bank of Portugal” and “Portugal” · 0.41"
        in shown
    )
    assert "⚠ failed mapping 3 — no place was found for “Porto”" in shown


def test_a_long_list_of_conflicts_ends_early_and_says_so(overlapping: ProjectedSentence) -> None:
    """So that the target sentence stays on the screen."""
    many = tuple(
        Conflict(ConflictKind.FAILED_MAPPING, f"reason {n}") for n in range(MOST_SHOWN + 3)
    )
    text = doubts(replace(overlapping, conflicts=many)).text
    assert f"reason {MOST_SHOWN - 1}" in text
    assert f"reason {MOST_SHOWN}" not in text
    assert "… and 3 more" in text


def test_conflicts_of_a_kind_share_a_line(overlapping: ProjectedSentence) -> None:
    bank, country, _ = overlapping.projections
    conflicts = [
        Conflict(ConflictKind.LOW_CONFIDENCE, "only 41 % sure", (country,)),
        Conflict(ConflictKind.OVERLAP, "both", (bank, country)),
        Conflict(ConflictKind.LOW_CONFIDENCE, "only 66 % sure", (bank,)),
    ]
    assert doubts(replace(overlapping, conflicts=tuple(conflicts))).lines("li") == [
        "⚠ low confidence 1, 2 — only 41 % sure; only 66 % sure",
        "⚠ overlap 1, 2 — both · 0.41",
    ]


def test_the_line_of_the_one_entity_not_found_fades_once_something_is_drawn(
    overlapping: ProjectedSentence,
) -> None:
    fading = ".sf-failed_mapping{opacity:0.5}"
    lost = Conflict(ConflictKind.FAILED_MAPPING, "not found")
    assert fading in conflicts_html(replace(overlapping, conflicts=(lost,)), ())
    assert fading not in conflicts_html(replace(overlapping, conflicts=(lost, lost)), ())
    assert fading not in conflicts_html(replace(overlapping, conflicts=()), ())


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
    shown = replace(overlapping, projections=found, conflicts=conflicts)
    assert [chip["title"] for chip in Page(source_html(shown)).chips()] == [
        "ORG → “Banco” 0.66 · possible: “fue”",
        "LOC → “Portugal” 0.41",
        "LOC → failed mapping · possible: “Portugal”",
    ]
    assert (
        "⚠ failed mapping 3 — “Porto” (LOC) was not found in the translation: "
        "“Portugal” is taken by “Portugal” · draw it below, or leave it"
        "⚠ one-to-many 1 — “Bank of Portugal” was found as “Banco” but could also be “fue” · 0.66"
    ) in doubts(shown).text


def test_what_was_not_found_comes_with_what_to_do_about_it(overlapping: ProjectedSentence) -> None:
    """No key leads to it: there is no region."""
    overlap, lost = doubts(overlapping).lines("li")
    assert lost.endswith("no place was found for “Porto” · draw it below, or leave it")
    assert "draw it" not in overlap


def test_what_the_teacher_doubts_says_how_sure_it_is(overlapping: ProjectedSentence) -> None:
    """What it missed has no region either; the other is shown by its number."""
    bank = overlapping.projections[0]
    conflicts = (
        Conflict(ConflictKind.TYPE_UNSURE, "only 62 % sure", (bank,), (Span(3, 20),)),
        Conflict(ConflictKind.TYPE_UNSURE, "“left” may be ORG (30 %)"),
    )
    assert doubts(replace(overlapping, conflicts=conflicts)).lines("li") == [
        "⚠ type unsure 1 — only 62 % sure; “left” may be ORG (30 %) · draw it below, or leave it",
    ]


def test_a_sentence_without_conflicts_says_so(clean: ProjectedSentence) -> None:
    assert doubts(clean).text == "✓ no conflict"


@pytest.mark.parametrize(
    ("propagated", "tag", "title"),
    [
        pytest.param("MISC", "1 ORG ↪ MISC", "ORG → “Banco de Portugal” ↪ MISC", id="relabelled"),
        pytest.param("ORG", "1 ORG ↪", "ORG → “Banco de Portugal” ↪", id="moved"),
        pytest.param("", "1 ORG ↪ no entity", "ORG → ↪ no entity", id="deleted"),
    ],
)
def test_a_chip_says_what_a_correction_of_other_sentences_made_of_it(
    overlapping: ProjectedSentence, propagated: str, tag: str, title: str
) -> None:
    bank, *others = overlapping.projections
    target = bank.target if propagated else None
    corrected = Projection(bank.source, target, 0.0, propagated=propagated)
    page = Page(source_html(replace(overlapping, projections=(corrected, *others))))
    assert page.chip_tags() == [tag, "2 LOC 0.41", "3 LOC failed mapping"]
    assert page.chips()[0]["title"] == title


def test_an_entity_with_two_places_shows_both_confidences() -> None:
    ana = Entity(Span(0, 3), "PER")
    html = source_html(
        one("Ana", "Ana y Ana", Projection(ana, Span(0, 3), 0.9), Projection(ana, Span(6, 9), 0.8))
    )
    assert Page(html).chip_tags() == ["1 PER 0.90, 0.80"]


def test_a_chip_shows_confidence_only_where_it_is_doubtful() -> None:
    ana = Entity(Span(0, 3), "PER")
    tags = [
        Page(source_html(one("Ana", "Ana", Projection(ana, Span(0, 3), score)))).chip_tags()
        for score in (0.894, 0.896, 1.0)
    ]
    assert tags == [["1 PER 0.89"], ["1 PER"], ["1 PER"]]


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
    assert page.chips()[0]["title"] == f"{hostile} → failed mapping · possible: “{hostile}”"
    placed = Projection(Entity(here, hostile), here, 0.5)
    conflict = Conflict(ConflictKind.OVERLAP, f"“{hostile}” is claimed twice", (placed,))
    projected = one(hostile, hostile, placed, conflicts=(conflict,))
    projected = replace(projected, sentence=replace(projected.sentence, id=hostile))
    page = Page(source_html(projected))
    assert {tag for tag, _ in page.tags} <= OURS
    assert (page.text, page.chip_tags()) == (hostile, [f"1 {hostile} 0.50"])
    assert page.chips()[0]["title"] == f"{hostile} → “{hostile}” 0.50"
    said = Page(conflicts_html(projected, [Mark("a1", 1, hostile, 0.5, in_conflict=True)]))
    assert {tag for tag, _ in said.tags} <= OURS
    assert said.text.count(hostile) == 1


def test_right_to_left_phrases_do_not_change_what_is_around_them() -> None:
    source = "سامي met Ana"
    placed = Projection(Entity(Span(0, 4), "PER"), None, 0.0)
    conflict = Conflict(ConflictKind.FAILED_MAPPING, "no place was found for “سامي”", (placed,))
    projected = one(source, "Ana", placed, conflicts=(conflict,))
    assert 'dir="auto"' in source_html(projected)
    assert "for “<bdi>سامي</bdi>”" in conflicts_html(projected, ())


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
    assert page.text == as_html_text(projected.sentence.source)
    assert len(page.text) == len(projected.sentence.source)
    assert page.open == []
    assert len(page.chip_tags()) == len(numbered_sources(projected))


@pytest.mark.parametrize("fixed", ["white", "black", "background: #", "color: #", "rgb("])
def test_no_color_is_fixed_for_one_theme(fixed: str) -> None:
    assert fixed not in (CSS + MARKS).replace("white-space", "")


def test_what_was_propagated_has_a_line_of_its_own_and_is_escaped(clean: ProjectedSentence) -> None:
    html = conflicts_html(clean, (), "<b>: LOC → ORG")
    assert html.count("sf-propagated") == 1
    assert "&lt;b&gt;: LOC → ORG" in html
    assert Page(html).text.endswith("↪ propagated — <b>: LOC → ORG")
    assert "sf-propagated" not in conflicts_html(clean, ())
