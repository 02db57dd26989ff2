"""Training a real, tiny joint aligner: it learns, goes on if interrupted, and loads again."""

import json
import logging
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from projection.aligners.confidence import UNCALIBRATED, Calibration
from projection.aligners.joint import JointAligner
from projection.aligners.joint_inputs import Reader
from projection.aligners.lexical_evidence import CHANNELS, NO_LEXICON
from projection.aligners.loading import load_aligner
from projection.errors import ModelError, TrainingError
from projection.io.files import json_line
from projection.pipeline.projector import pair
from projection.records import Span
from tests.projection.aligners.joint_models import piece_tokenizer
from tests.training.aligner.whole_words import place, right, save_tokenizer
from training.aligner.augment import JointExample, example_of
from training.aligner.joint import (
    LINK_SHARE,
    Collator,
    chosen_from,
    features_of,
    has_name,
    lexicon_of,
    train_joint,
)
from training.aligner.silver import SilverSentence, name_pair
from training.trainer.settings import JOINT_SCHEDULE, JointRecipe

# No word is written like its translation.
NAMES = {"Ambo": "Kelu", "Brin": "Odap", "Cato": "Wuxi", "Dilf": "Mesor", "Egon": "Tirra"}
FILLERS = {"saw": "juhk", "left": "zomp", "today": "vaqe", "with": "yb", "and": "gno"}
WORDS = {**NAMES, **FILLERS}


