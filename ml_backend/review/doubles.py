"""Find tasks of the same sentence, and remove those that nobody has begun.

Two pushes at the same time from two machines make them, and an import that outlives its push.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from ml_backend.label_studio.client import ReviewServer
from ml_backend.label_studio.tasks import Task, is_touched

Sentence = tuple[str, str, str, str]
"""The id, origin, source and target of a sentence."""

_KNOWN_BY = ("pair_id", "origin", "source", "target")


class Doubles(NamedTuple):
    """How many tasks were removed, and the ids of those that people have begun, which stay."""

    removed: int
    begun: tuple[int, ...]


def sentence_in(task: Task) -> Sentence:
    """Return what identifies the sentence of a task."""
    pair_id, origin, source, target = (str(task["data"].get(key)) for key in _KNOWN_BY)
    return pair_id, origin, source, target


def doubled(
    tasks: Iterable[Task], sentences: Collection[Sentence] | None = None
) -> list[list[Task]]:
    """Return the tasks of each sentence that has several, the one to keep first.

    `sentences` limits this to some. Tasks that are not ours are passed over.
    """
    found: defaultdict[Sentence, list[Task]] = defaultdict(list)
    for task in tasks:
        key = sentence_in(task)
        if "pair_id" in task["data"] and (sentences is None or key in sentences):
            found[key].append(task)
    several = (group for group in found.values() if len(group) > 1)
    # Everybody who removes doubles at the same time must keep the same one.
    return [sorted(group, key=lambda t: (not is_touched(t), t["id"])) for group in several]


def remove_doubles(server: ReviewServer, groups: Iterable[list[Task]]) -> Doubles:
    """Remove all tasks of each group but the first, and those that somebody has begun."""
    removed, begun = 0, list[int]()
    for _, *others in groups:
        for task in others:
            if is_touched(task) or is_touched(server.task(task["id"])):
                begun.append(task["id"])
            else:
                server.delete_task(task["id"])
                removed += 1
    return Doubles(removed, tuple(begun))
