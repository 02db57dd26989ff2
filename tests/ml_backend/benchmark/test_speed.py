"""What `spanferry benchmark` counts, on models of a few weights."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from ml_backend.benchmark import speed
from ml_backend.benchmark.speed import OURS, Contender, Timed, command, take_turns
from projection.aligners.lexical_evidence import NO_LEXICON
from projection.aligners.pair import PairAligner
from projection.errors import ModelError, SpanferryError
from projection.pipeline.projector import Projector, pair
from projection.records import ParallelSentence
from tests.projection.aligners.joint_models import telling_aligner
from tests.projection.pipeline.test_projector import FixedTagger


class TestTurns:
    def test_a_ratio_is_the_median_of_the_rounds(self) -> None:
        timed = Timed({OURS: [1.0, 2.0, 1.0], "theirs": [3.0, 4.0, 5.0]})
        assert (timed.ratio("theirs"), timed.rate("theirs", 8)) == (3.0, 2.0)

    def test_everyone_has_a_turn_in_each_round(self) -> None:
        turns, told = list[str](), list[int]()
        contenders = [Contender(name, lambda name=name: turns.append(name)) for name in "ab"]
        timed = take_turns(contenders, 3, told.append)
        assert turns == ["a", "b"] * 3
        assert told == [1, 1, 1]
        assert {name: len(found) for name, found in timed.seconds.items()} == {"a": 3, "b": 3}


class TestOtherAligners:
    def test_a_command_gets_words_parted_by_spaces(self, tmp_path: Path) -> None:
        copies = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
        line = f"{sys.executable} -c '{copies}' {{pairs}} {{links}}"
        pairs = [pair("Anna left.", "Anna ging.", "de"), pair("Oslo", "奥斯陆", "zh")]
        contender = command("copy it", line, pairs, tmp_path)
        contender.align()
        written = "Anna left . ||| Anna ging .\nOslo ||| 奥 斯 陆\n"
        assert (tmp_path / "links").read_text("utf-8") == written
        contender.start()
        assert (tmp_path / "links").read_text("utf-8") == written.splitlines()[0] + "\n"

    def test_one_that_fails_says_why(self, tmp_path: Path) -> None:
        line = f"{sys.executable} -c 'raise SystemExit(\"no such model\")' {{pairs}}"
        contender = command("theirs", line, [pair("a", "b", "de")], tmp_path)
        with pytest.raises(SpanferryError, match="ended with 1: no such model"):
            contender.align()


@pytest.fixture
def small_projector(word_tokenizer: PreTrainedTokenizerFast) -> Projector:
    aligner = telling_aligner(word_tokenizer, NO_LEXICON, apart=True)
    return Projector(FixedTagger({"Anna": "PER", "Bern": "LOC"}), aligner)


def corpus() -> Sequence[ParallelSentence]:
    return [pair(f"Anna saw Bern {'a ' * n}", f"Anna sah Bern {'b ' * n}", "de") for n in range(9)]


def test_the_aligner_beside_the_published_path(small_projector: Projector) -> None:
    line = f"{sys.executable} -c '' {{pairs}}"
    found = speed.aligner_speed(small_projector, corpus(), {"Other-1": line}, 2, lambda _: None)
    assert found["entities_per_sentence"] == 2
    assert {"ours_over_paper_path", "ours_over_paper_path_one_by_one", "ours_over_other_1"} < {
        *found
    }
    assert 0 < float(str(found["eta_host"])) < 1
    assert found["number_format"] == "float32"


def test_a_pair_aligner_is_not_compared_with_itself(copying_aligner: Path) -> None:
    aligner = PairAligner.from_pretrained(copying_aligner)
    with pytest.raises(ModelError, match="is a pair aligner"):
        speed.aligner_speed(Projector(FixedTagger({}), aligner), corpus(), {}, 1, lambda _: None)


def test_the_pipeline_by_size(small_projector: Projector) -> None:
    """Only the aligner is a model here, which encodes both sides of each pair once."""
    found = speed.pipeline_speed(small_projector, corpus(), [4, 9], 2)
    assert found["passes_per_sentence"] == 1
    assert 0.5 < float(str(found["eta_pad"])) < 1
    assert [*json.loads(json.dumps(found["seconds_per_1000_lines"]))] == ["4", "9"]
