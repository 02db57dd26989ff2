"""A run says what became of every sentence, and survives whatever stops it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection.errors import CorpusError, RunError
from projection.pipeline.conflicts import Policy
from projection.pipeline.engines import local
from projection.pipeline.run import StoredRun, load_run
from projection.pipeline.run_summary import RunSummary, load_summary
from projection.records import ParallelSentence, ProjectedSentence
from tests.projection.pipeline.run_examples import (
    CORPUS,
    NOWHERE,
    FixedProjector,
    contents,
    mixed,
    project,
    rows,
    sentence,
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "run"


def test_a_run_accounts_for_every_sentence(out: Path) -> None:
    summary = project(mixed(20), out)
    assert summary.read == summary.kept + summary.flagged_sentences + summary.dropped_sentences
    assert summary == RunSummary(
        read=20,
        kept=12,
        flagged={"failed_mapping": 4},
        dropped={"empty": 2, "too_long": 2},
        flagged_sentences=4,
        dropped_sentences=4,
        entities=12,
        teacher_labelled=16,
        target_labelled=0,
        windowed=0,
        untrained={},
        seconds=summary.seconds,
    )
    assert json.loads((out / "summary.json").read_text()) == {"schema": 2} | {
        "read": 20,
        "kept": 12,
        "flagged": {"failed_mapping": 4},
        "dropped": {"empty": 2, "too_long": 2},
        "flagged_sentences": 4,
        "dropped_sentences": 4,
        "entities": 12,
        "teacher_labelled": 16,
        "target_labelled": 0,
        "windowed": 0,
        "untrained": {},
        "seconds": summary.seconds,
    }


def test_a_run_counts_what_is_read_in_windows(out: Path) -> None:
    """A sentence that is dropped is not read."""
    corpus = [
        sentence(0),
        sentence(1, "A" * 60),
        sentence(2, "A" * 60, " "),
        sentence(3, "A" * 100),
    ]
    project(corpus[:2], out)
    assert project(corpus, out).windowed == load_summary(out).windowed == 1


def test_a_run_counts_what_the_aligner_was_not_trained_on(out: Path) -> None:
    """Dropped sentences, too, but none with labels of its own; a call counts those of another."""
    langs = ("zh-TW", "it", "de", "it", "yue", "fr")
    corpus = [replace(sentence(n), target_lang=lang) for n, lang in enumerate(langs)]
    corpus[3] = replace(corpus[3], target=" ")
    corpus.append(replace(sentence(6), target_lang="pt", target_entities=()))
    projector = FixedProjector()
    projector.languages = ("de", "zh")
    project(corpus[:3], out, projector)
    assert project(corpus, out, projector).untrained == {"fr": 1, "it": 2}
    assert load_summary(out).untrained == {"fr": 1, "it": 2}
    assert load_summary(out).target_labelled == 1


def test_a_summary_is_read_back(out: Path) -> None:
    with pytest.raises(RunError, match=r"not a run folder \(no run\.json\)"):
        load_summary(out)
    summary = project(mixed(20), out)
    assert load_summary(out) == summary
    (out / "summary.json").unlink()
    with pytest.raises(RunError, match=r"not done \(no summary\.json\)"):
        load_summary(out)


@pytest.mark.parametrize(
    ("policy", "kept_ids", "dropped_ids"),
    [
        pytest.param(Policy.FLAG, "0 1 2 4 6 7 8 9", "3 5", id="flag: doubtful ones stay"),
        pytest.param(Policy.DROP, "0 1 2 4 6 9", "3 5 7 8", id="drop: as in the paper"),
    ],
)
def test_the_policy_decides(out: Path, policy: Policy, kept_ids: str, dropped_ids: str) -> None:
    project(mixed(10), out, policy=policy)
    assert [projected.sentence.id for projected in load_run(out)] == kept_ids.split()
    assert [row["id"] for row in rows(out / "dropped.jsonl")] == dropped_ids.split()


@pytest.mark.parametrize(
    ("dropped", "kind", "reason"),
    [
        pytest.param(sentence(1, source=""), "empty", "no source text", id="no source"),
        pytest.param(
            sentence(1, target="Anna\0"), "nul", "a NUL character in target", id="no text at all"
        ),
        pytest.param(
            sentence(1, target="Anna\ufdd0001F"),
            "unreadable",
            "U+001F, which XML forbids, in target",
            id="as read from TMX",
        ),
        pytest.param(sentence(1, target="\u3000\n"), "empty", "no target text", id="no target"),
        pytest.param(
            sentence(1, source="", target=""), "empty", "no source and no target text", id="neither"
        ),
        pytest.param(
            sentence(1, source="A" * 100),
            "too_long",
            "longer than the model can read (100 and 10 characters)",
            id="too long",
        ),
        pytest.param(
            sentence(7),
            "failed_mapping",
            "“Anna” (PER) was not found in the translation",
            id="conflict",
        ),
    ],
)
def test_nothing_is_dropped_silently(
    out: Path, dropped: ParallelSentence, kind: str, reason: str
) -> None:
    project([dropped], out, policy=Policy.DROP)
    [row] = rows(out / "dropped.jsonl")
    assert row["dropped"] == [{"kind": kind, "reason": reason}]
    assert (row["source"], row["target"]) == (dropped.source, dropped.target)


def test_an_empty_corpus_is_a_run_too(out: Path) -> None:
    assert project([], out).read == 0
    assert list(load_run(out)) == []


def test_the_run_says_what_shaped_it(out: Path) -> None:
    project(mixed(1), out)
    assert json.loads((out / "run.json").read_text()) == {
        "schema": 2,
        "model_version": "v1",
        "policy": "flag",
        "settings": {"corpus": CORPUS},
    }


def test_what_was_projected_is_loaded_again(out: Path) -> None:
    ugly = sentence(1, "Anna\r\n👨‍👩‍👧 שלום\u2028", "Anna 大西洋 e\u0301\r\n")
    project([ugly], out)
    stored, written = StoredRun(out), FixedProjector().project([ugly])
    assert list(load_run(out)) == list(stored) == list(stored) == written


@pytest.mark.parametrize("size", [0, -1, 1025])
def test_the_batch_size_is_limited(out: Path, size: int) -> None:
    with pytest.raises(ValueError, match="not within 1 to 1024"):
        project([], out, batch_size=size)


def test_memory_and_loss_are_limited_to_a_batch(out: Path) -> None:
    """The corpus is asked for no more than one batch beyond what is on the disk."""
    path = out / "projected.jsonl"
    on_disk: list[int] = []

    def corpus() -> Iterator[ParallelSentence]:
        for number in range(40):
            on_disk.append(len(rows(path)) if path.exists() else 0)
            yield sentence(number)

    project(corpus(), out)
    assert all(number - done <= 4 for number, done in enumerate(on_disk))


def test_progress_counts_every_sentence_whatever_its_fate(out: Path) -> None:
    seen: list[int] = []
    project(mixed(10), out, on_progress=seen.append)
    assert seen == [4, 4, 2]
    seen.clear()
    project(mixed(13), out, on_progress=seen.append)
    assert seen == [8, 4, 1], "what is found done comes first, at once"


def test_the_limit_stops_reading(out: Path) -> None:
    def corpus() -> Iterator[ParallelSentence]:
        yield from mixed(6)
        pytest.fail("asked for more than the limit")

    assert project(corpus(), out, limit=6).read == 6


def interrupted_in_batch(k: int) -> Callable[[Path], None]:
    def stop(out: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            project(mixed(23), out, FixedProjector(NOWHERE, stop_in=k))

    return stop


def whole_then(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    def stop(out: Path) -> None:
        project(mixed(23), out)
        (out / "summary.json").unlink()
        (out / "parts.json").unlink()
        damage(out)

    return stop


def cut(name: str, size: int) -> Callable[[Path], None]:
    """Take bytes off the end of a file, as a power cut does."""

    def damage(out: Path) -> None:
        path = out / name
        path.write_bytes(path.read_bytes()[:-size])

    return damage


def lose_last(name: str, count: int) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        lines = (out / name).read_bytes().splitlines(keepends=True)
        (out / name).write_bytes(b"".join(lines[:-count]))

    return damage


def add(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        (out / name).write_bytes((out / name).read_bytes() + content)

    return damage


def between_the_two_files(out: Path) -> None:
    """Sentence 15, dropped, is the last of its batch."""
    project(mixed(16), out)
    (out / "parts.json").unlink()
    lose_last("dropped.jsonl", 1)(out)


def after_a_smaller_limit(out: Path) -> None:
    project(mixed(23), out, limit=10)


def failing_corpus(out: Path) -> None:
    def corpus() -> Iterator[ParallelSentence]:
        yield from mixed(13)
        raise CorpusError("parallel.en:14", "not UTF-8")

    with pytest.raises(CorpusError):
        project(corpus(), out)


@pytest.mark.parametrize(
    "stop",
    [
        *[pytest.param(interrupted_in_batch(k), id=f"Ctrl-C in batch {k}") for k in range(6)],
        pytest.param(whole_then(cut("projected.jsonl", 1)), id="last line without its end"),
        pytest.param(whole_then(cut("projected.jsonl", 30)), id="last line torn"),
        pytest.param(whole_then(lose_last("projected.jsonl", 2)), id="last lines missing"),
        pytest.param(whole_then(add("projected.jsonl", b'{"sch')), id="a line begun"),
        pytest.param(whole_then(add("dropped.jsonl", b"{")), id="a dropped line begun"),
        pytest.param(between_the_two_files, id="stopped between the two files"),
        pytest.param(after_a_smaller_limit, id="a limit that was raised"),
        pytest.param(failing_corpus, id="a corpus that was fixed"),
        pytest.param(whole_then(lambda _: None), id="nothing left to do"),
    ],
)
def test_a_stopped_run_goes_on_and_ends_as_if_never_stopped(
    tmp_path: Path, stop: Callable[[Path], None]
) -> None:
    stop(tmp_path / "stopped")
    project(mixed(23), tmp_path / "stopped")
    project(mixed(23), tmp_path / "straight")
    assert contents(tmp_path / "stopped") == contents(tmp_path / "straight")


def test_a_run_begun_in_other_batches_goes_on(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        project(mixed(23), out, FixedProjector(stop_in=3), batch_size=3)
    projector = FixedProjector()
    assert project(mixed(23), out, projector).read == 23
    assert projector.asked[0] == ["8", "9", "10", "11"], "0 to 8 were there"
    ids = [projected.sentence.id for projected in load_run(out)]
    assert ids == [s.id for s in mixed(23) if projector.fits(s) and s.target.strip()]


def test_ctrl_c_keeps_whole_batches_and_does_them_only_once(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        project(mixed(23), out, FixedProjector(NOWHERE, stop_in=2))
    kept = [projected.sentence.id for projected in load_run(out)]
    assert kept == ["0", "1", "2", "4", "6", "7"]
    assert not (out / "summary.json").exists(), "no table before the end"
    projector = FixedProjector(NOWHERE)
    project(mixed(23), out, projector)
    assert projector.asked[0] == ["8", "9", "10", "11"]


def test_the_table_of_a_shorter_run_does_not_outlive_an_interrupted_longer_one(out: Path) -> None:
    project(mixed(23), out, limit=8)
    with pytest.raises(KeyboardInterrupt):
        project(mixed(23), out, FixedProjector(NOWHERE, stop_in=1))
    assert not (out / "summary.json").exists()


def test_a_finished_run_is_not_projected_again(out: Path) -> None:
    project(mixed(23), out)
    again = FixedProjector(NOWHERE)
    project(mixed(23), out, again)
    assert again.asked == []


@settings(max_examples=25)  # every example waits for the disk
@given(st.lists(st.integers(0, 6), max_size=4), st.integers(1, 30), st.integers(1, 9))
def test_any_series_of_interruptions_ends_the_same(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int], count: int, batch_size: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    for stop in stops:
        try:
            projector = FixedProjector(NOWHERE, stop_in=stop)
            project(mixed(count), folder / "a", projector, batch_size=batch_size)
        except KeyboardInterrupt:
            pass
    project(mixed(count), folder / "a", batch_size=batch_size)
    project(mixed(count), folder / "b", batch_size=batch_size)
    assert contents(folder / "a") == contents(folder / "b")


@pytest.mark.parametrize(
    ("again", "message"),
    [
        pytest.param(
            lambda out: project(mixed(9), out, FixedProjector(version="v2")),
            "made with model_version 'v1', now 'v2'. Use another --out folder",
            id="another model",
        ),
        pytest.param(
            lambda out: project(mixed(9), out, policy=Policy.DROP),
            "made with policy 'flag', now 'drop'",
            id="another policy",
        ),
        pytest.param(
            lambda out: project(mixed(9), out, settings={"corpus": "x.en", "lang": "de"}),
            "made with corpus 'parallel.en', now 'x.en'; lang None, now 'de'",
            id="other settings",
        ),
        pytest.param(
            lambda out: project([sentence(n, "Anna won.") for n in range(9)], out),
            "0 has another text in the corpus",
            id="the same ids with other texts",
        ),
        pytest.param(
            lambda out: project([sentence(n + 100) for n in range(9)], out),
            r"projected.jsonl: has 0 \(and 6 more\), the corpus has not. Was the corpus changed",
            id="another corpus",
        ),
        pytest.param(
            lambda out: project(mixed(9), out, limit=4),
            r"has 4 \(and 3 more\), the corpus has not. Was .* the limit lowered",
            id="a lower limit",
        ),
        pytest.param(
            lambda out: project([replace(s, id=f"{s.id}-9f86d081") for s in mixed(9)], out),
            r"has 0 \(and 6 more\), .* or the run begun by an earlier version with other ids",
            id="ids of an earlier version",
        ),
    ],
)
def test_a_folder_is_only_continued_with_what_it_was_made_with(
    out: Path, again: Callable[[Path], object], message: str
) -> None:
    project(mixed(9), out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(RunError, match=message):
        again(out)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_results_of_unknown_origin_are_left_alone(out: Path) -> None:
    project(mixed(9), out)
    (out / "run.json").unlink()
    with pytest.raises(RunError, match=r"holds results but no run\.json"):
        project(mixed(9), out)


def test_two_at_once_do_not_destroy_each_other(out: Path) -> None:
    """The second would cut off what the first is adding."""
    refused = []

    def corpus() -> Iterator[ParallelSentence]:
        for number in range(9):
            if number == 5:
                with pytest.raises(RunError, match=r"another process is .* Wait for its end"):
                    project(mixed(9), out)
                refused.append(number)
            yield from mixed(9)[number : number + 1]

    summary = project(corpus(), out)
    assert (summary.read, refused) == (9, [5])
    assert project(mixed(9), out).read == 9, "and afterwards it may"


def test_a_file_in_the_way_is_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError, match="cannot be written"):
        project([], tmp_path / "run")


def test_a_projector_that_leaves_a_sentence_out_is_a_bug_not_a_shift(out: Path) -> None:
    class Forgetful(FixedProjector):
        def project(self, sentences: Sequence[ParallelSentence]) -> list[ProjectedSentence]:
            return super().project(sentences)[1:]

    with pytest.raises(ValueError, match="shorter"):
        project(mixed(9), out, Forgetful())


def test_answers_of_other_models_are_refused(out: Path) -> None:
    with pytest.raises(RunError, match="a worker: has the models v2, not v1"):
        project(mixed(9), out, engine=local(FixedProjector(version="v2"), Policy.FLAG))
    assert not [*load_run(out)]


def test_a_folder_that_is_no_run_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a run folder \(no run.json\)"):
        list(load_run(tmp_path))


def test_a_torn_record_is_not_loaded(out: Path) -> None:
    project(mixed(9), out)
    cut("projected.jsonl", 30)(out)
    (out / "parts.json").unlink()
    with pytest.raises(CorpusError, match=r"projected.jsonl:7: not JSON"):
        list(load_run(out))
