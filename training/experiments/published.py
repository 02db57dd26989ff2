"""Figures that others published, for reading beside ours. Nothing here was measured by us.

Test sets, encoders and data sizes are those of the papers: differences to ours say little. Only
what could be checked is here; the tables of Li, He & Xu (2021) have more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LI = "Li, He & Xu (2021), arXiv 2101.11112"
TSL = "Wu et al. (ACL 2020), single source"
UNITRANS = "Wu et al. (IJCAI 2020), UniTrans"


@dataclass(frozen=True, slots=True)
class Published:
    """An F1 in per cent, as its source gives it."""

    source: str
    system: str
    lang: str
    test: str
    f1: float


_TESTS = {"de": "CoNLL-2003", "es": "CoNLL-2002", "nl": "CoNLL-2002"}


def _systems(source: str, system: str, **f1: float) -> tuple[Published, ...]:
    return tuple(Published(source, system, lang, _TESTS[lang], f) for lang, f in f1.items())


TRANSFER = (
    *_systems(LI, "XLM-R large, pseudo-labels, (1+p)^γ", de=76.9, es=78.9, nl=79.7),
    *_systems(TSL, "mBERT, teacher and student", de=73.22, es=76.94, nl=80.89),
    *_systems(UNITRANS, "mBERT, three teachers", de=74.82, es=79.31, nl=82.90),
)

_OF = {"transfer": TRANSFER}


def published_for(experiment: str, langs: Sequence[str]) -> tuple[Published, ...]:
    """What is known for an experiment in some languages."""
    return tuple(each for each in _OF.get(experiment, ()) if each.lang in langs)
