"""A corpus is cleaned as a stream: all is kept or counted once, and files appear whole."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from projection.corpus.cleaning import CleaningSummary, DropKind, clean_corpus
from projection.corpus.recipe import CleaningRecipe, Compared
from projection.errors import CorpusError
from projection.io.jsonl import read_jsonl_corpus
from projection.records import Entity, ParallelSentence, Span
from tests.projection.peak import peak_below

# Needs no extra.
BASE = CleaningRecipe(
    min_length=2, max_length=90, min_margin=1.0, min_language=0, near_duplicates=0
)
GOOD = ("Marie left Warsaw.", "Marie verließ Warschau.")
PAIRS = [
    ("", "Regen."), GOOD, ("I", "Ich"), ("It rained. " * 9, "Es regnete."), ("Rain.", "R" * 80),
    ("6-4, 6-3", "6:4, 6:3"), ("so we must go now", "so we must go now"), GOOD,
]  # fmt: skip
KINDS = {"empty", "too_short", "too_long", "length_ratio", "few_letters", "copy", "duplicate"}


def corpus(pairs: list[tuple[str, str]] = PAIRS) -> list[ParallelSentence]:
    return [
        ParallelSentence(f"n{i}", source, target, "en", "de", f"a.en:{i}")
        for i, (source, target) in enumerate(pairs, start=1)
    ]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_pair_is_kept_or_counted_once(tmp_path: Path) -> None:
    out, dropped = tmp_path / "clean.jsonl", tmp_path / "dropped.jsonl"
    summary = clean_corpus(corpus(), BASE, out, dropped)
    assert summary == CleaningSummary(8, 1, dict.fromkeys([k for k in DropKind if k in KINDS], 1))
    assert [*summary.dropped] == [kind for kind in DropKind if kind in summary.dropped]
    assert [row["id"] for row in rows(out)] == ["n2"]
    assert [(row["id"], row["dropped"]) for row in rows(dropped)][:2] == [
        ("n1", [{"kind": "empty", "reason": "no source text"}]),
        ("n3", [{"kind": "too_short", "reason": "1 characters, below 2"}]),
    ]
    assert [row["id"] for row in rows(dropped)] == ["n1", "n3", "n4", "n5", "n6", "n7", "n8"]


def test_the_first_rule_that_refuses_a_pair_counts(tmp_path: Path) -> None:
    """Too long, of another length than the other side, and with a low margin."""
    pair = replace(corpus([("It rained. " * 9, "Es regnete.")])[0], margin=0.5)
    summary = clean_corpus([pair], BASE, tmp_path / "clean.jsonl")
    assert summary.dropped == {"too_long": 1}
    recipe = replace(BASE, max_length=2000, max_ratio=float("inf"))
    assert clean_corpus([pair], recipe, tmp_path / "a").dropped == {"low_margin": 1}


def test_both_files_can_be_projected(tmp_path: Path) -> None:
    labelled = replace(
        corpus([GOOD])[0],
        margin=1.21,
        entities=(Entity(Span(0, 5), "PER", 0.9),),
        target_entities=(Entity(Span(14, 22), "LOC"),),
    )
    sentences = [labelled, replace(labelled, id="again")]
    out, dropped = tmp_path / "clean.jsonl", tmp_path / "dropped.jsonl"
    clean_corpus(sentences, BASE, out, dropped)
    assert [*read_jsonl_corpus(out), *read_jsonl_corpus(dropped)] == sentences


def test_a_corpus_that_breaks_off_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    def broken() -> Iterator[ParallelSentence]:
        yield from corpus()
        raise CorpusError("a.en:9", "not UTF-8")

    out, dropped = tmp_path / "clean.jsonl", tmp_path / "dropped.jsonl"
    out.write_text("of yesterday\n", "utf-8")
    with pytest.raises(CorpusError, match=r"a\.en:9"):
        clean_corpus(broken(), BASE, out, dropped)
    with pytest.raises(CorpusError, match="news: no sentences"):
        clean_corpus([], BASE, out, dropped, where="news")
    assert out.read_text("utf-8") == "of yesterday\n"
    assert [path.name for path in tmp_path.iterdir()] == ["clean.jsonl"]


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """Text of 1 MB; duplicates, whose index does grow, are kept."""
    recipe = CleaningRecipe(min_language=0, duplicates=Compared.NOTHING)
    [pair] = corpus([("word " * 200, "Wort " * 200)])
    steps: list[int] = []
    with peak_below(500_000):
        summary = clean_corpus(
            (replace(pair, id=f"n{i}") for i in range(550)),
            recipe,
            tmp_path / "clean.jsonl",
            on_progress=steps.append,
        )
    assert (summary.kept, steps) == (550, [500, 50])


def test_by_default_languages_and_near_duplicates_are_looked_at(tmp_path: Path) -> None:
    for package in ("datasketch", "py3langid"):
        pytest.importorskip(package, reason="pip install 'spanferry[clean]'")
    pairs = [
        GOOD,
        ("The vote takes place tomorrow.", "The vote will take place tomorrow."),
        ("Le vote aura lieu demain matin.", "Die Abstimmung findet morgen statt."),
        ("MARIE left Warsaw!", "Marie verließ Warschau"),
    ]
    cherokee = replace(corpus([("It rained.", "ᎤᏍᏗ ᎠᏂᏴᏫᏯ")])[0], id="chr", target_lang="chr")
    out = tmp_path / "clean.jsonl"
    summary = clean_corpus([*corpus(pairs), cherokee], CleaningRecipe(), out)
    kinds = {"target_language": 1, "source_language": 1, "near_duplicate": 1}
    assert summary == CleaningSummary(5, 2, kinds, ("chr",))
    once = out.read_bytes()
    clean_corpus([*corpus([GOOD, pairs[3]]), cherokee], CleaningRecipe(min_language=0), out)
    assert out.read_bytes() == once
