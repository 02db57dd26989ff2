"""The calls of Label Studio for projects, their tabs, and the users."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, cast

import httpx
from label_studio_sdk.core.api_error import ApiError

from label_config.labeling_config import takes_over
from ml_backend.label_studio.session import ApiSession
from ml_backend.label_studio.tabs import Tab, column_filter
from ml_backend.label_studio.transport import as_list, require_same, value_of
from projection.errors import ServerError
from projection.io.records_json import Json

_OUR_SECTION = '<section class="guidelines">.*?</section>'
_SETTINGS = (
    *("description", "label_config", "expert_instruction", "show_instruction", "color"),
    *("show_skip_button", "enable_empty_annotation", "show_annotation_history", "sampling"),
    *("maximum_annotations", "min_annotations_to_start_training", "show_collab_predictions"),
    *("start_training_on_annotation_update", "evaluate_predictions_automatically"),
    *("show_ground_truth_first", "show_overlap_first", "overlap_cohort_percentage"),
    *("skip_queue", "reveal_preannotations_interactively", "control_weights"),
)


@dataclass(frozen=True, slots=True)
class Project:
    """A project when it was fetched. `annotation_count` includes skipped annotations."""

    id: int
    title: str
    label_config: str
    model_version: str
    task_count: int
    prediction_count: int
    annotation_count: int


class ProjectCalls(ApiSession):
    """The calls that are about a project as a whole."""

    def find_project(self, title: str) -> Project | None:
        """Return the project with this title, or None. Raise if several have it.

        Blanks at the ends of a title count as little as they do for Label Studio.
        """
        found = self._ids_of(title)
        if len(found) > 1:
            ids = ", ".join(map(str, found))
            raise ServerError(self.url, f"{title!r} is the title of projects {ids}", "Rename one")
        return self.project(found[0]) if found else None

    def _ids_of(self, title: str) -> list[int]:
        """Return the ids of the projects with this title, the oldest first."""
        title = title.strip()
        with self._asking(f"project {title!r}"):
            found = self._api.projects.list(title=title)
            as_list(found.items)
            return sorted(int(p.id) for p in found if (p.title or "").strip() == title)

    def existing_project(self, title: str) -> Project:
        """Return the project with exactly this title, which must exist."""
        if project := self.find_project(title):
            return project
        fix = "Check the title, or create the project with `spanferry push`"
        raise ServerError(self.url, f"no project {title!r}", fix)

    def project(self, project_id: int) -> Project:
        """Fetch a project."""
        with self._asking(f"project {project_id}"):
            p = self._api.projects.get(id=project_id)
            require_same(p.id, project_id)
            return _project(p)

    def projects(self) -> list[Project]:
        """Fetch all projects that the key may see, the newest first."""
        with self._asking("projects"):
            found = self._api.projects.list()
            as_list(found.items)
            return sorted(map(_project, found), key=lambda each: -each.id)

    def project_if_known(self, project_id: int) -> Project | None:
        """Fetch a project; None if there is none, or none that the key may see."""
        try:
            return self.project(project_id)
        except ServerError as error:
            refused = error.__cause__
            unseen = (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)
            if isinstance(refused, ApiError) and refused.status_code in unseen:
                return None
            raise

    def ensure_project(self, title: str, label_config: str) -> Project:
        """Create the project, or give it this labeling config if its annotations fit that.

        If two commands create it at the same time, both get the older one.
        """
        title = title.strip()
        if not 3 <= len(title) <= 50:
            raise ServerError(f"title {title!r}", f"{len(title)} characters", "Use 3 to 50")
        project = self.find_project(title)
        if project is None:
            return self._create_project(title, label_config)
        if same_config(project.label_config, label_config):
            return project
        if project.annotation_count and not takes_over(label_config, project.label_config):
            what = f"has {project.annotation_count} annotations made with another labeling config"
            fix = "Push to a new title, or use the labels this project was made with"
            raise ServerError(f"project {title!r}", what, fix)
        with self._asking(f"labeling config of project {title!r}"):
            made = self._api.projects.update(id=project.id, label_config=label_config)
            require_same(made.id, project.id)
        return self.project(project.id)

    def _create_project(self, title: str, label_config: str) -> Project:
        with self._asking(f"project {title!r}"):
            made = self._api.projects.create(
                title=title,
                label_config=label_config,
                # Annotators who choose no tab get the least confident sentences first, too.
                sampling="Uncertainty sampling",
                show_collab_predictions=True,
            )
            number = int(made.id)
        oldest = self._ids_of(title)[:1]
        if oldest and oldest[0] < number:  # of another command, made a moment ago
            with self._asking(f"project {number}"):
                self._api.projects.delete(id=number)
            return self.project(oldest[0])
        return self.project(number)

    def set_model_version(self, project: Project, version: str) -> bool:
        """Show the predictions of `version`. Return False if there are none."""
        if project.model_version == version:
            return True
        with self._asking(f"project {project.title!r}"):
            try:
                made = self._api.projects.update(id=project.id, model_version=version)
                require_same(made.id, project.id)
            except ApiError as error:
                if error.status_code != httpx.codes.BAD_REQUEST:
                    raise
                return False
        return True

    def add_instruction(self, project: Project, line: str) -> None:
        """Add a line to the instructions that annotators see before they label, unless there."""
        with self._asking(f"instructions of project {project.title!r}"):
            before = self._api.projects.get(id=project.id).expert_instruction or ""
            if (paragraph := f"<p>{escape(line, quote=False)}</p>") not in before:
                self._api.projects.update(
                    id=project.id, expert_instruction=before + paragraph, show_instruction=True
                )

    def set_guidelines(self, project: Project, html: str) -> None:
        """Show `html` before annotators label, in place of the guidelines set before."""
        ours = f'<section class="guidelines">{html}</section>'
        with self._asking(f"instructions of project {project.title!r}"):
            before = self._api.projects.get(id=project.id).expert_instruction or ""
            others = re.sub(_OUR_SECTION, "", before, flags=re.DOTALL)
            self._api.projects.update(
                id=project.id, expert_instruction=ours + others, show_instruction=True
            )

    def users(self) -> dict[int, str]:
        """Return the e-mail address of each user of the organization, by id."""
        with self._asking("users"):
            return {int(user.id): str(user.email) for user in as_list(self._api.users.list())}

    def settings(self, project: Project) -> Json:
        """Return what can be set of a project in Label Studio, but for its title."""
        with self._asking(f"project {project.title!r}"):
            found = self._api.projects.get(id=project.id).model_dump(mode="json")
            return {key: found[key] for key in _SETTINGS if found.get(key) is not None}

    def change_settings(self, project: Project, settings: Json) -> None:
        """Set what `settings` returns."""
        with self._asking(f"project {project.title!r}"):
            # The SDK's own parameters are not all of them.
            made = self._api.projects.update(
                id=project.id, request_options={"additional_body_parameters": settings}
            )
            require_same(made.id, project.id)

    def set_overlap(self, project: Project, annotators: int, share: float) -> None:
        """Offer a share of the tasks (0 to 1), also of later ones, to so many annotators each."""
        percent = max(1, round(100 * share))
        settings = {"maximum_annotations": annotators, "overlap_cohort_percentage": percent}
        self.change_settings(project, settings)

    def tabs(self, project: Project) -> list[Json]:
        """Return the tabs of a project as Label Studio keeps them, in order."""
        with self._asking(f"tabs of project {project.title!r}"):
            found = as_list(self._api.views.list(project=project.id))
            return [dict(view.data or {}) for view in found]

    def tab_ids(self, project: Project) -> dict[str, int]:
        """Return the ids of a project's tabs by title, in order."""
        with self._asking(f"tabs of project {project.title!r}"):
            found = as_list(self._api.views.list(project=project.id))
            return {value_of(view.data, "title"): int(view.id) for view in found}

    def add_tabs(self, project: Project, tabs: Sequence[Json]) -> None:
        """Add the tabs whose titles the project has not."""
        known = {tab.get("title") for tab in self.tabs(project)}
        with self._asking(f"tabs of project {project.title!r}"):
            for tab in tabs:
                if tab.get("title") not in known:
                    self._api.views.create(project=project.id, data=cast("Any", tab))

    def ensure_tabs(self, project: Project, tabs: Sequence[Tab]) -> dict[str, int]:
        """Create or update the tabs; if one is new, put all first. Return their ids by title."""
        with self._asking(f"tabs of project {project.title!r}"):
            before = as_list(self._api.views.list(project=project.id))
            known = {value_of(view.data, "title"): view for view in before}
            ids = {}
            for tab in tabs:
                data: Any = tab.as_json()
                if old := known.get(tab.title) or known.get(tab.formerly or tab.title):
                    view = self._api.views.update(str(old.id), data=data)
                else:
                    view = self._api.views.create(project=project.id, data=data)
                ids[tab.title] = int(view.id)
            if not known.keys() >= ids.keys():
                order = dict.fromkeys([*ids.values(), *(int(view.id) for view in before)])
                self._api.views.update_order(project=project.id, ids=list(order))
        return ids

    def languages(self, project: Project) -> dict[str, int]:
        """Count the tasks of each target language."""
        langs, totals = list[str](), list[int]()
        while True:
            lang, total = self._another_language(project, langs)
            totals.append(total)
            if lang is None or lang in langs:
                return {
                    lang: total - rest
                    for lang, (total, rest) in zip(langs, pairwise(totals), strict=True)
                }
            langs.append(lang)

    def _another_language(self, project: Project, langs: Sequence[str]) -> tuple[str | None, int]:
        """Return the language of a task in none of `langs`, and the number of such tasks."""
        items = [column_filter("data.lang", "not_equal", "String", lang) for lang in langs]
        query = json.dumps({"filters": {"conjunction": "and", "items": items}})
        with self._asking(f"tasks of project {project.title!r}"):
            page = self._api.tasks.list(project=project.id, page_size=1, query=query, fields="all")
            task = next(iter(page.items or ()), None)
            data: Any = task.data if task else None
            return None if data is None else value_of(data, "lang"), _total(page.response)

    def tasks_without_current_prediction(self, project: Project) -> int:
        """Count the tasks without a prediction of the project's model version."""
        none = column_filter("predictions_score", "empty", "Number", "True")
        query = json.dumps({"filters": {"conjunction": "and", "items": [none]}})
        with self._asking(f"tasks of project {project.title!r}"):
            page = self._api.tasks.list(project=project.id, page_size=1, query=query)
            return _total(page.response)

    def task_url(self, project: Project, task_id: int) -> str:
        """Return the address of a task in the browser."""
        return f"{self.url}/projects/{project.id}/data?task={task_id}"

    def tab_url(self, project: Project, tab_id: int) -> str:
        """Return the address of a tab in the browser."""
        return f"{self.url}/projects/{project.id}/data?tab={tab_id}"

    def stream_url(self, project: Project, tab_id: int) -> str:
        """Return the address that opens the tasks of a tab one after the other.

        Only where the browser last chose “Label All Tasks”, Label Studio 1.23 ignores the tab.
        """
        return f"{self.tab_url(project, tab_id)}&labeling=1"


def _project(p: Any) -> Project:
    return Project(
        id=int(p.id),
        title=p.title or "",
        label_config=p.label_config or "",
        model_version=p.model_version or "",
        task_count=p.task_number or 0,
        prediction_count=p.total_predictions_number or 0,
        annotation_count=(p.total_annotations_number or 0) + (p.skipped_annotations_number or 0),
    )


def _total(page: Any) -> int:
    return int(page.total)


def same_config(one: str, other: str) -> bool:
    """Return whether two labeling configs are the same text; Label Studio trims the ends."""
    return one.strip() == other.strip()
