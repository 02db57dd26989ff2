"""`spanferry score-projection`, as a shell would call it."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import fsspec
import pytest

from ml_backend.cli.score import CONTRADICTIONS, MEANING, check_options
from projection.errors import CorpusError
from projection.evaluation.matching import MISTAKES
from projection.models import bundled
from tests.ml_backend.cli.conftest import Outcome, Spanferry

Score = Callable[..., Outcome]

FIGURES = {"precision", "recall", "f1", "support", "by_type"}
KINDS = {"wrong_border", "wrong_mention", "wrong_label", "missing", "spurious"}


@pytest.fixture
def score(spanferry: Spanferry) -> Score:
    """Run `spanferry score-projection` with these arguments."""
    return partial(spanferry, "score-projection")


def row(number: int, source: str, target: str, **more: object) -> dict[str, object]:
    """`row(1, "*Anna* left", "*Anna* ging")`: what stands between stars is a PER."""

    def side(marked: str) -> dict[str, object]:
        parts = marked.split("*")
        starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
        spans = [(starts[i], starts[i] + len(parts[i])) for i in range(1, len(parts), 2)]
        return {
            "text": "".join(parts),
            "entities": [{"start": a, "end": b, "label": "PER"} for a, b in spans],
        }

    sides = {"source": side(source), "target": side(target)}
    return {"id": f"g{number}", **sides, "source_lang": "en", "lang": "de", **more}


ROWS = [
    row(1, "*Anna* left Bern", "*Anna* verließ Bern"),
    row(2, "*Anna* left", "Anna", consistent_labels=False),
    row(3, "the [bold] *Charles* and *Anna*", "der [bold] *Karl* und *Frau Anna*"),
]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Three lines, the second of which is inconsistent."""
    path = tmp_path / "gold.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in ROWS), "utf-8")
    return path


