"""Tags of other schemes become IOB2, and what is wrong in a scheme is not made right by that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.text.iob2 import chunks
from projection.text.tag_schemes import IOB1, IOB2, scheme_of, to_iob2

TYPES = st.sampled_from(["PER", "B-side", "S"])


@st.composite
def entities(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Types and lengths of the entities of a sentence; no type is a token outside."""
    return draw(st.lists(st.tuples(TYPES | st.just(""), st.integers(1, 3)), min_size=1, max_size=6))


def iob2(found: list[tuple[str, int]]) -> list[str]:
    tags = list[str]()
    for label, length in found:
        tags += [f"B-{label}"] + [f"I-{label}"] * (length - 1) if label else ["O"] * length
    return tags


def with_ends(found: list[tuple[str, int]], letters: str) -> list[str]:
    """The tags with the letters for begin, inside, end and single."""
    begin, inside, end, single = letters
    tags = list[str]()
    for label, length in found:
        if not label:
            tags += ["O"] * length
        elif length == 1:
            tags.append(f"{single}-{label}")
        else:
            middle = [f"{inside}-{label}"] * (length - 2)
            tags += [f"{begin}-{label}", *middle, f"{end}-{label}"]
    return tags


@given(entities(), st.sampled_from(["BIES", "BILU", "BMEW", "BMES"]))
def test_schemes_that_mark_ends_give_the_same_tags(
    found: list[tuple[str, int]], letters: str
) -> None:
    tags = with_ends(found, letters)
    assert [*to_iob2(tags, scheme_of([tags]))] == [(tag, None) for tag in iob2(found)]


@given(entities())
def test_iob2_is_left_as_it_is(found: list[tuple[str, int]]) -> None:
    tags = iob2(found)
    assert scheme_of([tags]) == IOB2
    assert [*to_iob2(tags, IOB2)] == [(tag, None) for tag in tags]


@given(entities())
def test_iob1_gives_the_same_entities(found: list[tuple[str, int]]) -> None:
    tags = iob2(found)
    before = ["O", *tags]
    short = [
        tag if tag[2:] and tag[2:] == last[2:] else tag.replace("B-", "I-", 1)
        for last, tag in zip(before, tags, strict=False)
    ]
    converted = [tag for tag, _ in to_iob2(short, IOB1)]
    assert chunks(converted) == chunks(tags)


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        pytest.param([["I-X", "B-X"]], "IOB1", id="B- where it parts entities"),
        pytest.param([["I-X"], ["B-X"]], "IOB2", id="B- where IOB1 has none: a mistake"),
        pytest.param([["B-X"], ["O"]], "IOB2", id="plain"),
        pytest.param([["S-X"], ["B-X", "E-X"]], "BIOES", id="ends"),
        pytest.param([["U-X"]], "BILOU", id="only single ones"),
        pytest.param([["L-X", "E-X"]], "IOB2", id="none"),
        pytest.param([["O", "_"]], "IOB2", id="no entity"),
    ],
)
def test_schemes_are_told_apart(sentences: list[list[str]], scheme: str) -> None:
    assert scheme_of(sentences) == scheme