def made(number: int) -> SilverSentence:
    """Two names among other words, translated word by word into another order."""
    rng = random.Random(number)
    source = [*rng.sample(list(FILLERS), 3), *rng.sample(list(NAMES), 2)]
    rng.shuffle(source)
    order = rng.sample(range(5), 5)
    target = [WORDS[source[i]] for i in order]
    texts = " ".join(source), " ".join(target)
    phrases = tuple(
        (place(texts[0], word), place(texts[1], WORDS[word])) for word in source if word in NAMES
    )
    return SilverSentence(*texts, "de", phrases, frozenset((i, j) for j, i in enumerate(order)))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained encoder that reads whole words."""
    folder = tmp_path_factory.mktemp("base")
    size = save_tokenizer([*WORDS, *WORDS.values()], folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> PreTrainedTokenizerFast:
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(base)
    return tokenizer


@pytest.fixture(scope="module")
def reader(tokenizer: PreTrainedTokenizerFast) -> Reader:
    return Reader(tokenizer, 32, apart=True)


def recipe(
    base: Path, steps: int, seed: int = 0, *, apart: bool = True, freeze: int = 0
) -> JointRecipe:
    schedule = replace(
        JOINT_SCHEDULE,
        max_steps=steps,
        batch_size=16,
        learning_rate=5e-3,
        warmup=10,
        seed=seed,
        bf16=False,
    )
    return JointRecipe(str(base), schedule, apart=apart, freeze=freeze, blind=0.5)


UNSEEN = [made(number) for number in range(10_000, 10_060)]
ROUNDING = 0.501 / 255  # half a step of a tie, and what single precision adds


class TestTraining:
    @pytest.mark.parametrize("apart", [True, False])
    def test_it_learns_what_chance_does_not_know_and_loads_again(
        self, base: Path, tmp_path: Path, apart: bool
    ) -> None:
        """With the lexicon it counted, and without: the network has learned the words, too."""
        assert right(JointAligner.from_encoder(base, NO_LEXICON, apart=apart), UNSEEN) < 0.3
        silver = [made(number) for number in range(400)]
        trained = train_joint(silver, recipe(base, 150, apart=apart), tmp_path / "aligner")
        assert trained.model.config.apart is apart
        assert not trained.model.training
        assert len(trained.lexicon) > len(WORDS)
        assert right(trained, UNSEEN) > 0.95
        loaded = JointAligner.from_pretrained(tmp_path / "aligner")
        assert loaded.version == trained.version
        assert loaded.align([pair("a", "b", "de")]) == [()]
        loaded.lexicon = NO_LEXICON
        assert right(loaded, UNSEEN) > 0.8
        assert [path.name for path in tmp_path.iterdir()] == ["aligner"]

    @pytest.mark.parametrize("freeze", [0, 1])
    def test_lower_layers_stay_with_the_embeddings(
        self, base: Path, tmp_path: Path, freeze: int
    ) -> None:
        """They know words of all languages, of which the silver sentences have a part."""
        silver = [made(number) for number in range(40)]
        before = BertModel.from_pretrained(base).state_dict()
        trained = train_joint(silver, recipe(base, 3, freeze=freeze), tmp_path / "aligner")
        after = trained.model.encoder.state_dict()
        for name in ("embeddings.word_embeddings", "encoder.layer.0.output.dense"):
            same = torch.equal(after[f"{name}.weight"], before[f"{name}.weight"])
            assert same is (freeze == 1), name

    def test_no_more_layers_can_stay_than_there_are(self, base: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"has 1 layers, not 2\. At most 1"):
            train_joint([made(1)], recipe(base, 1, freeze=2), tmp_path / "aligner")

    def test_one_seed_gives_one_model(self, base: Path, tmp_path: Path) -> None:
        silver = [made(number) for number in range(40)]
        first, again, other = (
            train_joint(silver, recipe(base, 5, seed), tmp_path / str(number)).version
            for number, seed in enumerate((0, 0, 1))
        )
        assert first == again
        assert first != other

    def test_an_interrupted_training_goes_on(self, base: Path, tmp_path: Path) -> None:
        """From the end of an epoch it ends where it would have ended."""

        def stop(_what: str, done: int, _total: int) -> None:
            if done == 8:
                raise KeyboardInterrupt

        silver = [made(number) for number in range(48)]
        whole = train_joint(silver, recipe(base, 12), tmp_path / "whole")
        with pytest.raises(KeyboardInterrupt):
            train_joint(silver, recipe(base, 12), tmp_path / "part", stop)
        assert not (tmp_path / "part").exists()
        steps: list[int] = []
        resumed = train_joint(
            silver,
            recipe(base, 12),
            tmp_path / "part",
            lambda _what, done, _total: steps.append(done),
        )
        assert steps[0] == 7
        assert resumed.version == whole.version

    def test_an_aligner_is_trained_further_with_the_lexicon_it_has(
        self, base: Path, tmp_path: Path
    ) -> None:
        first = train_joint([made(n) for n in range(60)], recipe(base, 4), tmp_path / "first")
        first.calibration = Calibration((1.0, 2.0, 3.0, 4.0, 5.0), 6.0)
        first.save_pretrained(tmp_path / "first")
        other = [replace(made(n), lang="de-AT") for n in range(1_000, 1_020)]
        other += [replace(made(n), lang="nn") for n in range(1_020, 1_040)]
        further = train_joint(other, recipe(tmp_path / "first", 3), tmp_path / "further")
        assert len(first.lexicon) > 0
        assert further.lexicon.keys.tolist() == first.lexicon.keys.tolist()
        assert further.version != first.version
        assert further.calibration == UNCALIBRATED  # the old one was fitted to other weights
        card = (tmp_path / "further" / "README.md").read_text("utf-8")
        assert "3 steps" in card
        assert "| de-AT | 20 | 0 |" in card
        assert first.languages == ("de",)
        assert further.languages == ("de", "nb")
        assert JointAligner.from_pretrained(tmp_path / "further").languages == ("de", "nb")

    def test_a_model_that_is_there_is_not_overwritten(self, base: Path, tmp_path: Path) -> None:
        (tmp_path / "model").mkdir()
        with pytest.raises(TrainingError, match="exists already"):
            train_joint([made(1)], recipe(base, 1), tmp_path / "model")

    def test_nothing_to_train_on_is_an_error(self, base: Path, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match="no phrase pairs"):
            train_joint([], recipe(base, 1), tmp_path / "model")


IN_TURN = """
import json, sys
from ml_backend.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def test_several_processes_train_one_model(base: Path, tmp_path: Path) -> None:
    """As on several GPUs: each reads its share of every batch, one writes. For both presets."""
    silver, script = tmp_path / "silver.jsonl", tmp_path / "in_turn.py"
    silver.write_text("".join(json_line(made(n).to_json()) for n in range(60)), "utf-8")
    script.write_text(IN_TURN)
    train = ["aligner", "train", str(silver), f"--base={base}", "--max-steps=4", "--batch-size=8"]
    presets = {"context-joint": ["--freeze=0"], "paper-pair": []}
    commands = [
        [*train, f"--preset={preset}", f"--out={tmp_path / preset}", *more]
        for preset, more in presets.items()
    ]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [*launch, script, json.dumps(commands)],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for out in map(tmp_path.joinpath, presets):
        assert json.loads((out / "training.json").read_text("utf-8"))["steps"] == 4
        assert load_aligner(out).align([pair("Ambo left.", "Kelu zomp.", "de")]) == [()]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


