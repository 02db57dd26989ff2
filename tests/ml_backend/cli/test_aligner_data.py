"""`spanferry aligner data`, as a shell would call it; eflomal runs where it is installed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from ml_backend.cli import aligner_data
from projection.errors import CorpusError, SpanferryError, TrainingError
from projection.io.files import json_line
from projection.io.records_json import encode
from projection.records import Entity, ParallelSentence, ReviewedSentence, ReviewStatus, Span

ENGLISH = ["yes Anna left Bern today", "", "Bern is older than Cologne", "he saw Zoë again"]
GERMAN = ["ja Anna verließ Bern heute", "leer", "Bern ist älter als Köln", "er sah Zoë wieder"]
DIAGONAL = ["0-0 1-1 2-2 3-3 4-4", "", "0-0 1-1 2-2 3-3 4-4", "0-0 1-1 2-2 3-3"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of four lines, one without English, and its links."""
    written = {"news.en": ENGLISH, "news.de": GERMAN, "links": DIAGONAL, "back": DIAGONAL}
    for name, lines in written.items():
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return tmp_path / "news"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "made" / "de.jsonl"


@pytest.fixture
def call() -> Callable[..., Result]:
    app = typer.Typer()
    app.command()(aligner_data.data)

    def run(*arguments: object) -> Result:
        told = [str(argument) for argument in ("--target-lang", "de", *arguments)]
        return CliRunner().invoke(app, told)

    return run


@pytest.fixture
def run(call: Callable[..., Result], out: Path) -> Callable[..., list[dict[str, object]]]:
    """Run it, and read the silver it writes."""

    def made(*arguments: object) -> list[dict[str, object]]:
        result = call(*arguments, "--out", out)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]

    return made


@pytest.fixture
def fails(call: Callable[..., Result], out: Path) -> Callable[..., SpanferryError]:
    """Run it in vain; nothing may be written."""

    def error(*arguments: object) -> SpanferryError:
        result = call(*arguments, "--out", out)
        assert isinstance(result.exception, SpanferryError), result.output
        assert not out.exists()
        assert not list(out.parent.glob(".*")) if out.parent.exists() else True
        return result.exception

    return error


def links(corpus: Path, *more: object) -> list[object]:
    return [corpus, "--alignments", corpus.parent / "links", *more]


