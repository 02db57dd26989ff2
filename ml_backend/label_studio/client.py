"""The client of Label Studio, on top of label-studio-sdk.

Tasks, predictions and annotations stay JSON. Every request raises `ServerError` if Label Studio
refuses it or does not answer.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, Self, cast

import httpx
from label_studio_sdk.base_client import LabelStudioBase
from label_studio_sdk.client import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from label_config.labeling_config import takes_over
from ml_backend.auth import Credentials
from ml_backend.label_studio.tabs import Tab, column_filter
from projection.errors import ServerError
from projection.io.records_json import Json

log = logging.getLogger(__name__)

TESTED_VERSION = "1.23.2"
# Only what a review changes: an annotator waits for each call, and an import would send all tasks.
_WEBHOOK_ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)

# Label Studio takes a second for 1,000 tasks; a slow disk may take many times that.
_TIMEOUT = httpx.Timeout(300.0, connect=10.0)
# A write that is tried again after a lost answer may be done twice.
_ONCE: Any = {"max_retries": 0}
# Label Studio with Redis makes snapshots in a background job: half a minute for 25,000 tasks.
_SNAPSHOT_SECONDS = 600.0
_POLL_SECONDS = (0.1, 5.0)  # the first pause and the longest, each twice the one before

_FIX_KEY = (
    "Copy a key from Account & Settings → Personal Access Token; an old-style token works only "
    "where the organization allows legacy tokens"
)
FIX_BANNED = (
    "Start Label Studio with LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS=false and list what should "
    "stay banned in LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"
)

_AWAY = (502, 503, 504)  # what a proxy answers for a server that is not there


class UnreachableError(ServerError):
    """The server does not answer, or its proxy says so. It may be back in a moment."""


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


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of a project, as Label Studio sees it; `model_version` is from its `/setup`."""

    id: int
    url: str
    connected: bool
    interactive: bool
    model_version: str
    error: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook of a project; `authorization` is the value of that header, or ""."""

    id: int
    url: str
    active: bool
    authorization: str


class ReviewServer:
    """A Label Studio server, accessed with one API key. Open it with `connect`; close it after use.

    `snapshot_seconds` limits how long `tasks` waits for a snapshot.
    """

    def __init__(
        self, url: str, api_key: str, *, snapshot_seconds: float = _SNAPSHOT_SECONDS
    ) -> None:
        self.url, self.token_kind = url, token_kind(api_key)
        self._snapshot_seconds = snapshot_seconds
        self._http = httpx.Client(timeout=_TIMEOUT, follow_redirects=True)
        with _as_server_error(url):
            # Its constructor takes anything, so it has no types.
            self._api: LabelStudioBase = LabelStudio(  # type: ignore[no-untyped-call]
                base_url=url, api_key=api_key, httpx_client=self._http
            )

    @classmethod
    def connect(cls, url: str, api_key: str) -> Self:
        """Connect, and check the key: a personal access token or a legacy token."""
        server_version(url)
        server = cls(url.rstrip("/"), api_key)
        try:
            with _as_server_error(server.url):
                server._api.users.whoami()
        except BaseException:
            server.close()
            raise
        return server

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find_project(self, title: str) -> Project | None:
        """Return the project with exactly this title, or None. Raise if several have it."""
        with self._asking(f"project {title!r}"):
            found = [p for p in self._api.projects.list(title=title) if p.title == title]
        if len(found) > 1:
            ids = ", ".join(str(p.id) for p in found)
            raise ServerError(self.url, f"{title!r} is the title of projects {ids}", "Rename one")
        return self.project(found[0].id) if found else None

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
        return Project(
            id=project_id,
            title=p.title or "",
            label_config=p.label_config or "",
            model_version=p.model_version or "",
            task_count=p.task_number or 0,
            prediction_count=p.total_predictions_number or 0,
            annotation_count=(p.total_annotations_number or 0)
            + (p.skipped_annotations_number or 0),
        )

    def ensure_project(self, title: str, label_config: str) -> Project:
        """Create the project, or give it this labeling config if its annotations fit that."""
        if not 3 <= len(title) <= 50:
            raise ServerError(f"title {title!r}", f"{len(title)} characters", "Use 3 to 50")
        project = self.find_project(title)
        if project is None:
            with self._asking(f"project {title!r}"):
                made = self._api.projects.create(
                    title=title,
                    label_config=label_config,
                    # Annotators who choose no tab get the least confident sentences first, too.
                    sampling="Uncertainty sampling",
                    show_collab_predictions=True,
                    request_options=_ONCE,
                )
            return self.project(made.id)
        if same_config(project.label_config, label_config):
            return project
        if project.annotation_count and not takes_over(label_config, project.label_config):
            what = f"has {project.annotation_count} annotations made with another labeling config"
            fix = "Push to a new title, or use the labels this project was made with"
            raise ServerError(f"project {title!r}", what, fix)
        with self._asking(f"labeling config of project {title!r}"):
            self._api.projects.update(id=project.id, label_config=label_config)
        return self.project(project.id)

    def set_model_version(self, project: Project, version: str) -> bool:
        """Show the predictions of `version`. Return False if there are none."""
        if project.model_version == version:
            return True
        with self._asking(f"project {project.title!r}"):
            try:
                self._api.projects.update(id=project.id, model_version=version)
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

    def user_ids(self) -> set[int]:
        """Return the ids of all users of the organization."""
        with self._asking("users"):
            return {int(user.id) for user in self._api.users.list()}

    def import_tasks(self, project: Project, tasks: Sequence[Json]) -> list[int]:
        """Add tasks, each with its `predictions`, in one request. Return their ids, in order."""
        with self._asking(f"import into project {project.title!r}"):
            answer = self._api.projects.import_tasks(
                id=project.id, request=_plain(tasks), return_task_ids=True, request_options=_ONCE
            )
        # The Enterprise edition answers before it is done, and then without ids.
        return list(getattr(answer, "task_ids", None) or ())

    def import_predictions(self, project: Project, predictions: Sequence[Json]) -> None:
        """Add predictions, each with the id of its `task`, in one request. Old ones stay."""
        with self._asking(f"predictions of project {project.title!r}"):
            self._api.projects.import_predictions(
                id=project.id, request=_plain(predictions), request_options=_ONCE
            )

    def update_prediction(
        self, prediction_id: int, result: Sequence[Json], score: float | None
    ) -> None:
        """Replace the regions and the score of a prediction."""
        with self._asking(f"prediction {prediction_id}"):
            self._api.predictions.update(prediction_id, result=list(result), score=score)

    def update_task_data(self, task_id: int, data: Json) -> None:
        """Replace all of a task's data. Commands write through `task_writer.write_fields`."""
        with self._asking(f"task {task_id}"):
            self._api.tasks.update(id=str(task_id), data=data)

    def task(self, task_id: int) -> Json:
        """Fetch a task with its annotations, the predictions shown, and the key owner's drafts."""
        with self._asking(f"task {task_id}"):
            found: Json = self._api.tasks.get(str(task_id)).model_dump()
        return found

    def tasks(
        self, project: Project, *, with_predictions: bool = False, only_annotated: bool = False
    ) -> list[Json]:
        """Fetch all tasks with their annotations and the ids of their drafts, oldest first.

        `with_predictions` fetches whole predictions instead of ids. Skipped annotations are
        included (`was_cancelled`), and count for `only_annotated`.
        """
        options: Json = {
            "predictions": {"only_id": not with_predictions},
            "drafts": {"only_id": True},
            "annotations__completed_by": {"only_id": True},
        }
        # A snapshot is three times as fast as paging through the tasks.
        with self._asking(f"snapshot of project {project.title!r}"):
            snapshot = self._api.projects.exports.create(
                project.id,
                serialization_options=cast("Any", options),
                task_filter_options=cast("Any", {"only_with_annotations": only_annotated}),
                request_options=_ONCE,
            )
            number = int(snapshot.id or 0)
            try:
                self._wait_for_snapshot(project, number, str(snapshot.status))
                exports = self._api.projects.exports
                body = b"".join(exports.download(project.id, number, export_type="JSON"))
            finally:
                self._delete_snapshot(project, number)
        found: list[Json] = json.loads(body)
        return sorted(found, key=lambda task: int(task["id"]))

    def _wait_for_snapshot(self, project: Project, snapshot: int, status: str) -> None:
        deadline = time.monotonic() + self._snapshot_seconds
        pause, longest = _POLL_SECONDS
        where = f"{self.url} snapshot {snapshot} of project {project.title!r}"
        while status != "completed":
            if status == "failed":
                fix = "See the log of Label Studio's worker, then try again"
                raise ServerError(where, "Label Studio could not make it", fix)
            if time.monotonic() > deadline:
                what = f"still {status} after {self._snapshot_seconds:g} seconds"
                fix = "Check that a worker (rqworker) of Label Studio runs"
                raise ServerError(where, what, fix)
            time.sleep(pause)
            pause = min(2 * pause, longest)
            status = str(self._api.projects.exports.get(project.id, snapshot).status)

    def _delete_snapshot(self, project: Project, snapshot: int) -> None:
        # A snapshot left behind costs disk space only: do not lose the tasks, or the first error.
        try:
            self._api.projects.exports.delete(project.id, snapshot)
        except (ApiError, httpx.HTTPError) as error:
            log.warning("snapshot %d of %r is not deleted: %s", snapshot, project.title, error)

    def tasks_without_current_prediction(self, project: Project) -> int:
        """Count the tasks without a prediction of the project's model version."""
        none = column_filter("predictions_score", "empty", "Number", "True")
        query = json.dumps({"filters": {"conjunction": "and", "items": [none]}})
        with self._asking(f"tasks of project {project.title!r}"):
            page = self._api.tasks.list(project=project.id, page_size=1, query=query)
        return int(getattr(page.response, "total", 0))

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
        lang = None if data is None else _text_of(data, "lang")
        return lang, int(getattr(page.response, "total", 0))

    def annotate(
        self,
        task_id: int,
        result: Sequence[Json],
        *,
        skipped: bool = False,
        parent_prediction: int | None = None,
        lead_time: float | None = None,
    ) -> int:
        """Submit an annotation as the key's owner. Return its id."""
        with self._asking(f"annotation of task {task_id}"):
            made = self._api.annotations.create(
                id=task_id,
                result=cast("Any", list(result)),
                was_cancelled=skipped,
                parent_prediction=parent_prediction,
                lead_time=lead_time,
                request_options=_ONCE,
            )
        return int(made.id)

    def ensure_tabs(self, project: Project, tabs: Sequence[Tab]) -> dict[str, int]:
        """Create or update the tabs; if one is new, put all first. Return their ids by title."""
        with self._asking(f"tabs of project {project.title!r}"):
            before = self._api.views.list(project=project.id)
            known = {_text_of(view.data, "title"): view for view in before}
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

    def backends(self, project: Project) -> list[Backend]:
        """Fetch the backends of a project. Label Studio asks each for `/health` and `/setup`."""
        with self._asking(f"backends of project {project.title!r}"):
            found = self._api.ml.list(project=project.id)
        return [
            Backend(
                id=int(backend.id),
                url=backend.url or "",
                connected=backend.state == "CO",
                interactive=bool(backend.is_interactive),
                model_version=backend.model_version or "",
                error=backend.error_message or "",
            )
            for backend in found
        ]

    def webhooks(self, project: Project) -> list[Webhook]:
        """Fetch the webhooks of a project."""
        with self._asking(f"webhooks of project {project.title!r}"):
            found = self._api.webhooks.list(project=str(project.id))
        return [
            Webhook(
                id=int(hook.id),
                url=hook.url,
                active=bool(hook.is_active),
                authorization=_text_of(hook.headers, "authorization"),
            )
            for hook in found
            if hook.project == project.id
        ]

    def connect_backend(
        self, project: Project, url: str, credentials: Credentials | None = None
    ) -> Backend:
        """Connect the backend at `url` (as Label Studio reaches it) for interactive use, once."""
        url = url.rstrip("/")
        # First, because Label Studio would make a webhook without the credentials.
        self._ensure_webhook(project, webhook_url(url), credentials)
        known = [b for b in self.backends(project) if b.url.rstrip("/") == url]
        settings: Json = {"url": url, "project": project.id, "is_interactive": True}
        if credentials:
            login = {"basic_auth_user": credentials.user, "basic_auth_pass": credentials.password}
            settings |= {"auth_method": "BASIC_AUTH", **login}
        with self._asking(f"backend {url}"):
            if known:
                self._api.ml.update(id=known[0].id, **settings)
            else:
                self._api.ml.create(title="spanferry", request_options=_ONCE, **settings)
        return next(b for b in self.backends(project) if b.url.rstrip("/") == url)

    def _ensure_webhook(self, project: Project, url: str, credentials: Credentials | None) -> None:
        wanted: Json = {
            "url": url,
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": list(_WEBHOOK_ACTIONS),
            "headers": credentials.webhook_header if credentials else {},
            "is_active": True,
        }
        known = [hook for hook in self.webhooks(project) if hook.url == url]
        with self._asking(f"webhook {url}"):
            if known:
                self._api.webhooks.update(id=known[0].id, **wanted)
            else:
                self._api.webhooks.create(project=project.id, request_options=_ONCE, **wanted)

    def may_call(self, url: str) -> bool:
        """Return whether Label Studio is allowed to call `url` (its SSRF guard)."""
        with self._asking(f"backend {url}"):
            # For a project that cannot exist, so nothing is created: the address is checked first.
            try:
                self._api.ml.create(project=0, url=url, request_options=_ONCE)
            except ApiError as error:
                return error.status_code == httpx.codes.BAD_REQUEST
        return True

    def task_url(self, project: Project, task_id: int) -> str:
        """Return the address of a task in the browser."""
        return f"{self.url}/projects/{project.id}/data?task={task_id}"

    def tab_url(self, project: Project, tab_id: int) -> str:
        """Return the address of a tab in the browser."""
        return f"{self.url}/projects/{project.id}/data?tab={tab_id}"

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with _as_server_error(f"{self.url} {what}"):
            yield


