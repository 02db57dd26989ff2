"""What the loop of the demo corrects and holds out; test_demo.py walks it."""

from collections import Counter
from collections.abc import Iterable

from ml_backend.demo.demo import SENTENCES, gold_sentences, other_sentences, without_gold
from ml_backend.demo.loop import UNTOUCHED_EVERY, _split
from projection.io.gold import GoldSentence
from projection.models import bundled


def test_it_shows_as_much_of_every_language() -> None:
    found = Counter(gold.sentence.target_lang for gold in gold_sentences())
    assert found == dict.fromkeys(bundled.SAMPLE_LANGUAGES, SENTENCES)


def with_entities(gold: Iterable[GoldSentence]) -> Counter[str]:
    return Counter(g.sentence.target_lang for g in gold if g.target_entities)


def test_some_of_every_language_is_held_out() -> None:
    """F1 before and after is compared language by language."""
    _, untouched = _split(gold_sentences(), ())
    assert all(with_entities(untouched)[lang] >= 2 for lang in bundled.SAMPLE_LANGUAGES)


def test_what_is_not_in_the_project_is_held_out_too() -> None:
    others = other_sentences()
    assert sum(with_entities(others).values()) > 150
    assert not {g.sentence.id for g in others} & {g.sentence.id for g in gold_sentences()}


def test_every_fourth_sentence_is_not_corrected() -> None:
    gold = gold_sentences()
    reviewed, untouched = _split(gold, ())
    assert untouched == gold[UNTOUCHED_EVERY - 1 :: UNTOUCHED_EVERY]
    assert len(reviewed) + len(untouched) == len(gold) == 192


def test_what_is_audited_is_corrected_wherever_it_is() -> None:
    gold = gold_sentences()
    audited = {gold[3].sentence.id, gold[4].sentence.id}
    reviewed, untouched = _split(gold, audited)
    assert len(untouched) == (len(gold) - len(audited)) // UNTOUCHED_EVERY
    assert audited <= {each.sentence.id for each in reviewed}
    assert not audited & {each.sentence.id for each in untouched}


def test_a_corpus_does_not_know_the_entities() -> None:
    gold = gold_sentences()[0]
    assert gold.sentence.entities
    assert without_gold(gold).entities is None
