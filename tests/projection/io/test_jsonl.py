"""JSON Lines corpora in the forms people have, with entities of source and target."""

import gzip
import json
import re
from contextlib import suppress
from importlib.resources import files
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from projection.errors import CorpusError, LanguageTagError
from projection.io.conll import read_conll
from projection.io.corpus import CorpusNotes, read_tmx, read_tsv
from projection.io.files import json_line, read_jsonl
from projection.io.jsonl import read_jsonl_corpus
from projection.io.records_json import encode
from projection.models import bundled
from projection.records import Entity, ParallelSentence, Span
from tests.projection.io.corpora import cells, pairs, texts, write

GOLD = {
    "id": "g1",
    "source": {
        "text": "👨‍👩‍👧 Anna left.",
        "entities": [{"start": 6, "end": 10, "label": "PER", "text": "Anna"}],
    },
    "target": {"text": "Anna ging.", "entities": []},
    "source_lang": "en",
    "lang": "de",
    "features": ["ignored"],
}
ANNA = Entity(Span(6, 10), "PER")


def gold(path: str, value: object) -> str:
    """GOLD with one field set to something else, such as `source.text`."""
    row = json.loads(json.dumps(GOLD))
    *way, last = path.split(".")
    place = row
    for key in way:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    return json.dumps(row)