class TestLexicon:
    SILVER = (
        *[SilverSentence("The House", "Das Haus", "de", (), frozenset({(0, 0), (1, 1)}))] * 3,
        SilverSentence("house", "das", "de", (), frozenset(), frozenset({(0, 0)})),
    )

    def test_ties_of_words_and_stems(self, reader: Reader) -> None:
        """`das` was linked three times to `the`, and once in one direction only to `house`."""
        lexicon = lexicon_of(self.SILVER, reader, least=0, weakest=0)
        the = 3 / (3 * (3 + LINK_SHARE)) ** 0.5
        house = 3 / ((3 + LINK_SHARE) * 3) ** 0.5
        doubtful = LINK_SHARE / (3 + LINK_SHARE)
        expected = np.array([[the, 0], [doubtful, house]])
        found = lexicon.grid(["the", "house"], ["das", "haus"])
        assert found == pytest.approx(expected, abs=ROUNDING)
        assert len(lexicon) == 6  # three pairs of words, and of stems

    def test_rare_and_weak_pairs_are_left_out(self, reader: Reader) -> None:
        assert len(lexicon_of(self.SILVER, reader, least=1, weakest=0)) == 4
        assert len(lexicon_of(self.SILVER, reader, least=0, weakest=0.1)) == 4
        assert len(lexicon_of([], reader, least=0, weakest=0)) == 0

    def test_each_language_is_counted_by_itself(self, reader: Reader) -> None:
        """Else a word with translations in many languages would be tied to none of them."""
        languages = ("de", "es", "nl", "fr", "it", "sv")
        silver = [
            SilverSentence("house", f"casa{lang}", lang, (), frozenset({(0, 0)}))
            for lang in languages
        ]
        found = lexicon_of(silver, reader, least=0, weakest=0)
        words = [f"casa{lang}" for lang in languages]
        assert found.grid(["house"], words).tolist() == [[1.0] * len(languages)]

    def test_of_a_pair_in_several_languages_the_strongest_tie_counts(self, reader: Reader) -> None:
        weak = [
            SilverSentence("house", word, "nl", (), frozenset({(0, 0)}))
            for word in ("huis", "haus")
        ]
        strong = SilverSentence("house", "haus", "de", (), frozenset({(0, 0)}))
        for silver in ([*weak, strong], [strong, *weak]):
            found = lexicon_of(silver, reader, least=0, weakest=0)
            expected = np.array([[1.0, 0.5**0.5]])
            assert found.grid(["house"], ["haus", "huis"]) == pytest.approx(expected, abs=ROUNDING)

    def test_chinese_is_counted_simplified_and_by_subword(self) -> None:
        """A link of a character is one of its subword, and counts once."""
        reader = Reader(piece_tokenizer(), 32, apart=True)
        links = frozenset({(0, 0), (0, 1), (1, 2), (1, 3)})
        silver = [SilverSentence("Beijing University", "北京大學", "zh", (), links)]
        found = lexicon_of(silver, reader, least=0, weakest=0)
        assert found.grid(["beijing"], ["北京", "大学", "大學", "北"]).tolist() == [[1, 0, 0, 0]]
        assert found.grid(["university"], ["北京", "大学", "大學"]).tolist() == [[0, 1, 0]]


EXAMPLE = JointExample(
    "Ambo saw",
    "juhk Kelu",
    "de",
    (((0, 1), (0, 2)), ((1, 2), None)),
    frozenset({(1, 2), (2, 0), (0, 1)}),
    0.5,
)


class TestFeatures:
    def test_what_the_example_says_is_kept(self, reader: Reader) -> None:
        [(pair, example)] = features_of([EXAMPLE], reader)
        assert pair.entities == ((0, 1), (1, 2))
        assert example == EXAMPLE

    @pytest.mark.parametrize("apart", [True, False])
    def test_what_does_not_fit_in_is_left_out_whole_and_counted(
        self, tokenizer: PreTrainedTokenizerFast, caplog: pytest.LogCaptureFixture, apart: bool
    ) -> None:
        """Windows are for answers: a training example is read at once."""
        long = replace(EXAMPLE, target="juhk Kelu" + " yb" * 10)
        with caplog.at_level(logging.INFO, "training.aligner.joint"):
            [(pair, _)] = features_of([long, EXAMPLE, long], Reader(tokenizer, 12, apart))
        assert pair.target.texts == ("juhk", "Kelu")
        assert caplog.messages == ["2 examples are left out: longer than 12 subwords"]

    def test_the_batch_of_them(self, reader: Reader) -> None:
        """The second pair is the longer one; its words go by the columns of the first, too."""
        other = example_of(made(0))
        rows = [
            {"input_ids": feature[0].input_ids, "feature": feature}
            for feature in features_of([EXAMPLE, other], reader)
        ]
        batch = Collator(NO_LEXICON, 0, blind=0, gaps=0)(rows)
        assert batch["labels"].shape == (4, 5)
        assert batch["labels"][:2].tolist() == [
            [1, 1, -100, -100, -100],
            [0, 0, -100, -100, -100],
        ]
        assert batch["labels"][2:].sum(1).tolist() == [1, 1]
        assert batch["links"].shape == (2, 6, 6)
        assert {(i, j) for i, j in batch["links"][0].nonzero().tolist()} == EXAMPLE.links
        assert batch["links"][1].sum() == 5
        assert batch["weights"].tolist() == [0.5, 1]

    def test_labels_and_links_of_characters_become_those_of_their_subword(self) -> None:
        """`a` and the null word are linked to the characters of two subwords."""
        example = JointExample(
            "a b",
            "北京大学。",
            "zh",
            (((0, 1), (0, 2)),),
            frozenset({(1, 1), (1, 2), (2, 4), (0, 5)}),
            1.0,
        )
        rows = [
            {"input_ids": feature[0].input_ids, "feature": feature}
            for feature in features_of([example], Reader(piece_tokenizer(), 32, apart=True))
        ]
        batch = Collator(NO_LEXICON, 1, blind=0, gaps=0)(rows)
        assert batch["labels"].tolist() == [[1, 0, 0]]
        linked = {(i, j) for i, j in batch["links"][0].nonzero().tolist()}
        assert linked == {(1, 1), (2, 2), (0, 3)}


