"""Looks at a review set-up from end to end and says what is wrong, and how to fix it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from label_config.labeling_config import build_config, labels_of
from ml_backend.label_studio.client import (
    TESTED_VERSION,
    Backend,
    Project,
    ReviewServer,
    Webhook,
    same_config,
    server_version,
    token_kind,
    webhook_url,
)
from projection.errors import SpanferryError


class Verdict(StrEnum):
    """`note` is worth knowing and nothing is broken."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and for a problem the fix."""

    name: str
    verdict: Verdict
    finding: str
    fix: str = ""

    def to_json(self) -> dict[str, str]:
        """The check as a JSON object."""
        return {
            "check": self.name,
            "verdict": self.verdict.value,
            "finding": self.finding,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the checks look at. `backend` is the one to examine, if any is connected.

    `expected` is the Authorization header the backend lets in; empty if it lets everyone in, None
    if that is not known.
    """

    server: ReviewServer
    project: Project
    backends: tuple[Backend, ...]
    webhooks: tuple[Webhook, ...]
    backend_url: str | None
    expected: str | None

    @property
    def backend(self) -> Backend | None:
        """The connected backend at `backend_url`, or the first one when no URL was given."""
        if self.backend_url is None:
            return next(iter(self.backends), None)
        return next((b for b in self.backends if _same_url(b.url, self.backend_url)), None)


def diagnose(
    url: str,
    api_key: str,
    project: str | None = None,
    backend_url: str | None = None,
    *,
    expected: str | None = None,
) -> Iterator[Check]:
    """Check the server and the key, then with a `project` title everything about that project.

    What cannot be looked at because of an earlier problem is left out. Nothing is changed.
    `expected` is as in `SetUp`.
    """
    try:
        version = server_version(url)
    except SpanferryError as error:
        yield _problem("server", error)
        return
    yield Check("server", Verdict.OK, f"Label Studio answers at {url}")
    yield _version(version)
    try:
        server = ReviewServer.connect(url, api_key)
    except SpanferryError as error:
        yield _problem("API key", error)
        return
    with server:
        yield Check("API key", Verdict.OK, f"a valid {token_kind(api_key)}")
        if backend_url:
            yield _may_be_called(server, backend_url)
        if project:
            yield from _project(server, project, backend_url, expected)


def _project(
    server: ReviewServer, title: str, backend_url: str | None, expected: str | None
) -> Iterator[Check]:
    try:
        project = server.existing_project(title)
        set_up = SetUp(
            server,
            project,
            tuple(server.backends(project)),
            tuple(server.webhooks(project)),
            backend_url,
            expected,
        )
    except SpanferryError as error:
        yield _problem("project", error)
        return
    yield Check("project", Verdict.OK, f"{title!r} has {project.task_count} tasks")
    for check in CHECKS:
        yield from check(set_up)


def _version(version: str) -> Check:
    if version == TESTED_VERSION:
        return Check("version", Verdict.OK, version)
    found = f"{version}; spanferry is tested with {TESTED_VERSION}"
    return Check("version", Verdict.NOTE, found)


def _may_be_called(server: ReviewServer, backend_url: str) -> Check:
    if server.may_call(backend_url):
        return Check("address guard", Verdict.OK, f"Label Studio may call {backend_url}")
    return Check(
        "address guard",
        Verdict.PROBLEM,
        f"Label Studio is not allowed to call {backend_url}",
        "Start Label Studio with LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS=false, and keep what "
        "should stay banned in LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS",
    )


def labeling_config(set_up: SetUp) -> Iterator[Check]:
    """The project is labelled the way spanferry reads it back."""
    project = set_up.project
    try:
        labels = labels_of(project.label_config, f"project {project.title!r}")
    except SpanferryError as error:
        yield _problem("labeling config", error)
        return
    if same_config(project.label_config, build_config(labels)):
        yield Check("labeling config", Verdict.OK, f"ours, with {', '.join(labels)}")
    else:
        found = f"ours in what matters ({', '.join(labels)}), but looks different"
        fix = "Run `spanferry push` again with this spanferry"
        yield Check("labeling config", Verdict.NOTE, found, fix)


def predictions(set_up: SetUp) -> Iterator[Check]:
    """Every task has a prediction of the version that is shown."""
    project = set_up.project
    if not project.task_count:
        yield Check("predictions", Verdict.PROBLEM, "no tasks", "Run `spanferry push`")
        return
    missing = set_up.server.tasks_without_current_prediction(project)
    shown = f"{project.task_count - missing} of {project.task_count} tasks have a prediction"
    finding = f"{shown} of {project.model_version or 'no version at all'}"
    if not missing:
        yield Check("predictions", Verdict.OK, finding)
    elif missing == project.task_count:
        fix = "Run `spanferry push` or `spanferry repredict`, which also choose the version shown"
        yield Check("predictions", Verdict.PROBLEM, finding, fix)
    else:
        # Repredicting leaves reviewed tasks alone, so this is how a healthy project looks after it.
        yield Check("predictions", Verdict.NOTE, finding)


def backend(set_up: SetUp) -> Iterator[Check]:
    """The backend is connected, answers, and is set up for interactive use."""
    found = set_up.backend
    if found is None:
        yield _no_backend(set_up)
        return
    if not found.connected:
        finding = f"{found.url} does not answer Label Studio {found.error}".strip()
        fix = "Start `spanferry serve` there, and check user and password"
        yield Check("backend", Verdict.PROBLEM, finding, fix)
        return
    yield Check("backend", Verdict.OK, f"{found.url} answers")
    if found.interactive:
        yield Check("interactive", Verdict.OK, "on")
    else:
        fix = "Run `spanferry push … --backend URL` again"
        yield Check("interactive", Verdict.PROBLEM, "off", fix)


def model_version(set_up: SetUp) -> Iterator[Check]:
    """The backend serves the version whose predictions are shown."""
    found, shown = set_up.backend, set_up.project.model_version
    if found is None or not found.connected:
        return
    if found.model_version == shown:
        yield Check("model version", Verdict.OK, shown)
    else:
        finding = f"the backend serves {found.model_version!r}, the project shows {shown!r}"
        fix = "Run `spanferry repredict` where the backend's data folder and settings are"
        yield Check("model version", Verdict.PROBLEM, finding, fix)


def webhook(set_up: SetUp) -> Iterator[Check]:
    """The backend hears of reviews, and believes that they come from Label Studio."""
    found = set_up.backend
    if found is None:
        return
    url = webhook_url(found.url)
    hooks = [hook for hook in set_up.webhooks if hook.url == url]
    wrong = _wrong_with(hooks, set_up.expected)
    if wrong is None:
        sent = " and ".join(sorted({_described(hook) for hook in hooks}))
        yield Check("webhook", Verdict.OK, f"{url}, {sent}")
    else:
        fix = "Run `spanferry push … --backend URL` again, with the backend's password set"
        yield Check("webhook", Verdict.PROBLEM, wrong, fix)


def _wrong_with(hooks: Sequence[Webhook], expected: str | None) -> str | None:
    if not hooks:
        return "none to the backend"
    if not any(hook.active for hook in hooks):
        return "switched off"
    if expected != "" and not all(hook.authorization for hook in hooks):
        return "sends no Authorization header, so the backend turns it away"
    if expected and any(hook.authorization != expected for hook in hooks):
        return "sends another password than the one set here, so the backend turns it away"
    return None


def _described(hook: Webhook) -> str:
    return "with Authorization" if hook.authorization else "without Authorization"


CHECKS: tuple[Callable[[SetUp], Iterator[Check]], ...] = (
    labeling_config,
    predictions,
    backend,
    model_version,
    webhook,
)


def _no_backend(set_up: SetUp) -> Check:
    if set_up.backend_url is None:
        finding = "none: tasks show what was pushed, and nothing is interactive"
        return Check("backend", Verdict.NOTE, finding)
    fix = f"Run `spanferry push … --backend {set_up.backend_url}`"
    return Check("backend", Verdict.PROBLEM, f"{set_up.backend_url} is not connected", fix)


def _problem(name: str, error: SpanferryError) -> Check:
    return Check(name, Verdict.PROBLEM, f"{error.where}: {error.what}", error.fix)


def _same_url(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")