class TestJsonl:
    """JSON Lines in three shapes."""

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            pytest.param(
                GOLD,
                ParallelSentence(
                    "g1",
                    "👨‍👩‍👧 Anna left.",
                    "Anna ging.",
                    "en",
                    "de",
                    "a.jsonl:1",
                    (ANNA,),
                    target_entities=(),
                ),
                id="gold",
            ),
            pytest.param(
                {"source": "Hi", "target": "Hallo"},
                ParallelSentence(
                    "a.jsonl:1-cc70c747", "Hi", "Hallo", "en", "de", "a.jsonl:1", None
                ),
                id="plain: nobody has looked for entities",
            ),
            pytest.param(
                {"source": "Hi", "target": "", "entities": [], "target_lang": "de-AT"},
                ParallelSentence("a.jsonl:1-c01a4cfa", "Hi", "", "en", "de-AT", "a.jsonl:1", ()),
                id="plain: somebody has, and found none",
            ),
            pytest.param(
                {"id": 17, "translation": {"de": "Hallo", "en": "Hi"}},
                ParallelSentence("17", "Hi", "Hallo", "en", "de", "a.jsonl:1", None),
                id="Hugging Face, with a number as its id",
            ),
            pytest.param(
                {"source": {"text": "Hi"}, "target": {"text": "Hallo"}, "spans": [[0, 2, " X "]]},
                ParallelSentence(
                    "a.jsonl:1-cc70c747",
                    "Hi",
                    "Hallo",
                    "en",
                    "de",
                    "a.jsonl:1",
                    (Entity(Span(0, 2), "X"),),
                ),
                id="entities beside the two sides",
            ),
            pytest.param(
                {"source": {"text": "Hi"}, "target": {"text": "Hallo"}},
                ParallelSentence(
                    "a.jsonl:1-cc70c747", "Hi", "Hallo", "en", "de", "a.jsonl:1", None
                ),
                id="gold without entities",
            ),
        ],
    )
    def test_shapes(
        self, tmp_path: Path, row: dict[str, object], expected: ParallelSentence
    ) -> None:
        path = write(tmp_path / "a.jsonl", json.dumps(row))
        assert list(read_jsonl_corpus(path, "en", "de")) == [expected]

    @given(pairs)
    def test_our_own_form_comes_back(self, folder: Path, pairs: list[tuple[str, str]]) -> None:
        sentences = [
            ParallelSentence(str(i), a, b, "en", "zh", f"news.en:{i}")
            for i, (a, b) in enumerate(pairs)
        ]
        path = write(folder / "own.jsonl", "".join(json_line(encode(s)) for s in sentences))
        assert list(read_jsonl_corpus(path)) == sentences

    def test_ugly_but_fine(self, tmp_path: Path) -> None:
        content = '\ufeff{"source": "a\u2028b", "target": "\\u00e9\\r\\n"}\r\n\r\n'
        path = write(tmp_path / "a.jsonl.gz", gzip.compress(content.encode()))
        assert texts(read_jsonl_corpus(path, "en", "fr")) == [("a\u2028b", "é\r\n")]

    def test_an_empty_file_has_no_sentences(self, tmp_path: Path) -> None:
        assert list(read_jsonl_corpus(write(tmp_path / "a.jsonl", ""))) == []

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            pytest.param('{"source": ', r"a\.jsonl:1: not JSON", id="broken JSON"),
            pytest.param('{"target": "x"}', r"a\.jsonl:1 source: missing", id="no source"),
            pytest.param(gold("target", 7), r"a\.jsonl:1 target: 7 where text", id="a number"),
            pytest.param(
                gold("source.entities.0.end", 99),
                r"a\.jsonl:1 source.entities\[0\]: \[6, 99\) reaches past the text \(16 code",
                id="entity out of range",
            ),
            pytest.param(
                gold("source.entities.0.start", 5),
                r"\[5, 10\) covers ' Anna', the record says 'Anna'. Offsets are Unicode",
                id="entity contradicts the text",
            ),
            pytest.param(
                '{"source": "a", "target": "b"}',
                r"source_lang: missing. Add it, or pass the source_lang of the whole file",
                id="no language",
            ),
            pytest.param(
                json.dumps(GOLD) + "\n\n" + json.dumps(GOLD),
                r"a\.jsonl:3 id: 'g1' is also on line 1",
                id="an id used twice",
            ),
        ],
    )
    def test_bad_lines(self, tmp_path: Path, line: str, message: str) -> None:
        path = write(tmp_path / "a.jsonl", line)
        with pytest.raises(CorpusError, match=message):
            list(read_jsonl_corpus(path))

    @pytest.mark.parametrize(
        "row",
        [
            pytest.param({"target_entities": [[5, 9, "PER"]]}, id="beside the text"),
            pytest.param(
                {"target": {"text": "Ging Anna?", "spans": [[5, 9, "PER"]]}}, id="in its own object"
            ),
        ],
    )
    def test_entities_of_the_target(self, tmp_path: Path, row: dict[str, object]) -> None:
        row = {"source": "Did Anna leave?", "target": "Ging Anna?", **row}
        path, notes = write(tmp_path / "a.jsonl", json.dumps(row)), CorpusNotes()
        [found] = read_jsonl_corpus(path, "en", "de", notes)
        assert (found.entities, found.target_entities) == (None, (Entity(Span(5, 9), "PER"),))
        notes.count([found])
        assert notes == CorpusNotes(sentences=1, target_annotated=1, entities=1)

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            pytest.param({"target_tags": ["B-PER", "O"]}, "target_tags: looks like", id="tags"),
            pytest.param(
                {"Target_entities": [[5, 9, "X"]]},
                "looks like .* of the target under target_entities",
                id="letter case",
            ),
            pytest.param({"target_entites": []}, "target_entites: looks like", id="typo, empty"),
            pytest.param({"target_entities": [[5, 90, "X"]]}, "past the text", id="past the text"),
            pytest.param(
                {
                    "target": {"text": "Ging Anna?", "entities": []},
                    "target_entities": [[5, 9, "X"]],
                },
                "contradicts",
                id="two",
            ),
        ],
    )
    def test_other_annotations_of_the_target_are_refused(
        self, tmp_path: Path, row: dict[str, object], message: str
    ) -> None:
        row = {"source": "Did Anna leave?", "target": "Ging Anna?", **row}
        path = write(tmp_path / "a.jsonl", json.dumps(row))
        with pytest.raises(CorpusError, match=message):
            list(read_jsonl_corpus(path, "en", "de"))

    @pytest.mark.parametrize(
        ("start", "end", "cut"),
        [(6, 10, 0), (6, 9, 1), (5, 10, 1), (7, 11, 1)],
        ids=["code points", "inclusive end", "space", "shifted"],
    )
    def test_offsets_without_their_text_are_held_against_words(
        self, tmp_path: Path, start: int, end: int, cut: int
    ) -> None:
        row = {"source": "👨‍👩‍👧 Anna left.", "target": "x", "entities": [[start, end, "PER"]]}
        path, notes = write(tmp_path / "a.jsonl", json.dumps(row)), CorpusNotes()
        notes.count(read_jsonl_corpus(path, "en", "de", notes))
        assert notes == CorpusNotes(sentences=1, annotated=1, entities=1, cut=cut)

    @pytest.mark.parametrize(
        "line",
        [json.dumps(GOLD), json_line(encode(ParallelSentence("1", "a", "b", "en", "de", "x")))],
        ids=["gold", "own"],
    )
    def test_a_file_in_another_language_than_asked_is_refused(
        self, tmp_path: Path, line: str
    ) -> None:
        path = write(tmp_path / "a.jsonl", line)
        with pytest.raises(CorpusError, match="lang: 'de', but 'es' was asked for"):
            list(read_jsonl_corpus(path, "en", "es"))


def test_an_id_of_its_own_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id": "7", "source": "A", "target": "B"}\n')
    assert [sentence.id for sentence in read_jsonl_corpus(path, "en", "de")] == ["7"]


@pytest.mark.shared
def test_real_gold_is_read_with_its_source_entities(shared_data: Path) -> None:
    path = shared_data / "projection" / "europarl-ner.en-de.jsonl"
    sentences = list(read_jsonl_corpus(path))
    assert len(sentences) == 799
    assert all(sentence.entities is not None for sentence in sentences)


@pytest.mark.parametrize("key", ["lang", "target_lang", "source_lang"])
def test_what_is_no_tag_is_refused_by_line(tmp_path: Path, key: str) -> None:
    row = {"source": "Hi", "target": "Hallo", "source_lang": "en", "target_lang": "de"}
    if key == "lang":
        del row["target_lang"]
    path = write(tmp_path / "a.jsonl", json_line({**row, key: "German"}))
    with pytest.raises(CorpusError, match=rf"a\.jsonl:1 {key}: 'German' is no .* mean de\?$"):
        list(read_jsonl_corpus(path))