class TestAlignments:
    def test_phrases_are_read_off_them(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path
    ) -> None:
        rows = {row["source"]: row for row in run(*links(corpus))}
        assert set(rows) == {ENGLISH[0], ENGLISH[2], ENGLISH[3]}
        assert rows[ENGLISH[2]]["links"] == DIAGONAL[2]
        phrases = rows[ENGLISH[2]]["phrases"]
        assert isinstance(phrases, list)
        assert [19, 26, 19, 23] in phrases  # Cologne, Köln

    def test_both_directions_make_sure_and_possible_links(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path
    ) -> None:
        back = corpus.parent / "back"
        back.write_text("0-0 1-1 4-2\n\n\n\n", "utf-8")
        (row,) = run(*links(corpus), "--reverse-alignments", back)
        assert row["links"] == "0-0 1-1 2p2 3p3 4p2 4p4"

    def test_the_same_seed_writes_the_same_bytes(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path, out: Path
    ) -> None:
        run(*links(corpus), "--seed", 1)
        first = out.read_bytes()
        run(*links(corpus), "--seed", 1)
        assert out.read_bytes() == first

    def test_a_sample_keeps_each_sentence_with_its_line(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path
    ) -> None:
        for seed in range(4):
            (row,) = run(*links(corpus)[1:], f"{corpus}:1", "--seed", seed)
            assert row["links"] == DIAGONAL[ENGLISH.index(str(row["source"]))]

    def test_one_file_for_all_corpora_or_one_for_each(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path
    ) -> None:
        each = run(corpus, *links(corpus), "--alignments", corpus.parent / "back")
        joint = corpus.parent / "joint"
        joint.write_text("".join(f"{line}\n" for line in DIAGONAL * 2), "utf-8")
        assert run(corpus, corpus, "--alignments", joint) == each
        assert len(each) == 6

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param("0-0\n\n", r"links:2: ends here, .* news\.en:3", id="too short"),
            pytest.param("\n" * 5, r"links:5: the corpus has ended", id="too long"),
            pytest.param(
                "0-0\n\n9-0\n\n", r"links:3: 9-0, but news\.en:3 has 5", id="no such word"
            ),
            pytest.param("0-0\n\n0:0\n\n", r"links:3: '0:0' is not a link", id="another format"),
        ],
    )
    def test_a_file_that_does_not_fit(
        self, fails: Callable[..., SpanferryError], corpus: Path, text: str, message: str
    ) -> None:
        (corpus.parent / "links").write_text(text, "utf-8")
        error = fails(*links(corpus))
        assert isinstance(error, CorpusError)
        with pytest.raises(CorpusError, match=message):
            raise error

    def test_words_written_are_the_words_counted(
        self, call: Callable[..., Result], corpus: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "tokens" / "news.txt"
        result = call(corpus, f"{corpus}:1", "--write-tokens", path)
        assert result.exit_code == 0, result.output
        assert "8 sentence pairs written" in result.stderr
        lines = path.read_text("utf-8").splitlines()
        assert lines[:4] == lines[4:]
        assert lines[:2] == [f"{ENGLISH[0]} ||| {GERMAN[0]}", "_ ||| leer"]


class TestChoices:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            pytest.param([], "there is nothing to read", id="nothing"),
            pytest.param(["--alignments", "a"], "there is nothing to read", id="only links"),
            pytest.param(
                ["x", "y", "z", "--alignments", "a", "--alignments", "b"],
                "2 files for 3 corpora",
                id="two for three",
            ),
            pytest.param(["x", "--reverse-alignments", "a"], "1 files beside 0", id="only one way"),
            pytest.param(["x", "--drop-contaminated"], "there is no gold", id="drop what?"),
            pytest.param(
                ["--names", "n", "--alignments", "a"], "1 files for 0", id="links of names"
            ),
        ],
    )
    def test_options_that_do_not_go_together(
        self, fails: Callable[..., SpanferryError], arguments: list[str], message: str
    ) -> None:
        assert message in str(fails(*arguments))

    def test_a_language_that_is_no_tag(self, fails: Callable[..., SpanferryError]) -> None:
        assert "'German' is no language tag" in str(fails("x", "--target-lang", "German"))

    def test_the_ending_of_files_is_as_typed_and_the_tag_normalised(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path
    ) -> None:
        corpus.with_name("news.de").rename(corpus.with_name("news.ger_AT"))
        made = run(*links(corpus), "--target-lang", "ger_AT")
        assert {row["lang"] for row in made} == {"de-AT"}

    def test_nowhere_to_write(self, call: Callable[..., Result], corpus: Path) -> None:
        result = call(corpus)
        assert isinstance(result.exception, TrainingError)
        assert "--out" in str(result.exception)

    def test_tokens_of_nothing(self, call: Callable[..., Result], tmp_path: Path) -> None:
        result = call("--write-tokens", tmp_path / "tokens")
        assert "there is no corpus" in str(result.exception)

    def test_no_phrase_at_all(self, fails: Callable[..., SpanferryError], corpus: Path) -> None:
        (corpus.parent / "links").write_text("\n" * 4, "utf-8")
        assert "no sentence gave a phrase pair" in str(fails(*links(corpus)))