def server_version(url: str) -> str:
    """Return the version of the Label Studio at `url`. Needs no key."""
    if not url.startswith(("http://", "https://")):
        raise ServerError(url, "not a URL", "Write it with http:// or https://")
    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/version", timeout=10.0, follow_redirects=True)
        if answer.status_code in _AWAY:
            raise _unreachable(url, httpx.HTTPError(f"status {answer.status_code}"))
        release = answer.json()["release"]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreachable(url, error) from error
    except (ValueError, KeyError, TypeError) as error:
        fix = "Give the address of Label Studio's start page, without a path"
        raise ServerError(url, "something answers, but not Label Studio", fix) from error
    return str(release)


def token_kind(api_key: str) -> str:
    """Return the kind of an API key. Personal access tokens are JSON web tokens: `a.b.c`."""
    return "personal access token" if api_key.count(".") == 2 else "legacy token"


def same_config(one: str, other: str) -> bool:
    """Return whether two labeling configs are the same text; Label Studio trims the ends."""
    return one.strip() == other.strip()


def webhook_url(backend_url: str) -> str:
    """Return the address Label Studio sends a backend's events to."""
    return f"{backend_url.rstrip('/')}/webhook"


def _plain(rows: Sequence[Json]) -> Any:
    """Return a type that the SDK gives to pydantic's compiled encoder; it walks lists itself."""
    return deque(rows)