class TestWithheld:
    """The lexicon alone is withheld; spelling and the rest are there at any time."""

    GRID = np.ones((len(CHANNELS), 400, 3), dtype=np.float32)

    def of(self, blind: float, gaps: float) -> np.ndarray:
        torch.manual_seed(0)
        found = Collator(NO_LEXICON, 0, blind, gaps).withheld(self.GRID.copy())
        assert (found[2:] == 1).all()
        assert (found[:2] == found[0, :, :1]).all()  # a source word has all its ties or none
        return found[0, :, 0]

    def test_nothing(self) -> None:
        assert self.of(0, 0).all()

    def test_from_the_whole_sentence(self) -> None:
        assert not self.of(1, 0).any()

    def test_from_some_words(self) -> None:
        assert 0.7 < self.of(0, 0.2).mean() < 0.9


class TestChosen:
    RECIPE = JointRecipe("none", replace(JOINT_SCHEDULE, seed=3), per_language=5, nameless=0)
    LISTED = name_pair("Ambo", "Kelu", "de")
    NAMELESS = SilverSentence("saw it", "juhk", "de", ((Span(0, 3), Span(0, 4)),))

    @pytest.mark.parametrize(
        ("source", "phrase", "expected"),
        [
            ("he saw Ambo", "Ambo", True),
            ("Ambo left", "Ambo", False),
            ("Ambo Brin left", "Ambo Brin", True),
            ("he saw it", "saw", False),
        ],
    )
    def test_a_capital_tells_a_name_but_at_the_start(
        self, source: str, phrase: str, expected: bool
    ) -> None:
        phrases = ((place(source, phrase), Span(0, 1)),)
        assert has_name(SilverSentence(source, "x", "de", phrases)) is expected

    def test_every_listed_name_and_so_many_sentences_of_each_language(self) -> None:
        named = [made(number) for number in range(30)]
        spanish = [replace(sentence, lang="es") for sentence in named[:3]]
        found = chosen_from([self.LISTED, *named, *spanish, self.LISTED], self.RECIPE)
        assert found[:2] == [self.LISTED] * 2
        assert sum(sentence.lang == "es" for sentence in found[2:]) <= 3
        assert sum(sentence.lang == "de" for sentence in found[2:]) == 5

    def test_long_sentences_are_left_out_unless_they_were_reviewed(self) -> None:
        long = replace(made(1), source=made(1).source + " and" * 30)
        recipe = replace(self.RECIPE, per_language=None)
        assert chosen_from([long], recipe) == []
        assert chosen_from([long], replace(recipe, max_words=35)) == [long]
        reviewed = replace(long, weight=5.0)
        assert chosen_from([long, reviewed], recipe) == [reviewed]

    def test_of_sentences_without_a_name_a_share(self) -> None:
        silver = [self.NAMELESS] * 200
        recipe = replace(self.RECIPE, per_language=None)
        assert chosen_from(silver, recipe) == []
        assert 60 < len(chosen_from(silver, replace(recipe, nameless=0.5))) < 140
        assert len(chosen_from(silver, replace(recipe, nameless=1))) == 200

    def test_what_people_corrected_is_always_drawn(self) -> None:
        corrected = SilverSentence(
            "he left", "er ging", "de", ((Span(0, 7), Span(0, 7)),), weight=5.0
        )
        chosen = chosen_from([corrected], JointRecipe("base", nameless=0.0))
        assert chosen == [corrected]