SCHEMA = Draft202012Validator(
    json.loads((files("projection.io") / "corpus.schema.json").read_text("utf-8"))
)
FORMATS = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8")
EXAMPLES = {
    kind: "".join(re.findall(rf"(?ms)^```{kind}\n(.*?)^```", FORMATS))
    for kind in ("json", "conll", "tsv", "xml")
}


class TestSchema:
    """corpus.schema.json says of a line what the reader does, as far as a schema can."""

    def test_the_examples_of_the_docs_are_valid_and_read(self, tmp_path: Path) -> None:
        lines = EXAMPLES["json"].splitlines()
        for line in lines:
            SCHEMA.validate(json.loads(line))
        found = [*read_jsonl_corpus(write(tmp_path / "a.jsonl", EXAMPLES["json"]), "en", "de")]
        assert len(found) == len(lines)
        own = [each.target_entities for each in found if each.target_entities is not None]
        assert own == [(Entity(Span(0, 8), "CITY"),), (Entity(Span(0, 8), "LOC"),)]

    def test_the_other_examples_of_the_docs_are_read(self, tmp_path: Path) -> None:
        tagged = re.findall(r"(?ms)^```conll\n(.*?)^```", FORMATS)
        read = [[*read_conll(write(tmp_path / "a", text))] for text in tagged]
        assert [len(each) for each in read] == [2, 1, 1]
        assert {tag for each in read for s in each for tag in s.tags} > {"B-PER", "I-PER", "B-LOC"}
        table = write(tmp_path / "a.tsv", EXAMPLES["tsv"])
        assert [s.margin for s in read_tsv(table, "en", "de", columns=(2, 3, 1))] == [1.21, 1.08]
        memory = write(tmp_path / "a.tmx", EXAMPLES["xml"])
        assert texts(read_tmx(memory, "en", "de")) == [("It rained.", "Es hat geregnet.")]

    @pytest.mark.parametrize("lang", bundled.SAMPLE_LANGUAGES)
    def test_the_sample_is_valid(self, lang: str) -> None:
        for _, row in islice(read_jsonl(bundled.sample_path(lang)), 3):
            SCHEMA.validate(row)

    @given(st.tuples(cells, cells))
    def test_our_own_form_is_valid(self, pair: tuple[str, str]) -> None:
        sentence = ParallelSentence("1", *pair, "en", "zh", "a:1", (), target_entities=())
        SCHEMA.validate(encode(sentence))

    @pytest.mark.parametrize(
        "row",
        [
            {"target": "b"},
            {"source": "a", "target": None},
            {"source": "a", "target": {"entities": []}},
            {"source": "a", "target": "b", "id": 1.5},
            {"source": "a", "target": "b", "margin": "1,2"},
            {"source": "a", "target": "b", "entities": {"PER": ["a"]}},
            {"source": "a", "target": "b", "entities": [[0, 1]]},
            {"source": "a", "target": "b", "entities": [[-1, 1, "X"]]},
            {"source": "a", "target": "b", "entities": [[0, 1, " "]]},
            {"source": "a", "target": "b", "entities": [{"start": 0, "end": 1}]},
            {"source": "a", "target": "b", "target_entities": [{"start": 0, "label": "X"}]},
            {"source": "a", "target": "b", "target_entities": "b"},
            {"source": "a", "target": {"text": "b", "ents": [{"end": 1, "label": "X"}]}},
            {
                "source": "a",
                "target": "b",
                "spans": [{"start": 0, "end": 1, "tag": "X", "score": 2}],
            },
            {"translation": {"en": "a"}},
            {"schema": 2, "source": "a", "target": "b"},
            {**encode(ParallelSentence("1", "a", "b", "en", "de", "x")), "schema": 3},
            {
                **encode(ParallelSentence("1", "a", "b", "en", "de", "x")),
                "target_entities": [[0, 1, "X"]],
            },
        ],
        ids=json.dumps,
    )
    def test_what_it_refuses_the_reader_refuses(
        self, tmp_path: Path, row: dict[str, object]
    ) -> None:
        assert not SCHEMA.is_valid(row)
        with pytest.raises(CorpusError):
            list(read_jsonl_corpus(write(tmp_path / "a.jsonl", json.dumps(row)), "en", "de"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
JSON_KEYS = ("id", "source", "target", "entities", "margin", "lang", "schema", "translation")


@settings(max_examples=150)
@given(st.lists(st.dictionaries(st.sampled_from(JSON_KEYS), JSON_VALUES, max_size=5), max_size=3))
def test_any_json_is_read_or_a_mistake(folder: Path, rows: list[dict[str, object]]) -> None:
    lines = (json.dumps({"source": "Hi", "target": "Hallo", **row}) for row in rows)
    path = write(folder / "any.jsonl", "\n".join(lines))
    with suppress(CorpusError, LanguageTagError):
        list(read_jsonl_corpus(path, "en", "de"))