class TestGold:
    @pytest.fixture
    def gold(self, tmp_path: Path) -> Path:
        path = tmp_path / "gold.txt"
        path.write_text("nothing\nBERN is older than Cologne .\n", "utf-8")
        return path

    def test_gold_sentences_stop_it(
        self, fails: Callable[..., SpanferryError], corpus: Path, gold: Path
    ) -> None:
        error = str(fails(*links(corpus), "--gold", gold))
        assert "1 of gold.txt" in error
        assert "news.en:3 is gold.txt:2" in error

    def test_or_are_left_out(
        self, call: Callable[..., Result], corpus: Path, gold: Path, out: Path
    ) -> None:
        result = call(*links(corpus), "--gold", gold, "--drop-contaminated", "--out", out)
        assert result.exit_code == 0, result.output
        assert "with it: 1 (1 of gold.txt): left out" in result.stderr
        rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert {row["source"] for row in rows} == {ENGLISH[0], ENGLISH[3]}

    def test_clean_corpora_are_as_without(
        self, run: Callable[..., list[dict[str, object]]], corpus: Path, gold: Path
    ) -> None:
        gold.write_text("nothing\n", "utf-8")
        assert run(*links(corpus), "--gold", gold) == run(*links(corpus))


class TestReviews:
    @pytest.fixture
    def reviews(self, tmp_path: Path) -> Path:
        sentence = ParallelSentence(
            *(
                "1",
                "Anna likes Cologne in spring",
                "Anna mag Köln im Frühling",
                "en",
                "de",
                "x.en:1",
            ),
            entities=(Entity(Span(0, 4), "PER"), Entity(Span(11, 18), "LOC")),
        )
        left = (Entity(Span(0, 4), "PER"), Entity(Span(9, 13), "LOC"))
        review = ReviewedSentence(sentence, left, ReviewStatus.CORRECTED, annotator="7")
        path = tmp_path / "reviewed.jsonl"
        path.write_text(json_line(encode(review)), "utf-8")
        return path

    @pytest.mark.parametrize(("options", "weight"), [([], 5.0), (["--review-weight", 2.5], 2.5)])
    def test_they_are_added_with_a_weight(
        self,
        run: Callable[..., list[dict[str, object]]],
        corpus: Path,
        reviews: Path,
        options: list[object],
        weight: float,
    ) -> None:
        rows = run(*links(corpus), "--reviews", reviews, *options)
        assert [row["weight"] for row in rows] == [1.0, 1.0, 1.0, weight]
        assert rows[-1]["phrases"] == [[0, 4, 0, 4], [11, 18, 9, 13]]

    def test_they_need_no_corpus_and_are_counted(
        self, call: Callable[..., Result], reviews: Path, out: Path
    ) -> None:
        result = call("--reviews", reviews, "--out", out)
        assert result.exit_code == 0, result.output
        assert "1 sentences with 2 pairs" in result.stderr
        assert len(out.read_text("utf-8").splitlines()) == 1

    def test_they_may_be_gold_as_well(
        self, fails: Callable[..., SpanferryError], reviews: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "gold.txt").write_text("Anna likes Cologne in spring\n", "utf-8")
        error = str(fails("--reviews", reviews, "--gold", tmp_path / "gold.txt"))
        assert "x.en:1 is gold.txt:1" in error


def test_names_come_last(run: Callable[..., list[dict[str, object]]], corpus: Path) -> None:
    names = corpus.parent / "names.tsv"
    names.write_text("en\tforeign\nCologne\tKöln\n", "utf-8")
    rows = run(*links(corpus), "--names", names)
    assert (len(rows), rows[-1]["source"]) == (4, "Cologne")


def test_eflomal(run: Callable[..., list[dict[str, object]]], corpus: Path, out: Path) -> None:
    pytest.importorskip("eflomal", reason="aligns words; comes with spanferry[models]")
    for name, lines in (("news.en", ENGLISH), ("news.de", GERMAN)):
        (corpus.parent / name).write_text("".join(f"{x}\n" for x in lines * 50), "utf-8")
    rows = run(corpus)
    assert {row["source"] for row in rows} <= {*ENGLISH}
    assert rows  # eflomal throws dice, so no more can be said
    assert list(out.parent.iterdir()) == [out]
