"""Check a review set-up from end to end: the server, the key, the project and the backend."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from label_config.labeling_config import build_config, labels_of
from label_config.results import labels_in
from ml_backend.label_studio.client import (
    FIX_BANNED,
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
from projection.errors import LanguageTagError, SpanferryError
from projection.languages import is_untrained
from projection.text.wording import FIX_UNTRAINED, counted, untrained_language


class CheckStatus(StrEnum):
    """The outcome of a check. A note is worth knowing, but nothing is broken."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


class CheckResult(NamedTuple):
    """What one check found, and the fix of a problem."""

    check: str
    verdict: CheckStatus
    finding: str
    fix: str = ""


OK, NOTE, PROBLEM = CheckStatus


def diagnose(
    url: str,
    api_key: str,
    project: str | None = None,
    backend_url: str | None = None,
    *,
    expected: str | None = None,
    trained: Sequence[str] = (),
) -> Iterator[CheckResult]:
    """Check the server and the key, and with a `project` title that project. Changes nothing.

    What cannot be checked because of an earlier problem is left out. `backend_url` is the backend
    to check, by default the first one of the project. `expected` is the Authorization header it
    accepts; empty if it accepts any request, None if that is not known. `trained` are the
    languages that the aligner was trained on, empty if unknown.
    """
    try:
        version = server_version(url)
    except SpanferryError as error:
        yield _problem("server", error)
        return
    yield CheckResult("server", OK, f"Label Studio answers at {url}")
    tested = version == TESTED_VERSION
    other = "" if tested else f"; spanferry is tested with {TESTED_VERSION}"
    yield CheckResult("version", OK if tested else NOTE, version + other)
    try:
        server = ReviewServer.connect(url, api_key)
    except SpanferryError as error:
        yield _problem("API key", error)
        return
    with server:
        yield CheckResult("API key", OK, f"a valid {token_kind(api_key)}")
        if backend_url:
            yield _address_guard(server, backend_url)
        if project:
            yield from check_project(server, project, backend_url, expected, trained)


def _address_guard(server: ReviewServer, backend_url: str) -> CheckResult:
    name = "address guard"
    if server.may_call(backend_url):
        return CheckResult(name, OK, f"Label Studio may call {backend_url}")
    finding = f"Label Studio is not allowed to call {backend_url}"
    return CheckResult(name, PROBLEM, finding, FIX_BANNED)


def check_project(
    server: ReviewServer,
    title: str,
    backend_url: str | None,
    expected: str | None,
    trained: Sequence[str] = (),
) -> Iterator[CheckResult]:
    """Check a project and its backend; the arguments are those of `diagnose`."""
    try:
        project = server.existing_project(title)
        backends, webhooks = server.backends(project), server.webhooks(project)
    except SpanferryError as error:
        yield _problem("project", error)
        return
    yield CheckResult("project", OK, f"{title!r} has {project.task_count} tasks")
    yield _labeling_config(server, project)
    yield _predictions(server, project)
    if trained and project.task_count:
        yield _languages(server.languages(project), trained)
    if backend_url is not None:
        backends = [each for each in backends if each.url.rstrip("/") == backend_url.rstrip("/")]
    if not backends and backend_url is None:
        finding = "none: tasks show what was pushed, and nothing is interactive"
        yield CheckResult("backend", NOTE, finding)
        return
    if not backends:
        fix = f"Run `spanferry push … --backend {backend_url}`"
        yield CheckResult("backend", PROBLEM, f"{backend_url} is not connected", fix)
        return
    yield from _backend(backends[0], project.model_version)
    url = webhook_url(backends[0].url)
    yield _webhook(url, [hook for hook in webhooks if hook.url == url], expected)


