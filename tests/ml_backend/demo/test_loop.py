"""What the loop of the demo corrects and holds out; test_demo.py walks it."""

from collections import Counter

from ml_backend.demo.demo import SENTENCES, gold_sentences, without_gold
from ml_backend.demo.loop import HELD_OUT_EVERY, _split
from projection.models import bundled


def test_it_shows_as_much_of_every_language() -> None:
    found = Counter(gold.sentence.target_lang for gold in gold_sentences())
    assert found == dict.fromkeys(bundled.SAMPLE_LANGUAGES, SENTENCES)


def test_some_of_every_language_is_held_out() -> None:
    """F1 before and after is compared language by language."""
    _, held_out = _split(gold_sentences(), ())
    with_entities = Counter(g.sentence.target_lang for g in held_out if g.target_entities)
    assert all(with_entities[lang] >= 2 for lang in bundled.SAMPLE_LANGUAGES)


def test_every_fourth_sentence_is_held_out() -> None:
    gold = gold_sentences()
    reviewed, held_out = _split(gold, ())
    assert held_out == gold[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    assert len(reviewed) + len(held_out) == len(gold) == 192


def test_what_is_audited_is_corrected_wherever_it_is() -> None:
    gold = gold_sentences()
    audited = {gold[3].sentence.id, gold[4].sentence.id}
    reviewed, held_out = _split(gold, audited)
    assert len(held_out) == (len(gold) - len(audited)) // HELD_OUT_EVERY
    assert audited <= {each.sentence.id for each in reviewed}
    assert not audited & {each.sentence.id for each in held_out}


def test_a_corpus_does_not_know_the_entities() -> None:
    gold = gold_sentences()[0]
    assert gold.sentence.entities
    assert without_gold(gold).entities is None
