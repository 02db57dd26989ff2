"""Sentences of a corpus that are gold: which are found, which are not, and what is said of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import CorpusError, TrainingError
from projection.records import ParallelSentence
from training.data.contamination import (
    RUN,
    GoldIndex,
    GoldMatch,
    counted,
    is_telling,
    refuse,
    runs_of,
    screened,
    words_of,
)

LONG = "Every Monday the mayor of Springfield walks slowly to her office by the old river bridge"


def gold_of(*texts: str) -> GoldIndex:
    gold = GoldIndex()
    for number, text in enumerate(texts, start=1):
        gold.add(text, f"gold.txt:{number}")
    return gold


def sentence(source: str, target: str, number: int = 1) -> ParallelSentence:
    return ParallelSentence(str(number), source, target, "en", "de", f"news.en:{number}")


class TestWholeSentences:
    @pytest.mark.parametrize(
        ("gold", "text"),
        [
            pytest.param("Anna met the mayor in Bern.", "Anna met the mayor in Bern.", id="itself"),
            pytest.param(
                "Anna met the mayor in Bern .", "“anna met, the mayor in BERN”", id="tokens, case"
            ),
            pytest.param(
                "Anna's mayor — left for Bern", "anna s mayor\tleft for bern", id="quotes"
            ),
            pytest.param("Ａｎｎａ met the mayor of Bern", "Anna met the mayor of Bern", id="wide"),
            pytest.param(
                "Zoe\u0308 met the mayor of Bern", "Zoë met the mayor of Bern", id="marks"
            ),
            pytest.param(
                "市长昨天在伯尔尼会见了安娜。", "市长昨天在伯尔尼会见了 安娜", id="Chinese"
            ),
            pytest.param(
                "市長昨天在伯爾尼會見了安娜", "市长昨天在伯尔尼会见了安娜", id="its scripts"
            ),
        ],
    )
    def test_how_it_is_written_does_not_matter(self, gold: str, text: str) -> None:
        assert gold_of("another sentence", gold).place_of(text) == "gold.txt:2"

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("Anna met the mayor in Berne.", id="a letter more"),
            pytest.param("Anna met the mayor", id="a part of it"),
            pytest.param("Yesterday Anna met the mayor in Bern.", id="a word more"),
            pytest.param("In Bern Anna met the mayor.", id="in another order"),
            pytest.param("", id="nothing"),
            pytest.param("…!?", id="punctuation"),
        ],
    )
    def test_others_are_no_gold(self, text: str) -> None:
        assert gold_of("Anna met the mayor in Bern.", "", "?!").place_of(text) is None

    @pytest.mark.parametrize(
        ("text", "telling"),
        [
            pytest.param("Thank you very much.", False, id="a phrase of politeness"),
            pytest.param("I am in it now, so am I", False, id="many words, few letters"),
            pytest.param("Straßenbahnhaltestelle Hauptbahnhof", False, id="letters, few words"),
            pytest.param("Anna met the mayor again", True, id="five words, twenty letters"),
            pytest.param("Anna met a mayor again", False, id="eighteen letters"),
            pytest.param("非常感谢您的帮助", False, id="eight characters"),
            pytest.param("市长昨天在这里见了安娜", True, id="eleven characters"),
            pytest.param("🎉 🎉 🎉 🎉 🎉 🎉", False, id="no letters"),
        ],
    )
    def test_what_anyone_could_have_written_does_not_count(self, text: str, telling: bool) -> None:
        assert is_telling(words_of(text)) is telling
        assert (gold_of(text).place_of(text) is not None) is telling


class TestRuns:
    def test_a_sentence_that_was_joined_with_another(self) -> None:
        assert gold_of(LONG).place_of(f"He said: {LONG.upper()}, and went home.") == "gold.txt:1"

    def test_the_run_may_stand_anywhere(self) -> None:
        words = LONG.split()
        inside = " ".join(["yesterday", *words[2 : 2 + RUN], "again"])
        assert gold_of(LONG).place_of(inside) == "gold.txt:1"

    def test_a_word_less_is_no_run(self) -> None:
        words = LONG.split()
        assert gold_of(LONG).place_of(" ".join(["x", *words[: RUN - 1], "x"])) is None

    def test_an_exchanged_word_hides_it(self) -> None:
        """As the module says."""
        assert gold_of(LONG).place_of(LONG.replace("slowly", "quickly")) is None

    @given(st.lists(st.sampled_from("abc"), max_size=30))
    def test_as_many_as_there_are_places(self, words: list[str]) -> None:
        assert len(list(runs_of(words))) == max(0, len(words) - RUN + 1)


class TestFiles:
    def test_pairs_and_text(self, tmp_path: Path) -> None:
        pairs, text = tmp_path / "gold.jsonl", tmp_path / "dev.txt"
        row = {"source": "Anna met the mayor again", "target": "Anna traf erneut den Bürgermeister"}
        rows = [
            {**row, "source_lang": "en", "lang": "de"},
            {**row, "source_lang": "en", "lang": "es"},
        ]
        pairs.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
        text.write_text("first\nBern is older than the mayor\r\n", "utf-8")
        gold = GoldIndex.read([pairs, text])
        assert gold.place_of("anna met the mayor again") == "gold.jsonl:1"
        assert gold.place_of("Anna traf erneut den Bürgermeister!") == "gold.jsonl:1"
        assert gold.place_of("Bern is older than the mayor.") == "dev.txt:2"

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match=r"gold\.txt: no such file"):
            GoldIndex.read([tmp_path / "gold.txt"])

    def test_a_line_that_is_no_pair(self, tmp_path: Path) -> None:
        (tmp_path / "gold.jsonl").write_text('{"text": "Anna"}\n', "utf-8")
        with pytest.raises(CorpusError, match=r"gold\.jsonl:1"):
            GoldIndex.read([tmp_path / "gold.jsonl"])


class TestScreening:
    GOLD = gold_of("Anna met the mayor again", "Anna traf den Bürgermeister wieder")

    def test_either_side_is_enough(self) -> None:
        pairs = [
            sentence("Anna met the mayor again", "Sie traf ihn", 1),
            sentence("She left", "Sie ging", 2),
            sentence("She met him", "anna traf den bürgermeister wieder", 3),
        ]
        matches: list[GoldMatch] = []
        clean = list(screened([(pair, pair.id) for pair in pairs], self.GOLD, matches))
        assert clean == [(pairs[1], "2")]
        assert matches == [
            GoldMatch("news.en:1", "gold.txt:1"),
            GoldMatch("news.en:3", "gold.txt:2"),
        ]

    def test_clean_corpora_may_be_used(self) -> None:
        refuse([])

    def test_the_error_names_the_first_and_counts_all(self) -> None:
        matches = [GoldMatch(f"news.en:{i}", f"gold.txt:{i}") for i in range(1, 6)]
        with pytest.raises(TrainingError) as error:
            refuse([*matches, GoldMatch("news.en:9", "a:b.txt:1")])
        assert str(error.value) == (
            "--gold: sentences that are gold or share a run of 13 words with it: 6 (5 of gold.txt, "
            "1 of a:b.txt): news.en:1 is gold.txt:1; news.en:2 is gold.txt:2; news.en:3 is "
            "gold.txt:3; and 3 more. Train on other sentences, or leave these out: "
            "--drop-contaminated"
        )

    def test_a_few_are_all_named(self) -> None:
        with pytest.raises(TrainingError, match=r"news\.en:1 is gold\.txt:1\. Train on"):
            refuse([GoldMatch("news.en:1", "gold.txt:1")])
        assert counted([GoldMatch("news.en:1", "gold.txt:1")]).endswith(
            "with it: 1 (1 of gold.txt)"
        )
