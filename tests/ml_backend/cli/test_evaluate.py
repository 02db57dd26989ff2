"""`spanferry evaluate` as a shell would call it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_backend.cli import app
from ml_backend.cli.evaluate import read_test
from projection.errors import LanguageTagError, TrainingError
from projection.models import bundled
from tests.projection.web import serving_files

TAGGER = str(bundled.path("tagger"))
ONE = ("--model", TAGGER)
TWO = (*ONE, "--model", f"{TAGGER}/.")  # the same one by another name


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.iob2"
    path.write_text(
        "Angela\tB-PER\nMerkel\tI-PER\nvisited\tO\nLondon\tB-LOC\n.\tO\n\nIt\tO\nrained\tO\n.\tO\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def evaluate() -> Callable[..., str]:
    def call(*words: object) -> str:
        result = CliRunner().invoke(
            app, ["evaluate", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "200"}
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_two_models_are_judged_and_compared(evaluate: Callable[..., str], gold: Path) -> None:
    answer = json.loads(evaluate(gold, *TWO, "--trained-on", gold, "--json"))

    assert answer["schema"] == 2
    assert [found["model"] for found in answer["models"]] == [*TWO[1::2]]
    first = answer["models"][0]
    assert (first["f1"], first["support"], first["sentences"]) == (1, 2, 2)
    assert first["seen"] == {"found": 2, "of": 2, "share": 1}
    assert set(first["mistakes"]) == {"wrong_border", "wrong_label", "missing", "spurious"}
    [difference] = answer["differences"]
    assert (difference["first"], difference["second"]) == TWO[1::2]


def test_data_may_be_elsewhere(evaluate: Callable[..., str], gold: Path) -> None:
    with serving_files({"/gold.iob2": gold.read_bytes()}) as web:
        url = f"http://me:secret@{web.host}/gold.iob2?sig=secret"
        shown = evaluate(f"de={url}", gold, *ONE, "--trained-on", url, "--json")
    first = json.loads(shown)["models"][0]
    assert (first["f1"], first["sentences"], first["seen"]["of"]) == (1, 4, 4)
    assert "secret" not in shown


def test_what_is_printed_for_people(evaluate: Callable[..., str], gold: Path) -> None:
    printed = evaluate(gold, *ONE, "--trained-on", gold)
    assert "F1 with 95 % certainty from" in printed
    assert "mistakes: 0 wrong border, 0 wrong label, 0 missing, 0 spurious" in printed
    assert "recall of names met in training: 100.00 (2 of 2)" in printed
    assert "Paired bootstrap" not in printed
    assert "Paired bootstrap" in evaluate(gold, *TWO)


def test_the_folder_has_the_page_the_figures_and_every_mistake(
    evaluate: Callable[..., str], tmp_path: Path
) -> None:
    """Words of the data are text on the page, whatever they look like."""
    path, out = tmp_path / "gold.iob2", tmp_path / "evaluation"
    path.write_text("<script>\tB-ORG\nvisited\tO\nLondon\tB-PER\n\n", encoding="utf-8")

    answer = json.loads(evaluate(path, *ONE, "--out", out, "--json"))

    page = (out / "index.html").read_text(encoding="utf-8")
    assert json.loads((out / "evaluation.json").read_text()) == answer
    mistakes = [json.loads(line) for line in (out / "mistakes.jsonl").read_text().splitlines()]
    by_kind = answer["models"][0]["mistakes"]
    assert len(mistakes) == sum(kind["count"] for kind in by_kind.values()) > 0
    assert {mistake["model"] for mistake in mistakes} == {TAGGER}
    for kind in ("wrong border", "wrong label", "missing", "spurious"):
        assert f">{kind}</text>" in page  # the legend of a plot
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<mark><u><bdi>London</bdi></u></mark>" in page
    assert "<svg" in page


def test_data_may_say_their_language(evaluate: Callable[..., str], gold: Path) -> None:
    other = gold.with_name("other.iob2")
    other.write_text("Bonn\tB-LOC\nschlief\tO\n\n", encoding="utf-8")
    answer = json.loads(evaluate(f"en={gold}", f"ger_AT={other}", *ONE, "--json"))
    [found] = answer["models"]
    assert {lang: each["support"] for lang, each in found["by_language"].items()} == {
        "en": 2,
        "de-AT": 1,
    }


def test_columns_are_found_or_named(evaluate: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "gold.conll"
    path.write_text("-DOCSTART- -X- O O\nLondon NNP I-NP I-LOC\nsleeps VBZ I-VP O\n")
    for columns in ((), ("--token-column", "1", "--tag-column", "4")):
        [found] = json.loads(evaluate(path, *ONE, *columns, "--json"))["models"]
        assert (found["f1"], found["support"]) == (1, 1)
    result = CliRunner().invoke(app, ["evaluate", str(path), *ONE, "--tag-column", "2"])
    assert str(result.exception) == (
        f"{path}:2: unknown tag 'NNP'. Tags are O, B-TYPE and I-TYPE. If these are types, put I- "
        'in front: awk \'NF && $NF != "O" {$NF = "I-" $NF} 1\''
    )


def test_a_file_whose_name_looks_like_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "de=x.iob2").write_text("Bonn\tB-LOC\n")
    assert read_test([str(tmp_path / "de=x.iob2")]).languages == ["und"]
    with pytest.raises(TrainingError, match=r"^y\.iob2: does not exist"):
        read_test(["de=y.iob2"])


def test_a_language_that_is_no_tag_is_refused() -> None:
    with pytest.raises(LanguageTagError, match=r"^German=y\.iob2: 'German' is no .* mean de\?"):
        read_test(["German=y.iob2"])


def test_names_met_in_projected_sentences_are_known(
    evaluate: Callable[..., str], gold: Path, tmp_path: Path
) -> None:
    pair = {"source": "She left London.", "target": "Sie verließ London.", "target_lang": "de",
            "source_lang": "en", "entities": [{"start": 9, "end": 15, "label": "LOC"}]}  # fmt: skip
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair), "utf-8")
    run = ["project", "--jsonl", str(tmp_path / "pairs.jsonl"), "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, run, catch_exceptions=False).exit_code == 0
    answer = json.loads(evaluate(gold, *ONE, "--trained-on", tmp_path / "run", "--json"))
    assert answer["models"][0]["seen"]["of"] == 1
    assert answer["models"][0]["unseen"]["of"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param((TAGGER, "x.iob2"), "Missing option '--model'", id="no model"),
        pytest.param(("--model", TAGGER), "Missing argument 'DATA…'", id="no data"),
    ],
)
def test_models_and_data_are_told_apart_by_the_option(words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.output