def _text_of(mapping: object, name: str) -> str:
    """Return a value of what should be a JSON object, or ""; case is ignored."""
    items = mapping.items() if isinstance(mapping, Mapping) else ()
    return next((str(value) for key, value in items if str(key).lower() == name), "")


@contextmanager
def _as_server_error(where: str) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        raise _server_error(where, error) from error
    except httpx.HTTPError as error:
        raise _unreachable(where, error) from error


def _unreachable(where: str, error: Exception) -> UnreachableError:
    what = f"no answer ({str(error) or type(error).__name__})"
    return UnreachableError(where, what, "Check the address and that Label Studio is running")


def _server_error(where: str, error: ApiError) -> ServerError:
    said = _what_it_said(error.body)
    if error.status_code in _AWAY:
        return _unreachable(where, httpx.HTTPError(f"status {error.status_code}"))
    if error.status_code == httpx.codes.UNAUTHORIZED:
        return ServerError(where, f"the API key is refused ({said})", _FIX_KEY)
    if error.status_code == httpx.codes.FORBIDDEN and "network address" in said:
        return ServerError(where, said, FIX_BANNED)
    return ServerError(where, f"Label Studio answered {error.status_code}: {said}")


def _what_it_said(body: object) -> str:
    """Return the readable part of an error body, which names fields and may contain HTML."""
    if not isinstance(body, Mapping):
        return str(body)[:300]
    fields = body.get("validation_errors")
    if not isinstance(fields, Mapping):
        return str(body.get("detail", dict(body)))
    names = {key: "" if key == "non_field_errors" else f"{key}: " for key in fields}
    return "; ".join(f"{names[key]}{_flat(value)}" for key, value in fields.items())


def _flat(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.split(" <a href=", 1)[0]
