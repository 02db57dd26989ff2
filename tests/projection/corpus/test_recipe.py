"""A recipe is what its file says, and what docs/corpora.md says where the file is silent."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from projection.corpus.recipe import CleaningRecipe, Compared, read_recipe
from projection.errors import CorpusError

PAGE = (Path(__file__).parents[3] / "docs" / "corpora.md").read_text("utf-8")
[DOCUMENTED] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, "utf-8")
    return path


def test_an_empty_file_has_the_defaults(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path, "")) == CleaningRecipe()


def test_the_documented_recipe_is_the_defaults(tmp_path: Path) -> None:
    """With every key, one a line; the one without a default stands in a comment."""
    assert read_recipe(written(tmp_path, DOCUMENTED)) == CleaningRecipe()
    keys = re.findall(r"(?m)^(?:# )?(\w+) = ", DOCUMENTED)
    assert keys == [*asdict(CleaningRecipe())]


def test_every_key_is_read(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (?=\w+ =)", "", DOCUMENTED)
    for old, new in (("pair", "target"), ("true", "false"), (" 0.9 ", " 0 "), (" 3 ", " inf ")):
        assert old in text
        text = text.replace(old, new)
    recipe = read_recipe(written(tmp_path, text))
    assert (recipe.duplicates, recipe.drop_copies) == (Compared.TARGET, False)
    assert (recipe.near_duplicates, recipe.max_ratio) == (0, float("inf"))
    assert recipe.min_margin == 1.04


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_ration = 4", "max_ration: no such key. Did you mean max_ratio? See docs/corpora.md"),
        ("max_ratio = 0.5", "max_ratio: 0.5 is not above 1"),
        ("min_letters = 25", "min_letters: 25.0 is not from 0 to 1"),
        ("near_duplicates = 0.2", "near_duplicates: 0.2 is below 0.5, and not 0"),
        ("min_length = 9\nmax_length = 8", "max_length: 8 is below min_length"),
        ("duplicates = 'all'", "'all': Input should be 'pair', 'source', 'target' or 'nothing'"),
        ("drop_copies = 'yes'", "drop_copies: 'yes': Input should be a valid boolean"),
    ],
    ids=lambda text: re.split(r"[ :]", text)[0],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read_recipe(written(tmp_path, text))
    assert "recipe.toml" in str(caught.value)
    assert said in str(caught.value)
