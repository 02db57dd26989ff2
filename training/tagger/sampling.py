"""Sampling: the sentences of a part of the data that a stage learns from."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence

from training.data.rows import Row
from training.tagger.capitals import with_capitals
from training.tagger.presets import Use


def drawn(found: Sequence[Row], use: Use, seed: int) -> list[Row]:
    """Return the sentences that `use` asks for, in their order, drawn by `seed`."""
    rng = random.Random(seed)  # noqa: S311  a sample is no secret
    found = [*map(with_capitals, found)] if use.capitals else found
    fit = [
        i
        for i, each in enumerate(found)
        if use.least_margin is None or each.margin is None or each.margin >= use.least_margin
    ]
    rng.shuffle(fit)
    corpora: defaultdict[str, list[int]] = defaultdict(list)
    for i in fit:
        corpora[found[i].corpus if use.equal_corpora else ""].append(i)
    kept_of = [_with_share(found, indices, use.nameless) for indices in corpora.values()]
    sizes = shares([len(indices) for indices in kept_of], use.sentences)
    kept = [i for indices, n in zip(kept_of, sizes, strict=True) for i in indices[:n]]
    return [found[i] for i in sorted(kept)]


def _with_share(found: Sequence[Row], indices: Sequence[int], nameless: float | None) -> list[int]:
    """Return all with entities, and as many without as make the share, evenly mixed."""
    if nameless is None:
        return [*indices]
    named = [i for i in indices if found[i].has_entity]
    bare = [i for i in indices if not found[i].has_entity]
    bare = bare[: round(len(named) * nameless / (1 - nameless))]
    places = [(place / len(side), i) for side in (named, bare) for place, i in enumerate(side)]
    return [i for _, i in sorted(places)]


def shares(sizes: Sequence[int], wanted: int | None) -> list[int]:
    """Return how many to take of each, as equally as possible, `wanted` in all (None: all)."""
    if wanted is None:
        return [*sizes]
    taken = [0] * len(sizes)
    left = wanted
    for done, place in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        taken[place] = min(sizes[place], math.ceil(left / (len(sizes) - done)))
        left -= taken[place]
    return taken
