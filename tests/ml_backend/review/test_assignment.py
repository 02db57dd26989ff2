"""Whose sentences are: by document, evenly, and as they were before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from label_config.tasks import assigned_to
from ml_backend.review.assignment import Assigner, Team
from projection.errors import LanguageTagError, ReviewError
from projection.text.documents import BLOCK, document_of
from tests.ml_backend.conftest import SENTENCE, make_task

ANNA, BEN, CARLA = "anna@example.org", "ben@example.org", "carla@example.org"


def given(assigner: Assigner, lines: Sequence[int]) -> dict[int, list[str]]:
    """Whose these lines of a corpus file are."""
    sentences = (replace(SENTENCE, id=f"n{line}", origin=f"news.en:{line}") for line in lines)
    return {n: assigner.give(each).split(", ") for n, each in zip(lines, sentences, strict=True)}


@pytest.mark.parametrize(
    ("count", "people", "most_cut"),
    [(400, 2, 1), (400, 3, 2), (60, 2, 1), (7, 2, 1), (1, 3, 0)],
)
def test_everybody_gets_as_much_and_few_documents_are_cut(
    count: int, people: int, most_cut: int
) -> None:
    named = [ANNA, BEN, CARLA][:people]
    found = given(Assigner(Team({"de": named}), {"de": count}), range(count))

    counts = Counter(person for names in found.values() for person in names)
    assert max(counts.values()) - min(counts[person] for person in named) < people
    documents = {n: document_of(replace(SENTENCE, origin=f"news.en:{n}")) for n in found}
    parts = {(documents[n], *names) for n, names in found.items()}
    assert len(parts) - len({*documents.values()}) <= most_cut
    assert BLOCK == 20


@pytest.mark.parametrize(("share", "shared"), [(0.1, 4), (0.01, 0), (1.0, 40)])
def test_a_share_of_the_sentences_is_several_peoples(share: float, shared: int) -> None:
    team = Team({"de": [ANNA, BEN, CARLA]}, 2, share)
    found = given(Assigner(team, {"de": 40}), range(40))

    assert Counter(map(len, found.values())) == +Counter({1: 40 - shared, 2: shared})
    counts = Counter(person for names in found.values() for person in names)
    assert max(counts.values()) - min(counts.values()) <= 2
    assert all(len({*names}) == len(names) for names in found.values())


def task(number: int, assigned: str, *annotators: int, lang: str = "de") -> dict[str, Any]:
    made = make_task(number)
    made["data"].update(assigned=assigned, lang=lang)
    made["drafts"] = []
    made["annotations"] = [{"completed_by": who, "was_cancelled": False} for who in annotators]
    return made


def test_what_somebody_has_open_counts_and_what_nobody_named_has_is_given() -> None:
    users = {1: ANNA, 2: BEN, 3: CARLA}
    tasks = [
        task(1, ANNA),
        task(2, f"{ANNA}, {BEN}", 1),
        task(3, ANNA, 1),
        task(4, CARLA),
        task(5, CARLA, 3),
        task(6, f"{CARLA}, {BEN}"),
        task(7, ""),
        task(8, "", lang="zh"),
        task(9, "", 2),
    ]
    before = [assigned_to(each) for each in tasks]
    assigner = Assigner(Team({"de": [ANNA, BEN]}), {"de": 2})

    changes = {each["id"] - 100: names for each, names in assigner.take_stock(tasks, users)}

    assert changes == {4: ANNA, 6: f"{BEN}, {ANNA}", 7: ANNA}, "7 is of the document of 4"
    assert [assigned_to(each) for each in tasks] == before
    # Anna has 1, 4, 6 and 7 open, Ben 2 and 6.
    assert sorted(chain(*given(assigner, [200, 300]).values())) == [BEN, BEN]


def test_a_team_is_read_and_spelled_as_label_studio_spells_it() -> None:
    team = Team.read(
        ["deu = anna@Example.org,ben@example.org", "de=ANNA@example.org"], ["de"], 2, 1
    )
    assert team.of_users([ANNA, BEN, CARLA]).people == {"de": [ANNA, BEN]}


@pytest.mark.parametrize(
    ("options", "overlap", "said"),
    [
        (["de"], None, "--assign de: names nobody"),
        (["de= ,"], None, "--assign de= ,: names nobody"),
        ([f"{ANNA}=de"], None, "is no language tag"),
        ([f"zh={ANNA}"], None, "there is no sentence in zh. There are de"),
        ([f"de={ANNA},joanna@example.org"], None, "no user of Label Studio: joanna@example.org"),
        ([f"de={ANNA}"], 2, "--assign de: names 1, and --overlap asks for 2"),
        ([f"de={ANNA},ANNA@example.org"], 2, "names 1"),
    ],
)
def test_a_team_that_cannot_work_is_refused(
    options: list[str], overlap: int | None, said: str
) -> None:
    with pytest.raises((ReviewError, LanguageTagError), match=said):
        Team.read(options, ["de"], overlap, 1.0).of_users([ANNA, BEN])
