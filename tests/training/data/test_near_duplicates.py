"""Near-duplicates are found without comparing all with all."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import DisjointSet

from training.data.near_duplicates import ALIKE, near_duplicates


@given(
    st.lists(st.text("abcd", max_size=14), max_size=25),
    st.sampled_from([0.07, 0.25, 0.5, ALIKE, 0.9, 1.0]),
)
def test_near_duplicates_join_all_that_are_alike_and_nothing_else(
    texts: list[str], alike: float
) -> None:
    """As comparing all with all, and as few pairs as that takes."""

    def sequences(plain: str) -> set[str]:
        return {plain[i : i + 4] for i in range(max(1, len(plain) - 3))}

    def are_alike(one: str, other: str) -> bool:
        a, b = sequences(one), sequences(other)
        return len(a & b) / len(a | b) >= alike

    expected = DisjointSet(texts)
    pairs = 0
    for one, other in combinations(sorted({*texts}), 2):
        if are_alike(one, other) and not expected.connected(one, other):
            expected.merge(one, other)
            pairs += 1
    found = [*near_duplicates(texts, alike)]
    assert all(are_alike(*pair) for pair in found)
    joined = DisjointSet(texts)
    for pair in found:
        joined.merge(*pair)
    for text in texts:
        assert joined.subset(text) == expected.subset(text)
    assert len(found) == pairs
