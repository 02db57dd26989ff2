"""What stands behind each marked phrase of the target sentence."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.target_css import (
    CONFLICT,
    PROPAGATED,
    Mark,
    base_of,
    label_rules,
    suggestion_id,
    suggestion_rules,
    task_rules,
)
from projection.records import ParallelSentence
from tests.label_config.wcag import contrast

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#262522"


def rules_of(target: str, *marks: Mark, source: str = "x") -> str:
    return task_rules(ParallelSentence("p", source, target, "en", "es", "a:1"), marks)


PLAIN = Mark("0a1b", 2, "LOC", 0.744, in_conflict=False)


def test_a_mark_carries_its_number_and_its_probability() -> None:
    rules = rules_of("Berlin", PLAIN)
    assert '[class*="htx-highlight-0a1b-"]{--sf-number:"2 "}' in rules
    assert '[data-label$="\\3a LOC"]{--sf-sure:" 0.74"}' in rules
    assert "--sf-conflict" not in rules
    assert "--sf-sure" not in rules_of("Berlin", PLAIN._replace(score=0.896)), "nothing to doubt"


def test_a_mark_and_its_chip_light_up_together() -> None:
    rules = rules_of("Berlin", PLAIN)
    region = '.htx-highlight[class*="htx-highlight-0a1b-"]'
    assert f".sf-page:has({region}:is(:hover,.__active)) .sf-source .sf-n2{{" in rules
    assert f".sf-page:has(.sf-source .sf-n2:hover) {region}{{" in rules


def test_a_doubtful_mark_is_outlined() -> None:
    rules = rules_of("x", Mark("0a", None, "LOC", None, in_conflict=True))
    assert f"{{--sf-conflict:{CONFLICT}}}" in rules


def test_a_propagated_mark_is_dotted_and_says_so_while_it_has_the_label_it_was_given() -> None:
    rules = rules_of("x", Mark("0a", 1, "LOC", None, in_conflict=False, propagated=True))
    assert f"{{--sf-edge:dotted;--sf-conflict:{PROPAGATED}}}" in rules
    assert '[data-label$="\\3a LOC"]{--sf-came:"\\21aa \\20 "}' in rules


def test_an_entity_of_the_target_alone_has_no_number() -> None:
    rules = rules_of("x", Mark("0a", None, "LOC", 0.5, in_conflict=False))
    assert "--sf-number" not in rules
    assert "--sf-lit" not in rules
    assert '--sf-sure:" 0.50"' in rules


def test_no_marks_need_no_rules() -> None:
    assert rules_of("") == ""


@pytest.mark.parametrize(
    ("target", "hidden"),
    [
        pytest.param("Sa\u0303o Paulo, 日本", False, id="one UTF-16 unit each"),
        pytest.param("日本 \uffff", False, id="the last of one unit"),
        pytest.param("😀 Berlin", True, id="emoji"),
        pytest.param("𠮷野家", True, id="a rare character"),
    ],
)
def test_ends_cannot_be_dragged_where_label_studio_would_miscount(
    target: str, hidden: bool
) -> None:
    assert ("area,.sf-page .sf-ends{display:none}" in rules_of(target)) is hidden


@pytest.mark.parametrize(
    ("source", "target", "boxed"),
    [
        pytest.param("Sami", "سامي", True, id="Arabic target"),
        pytest.param("דנה", "Dana", True, id="Hebrew source"),
        pytest.param("Sami 123 日本", "e\u0301", False, id="neither"),
    ],
)
def test_tags_beside_right_to_left_names_are_boxes(source: str, target: str, boxed: bool) -> None:
    assert ("{display:inline-block}" in rules_of(target, source=source)) is boxed


def test_a_drawn_mark_shows_its_label_without_label_studios_index() -> None:
    (rule,) = label_rules(["LOC"]).splitlines()
    assert '[data-label$="\\3a LOC"]::after' in rule
    assert 'content: "\\2060" var(--sf-came) var(--sf-number) "LOC" var(--sf-sure) ' in rule


def test_of_two_labels_that_end_alike_the_longer_one_prevails() -> None:
    first, second = label_rules(["a:LOC", "LOC"]).splitlines()
    assert 'var(--sf-number) "LOC"' in first
    assert 'var(--sf-number) "a\\3a LOC"' in second


def suggested(label: str, score: float, *, shown_as: str) -> str:
    """What stands behind a suggestion, by the rules that its class and label meet."""
    name, tag = f"htx-highlight-{suggestion_id('84fb0c', 'mark', label, score)}-7", f"3:{shown_as}"
    values: dict[str, str] = {}
    for rule in suggestion_rules(["LOC", "ORG"]).splitlines():
        wanted = re.search(r'class\*="([^"]*)"', rule)
        unless = re.search(r':not\(\[data-label\$="([^"]*)"', rule)
        if wanted and wanted[1] in name and not (unless and tag.endswith(unescaped(unless[1]))):
            values |= re.findall(r'(--sf-\w+):"([^"]*)"', rule)
    return "".join(unescaped(values.get(key, "")) for key in ("--sf-tenths", "--sf-hundredths"))


def test_a_suggestion_shows_how_sure_it_is_and_if_it_has_not_the_label_asked_for() -> None:
    assert base_of(suggestion_id("84fb0c", "mark", "LOC", 0.5)) == "84fb0c"
    for score in (0.0, 0.05, 0.617, 0.894):
        assert suggested("LOC", score, shown_as="LOC") == f" {score:.2f}"
    for score in (0.896, 1.0):
        assert suggested("LOC", score, shown_as="LOC") == ""
        assert suggested("LOC", score, shown_as="ORG") == " (asked: LOC)"
    assert suggested("LOC", 0.617, shown_as="ORG") == " (asked: LOC)"


def unescaped(css: str) -> str:
    return re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), css)


@settings(deadline=None)  # a busy machine is not a failure
@given(st.text(min_size=1) | st.sampled_from(['"', "\\", "</style>", "a\nb", "}", "😀"]))
def test_a_label_cannot_leave_its_string(label: str) -> None:
    rule = label_rules([label])
    _, _, shown = re.findall(r'"([^"]*)"', rule)
    assert unescaped(shown) == label
    for rules in (rule, suggestion_rules([label])):
        assert not set("<>&\r") & set(rules)
        assert rules.count("\n") == rules.count("{") == rules.count("}")
        assert all(line.count("{") == 1 for line in rules.splitlines())


@pytest.mark.parametrize("page", [LIGHT_PAGE, DARK_PAGE])
@pytest.mark.parametrize("outline", [CONFLICT, PROPAGATED])
def test_an_outline_can_be_seen_on_every_theme(outline: str, page: str) -> None:
    assert contrast(outline, page) >= 3