@pytest.fixture(scope="module")
def joint_aligner(copying_aligner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A joint aligner that nobody has trained."""
    from projection.aligners.joint import JointAligner  # noqa: PLC0415
    from projection.aligners.lexical_evidence import NO_LEXICON  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("joint-aligner")
    JointAligner.from_encoder(copying_aligner, NO_LEXICON, apart=False).save_pretrained(folder)
    return folder


class TestJson:
    def test_all_of_it(self, score: Score, copying_aligner: Path) -> None:
        scores = score(bundled.sample_path("de"), "--aligner", copying_aligner, "--json").json
        assert set(scores) == FIGURES | {
            "relaxed", "ceiling", "of_ceiling", "f1_interval", "sentences", "skipped", "mistakes",
            "aligner", "too_long", "seconds", "sentences_per_second", "flags",
        }  # fmt: skip
        assert scores["sentences"] == len(bundled.sample_path("de").read_text("utf-8").splitlines())
        assert set(scores["relaxed"]) == FIGURES
        assert set(scores["by_type"]) == {"PER", "ORG", "LOC", "MISC"}
        assert 0 < scores["f1"] < scores["relaxed"]["f1"] <= 1
        assert scores["f1"] <= scores["ceiling"] < 1
        assert scores["of_ceiling"] == scores["f1"] / scores["ceiling"]
        assert scores["f1_interval"]["low"] < scores["f1"] < scores["f1_interval"]["high"]
        assert set(scores["mistakes"]) == KINDS
        lost = sum(scores["mistakes"][kind]["count"] for kind in KINDS - {"spurious"})
        assert lost == round((1 - scores["recall"]) * scores["support"])

    def test_gold_that_was_copied_is_all_found(
        self, score: Score, copying_aligner: Path, tmp_path: Path
    ) -> None:
        """The second line is passed over: its sides were annotated independently."""
        path = tmp_path / "copied.jsonl"
        rows = [row(1, "*Anna* left", "*Anna* left"), row(2, "", "", consistent_labels=False)]
        path.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
        scores = score(path, "--aligner", copying_aligner, "--json").json
        assert (scores["f1"], scores["ceiling"], scores["of_ceiling"]) == (1, 1, 1)
        assert (scores["sentences"], scores["skipped"]) == (1, 1)

    def test_gold_may_be_elsewhere(self, score: Score, gold: Path) -> None:
        fsspec.filesystem("memory").pipe("/gold/names.jsonl", gold.read_bytes())
        here, there = (
            score(path, "--preset", "exact-match", "--json").json
            for path in (gold, "memory://gold/names.jsonl")
        )
        assert there["f1"] == here["f1"]
        assert there["mistakes"]["missing"]["count"] == 1

    @pytest.mark.parametrize(("options", "shown"), [([], 1), (["--examples", 0], 0)])
    def test_examples(self, score: Score, gold: Path, options: list[object], shown: int) -> None:
        found = score(gold, "--preset", "exact-match", "--json", *options).json["mistakes"]
        assert {kind: each["count"] for kind, each in found.items()} == {
            **dict.fromkeys(KINDS, 0),
            "wrong_border": 1,
            "missing": 1,
        }
        border = found["wrong_border"]["examples"]
        assert [(m["id"], m["gold"]["text"], m["predicted"]["text"]) for m in border] == [
            ("g3", "Frau Anna", "Anna")
        ][:shown]

    def test_few_sentences(self, score: Score, gold: Path) -> None:
        """The first consistent ones."""
        scores = score(gold, "--preset", "exact-match", "--json", "--limit", 1).json
        assert (scores["sentences"], scores["f1"], scores["skipped"]) == (1, 1, 1)


class TestTable:
    def test_for_people(self, score: Score, copying_aligner: Path) -> None:
        out = score(bundled.sample_path("zh"), "--aligner", copying_aligner, "--limit", 9).out
        lines = [line.split() for line in out.splitlines()]
        assert lines[0] == ["relaxed"] * 3
        assert lines[1] == ["precision", "recall", "F1"] * 2 + ["entities"]
        figures = {line[0]: line[1:] for line in lines if line}
        assert len(figures["all"]) == 7
        assert len(figures["ceiling"]) == 1
        assert "95% of 1000 resamplings of the sentences give F1 between" in out
        assert [line for line in lines if line[:1] == ["mistakes"]]
        assert out.splitlines()[-1].endswith("0 skipped as inconsistent")

    def test_it_fits_eighty_columns(self, score: Score, gold: Path) -> None:
        out = score(gold, "--preset", "exact-match").out
        assert max(len(line) for line in out.splitlines() if "resamplings" not in line) <= 80
        [everything] = [line for line in out.splitlines() if line.startswith("all")]
        assert everything.split() == ["all", "50.0", "33.3", "40.0", "100.0", "66.7", "80.0", "3"]

    def test_no_examples_unless_asked(self, score: Score, gold: Path) -> None:
        assert "g3" not in score(gold, "--preset", "exact-match").out

    def test_examples_are_shown_as_they_stand_in_the_corpus(self, score: Score, gold: Path) -> None:
        """Brackets are no markup, and no long line is broken."""
        lines = score(gold, "--preset", "exact-match", "--examples", 5).out.splitlines()
        start = lines.index("wrong border")
        assert lines[start : start + 4] == [
            "wrong border",
            "g3: gold PER “Frau Anna” [20, 29), projected PER “Anna” [25, 29) from “Anna” [23, 27)",
            "  the [bold] Charles and Anna",
            "  der [bold] Karl und Frau Anna",
        ]
        assert "g3: gold PER “Karl” [11, 15)" in lines
        assert "spurious" not in lines

    def test_every_kind_of_mistake_is_explained(self) -> None:
        assert set(MEANING) == set(MISTAKES)


class TestPresets:
    def test_paper_pair_takes_the_labels_word_by_word(
        self, score: Score, copying_aligner: Path, tmp_path: Path
    ) -> None:
        """Saved with a bridge of one word, `Anna … Weber` is one phrase; as published, two."""
        path = tmp_path / "gap.jsonl"
        path.write_text(json.dumps(row(1, "*Anna Weber* left", "*Anna von Weber*")), "utf-8")
        options = [path, "--aligner", copying_aligner, "--json"]
        assert score(*options).json["f1"] == 1
        published = score(*options, "--preset", "paper-pair").json
        assert published["f1"] == 0
        assert published["mistakes"]["wrong_border"]["count"] == 1
        assert published["mistakes"]["spurious"]["count"] == 1

    def test_context_joint(self, score: Score, gold: Path, joint_aligner: Path) -> None:
        options = [gold, "--aligner", joint_aligner, "--json"]
        scores = score(*options, "--preset", "context-joint").json
        assert scores["sentences"] == 2
        assert score(*options).json["aligner"] == scores["aligner"]

    def test_exact_match_needs_no_model(self, score: Score, gold: Path) -> None:
        scores = score(gold, "--preset", "exact-match", "--json").json
        assert (scores["aligner"], scores["f1"]) == ("exact-match", 0.4)

    def test_the_other_kind_of_model(
        self, score: Score, gold: Path, joint_aligner: Path, copying_aligner: Path
    ) -> None:
        paper = score(gold, "--preset", "paper-pair", "--aligner", joint_aligner).mistake
        assert paper == (
            f"{joint_aligner}: is a joint aligner, --preset paper-pair needs a pair aligner. "
            "Name one: --aligner FOLDER"
        )
        joint = score(gold, "--preset", "context-joint", "--aligner", copying_aligner).mistake
        assert "is a pair aligner, --preset context-joint needs a joint aligner" in joint


class TestFromText:
    """The source's gold is not read: a teacher labels it."""

    @pytest.fixture
    def teacher(self, word_tagger: Callable[[Mapping[str, str]], Path]) -> Path:
        return word_tagger({"Anna": "B-PER", "Bern": "B-LOC"})

    def test_flags(self, score: Score, gold: Path, teacher: Path) -> None:
        """Bern is no gold; nobody knows Charles."""
        options = [gold, "--preset", "exact-match", "--teacher", teacher]
        found = score(*options, "--json").json
        assert found["aligner"].startswith("spanferry-")
        assert {kind: each["count"] for kind, each in found["mistakes"].items()} == {
            **dict.fromkeys(KINDS, 0),
            "wrong_border": 1,
            "missing": 1,
            "spurious": 1,
        }
        assert (found["flags"]["sentences"], found["flags"]["wrong"]) == (2, 2)
        assert found["flags"]["flagged_share"] <= 1
        lines = score(*options).out.splitlines()
        assert [line for line in lines if line.startswith("flagged: ")]
        assert [line for line in lines if line.endswith(" of the 2 wrong")]

    def test_types_that_the_gold_does_not_annotate(
        self, score: Score, gold: Path, teacher: Path
    ) -> None:
        options = [gold, "--preset", "exact-match", "--teacher", teacher, "--ignore-label", "LOC"]
        found = score(*options, "--json").json
        assert found["mistakes"]["spurious"]["count"] == 0
        assert found["flags"]["wrong"] == 1


class TestOtherAligners:
    def test_there_and_back(self, score: Score, gold: Path, tmp_path: Path) -> None:
        """Every line of the gold is aligned, the inconsistent one as well."""
        pairs, links = tmp_path / "pairs", tmp_path / "links"
        assert score(gold, "--write-pairs", pairs, "--json").json == {
            "pairs": str(pairs),
            "sentences": 3,
        }
        assert pairs.read_text("utf-8").splitlines() == [
            "Anna left Bern ||| Anna verließ Bern",
            "Anna left ||| Anna",
            "the [ bold ] Charles and Anna ||| der [ bold ] Karl und Frau Anna",
        ]
        links.write_text("0-0 1-1\n\n4-4 6-6 6-7\n")
        scores = score(gold, "--alignments", links, "--json").json
        assert (scores["f1"], scores["sentences"], scores["skipped"]) == (1, 2, 1)

    @pytest.mark.parametrize(("bridge", "f1"), [(0, 0.75), (1, 0.75), (2, 1)])
    def test_bridge(self, score: Score, gold: Path, tmp_path: Path, bridge: int, f1: float) -> None:
        wide = row(4, "*A B*", "*a x y b*")
        gold.write_text("".join(json.dumps(each) + "\n" for each in [*ROWS, wide]), "utf-8")
        (tmp_path / "links").write_text("0-0\n\n4-4 6-6 6-7\n0-0 1-3\n")
        options = ["--alignments", tmp_path / "links", "--bridge", bridge, "--json"]
        assert score(gold, *options).json["f1"] == f1

    def test_where_the_pairs_are(self, score: Score, gold: Path, tmp_path: Path) -> None:
        outcome = score(gold, "--write-pairs", tmp_path / "pairs")
        assert outcome.status == 0
        assert outcome.out.startswith(f"3 sentence pairs written to {tmp_path / 'pairs'}\n")

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            pytest.param("0-0\n\n", "links:3: the file has ended", id="the scored lines alone"),
            pytest.param("0-0\n\n0-0\n\n", "links:4: the gold has ended", id="too many"),
            pytest.param("0-0\n\n0-8\n", "links:3: 0-8, but gold.jsonl:3 has 7", id="no such word"),
            pytest.param("0-0\n0:0\n\n", "links:2: '0:0' is not a link", id="not Pharaoh"),
        ],
    )
    def test_links_that_do_not_fit(
        self, score: Score, gold: Path, tmp_path: Path, lines: str, message: str
    ) -> None:
        (tmp_path / "links").write_text(lines)
        assert message in score(gold, "--alignments", tmp_path / "links").mistake


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param("", "has no sentence to score", id="empty"),
            pytest.param("{}\n", "gold.jsonl:1", id="not gold"),
            pytest.param(json.dumps(ROWS[1]), "has no sentence to score", id="all inconsistent"),
        ],
    )
    def test_gold(self, score: Score, tmp_path: Path, content: str, message: str) -> None:
        gold = tmp_path / "gold.jsonl"
        gold.write_text(content)
        assert message in score(gold).mistake

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param(
                ["--alignments", "x", "--aligner", "y"],
                "--aligner: means nothing with --alignments. Leave one of them out",
                id="two aligners",
            ),
            pytest.param(
                ["--preset", "exact-match", "--aligner", "y"],
                "--aligner: means nothing with --preset exact-match. Leave one of them out",
                id="a model too many",
            ),
            pytest.param(
                ["--bridge", 1],
                "--bridge: is for --alignments. A model brings its own decoding",
                id="nothing to bridge",
            ),
            pytest.param(
                ["--ignore-label", "MISC"],
                "--ignore-label: is for --teacher. Name a teacher, such as mini",
                id="no teacher",
            ),
            pytest.param(
                ["--write-pairs", "x", "--limit", 3],
                "--limit: means nothing with --write-pairs. Leave one of them out",
                id="half the pairs",
            ),
        ],
    )
    def test_options_one_of_which_would_be_ignored(
        self, score: Score, gold: Path, options: list[object], message: str
    ) -> None:
        """Said before any file is read."""
        assert score(gold.with_name("nowhere"), *options).mistake == message

    def test_every_contradiction_is_refused(self) -> None:
        for option, others in CONTRADICTIONS.items():
            for other in others:
                with pytest.raises(CorpusError, match="means nothing with"):
                    check_options({option: 0, other: 0})

    def test_options_that_go_together(self) -> None:
        check_options({})
        check_options({"--preset": "paper-pair", "--aligner": "x", "--limit": 1, "--bridge": None})
        check_options({"--alignments": "x", "--bridge": 0, "--examples": 0, "--limit": 1})
