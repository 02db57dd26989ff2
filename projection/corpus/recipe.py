"""The cleaning recipe: which pairs `spanferry clean` drops, as a TOML file says."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from projection.errors import CorpusError
from projection.toml_records import ONLY_FIELDS, read_toml, record_of

_SEE = "See docs/corpora.md"


class Compared(StrEnum):
    """What must be the same for a pair to be a duplicate of an earlier one."""

    PAIR = "pair"  # both sides
    SOURCE = "source"
    TARGET = "target"
    NOTHING = "nothing"  # duplicates are kept


@dataclass(frozen=True, slots=True)
class CleaningRecipe:
    """What is dropped; docs/corpora.md has the meaning and the reason of every default.

    Lengths are in characters of one side, shares and probabilities from 0 to 1. `min_letters`,
    `min_language` and `near_duplicates` are switched off by 0, `max_ratio` by inf, `min_margin` by
    leaving it out. ValueError if a number cannot be meant.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ONLY_FIELDS
    min_length: int = 1
    max_length: int = 2000
    max_ratio: float = 3.0
    min_letters: float = 0.25
    drop_copies: bool = True
    min_margin: float | None = None
    min_language: float = 0.02
    duplicates: Compared = Compared.PAIR
    near_duplicates: float = 0.9

    def __post_init__(self) -> None:
        if not self.min_length <= self.max_length:
            raise ValueError(f"max_length: {self.max_length} is below min_length")
        if not self.max_ratio > 1:
            raise ValueError(f"max_ratio: {self.max_ratio} is not above 1")
        for name in ("min_letters", "min_language", "near_duplicates"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ValueError(f"{name}: {value} is not from 0 to 1")
        if 0 < self.near_duplicates < 0.5:
            raise ValueError(f"near_duplicates: {self.near_duplicates} is below 0.5, and not 0")


def read_recipe(path: Path) -> CleaningRecipe:
    """Read a recipe; keys that are left out have their defaults.

    Raises CorpusError, naming file and key, if it is not there, not TOML, or not valid.
    """
    table = read_toml(path, CorpusError, _SEE)
    return record_of(CleaningRecipe, table, str(path), CorpusError, _SEE)
