"""Which corrections apply to other sentences: those that reviewers agree on."""

from dataclasses import dataclass
from enum import StrEnum

from ml_backend.review.corrections import Correction, Evidence, composed, is_too_short

ENOUGH, ENOUGH_BY_NAME = 2, 1  # reviewed sentences; the latter where the user names the phrase


class LeftOut(StrEnum):
    """The reason why a correction is not propagated."""

    CONTESTED = "contested"  # decided otherwise in another sentence
    TOO_FEW = "too few"  # made in fewer sentences than asked for
    TOO_SHORT = "too short"  # one character of a language without spaces


@dataclass(frozen=True, slots=True)
class Selection:
    """The corrections to propagate: of `phrase`, of `lang`, and made in `at_least` sentences."""

    phrase: str | None = None
    lang: str | None = None
    at_least: int | None = None

    @property
    def enough(self) -> int:
        """How many reviewed sentences must have a correction: a single one may be a slip."""
        return self.at_least or (ENOUGH if self.phrase is None else ENOUGH_BY_NAME)

    def about(self, correction: Correction) -> bool:
        """Return whether the correction is of the phrase and language."""
        phrases = (correction.phrase, correction.new_phrase)
        return self.lang in (None, correction.lang) and (
            self.phrase is None or composed(self.phrase) in phrases
        )

    def against(self, evidence: Evidence) -> LeftOut | None:
        """Return why a correction is left out, or None."""
        if is_too_short(evidence.correction):
            return LeftOut.TOO_SHORT
        if evidence.otherwise:
            return LeftOut.CONTESTED
        return LeftOut.TOO_FEW if evidence.sentences < self.enough else None
