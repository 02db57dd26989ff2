"""Assign sentences to annotators, by a field of each task that their tabs filter by.

Label Studio's community edition has no assignment. Nothing keeps annotators from other tabs.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, Self

from label_config.tasks import ASSIGNED, assigned_to, sentence_of
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.task_writer import OnProgress, write_each
from ml_backend.label_studio.tasks import Task, is_touched, sentence_in
from projection.errors import ReviewError
from projection.languages import language_tag
from projection.records import ParallelSentence
from projection.text.documents import document_of

_FIX = "Name the annotators of a language, such as --assign de=anna@example.org,ben@example.org"


@dataclass(frozen=True, slots=True)
class Team:
    """The annotators of each language, and how many people label a `share` of the sentences.

    `people` are e-mail addresses; a language without any is everybody's. Without an `overlap` the
    project's setting stays as it is.
    """

    people: Mapping[str, Sequence[str]]
    overlap: int | None = None
    share: float = 1.0

    @classmethod
    def read(
        cls, options: Sequence[str], langs: Collection[str], overlap: int | None, share: float
    ) -> Self:
        """Read `de=anna@example.org,ben@example.org`; ReviewError unless it is one of `langs`."""
        people: dict[str, list[str]] = {}
        for option in options:
            tag, _, names = option.partition("=")
            found = [name.strip() for name in names.split(",") if name.strip()]
            if not found:
                raise ReviewError(f"--assign {option}", "names nobody", _FIX)
            lang = language_tag(tag.strip(), "--assign")
            people[lang] = [*people.get(lang, ()), *found]
        if missing := people.keys() - langs:
            what = f"there is no sentence in {', '.join(sorted(missing))}"
            raise ReviewError("--assign", what, f"There are {', '.join(sorted(langs)) or 'none'}")
        return cls(people, overlap, share)

    def of_users(self, users: Collection[str]) -> Self:
        """Return the team as Label Studio spells it; ReviewError unless all are its users."""
        spelled = {user.lower(): user for user in users}
        named = dict.fromkeys(chain(*self.people.values()))
        if missing := [person for person in named if person.lower() not in spelled]:
            what = f"no user of Label Studio: {', '.join(missing)}"
            fix = "Invite them there (Organization → Invite People), or correct the address"
            raise ReviewError("--assign", what, fix)
        people = {
            lang: [*dict.fromkeys(spelled[person.lower()] for person in found)]
            for lang, found in self.people.items()
        }
        for lang, found in people.items():
            if len(found) < (self.overlap or 1):
                what = f"names {len(found)}, and --overlap asks for {self.overlap}"
                raise ReviewError(f"--assign {lang}", what, "Name more annotators")
        return replace(self, people=people)

    def tab_owners(
        self, server: ReviewServer, project: Project, users: Collection[str]
    ) -> list[str]:
        """Return the users who have a tab of their own, or shall get one."""
        named = chain(*self.people.values())
        return sorted({*server.tab_ids(project), *named}.intersection(users))

    def set_overlap(self, server: ReviewServer, project: Project, *, assigned: bool) -> None:
        """Set for the project how many people label a sentence.

        Where sentences are `assigned`, each task says so instead (`Assignment.write`).
        """
        if self.people:
            server.set_overlap(project, 1, 1.0)
        elif self.overlap is not None:
            if assigned:
                what = f"the sentences of {project.title!r} are assigned to people"
                raise ReviewError("--overlap", what, "Name them again: --assign")
            server.set_overlap(project, self.overlap, self.share)

    def assignment(
        self, server: ReviewServer, project: Project, sentences: Iterable[ParallelSentence]
    ) -> "Assignment":
        """Look at the tasks of a project; those of the `sentences` that it has not are to come."""
        if not self.people:
            return Assignment(Assigner(self, {}), [])
        tasks = server.tasks(project) if project.task_count else []
        there = {*map(sentence_in, tasks)}
        keys = ((s.target_lang, (s.id, s.origin, s.source, s.target)) for s in sentences)
        assigner = Assigner(self, Counter(lang for lang, key in keys if key not in there))
        return Assignment(assigner, assigner.take_stock(tasks, server.users()))


class Assigner:
    """Give each sentence to annotators of its language: to who has least open, by document.

    A document stays with one person until that one has an equal share of what is open and of the
    `expected` new sentences.
    """

    def __init__(self, team: Team, expected: Mapping[str, int]) -> None:
        self.team = team
        self._left = Counter(expected)  # by language
        self._open: Counter[tuple[str, str]] = Counter()  # by language and person
        self._owner: dict[tuple[str, str], str] = {}  # by language and document
        self._seen: Counter[str] = Counter()  # new ones by language

    def give(self, sentence: ParallelSentence, before: Sequence[str] = ()) -> str:
        """Return whose a sentence shall be, as its task's field holds it; "" is everybody's.

        Of the people it was `before`, those who are still in the team keep it.
        """
        lang = sentence.target_lang
        people = self.team.people.get(lang, ())
        if not people:
            return ""
        names = [person for person in before if person in people]
        names = names or [self._owner_of(sentence, people)]
        others = sorted((p for p in people if p not in names), key=lambda p: self._open[lang, p])
        wanted = len(before) or self._wanted(lang)
        names += others[: wanted - len(names)]
        self._left[lang] -= 1
        self._open.update((lang, person) for person in names)
        return ", ".join(names)

    def take_stock(self, tasks: Sequence[Task], users: Mapping[int, str]) -> list[tuple[Task, str]]:
        """Count what each person has open; give what nobody has begun and not all named are in.

        Returns the tasks to change, each with whose it shall be. `users` are addresses by id.
        """
        waiting = []
        for task in tasks:
            lang, names = str(task["data"].get("lang")), assigned_to(task)
            people = self.team.people.get(lang, ())
            if people and not is_touched(task) and not (names and {*names} <= {*people}):
                waiting.append(task)
                continue
            decided = {users.get(each["completed_by"]) for each in task["annotations"]}
            skipped = any(each["was_cancelled"] for each in task["annotations"])
            if len(decided) < len(names) and not skipped:
                self._open.update((lang, name) for name in names if name not in decided)
        self._left.update(str(task["data"]["lang"]) for task in waiting)
        return [(t, self.give(sentence_of(t, f"task {t['id']}"), assigned_to(t))) for t in waiting]

    def _owner_of(self, sentence: ParallelSentence, people: Sequence[str]) -> str:
        lang, document = sentence.target_lang, (sentence.target_lang, document_of(sentence))
        owner = self._owner.get(document, "")
        everything = self._left[lang] + sum(self._open[lang, person] for person in people)
        if not owner or self._open[lang, owner] >= everything / len(people):
            owner = min(people, key=lambda person: self._open[lang, person])
        self._owner[document] = owner
        return owner

    def _wanted(self, lang: str) -> int:
        """Return how many people shall have the next new sentence: of every so many, several."""
        before, now = (int(self.team.share * (self._seen[lang] + n) + 0.5) for n in (0, 1))
        self._seen[lang] += 1
        return (self.team.overlap or 1) if now > before else 1


class Assignment(NamedTuple):
    """What says whose new sentences are, and the tasks to change, each with whose it shall be."""

    assigner: Assigner
    changes: Sequence[tuple[Task, str]]

    def write(
        self, server: ReviewServer, project: Project, on_progress: OnProgress = lambda *_: None
    ) -> None:
        """Change the tasks, and have as many people label each assigned task as are named."""
        if not self.assigner.team.people:
            return
        changes = [(task, {ASSIGNED: names}) for task, names in self.changes]
        write_each(server, changes, if_still=_is_untouched, on_progress=on_progress)
        for task_id, (overlap, names) in server.shared_tasks(project).items():
            if overlap != names:
                server.set_task_overlap(task_id, names)


def _is_untouched(_: Task, now: Task) -> bool:
    return not is_touched(now)
