"""`spanferry project` as a shell would call it."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import fsspec
import pytest

from ml_backend.cli.project import columns_of, open_corpus
from ml_backend.cli.push import instructions_of, labels_of_run
from ml_backend.report.filters import filters_of
from projection.aligners.pair import PairAligner
from projection.errors import CorpusError
from projection.models import bundled
from projection.pipeline.run import load_run
from projection.text.wording import FIX_UNTRAINED
from tests.ml_backend.cli.conftest import Spanferry
from tests.projection.web import serving_files

EN = ["Anna left Bern", "the house of Anna", "Anna saw Berlin", "Berlin"]
DE = ["Anna verließ Bern", "das Haus von Anna", "sie sah Berlin", ""]

SUMMARY = {
    "schema", "read", "kept", "flagged", "dropped", "flagged_sentences", "dropped_sentences",
    "entities", "teacher_labelled", "target_labelled", "windowed", "untrained", "seconds",
}  # fmt: skip


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("side.txt", content)
    return packed.getvalue()


@pytest.fixture
def models(word_tagger: Callable[[Mapping[str, str]], Path], copying_aligner: Path) -> list[object]:
    """Options for tiny models that know a few words."""
    teacher = word_tagger({"Anna": "B-PER", "Bern": "B-LOC", "Berlin": "B-LOC"})
    return ["--teacher", teacher, "--aligner", copying_aligner]


@pytest.fixture
def moses(tmp_path: Path) -> list[object]:
    """A Moses pair, one side gzipped."""
    source, target = tmp_path / "news.en.gz", tmp_path / "news.de"
    source.write_bytes(gzip.compress("".join(f"{line}\n" for line in EN).encode()))
    target.write_text("".join(f"{line}\n" for line in DE), "utf-8")
    return ["--source", source, "--target", target, "--target-lang", "de"]


class TestProject:
    def test_moses(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        summary = spanferry("project", *moses, *models, "--out", out, "--json").json
        assert set(summary) == SUMMARY
        assert {**summary, "seconds": 0} == {
            "schema": 2,
            "read": 4,
            "kept": 2,
            "flagged": {"failed_mapping": 1},
            "dropped": {"empty": 1},
            "flagged_sentences": 1,
            "dropped_sentences": 1,
            "entities": 4,
            "teacher_labelled": 3,
            "target_labelled": 0,
            "windowed": 0,
            "untrained": {},
            "seconds": 0,
        }
        found = [
            [(e.span.of(p.sentence.target), e.label) for e in p.entities] for p in load_run(out)
        ]
        assert found == [
            [("Anna", "PER"), ("Bern", "LOC")],
            [("Anna", "PER")],
            [("Berlin", "LOC")],
        ]

    def test_a_run_over_addresses_resumes_and_holds_no_secrets(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        """Each call has a signature of its own, as addresses that expire have."""
        sides = ["".join(f"{line}\n" for line in lines).encode() for lines in (EN, DE)]
        fsspec.filesystem("memory").pipe("/corpora/news.de.gz", gzip.compress(sides[1]))
        out, done = tmp_path / "run", list[bytes]()
        options = ["--target", "memory://corpora/news.de.gz", "--target-lang", "de", "--out", out]
        with serving_files({"/news.en": sides[0]}) as web:
            for signature in ("SECRET1", "SECRET2"):
                source = f"http://me:secret@{web.host}/news.en?sig={signature}"
                outcome = spanferry("project", "--source", source, *options, *models, "--json")
                assert outcome.json["read"] == 4
                assert "secret" not in outcome.err.lower()
                done.append((out / "projected.jsonl").read_bytes())
                (out / "projected.jsonl").write_bytes(done[-1][: len(done[-1]) // 2])
                (out / "parts.json").unlink()
        assert done[0] == done[1]
        shown = f"http://***@{web.host}/news.en?*** + memory://corpora/news.de.gz"
        manifest = json.loads((out / "run.json").read_text("utf-8"))
        assert manifest["settings"]["corpus"] == shown
        origins = [json.loads(line)["sentence"]["origin"] for line in done[0].splitlines()]
        assert origins == ["news.en:1", "news.en:2", "news.en:3"]
        assert not [path for path in out.iterdir() if b"secret" in path.read_bytes().lower()]

    def test_a_run_is_not_written_elsewhere(
        self,
        spanferry: Spanferry,
        moses: list[object],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        outcome = spanferry("project", *moses, "--out", "s3://bucket/run")
        assert outcome.mistake.startswith("s3://bucket/run: results are written to local files and")
        assert not Path("s3:").exists()

    @pytest.mark.parametrize(
        ("content", "columns"),
        [
            pytest.param("Anna left\tAnna verließ\n", None, id="the first two columns"),
            pytest.param("7\tx\tAnna verließ\tAnna left\n", "4,3", id="by number"),
            pytest.param("de\ten\nAnna verließ\tAnna left\n", "en,de", id="by name"),
        ],
    )
    def test_tsv(
        self,
        spanferry: Spanferry,
        models: list[object],
        tmp_path: Path,
        content: str,
        columns: str | None,
    ) -> None:
        corpus = tmp_path / "pairs.tsv"
        corpus.write_text(content, "utf-8")
        options = ["--tsv", corpus, *(["--columns", columns] if columns else ())]
        summary = spanferry(
            "project", *options, "--target-lang", "de", *models, "--out", tmp_path / "run", "--json"
        ).json
        assert (summary["read"], summary["kept"], summary["entities"]) == (1, 1, 1)

    def test_two_corpora_of_one_name_share_no_sentence(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        corpora = {"news": ("Anna left", "Anna verließ"), "talks": ("Bern won", "Bern gewann")}
        ids = []
        for name, texts in corpora.items():
            folder = tmp_path / name
            folder.mkdir()
            files = [folder / "train.en", folder / "train.de"]
            for path, text in zip(files, texts, strict=True):
                path.write_text(f"{text}\n", "utf-8")
            sides = ["--source", files[0], "--target", files[1], "--target-lang", "de"]
            spanferry("project", *sides, *models, "--out", folder / "run", "--json")
            ids += [projected.sentence.id for projected in load_run(folder / "run")]
        assert len({*ids}) == 2

    def test_tmx(self, spanferry: Spanferry, models: list[object], tmp_path: Path) -> None:
        corpus = tmp_path / "pairs.tmx"
        corpus.write_text(
            '<tmx version="1.4"><header/><body><tu>'
            '<tuv xml:lang="en-GB"><seg>Anna left</seg></tuv>'
            '<tuv xml:lang="de"><seg>Anna verließ</seg></tuv>'
            "</tu></body></tmx>",
            "utf-8",
        )
        options = ["--tmx", corpus, "--target-lang", "de", "--out", tmp_path / "run", "--json"]
        summary = spanferry("project", *options, *models).json
        assert (summary["read"], summary["kept"], summary["entities"]) == (1, 1, 1)

    def test_jsonl_with_entities_of_its_own(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        """The second brings none, and the teacher adds no types of its own."""
        corpus, out = tmp_path / "pairs.jsonl", tmp_path / "run"
        rows = [
            {
                "source": "Anna left",
                "target": "Anna verließ",
                "entities": [{"start": 0, "end": 4, "label": "HERO"}],
            },
            {"source": "Anna left", "target": "Anna verließ"},
        ]
        corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        options = ["--jsonl", corpus, "--target-lang", "de", "--out", out, "--json"]
        outcome = spanferry("project", *options, *models)
        assert (outcome.json["kept"], outcome.json["teacher_labelled"]) == (2, 0)
        assert [[e.label for e in p.entities] for p in load_run(out)] == [["HERO"], []]
        assert "1 of 2 sentences have entities of their own" in outcome.err

    @pytest.mark.parametrize(
        ("row", "options", "warning", "entities"),
        [
            pytest.param(
                {"source": "Anna left", "entities": [{"start": 0, "end": 3, "label": "X"}]},
                [],
                "1 of 1 entities begin or end inside a word or at a space. Offsets are Unicode",
                0,
                id="inclusive ends",
            ),
            pytest.param(
                {"source": "Anna left", "entities": [[0, 4, "$X"], [5, 9, "O"]]},
                ["--map-label", "$X=HERO", "--ignore-label", "O"],
                "",
                1,
                id="own labels renamed and ignored",
            ),
            pytest.param(
                {"source": "Anna &amp; Bern"},
                [],
                "1 of 1 sentences have HTML references such as &amp;",
                2,
                id="references",
            ),
            pytest.param(
                {"source": "Anna &amp; Bern", "spans": [[11, 15, "X"]]},
                ["--unescape"],
                "",
                1,
                id="references read",
            ),
        ],
    )
    def test_what_may_be_a_mistake_is_counted_before_the_models_are_loaded(
        self,
        spanferry: Spanferry,
        *,
        models: list[object],
        tmp_path: Path,
        row: dict[str, object],
        options: list[str],
        warning: str,
        entities: int,
    ) -> None:
        corpus, out = tmp_path / "pairs.jsonl", tmp_path / "run"
        corpus.write_text(json.dumps({**row, "id": 7, "target": row["source"]}), "utf-8")
        options = ["--jsonl", str(corpus), "--target-lang", "de", "--out", str(out), *options]
        outcome = spanferry("project", *options, *models, "--json")
        assert outcome.json["entities"] == entities
        before, _, _ = outcome.err.partition("models loaded")
        said = before.splitlines()[-1]  # tests write models, which is shown, too
        assert said.startswith(warning) if warning else "sentences" not in said
        (found,) = load_run(out)
        assert found.sentence.id == "7"
        if "--unescape" in options:
            assert found.sentence.source == "Anna & Bern"
            assert [e.span.of(found.sentence.target) for e in found.entities] == ["Bern"]

    def test_labels_of_the_source_in_conll_are_projected(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        """The second sentence has none: the teacher, who knows Bern, adds nothing."""
        source, target, out = tmp_path / "a.conll", tmp_path / "a.de", tmp_path / "run"
        source.write_text("Anna NNP I-HERO\nleft VB O\n\nBern NNP O\n", "utf-8")
        target.write_text("Anna ging\nBern\n", "utf-8")
        options = ["--source", source, "--target", target, "--target-lang", "de", "--out", out]
        outcome = spanferry("project", *options, *models, "--map-label", "HERO=PER", "--json")
        assert (outcome.json["kept"], outcome.json["teacher_labelled"]) == (2, 0)
        assert [[e.label for e in p.entities] for p in load_run(out)] == [["PER"], []]
        told = f"{source}: tokens of column 1, tags of column 3, which are IOB1 and become IOB2"
        assert outcome.err.splitlines().count(told) == 1
        options += ["--tag-column", "2"]
        assert "unknown tag 'NNP'" in spanferry("project", *options).mistake

    def test_labels_of_the_target_are_kept_and_counted(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        source, target, out = tmp_path / "a.en", tmp_path / "a.iob2", tmp_path / "run"
        source.write_text(f"Anna left Bern\n{'very ' * 999}long\n", "utf-8")
        target.write_text("Bern B-CITY\n\nBerlin B-CITY\n", "utf-8")
        options = ["--source", source, "--target", target, "--target-lang", "de", "--out", out]
        outcome = spanferry("project", *options, *models)
        assert "2 of 2 sentences have target entities of their own" in outcome.err
        rows = {line.split()[0]: line.split() for line in outcome.out.splitlines()}
        assert rows["kept"][1] == rows["own"][2] == "2"
        assert rows["teacher"][1] == "0"
        found = [*load_run(out)]
        assert [[(e.label, e.score) for e in p.entities] for p in found] == [[("CITY", None)]] * 2
        assert {(p.projections, p.conflicts) for p in found} == {((), ())}
        assert labels_of_run(out) == ("CITY",)

    @pytest.mark.parametrize("option", ["--jsonl", "--tsv", "--tmx"])
    def test_an_empty_corpus_is_a_mistake(
        self, spanferry: Spanferry, tmp_path: Path, option: str
    ) -> None:
        corpus, out = tmp_path / "empty", tmp_path / "run"
        corpus.write_text("<tmx/>" if option == "--tmx" else "\n", "utf-8")
        outcome = spanferry("project", option, corpus, "--target-lang", "de", "--out", out)
        assert outcome.mistake == f"{corpus}: no sentences. Name a file that has some"
        assert not out.exists()

    @pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zipped])
    def test_sides_of_unequal_length_are_refused_before_anything_is_done(
        self, spanferry: Spanferry, tmp_path: Path, pack: Callable[[bytes], bytes]
    ) -> None:
        """However long they are: the models are not loaded yet."""
        source, target, out = tmp_path / "a.en", tmp_path / "a.de", tmp_path / "run"
        source.write_bytes(pack(b"Anna left\n" * 2000))
        target.write_bytes(pack(b"Anna ging\n" * 1999))
        sides = ["--source", source, "--target", target, "--target-lang", "de"]
        assert spanferry("project", *sides, "--out", out).mistake == (
            f"{target}:2000: the file has ended, but {source} goes on. Both need the same number "
            "of lines: look for one that was lost or split"
        )
        assert not out.exists()

    def test_a_label_that_cannot_be_is_refused_before_anything_is_done(
        self, spanferry: Spanferry, tmp_path: Path
    ) -> None:
        corpus, out = tmp_path / "pairs.jsonl", tmp_path / "run"
        row = {"source": "Anna left", "target": "Anna ging", "entities": [[0, 4, "B-PER"]]}
        corpus.write_text(json.dumps(row), "utf-8")
        outcome = spanferry("project", "--jsonl", corpus, "--target-lang", "de", "--out", out)
        assert outcome.mistake == (
            "pairs.jsonl:1: the label 'B-PER' is the tag of a token, not an entity type. "
            "Rename it, or pass --map-label 'B-PER=NEW'"
        )
        assert not out.exists()

    def test_types_that_no_teacher_looks_for_are_refused_before_anything_is_done(
        self, spanferry: Spanferry, moses: list[object], tmp_path: Path
    ) -> None:
        outcome = spanferry("project", *moses, "--types", "drug, disease", "--out", tmp_path / "r")
        assert outcome.mistake == (
            "entity types: drug, disease: only a GLiNER teacher looks for types that are named. "
            "Name one with --teacher gliner:…"
        )
        assert not (tmp_path / "r").exists()

    def test_a_folder_that_cannot_be_written_is_one_line(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        outcome = spanferry("project", *moses, *models, "--out", tmp_path / "file" / "run")
        assert outcome.status == 2
        last = outcome.err.splitlines()[-1]
        assert last.startswith(f"{tmp_path}/file/run: cannot be written (Not a directory). Mend")
        assert "Traceback" not in outcome.err

    def test_the_sample_needs_no_languages(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        options = [
            "--jsonl",
            bundled.sample_path("de"),
            "--limit",
            5,
            "--out",
            tmp_path / "run",
            "--json",
        ]
        assert spanferry("project", *options, *models).json["read"] == 5

    def test_conflicts_may_be_dropped_as_published(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        options = ["--out", tmp_path / "run", "--policy", "drop", "--json"]
        summary = spanferry("project", *moses, *models, *options).json
        assert summary["flagged_sentences"] == 0
        assert summary["dropped"] == {"failed_mapping": 1, "empty": 1}

    def test_labels_are_mapped_and_suppressed(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        options = ["--map-label", "PER=PERSON", "--ignore-label", "LOC", "--out", out, "--json"]
        spanferry("project", *moses, *models, *options)
        assert {e.label for p in load_run(out) for e in p.entities} == {"PERSON"}

    def test_again_changes_nothing_and_more_goes_on(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        command = ["project", *moses, *models, "--out", tmp_path / "run", "--json"]
        assert spanferry(*command, "--limit", 2).json["read"] == 2
        assert spanferry(*command).json["read"] == 4
        projected = (tmp_path / "run" / "projected.jsonl").read_bytes()
        assert spanferry(*command).json["read"] == 4
        assert (tmp_path / "run" / "projected.jsonl").read_bytes() == projected

    def test_a_run_in_parquet_is_read_like_any_other(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        runs = [tmp_path / "plain", tmp_path / "packed"]
        for out, options in zip(runs, [[], ["--format", "parquet"]], strict=True):
            assert spanferry("project", *moses, *models, "--out", out, *options).status == 0
        assert [*load_run(runs[0])] == [*load_run(runs[1])]
        assert filters_of(runs[0]) == filters_of(runs[1])
        assert not [*runs[1].glob("*.jsonl")]

    def test_for_people_it_prints_a_table_and_what_comes_next(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        out = tmp_path / "a [folder] with an odd and very long name, so that a line would not do"
        outcome = spanferry("project", *moses, *models, "--out", out)
        assert outcome.status == 0
        lines = outcome.out.splitlines()
        assert lines[2].split() == ["kept", "2", "no", "conflict"]
        assert lines[3].split() == ["flagged", "1", "failed", "mapping", "1"]
        assert lines[-1] == f"Next: spanferry push {out} --help"
        assert "sentences projected: 4 of 4, " in outcome.err

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param([], "project: needs exactly one corpus. Pass --source", id="no corpus"),
            pytest.param(
                ["--source", "a"], "project: needs exactly one corpus", id="half a Moses pair"
            ),
            pytest.param(
                ["--target", "a"], "project: needs exactly one corpus", id="the other half"
            ),
            pytest.param(
                ["--tmx", "a", "--tsv", "b"], "project: needs exactly one corpus", id="two corpora"
            ),
            pytest.param(
                ["--source", "a", "--target", "b", "--tmx", "c"],
                "project: needs exactly one corpus",
                id="two corpora, one of them Moses",
            ),
            pytest.param(
                ["--tmx", "a.tmx"],
                "a.tmx: the target language is not known. Pass --target-lang, such as de",
                id="no language",
            ),
            pytest.param(
                ["--tsv", "a.tsv", "--target-lang", "de", "--columns", "1"],
                "--columns: '1' is neither two columns nor three. "
                "Such as 1,2 or en,de, or 2,3,1 for WikiMatrix",
                id="one column",
            ),
            pytest.param(
                ["--jsonl", "missing.jsonl"],
                "missing.jsonl: no such file. Check the path",
                id="no such file",
            ),
        ],
    )
    def test_a_mistake_is_one_line_and_leaves_no_folder(
        self,
        spanferry: Spanferry,
        tmp_path: Path,
        options: list[str],
        message: str,
    ) -> None:
        out = tmp_path / "run"
        assert spanferry("project", *options, "--out", out).mistake.startswith(message)
        assert not out.exists()

    def test_a_mistake_inside_the_corpus_names_the_line(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        corpus = tmp_path / "pairs.jsonl"
        corpus.write_text('{"source": "a", "target": "b", "lang": "de", "source_lang": "en"}\n{\n')
        outcome = spanferry("project", "--jsonl", corpus, *models, "--out", tmp_path / "run")
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.splitlines()[-1].startswith(f"{corpus}:2: not JSON")
        assert "Traceback" not in outcome.err

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param(["--map-label", "PER"], "'PER' is not THEIRS=OURS", id="half a pair"),
            pytest.param(
                ["--map-label", "PER=P"],
                "the label table says nothing of LOC",
                id="a label left out",
            ),
            pytest.param(
                ["--ignore-label", "DATE"], "has no entity type DATE", id="an unknown label"
            ),
            pytest.param(
                ["--aligner", "/nowhere"], "/nowhere: no checkpoint could be loaded", id="no model"
            ),
        ],
    )
    def test_a_model_that_does_not_fit_is_one_line(
        self,
        spanferry: Spanferry,
        *,
        moses: list[object],
        models: list[object],
        tmp_path: Path,
        options: list[str],
        message: str,
    ) -> None:
        out = tmp_path / "run"
        outcome = spanferry("project", *moses, *models, *options, "--out", out)
        assert (outcome.status, outcome.out) == (2, "")
        assert message in outcome.err.splitlines()[-1]
        assert "Traceback" not in outcome.err
        assert not out.exists()

    @pytest.mark.parametrize("option", ["--target-lang", "--source-lang"])
    def test_what_is_no_tag_is_refused_at_the_start(
        self, spanferry: Spanferry, moses: list[object], tmp_path: Path, option: str
    ) -> None:
        outcome = spanferry("project", *moses, option, "German", "--out", tmp_path / "run")
        assert outcome.mistake == f"{option}: 'German' is no language tag. Did you mean de?"

    def test_every_spelling_of_a_tag_is_one_corpus(
        self, spanferry: Spanferry, moses: list[object], models: list[object], tmp_path: Path
    ) -> None:
        for spelling in ("de-AT", "DE_at", "ger_AT"):
            options = ("--target-lang", spelling, "--out", tmp_path / "run")
            assert spanferry("project", *moses, *models, *options).status == 0
        assert {p.sentence.target_lang for p in load_run(tmp_path / "run")} == {"de-AT"}

    def test_an_untrained_language_is_said_once(
        self, spanferry: Spanferry, models: list[object], tmp_path: Path
    ) -> None:
        aligner = PairAligner.from_pretrained(str(models[-1]))
        aligner.add_languages(["de", "zh"])
        aligner.save_pretrained(tmp_path / "aligner")
        corpus = tmp_path / "pairs.jsonl"
        lines = [
            {"source": f"Anna left {n}", "target": f"Anna {n}", "source_lang": "en", "lang": lang}
            for n, lang in enumerate(("it", "de", "yue", "it", "it-CH", "zh_TW"))
        ]
        corpus.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
        out = tmp_path / "run"
        options = [*models[:-1], tmp_path / "aligner", "--jsonl", corpus, "--out", out]
        outcome = spanferry("project", *options)
        told = [line for line in outcome.err.splitlines() if "not trained" in line]
        assert [line.partition(":")[0] for line in told] == ["it", "it-CH"]
        assert "but on de, zh. Expect" in told[0]
        assert told[0].endswith(FIX_UNTRAINED)
        assert outcome.out.splitlines()[-2].split()[:3] == ["untrained", "3", "in"]
        assert spanferry("project", *options, "--json").json["untrained"] == {"it": 2, "it-CH": 1}
        assert "Sentences in it: the aligner" in instructions_of(out)[0]
        assert len(instructions_of(out)) == 2

    def test_an_unknown_option_is_a_usage_error(self, spanferry: Spanferry) -> None:
        outcome = spanferry("project", "--sauce", "a")
        assert (outcome.status, outcome.out) == (2, "")
        assert "--sauce" in outcome.err


class TestOpenCorpus:
    def test_how_a_run_will_call_it(self, moses: list[object]) -> None:
        _, source, _, target, _, lang = moses
        _, where = open_corpus(
            Path(str(source)), Path(str(target)), None, None, "1,2", None, "en", str(lang)
        )
        assert where == f"{source} + {target}"

    @pytest.mark.parametrize(
        ("columns", "expected"),
        [
            ("1,2", (1, 2)),
            ("12,3", (12, 3)),
            ("2,3,1", (2, 3, 1)),
            ("en,de", ("en", "de")),
            ("1,de", ("1", "de")),
        ],
    )
    def test_columns(self, columns: str, expected: tuple[object, ...]) -> None:
        assert columns_of(columns) == expected

    @pytest.mark.parametrize("columns", ["", "1", "1,", ",2", "1,2,3,4"])
    def test_neither_two_columns_nor_three(self, columns: str) -> None:
        with pytest.raises(CorpusError, match="is neither two columns nor three"):
            columns_of(columns)