def _labeling_config(server: ReviewServer, project: Project) -> CheckResult:
    name = "labeling config"
    try:
        labels = labels_of(project.label_config, f"project {project.title!r}")
        tasks = server.tasks(project, with_predictions=True) if project.task_count else []
    except SpanferryError as error:
        return _problem(name, error)
    work = (each for task in tasks for each in (*task["predictions"], *task["annotations"]))
    used = Counter(label for each in work for label in labels_in(each["result"]))
    if missing := [f"{label} ({used[label]:,})" for label in sorted(used.keys() - {*labels})]:
        offered = f"offers {', '.join(labels)}"
        finding = f"{offered}; predictions and annotations also have {', '.join(missing)}"
        fix = "Run `spanferry push` again without --labels: it adds the labels of the run"
        return CheckResult(name, PROBLEM, finding, fix)
    if same_config(project.label_config, build_config(labels)):
        return CheckResult(name, OK, f"ours, with {', '.join(labels)}")
    finding = f"ours in what matters ({', '.join(labels)}), but looks different"
    return CheckResult(name, NOTE, finding, "Run `spanferry push` again with this spanferry")


def _predictions(server: ReviewServer, project: Project) -> CheckResult:
    name = "predictions"
    if not project.task_count:
        return CheckResult(name, PROBLEM, "no tasks", "Run `spanferry push`")
    missing = server.tasks_without_current_prediction(project)
    shown = f"{project.task_count - missing} of {project.task_count} tasks have a prediction"
    finding = f"{shown} of {project.model_version or 'no version at all'}"
    if missing == project.task_count:
        fix = "Run `spanferry push` or `spanferry repredict`, which also choose the version shown"
        return CheckResult(name, PROBLEM, finding, fix)
    # Repredicting leaves reviewed tasks alone, so some are missing in a healthy project too.
    return CheckResult(name, NOTE if missing else OK, finding)


def _languages(tasks: Mapping[str, int], trained: Sequence[str]) -> CheckResult:
    name = "languages"
    shown = ", ".join(f"{lang} ({counted(count, 'task')})" for lang, count in tasks.items())
    try:
        unknown = [lang for lang in tasks if is_untrained(lang, trained)]
    except LanguageTagError as error:  # an earlier spanferry pushed it
        return _problem(name, error)
    if not unknown:
        return CheckResult(name, OK, f"{shown}: the aligner was trained on all")
    finding = f"{shown}; {'; '.join(untrained_language(lang, trained) for lang in unknown)}"
    return CheckResult(name, NOTE, finding, FIX_UNTRAINED)


def _backend(backend: Backend, shown: str) -> Iterator[CheckResult]:
    if not backend.connected:
        finding = f"{backend.url} does not answer Label Studio {backend.error}".strip()
        fix = "Start `spanferry serve` there, and check user and password"
        yield CheckResult("backend", PROBLEM, finding, fix)
        return
    yield CheckResult("backend", OK, f"{backend.url} answers")
    if backend.interactive:
        yield CheckResult("interactive", OK, "on")
    else:
        fix = "Run `spanferry push … --backend URL` again"
        yield CheckResult("interactive", PROBLEM, "off", fix)
    if backend.model_version == shown:
        yield CheckResult("model version", OK, shown)
    else:
        finding = f"the backend serves {backend.model_version!r}, the project shows {shown!r}"
        fix = "Run `spanferry repredict` where the backend's data folder and settings are"
        yield CheckResult("model version", PROBLEM, finding, fix)


def _webhook(url: str, hooks: Sequence[Webhook], expected: str | None) -> CheckResult:
    sent = {hook.authorization for hook in hooks}
    if not hooks:
        wrong = "none to the backend"
    elif not any(hook.active for hook in hooks):
        wrong = "switched off"
    elif expected != "" and "" in sent:
        wrong = "sends no Authorization header, so the backend turns it away"
    elif expected and sent != {expected}:
        wrong = "sends another password than the one set here, so the backend turns it away"
    else:
        how = sorted({f"{'with' if each else 'without'} Authorization" for each in sent})
        return CheckResult("webhook", OK, f"{url}, {' and '.join(how)}")
    fix = "Run `spanferry push … --backend URL` again, with the backend's password set"
    return CheckResult("webhook", PROBLEM, wrong, fix)


def _problem(name: str, error: SpanferryError) -> CheckResult:
    return CheckResult(name, PROBLEM, f"{error.where}: {error.what}", error.fix)
