"""What becomes of the tags of a set, on sentences made up for it, and the manifest that ships."""

from pathlib import Path

import pytest

from projection.errors import CorpusError, TrainingError
from projection.io.conll import write_iob2
from training.bundled.mixed_ner import (
    MISC,
    PACKAGE,
    NerSet,
    is_name,
    new_tags,
    read_manifest,
    write_mixed_ner,
)
from training.data.dataset import read_rows

WORDS = {
    "small": ["of", "the", "van"],
    "pronouns": ["us", "they"],
    "nationalities": ["Danish", "Dane"],
    "titles": ["Dr", "President"],
    "years": ["1[0-9][0-9][0-9]", "20[0-9][0-9]"],
}


def tagged(text: str, **rules: object) -> str:
    """Convert `Curie/B-scientist left/O` to the new tags."""
    tokens, tags = zip(*(word.split("/") for word in text.split()), strict=True)
    ner_set = NerSet("made-up", (), "", **rules)  # type: ignore[arg-type]
    return " ".join(new_tags(tokens, tags, ner_set, WORDS))


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        pytest.param("Marie/B-PER Curie/I-PER left/O", {}, "B-PER I-PER O", id="as they are"),
        pytest.param(
            "Marie/B-scientist Curie/I-scientist met/O Ada/B-person",
            {"labels": {"scientist": "PER", "person": "PER"}},
            "B-PER I-PER O B-PER",
            id="several types become one",
        ),
        pytest.param(
            "Baroque/B-genre music/I-genre and/O jazz/B-genre",
            {"labels": {"person": "PER"}, "masked": ["genre"]},
            "_ _ O O",
            id="no counterpart: masked, or outside without a capital",
        ),
        pytest.param(
            "the/B-Org army/I-Org and/O Royal/B-Org Navy/I-Org",
            {"labels": {"Org": "ORG"}, "names_only": ["*"]},
            "_ _ O B-ORG I-ORG",
            id="what has no form of a name is masked",
        ),
        pytest.param(
            "Danish/B-country ships/O in/O Denmark/B-country",
            {"labels": {"country": "LOC"}, "nationalities": ["country"]},
            f"B-{MISC} O O B-LOC",
            id="nationalities are MISC",
        ),
        pytest.param(
            "Danes/B-misc and/O Quartz/B-misc",
            {"labels": {"person": "PER"}, "nationalities": ["misc"], "masked": ["misc"]},
            f"B-{MISC} O _",
            id="of a masked type nationalities stay",
        ),
        pytest.param(
            "President/B-PER Lincoln/I-PER spoke/O",
            {"trim": {"PER": "titles"}},
            "O B-PER O",
            id="titles are outside",
        ),
        pytest.param("Dr/B-PER", {"trim": {"PER": "titles"}}, "B-PER", id="a word stays"),
        pytest.param(
            "the/O 1936/B-event Summer/I-event Games/I-event",
            {"labels": {"event": "MISC"}, "trim": {"MISC": "years"}},
            "O O B-MISC I-MISC",
            id="a year before an event is outside",
        ),
        pytest.param(
            "Denmark/B-Org and/O Denmark/B-Loc",
            {"labels": {"Org": "ORG", "Loc": "LOC"}, "masked_spans": {"ORG": ["Den*"]}},
            "_ O B-LOC",
            id="spans masked for one type",
        ),
        pytest.param(
            "@/B-PER hansen/I-PER saw/O #Oslo/B-LOC and/O Bergen/B-LOC @curie/O",
            {"handles": True},
            "_ _ O _ O B-LOC _",
            id="handles and hashtags, entities or not",
        ),
    ],
)
def test_tags(text: str, rules: dict[str, object], expected: str) -> None:
    assert tagged(text, **rules) == expected


def test_a_type_the_manifest_does_not_mention_is_an_error() -> None:
    with pytest.raises(TrainingError, match=r"made-up: unknown type song.*labels or masked"):
        tagged("Yesterday/B-song", labels={"person": "PER"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ludwig van Beethoven", True),
        ("2001 World Games", True),
        ("World Games of 2001", True),
        ("US", True),
        ("Us", False),
        ("They", False),
        ("the Games", True),
        ("the games", False),
        ("of the", False),
        ("2001", False),
        ("World games", False),
        ("Oslo , Bergen", False),
    ],
)
def test_the_form_of_a_name(text: str, expected: bool) -> None:
    assert is_name(text.split(), WORDS) is expected


class TestManifest:
    def test_word_lists_and_types_it_refers_to_are_there(self) -> None:
        sets, words = read_manifest()
        assert len({each.name for each in sets}) == len(sets)
        for each in sets:
            written = {*each.labels.values()} or {"PER", "ORG", "LOC", "MISC"}
            assert written <= {"PER", "ORG", "LOC", "MISC"}, each.name
            assert {*each.types, *each.trim, *each.masked_spans} <= written, each.name
            assert {*each.trim.values()} <= words.keys(), each.name
            assert not {*each.labels} & {*each.masked}, each.name
            assert each.licence, each.name

    def test_what_is_packaged_is_there(self) -> None:
        packaged = [each for each in read_manifest()[0] if each.packaged]
        assert [(PACKAGE / name).is_file() for each in packaged for name in each.files] == [
            True
        ] * 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Every file of the manifest below a folder, a sentence each, in the set's own types."""
    for each in read_manifest()[0]:
        for name in each.files if not each.packaged else ():
            path = tmp_path / "ner" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            label = next(iter(each.labels), "PER")
            write_iob2([(("Curie", "left"), (f"B-{label}", "O"))], path)
    return tmp_path / "ner"


class TestMixed:
    def test_rows_know_which_types_were_looked_for(self, data: Path, tmp_path: Path) -> None:
        sizes = write_mixed_ner(data, tmp_path / "mixed.iob2")
        rows = read_rows(tmp_path / "mixed.iob2")
        assert sum(size.sentences for size in sizes) == len(rows)
        assert rows.labels == ("LOC", "MISC", "ORG", "PER")
        assert rows.languages == ["en"]
        assert len({row.id for row in rows}) == len(rows)
        types = {row.id.partition("/")[0]: row.types for row in rows}
        assert types["conll2003-en"] == types["handwritten"] == ()
        assert types["uner-en-ewt"] == ("PER", "ORG", "LOC")

    def test_is_the_same_each_time(self, data: Path, tmp_path: Path) -> None:
        for name in ("one", "two"):
            write_mixed_ner(data, tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    def test_only_free_licences(self, data: Path, tmp_path: Path) -> None:
        sizes = write_mixed_ner(data, tmp_path / "mixed.iob2", only_free=True)
        left_out = {s.name for s in read_manifest()[0]} - {size.name for size in sizes}
        assert left_out == {"conll2003-en", "re3d-en"}

    def test_own_sentences_count_three_times(self, data: Path, tmp_path: Path) -> None:
        sizes = {size.name: size for size in write_mixed_ner(data, tmp_path / "mixed.iob2")}
        assert sizes["handwritten"].sentences % 3 == 0
        assert sizes["conll2003-en"] == ("conll2003-en", 1, {"PER": 1}, 0)

    def test_a_set_that_is_not_there(self, data: Path, tmp_path: Path) -> None:
        (data / "wikigold-en/test.iob2").unlink()
        with pytest.raises(CorpusError, match="wikigold-en"):
            write_mixed_ner(data, tmp_path / "mixed.iob2")
        assert not (tmp_path / "mixed.iob2").exists()
