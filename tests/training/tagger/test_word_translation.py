"""English gold in the words of another language."""

from pathlib import Path
from typing import ClassVar

import pytest

from projection.aligners.lexical_evidence import Lexicon
from projection.errors import CorpusError, TrainingError
from projection.io.files import json_line
from projection.records import Span
from training.aligner.silver import SilverSentence
from training.data.rows import Row
from training.tagger.word_translation import (
    covered,
    read_translations,
    translated,
    translations_from_aligner,
    translations_from_links,
)


def pair(source: str, target: str, links: set[tuple[int, int]], lang: str = "nl") -> SilverSentence:
    whole = ((Span(0, len(source)), Span(0, len(target))),)
    return SilverSentence(source, target, lang, whole, frozenset(links))


BANK = pair("the German bank", "de Duitse bank", {(0, 0), (1, 1), (2, 2)})


class TestFromLinks:
    def test_the_most_exclusive_translation(self) -> None:
        shore = pair("the shore", "de oever", {(0, 0), (1, 1)})
        other = pair("the bank", "de oever", {(0, 0), (1, 1)})
        found = translations_from_links([BANK, BANK, BANK, shore, shore, other])
        assert found == {"the": "de", "german": "duitse", "bank": "bank", "shore": "oever"}

    def test_what_was_linked_once_is_chance(self) -> None:
        assert translations_from_links([BANK]) == {}

    def test_words_linked_to_several_are_passed_over(self) -> None:
        many = pair("bank", "de bank", {(0, 0), (0, 1)})
        assert translations_from_links([many, many]) == {}

    def test_by_character_all_of_them_are_the_word(self) -> None:
        zh = pair("German bank", "德国银行", {(0, 0), (0, 1), (1, 2), (1, 3)}, "zh")
        assert translations_from_links([zh, zh]) == {"german": "德国", "bank": "银行"}


class TestFromAnAligner:
    LEXICON = Lexicon.of(
        {("bank", "bank"): 0.5, ("bank", "oever"): 0.3, ("zoe", "zoe"): 0.9, ("dim", "vaag"): 0.05}
    )

    def test_the_strongest_tie_among_the_words_there_are(self) -> None:
        english = [("Bank", "dim", "Zoë", "unknown", "1.5")]
        target = [("De", "Oever", "Zoë", "vaag", "!")]
        found = translations_from_aligner(english, target, self.LEXICON)
        assert found == {"bank": "oever", "zoë": "zoë"}

    def test_a_word_that_strays_into_the_text_gives_way_to_a_usual_one(self) -> None:
        lexicon = Lexicon.of({("the", "la"): 0.5, ("the", "de"): 0.4})
        text = [("de",)] * 20 + [("la",)]
        assert translations_from_aligner([("the",)], text, lexicon) == {"the": "de"}
        assert translations_from_aligner([("the",)], [("de", "la")], lexicon) == {"the": "la"}

    def test_without_text_there_is_nothing_to_choose_from(self) -> None:
        assert translations_from_aligner([("bank",)], [], self.LEXICON) == {}


class TestTranslated:
    WORDS: ClassVar = {"german": "duitse", "bank": "bank", "smith": "smid", "river": "fluss"}

    def row(self, tokens: str, tags: str) -> Row:
        return Row("1", tuple(tokens.split()), tuple(tags.split()), "en")

    def test_case_is_carried_over_and_people_keep_their_names(self) -> None:
        row = self.row("GERMAN Bank 's Smith", "B-MISC B-ORG O B-PER")
        (found,) = translated([row], self.WORDS, "nl")
        assert found.tokens == ("DUITSE", "Bank", "'s", "Smith")
        assert found.tags == row.tags
        assert found.lang == "nl"

    def test_smiths_who_are_no_people_are_translated(self) -> None:
        assert translated([self.row("Smith", "O")], self.WORDS, "nl")[0].tokens == ("Smid",)

    def test_german_is_written_as_in_german_text(self) -> None:
        rows = [self.row("river river", "O O")]
        (found,) = translated(rows, self.WORDS, "de", [("Fluss", "Fluss")])
        assert found.tokens == ("Fluss", "Fluss")
        (unknown,) = translated(rows, self.WORDS, "de", [("Ufer",)])
        assert unknown.tokens == ("fluss", "fluss")
        drawn = [translated(rows * 9, self.WORDS, "de", [("Fluss", "FLUSS")], s) for s in (1, 1, 2)]
        assert drawn[0] == drawn[1] != drawn[2]

    def test_how_much_has_a_translation(self) -> None:
        rows = [self.row("the German bank , 3", "O O O O O")]
        assert covered(rows, self.WORDS) == pytest.approx(2 / 3)
        assert covered([], self.WORDS) == 0.0

    def test_nothing(self) -> None:
        assert translated([], self.WORDS, "nl") == []


class TestFiles:
    def test_silver_and_two_columns(self, tmp_path: Path) -> None:
        silver, columns = tmp_path / "nl.jsonl", tmp_path / "en-nl.txt"
        silver.write_text(json_line(BANK.to_json()) * 2)
        columns.write_text("bank oever\nRiver\tRivier\n")
        assert read_translations([columns, silver]) == {
            "bank": "oever",
            "river": "rivier",
            "the": "de",
            "german": "duitse",
        }

    def test_other_columns_are_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "words.txt").write_text("bank oever\nbank\n")
        with pytest.raises(CorpusError, match=r"words\.txt:2: 1 columns"):
            read_translations([tmp_path / "words.txt"])

    def test_an_empty_file_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "words.txt").write_text("")
        with pytest.raises(TrainingError, match="holds no pair of words"):
            read_translations([tmp_path / "words.txt"])
