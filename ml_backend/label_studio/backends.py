"""The calls of Label Studio for the backends and webhooks of a project."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from label_studio_sdk.core.api_error import ApiError

from ml_backend.auth import Credentials
from ml_backend.label_studio.projects import Project
from ml_backend.label_studio.session import ApiSession
from ml_backend.label_studio.transport import as_list, value_of
from projection.errors import ServerError
from projection.io.records_json import Json

START_SECONDS = 30
_NO_ANSWER = "health check failed"  # what Label Studio says where nothing listens yet

# Only what a review changes: an annotator waits for each call, and an import would send all tasks.
_WEBHOOK_ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)


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


class BackendCalls(ApiSession):
    """The calls that connect a project with a backend."""

    def backends(self, project: Project) -> list[Backend]:
        """Fetch the backends of a project. Label Studio asks each for `/health` and `/setup`."""
        with self._asking(f"backends of project {project.title!r}"):
            return [
                Backend(
                    id=int(backend.id),
                    url=backend.url or "",
                    connected=backend.state == "CO",
                    interactive=bool(backend.is_interactive),
                    model_version=backend.model_version or "",
                    error=backend.error_message or "",
                )
                for backend in as_list(self._api.ml.list(project=project.id))
            ]

    def webhooks(self, project: Project) -> list[Webhook]:
        """Fetch the webhooks of a project."""
        with self._asking(f"webhooks of project {project.title!r}"):
            return [
                Webhook(
                    id=int(hook.id),
                    url=hook.url,
                    active=bool(hook.is_active),
                    authorization=value_of(hook.headers, "authorization"),
                )
                for hook in as_list(self._api.webhooks.list(project=str(project.id)))
                if hook.project == project.id
            ]

    def connect_backend(
        self,
        project: Project,
        url: str,
        credentials: Credentials | None = None,
        *,
        on_wait: Callable[[int], object] | None = None,
    ) -> Backend:
        """Connect the backend at `url` (as Label Studio reaches it) for interactive use, once.

        With `on_wait`, a backend that does not answer gets `START_SECONDS` to start; each second,
        `on_wait` gets their number.
        """
        for second in range(START_SECONDS if on_wait else 0):
            try:
                return self._connect_backend(project, url, credentials)
            except ServerError as error:
                if _NO_ANSWER not in str(error):
                    raise
            on_wait(second) if on_wait else None
            time.sleep(1)
        return self._connect_backend(project, url, credentials)

    def _connect_backend(
        self, project: Project, url: str, credentials: Credentials | None
    ) -> Backend:
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
                self._api.ml.create(title="spanferry", **settings)
            for backend in self.backends(project):
                if backend.url.rstrip("/") == url:
                    return backend
            raise LookupError("the backend is not there")

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
                self._api.webhooks.create(project=project.id, **wanted)

    def may_call(self, url: str) -> bool:
        """Return whether Label Studio is allowed to call `url` (its SSRF guard)."""
        with self._asking(f"backend {url}"):
            # For a project that cannot exist, so nothing is created: the address is checked first.
            try:
                self._api.ml.create(project=0, url=url)
            except ApiError as error:
                return error.status_code == httpx.codes.BAD_REQUEST
        return True


def webhook_url(backend_url: str) -> str:
    """Return the address Label Studio sends a backend's events to."""
    return f"{backend_url.rstrip('/')}/webhook"
