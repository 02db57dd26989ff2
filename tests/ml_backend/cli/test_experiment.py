"""`spanferry experiment`, as a shell would call it, on a handful of sentences."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import typer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

from ml_backend.cli.experiment import experiment
from projection.errors import TrainingError
from projection.io.files import json_line
from projection.records import Span
from training.aligner.silver import SilverSentence
from training.experiments.definition import NAMES as EXPERIMENTS

FILES = {"cells", "plot.png", "plot.svg", "results.json", "stages", "table.md"}
PEOPLE, PLACES = ("Anna", "Weber", "Zoë"), ("Berlin", "Bern", "Siemens")
NAMES = [
    "exact match",
    *(["eflomal", "eflomal, gaps up to 2 bridged"] if find_spec("eflomal") else []),
    "paper-pair, as published",
    "paper-pair + span decoding",
    "paper-pair + joint assignment",
    "context-joint, word by word",
    "context-joint + span decoding",
    "context-joint + joint assignment",
    "context-joint + both directions",
    "context-joint, both sentences encoded at once",
]


@pytest.fixture(scope="module")
def files(
    word_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with silver data, gold in two files, and a tiny untrained encoder."""
    folder = tmp_path_factory.mktemp("inputs")
    silver, gold = [], []
    for person in PEOPLE:
        for place in PLACES:
            source, target = f"{person} saw {place} .", f"{person} sah {place} ."
            spans = [Span(0, len(person)), Span(len(person) + 5, len(target) - 2)]
            links = frozenset((i, i) for i in range(4))
            phrases = tuple((span, span) for span in spans)
            silver.append(SilverSentence(source, target, "de", phrases, links).to_json())
            entities = [
                {"start": span.start, "end": span.end, "label": label}
                for span, label in zip(spans, ("PER", "LOC"), strict=True)
            ]
            sides = {
                side: {"text": text, "entities": entities}
                for side, text in (("source", source), ("target", target))
            }
            gold.append({"id": f"{person}-{place}", "source_lang": "en", "lang": "de", **sides})
    for name, rows in (("silver", silver), ("news.en-de", gold), ("talks.en-de", gold[:4])):
        text = "".join(map(json_line, rows))
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    (folder / "aligners.toml").write_text(
        "silver = 'silver.jsonl'\ngold = ['news.en-de.jsonl', 'talks.en-de.jsonl']\n", "utf-8"
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(word_tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=160,
    )
    BertModel(config).save_pretrained(folder / "encoder")
    word_tokenizer.save_pretrained(folder / "encoder")
    return folder


def invoke(*given: object) -> str:
    """Run the command; return what it prints on stdout."""
    app = typer.Typer()
    app.command()(experiment)
    result = CliRunner().invoke(app, [str(item) for item in given], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def compare_aligners(files: Path, out: Path, *more: object) -> str:
    """Run the aligner experiment; return what it prints on stdout."""
    given = ("aligners", "--data", files / "aligners.toml", "--base", files / "encoder")
    return invoke(*given, "--out", out, "--set", "steps=1", *more)


@pytest.fixture(scope="module")
def _plots() -> None:
    pytest.importorskip("matplotlib", reason="draws the plots; comes with spanferry[plots]")


@pytest.fixture(scope="module")
def done(files: Path, _plots: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of one run of `aligners`, and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "new" / "experiment"
    return out, compare_aligners(files, out, "--scored", 5)


class TestAligners:
    def test_the_folder_holds_results_and_models(self, done: tuple[Path, str]) -> None:
        out, _ = done
        assert {path.name for path in out.iterdir()} == FILES
        result = json.loads((out / "results.json").read_text("utf-8"))
        measured = result["measured"]
        assert [c["row"] for c in measured if c["column"] == "news.en-de"] == NAMES
        assert {c["column"]: c["runs"]["0"]["scores"]["sentences"] for c in measured} == {
            "news.en-de": 5,
            "talks.en-de": 4,
        }
        assert result["ceilings"] == {"news.en-de": 1.0, "talks.en-de": 1.0}
        assert (out / "plot.png").stat().st_size > 10_000
        table = (out / "table.md").read_text("utf-8")
        assert "| exact match | **100.00** (100.00 / 100.00) | **100.00** (100.00 / 100" in table

    def test_the_terminal_shows_a_row_for_each(self, done: tuple[Path, str]) -> None:
        _, printed = done
        lines = [line.split() for line in printed.splitlines()]
        assert ["exact", "match", "100.00", "100.00"] in lines
        assert all(" ".join(name.split()) in " ".join(printed.split()) for name in NAMES)
        assert "ceiling" in printed
        assert "table.md" in printed

    def test_more_sentences_are_scored_by_the_same_models(
        self, files: Path, done: tuple[Path, str]
    ) -> None:
        out, _ = done
        before = [path.stat().st_mtime_ns for path in sorted(out.glob("stages/*/model.*"))]
        printed = json.loads(compare_aligners(files, out, "--json"))
        after = [path.stat().st_mtime_ns for path in sorted(out.glob("stages/*/model.*"))]
        assert len(before) == 3
        assert after == before
        assert printed["measured"][0]["runs"]["0"]["scores"]["sentences"] == 9
        assert printed == json.loads((out / "results.json").read_text("utf-8"))

    def test_without_matplotlib_nothing_is_begun(
        self, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)  # how Python marks what is not there
        with pytest.raises(TrainingError, match=r"spanferry\[plots\]"):
            compare_aligners(files, tmp_path / "out")
        assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def data(files: Path) -> Path:
    """What a tagger is trained and scored on: German names, English ones, and a config."""
    for name, verb in (("english", "saw"), ("pseudo", "sah"), ("test", "sah")):
        lines = [
            f"{person}\tB-PER\n{verb}\tO\n{place}\tB-LOC\n.\tO\n\n"
            for person in PEOPLE
            for place in PLACES
        ]
        (files / f"{name}.iob2").write_text("".join(lines), "utf-8")
    config = files / "data.toml"
    config.write_text(
        "english = 'english.iob2'\n[languages.de]\ntest = 'test.iob2'\n"
        "[languages.de.corpora]\nnews = 'pseudo.iob2'\n",
        "utf-8",
    )
    return config


def experiment_on(data: Path, out: Path, name: str, *more: object) -> str:
    """Run an experiment with recipes; what it prints on stdout."""
    given = (name, "--data", data, "--out", out, "--base", data.parent / "encoder")
    sized = ("--sentences", 6, "--seeds", 2, "--set", "freeze=0", "--set", "target.epochs=1")
    return invoke(*given, *sized, *more)


@pytest.fixture(scope="module")
def transfer(
    data: Path, _plots: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder of one run of `transfer`, and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "new" / "transfer"
    return out, experiment_on(data, out, "transfer", "--set", "english.epochs=1")


@pytest.mark.usefixtures("_plots")
class TestRecipes:
    def test_the_folder(self, transfer: tuple[Path, str]) -> None:
        out, _ = transfer
        assert {path.name for path in out.iterdir()} == FILES
        result = json.loads((out / "results.json").read_text("utf-8"))
        assert [(cell["row"], cell["column"]) for cell in result["measured"]] == [
            ("zero-transfer", "de"),
            ("li2021", "de"),
            ("spanferry", "de"),
        ]
        assert all([*cell["runs"]] == ["0", "1"] for cell in result["measured"])
        assert {each["column"] for each in result["published"]} == {"de"}
        assert (out / "plot.png").stat().st_size > 5_000
        table = (out / "table.md").read_text("utf-8")
        assert table.index("## Measured here") < table.index("## Published elsewhere")

    def test_the_terminal_shows_what_was_measured(self, transfer: tuple[Path, str]) -> None:
        _, printed = transfer
        assert all(row in printed for row in ("zero-transfer", "li2021", "spanferry", "±"))
        assert "76.9" not in printed
        assert "table.md" in printed

    def test_again_nothing_is_trained(self, data: Path, transfer: tuple[Path, str]) -> None:
        out, _ = transfer
        before = json.loads((out / "results.json").read_text("utf-8"))
        more = ("--set", "english.epochs=1", "--json")
        assert json.loads(experiment_on(data, out, "transfer", *more)) == before

    def test_a_sweep_at_other_places(self, data: Path, tmp_path: Path) -> None:
        more = ("--at", 1, "--at", 2, "--seed", 5, "--seeds", 1, "--scored", 4, "--json")
        result = json.loads(experiment_on(data, tmp_path, "gamma", *more))
        assert [cell["x"] for cell in result["measured"]] == [1, 2]
        ((seed, run),) = result["measured"][0]["runs"].items()
        assert seed == "5"
        assert run["scores"]["sentences"] == 4

    @pytest.mark.parametrize(
        ("more", "complaint"),
        [
            (("--column", "fr"), "no language fr"),
            (("--set", "freeze"), "is not NAME=VALUE"),
            (("--set", "frieze=1"), "no setting frieze"),
        ],
    )
    def test_what_cannot_be(
        self, data: Path, tmp_path: Path, more: tuple[str, ...], complaint: str
    ) -> None:
        with pytest.raises(TrainingError, match=complaint):
            experiment_on(data, tmp_path / "out", "transfer", *more)
        assert not (tmp_path / "out").exists()

    def test_rows_of_your_own(self, data: Path, tmp_path: Path) -> None:
        mine = tmp_path / "mine.toml"
        mine.write_text(
            "title = 'Mine'\nreads = 'corpora'\n"
            "rows = [{name = 'short', preset = 'li2021', set = {'english.epochs' = 1}}]",
            "utf-8",
        )
        printed = experiment_on(data, tmp_path / "out", str(mine), "--seeds", 1)
        assert "short" in printed
        assert (tmp_path / "out" / "table.md").read_text("utf-8").startswith("# Mine\n")


def test_help_names_all_experiments() -> None:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(experiment)
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert all(name in result.output for name in EXPERIMENTS)
    assert "spanferry experiment transfer --data" in result.output
