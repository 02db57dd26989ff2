"""Check a review set-up from end to end: the server, the key, the project and the backend."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from label_config.labeling_config import build_config, labels_of
from label_config.results import labels_in
from ml_backend.label_studio.checks import (
    NOTE,
    OK,
    PROBLEM,
    CheckResult,
    check_clock,
    check_version,
)
from ml_backend.label_studio.client import (
    FIX_BANNED,
    Backend,
    Project,
    ReviewServer,
    Webhook,
    first_answer,
    same_config,
    token_kind,
    webhook_url,
)
from ml_backend.label_studio.tasks import Task, doubled
from projection.errors import LanguageTagError, SpanferryError
from projection.languages import is_untrained
from projection.text.wording import FIX_UNTRAINED, counted, untrained_language


def diagnose(
    url: str,
    api_key: str,
    project: str | None = None,
    backend_url: str | None = None,
    *,
    expected: str | None = None,
    trained: Sequence[str] = (),
    model_labels: Sequence[str] = (),
) -> Iterator[CheckResult]:
    """Check the server and the key, and with a `project` title that project. Changes nothing.

    What cannot be checked because of an earlier problem is left out. `backend_url` is the backend
    to check, by default the first one of the project. `expected` is the Authorization header it
    accepts; empty if it accepts any request, None if that is not known. `trained` are the
    languages that the aligner was trained on and `model_labels` the labels of the models here,
    empty if unknown.
    """
    try:
        answer = first_answer(url)
    except SpanferryError as error:
        yield _problem("server", error)
        return
    yield CheckResult("server", OK, f"Label Studio answers at {url}")
    yield check_version(answer.json()["release"])
    yield check_clock(answer.headers.get("date", ""))
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
            yield from check_project(
                server, project, backend_url, expected, trained=trained, model_labels=model_labels
            )


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
    *,
    trained: Sequence[str] = (),
    model_labels: Sequence[str] = (),
) -> Iterator[CheckResult]:
    """Check a project and its backend; the arguments are those of `diagnose`."""
    try:
        project = server.existing_project(title)
        backends, webhooks = server.backends(project), server.webhooks(project)
    except SpanferryError as error:
        yield _problem("project", error)
        return
    yield CheckResult("project", OK, f"{title!r} has {project.task_count} tasks")
    yield from _tasks(server, project, model_labels)
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
    if backend_url is None and not backends[0].connected:
        yield _address_guard(server, backends[0].url)
    yield from _backend(backends[0], project.model_version)
    url = webhook_url(backends[0].url)
    yield _webhook(url, [hook for hook in webhooks if hook.url == url], expected)


def _tasks(
    server: ReviewServer, project: Project, model_labels: Sequence[str]
) -> Iterator[CheckResult]:
    """Check the labels of the project against its tasks and the models, and its tasks."""
    try:
        labels = labels_of(project.label_config, f"project {project.title!r}")
        tasks = server.tasks(project, with_predictions=True) if project.task_count else []
    except SpanferryError as error:
        yield _problem("labeling config", error)
        return
    yield _labeling_config(project, labels, tasks)
    if model_labels:
        yield _model_labels(labels, model_labels)
    if several := doubled(tasks):
        number = sum(len(group) - 1 for group in several)
        finding = (
            f"{counted(number, 'second task')} of a sentence, as of task {several[0][0]['id']}"
        )
        fix = "Run `spanferry doctor --fix`, which removes those that nobody has begun"
        yield CheckResult("doubles", PROBLEM, finding, fix)


def _labeling_config(project: Project, labels: Sequence[str], tasks: Sequence[Task]) -> CheckResult:
    name = "labeling config"
    work = (each for task in tasks for each in (*task["predictions"], *task["annotations"]))
    used = Counter(label for each in work for label in labels_in(each["result"]))
    if missing := [f"{label} ({used[label]:,})" for label in sorted(used.keys() - {*labels})]:
        offered = f"offers {', '.join(labels)}"
        finding = f"{offered}; predictions and annotations also have {', '.join(missing)}"
        fix = "Run `spanferry push` again without --labels: it adds the labels of the run"
        return CheckResult(name, PROBLEM, finding, fix)
    fix = "Run `spanferry doctor --fix`, or `spanferry push` again"
    if "smart=" not in project.label_config:
        finding = 'without smart="true", so Label Studio never asks the backend while one draws'
        return CheckResult(name, PROBLEM, finding, fix)
    if same_config(project.label_config, build_config(labels)):
        return CheckResult(name, OK, f"ours, with {', '.join(labels)}")
    finding = f"ours in what matters ({', '.join(labels)}), but looks different"
    return CheckResult(name, NOTE, finding, fix)


def _model_labels(labels: Sequence[str], model_labels: Sequence[str]) -> CheckResult:
    name = "model labels"
    if unknown := sorted({*model_labels} - {*labels}):
        finding = f"the project lacks {', '.join(unknown)}, which the model predicts"
        fix = (
            "Add them with `spanferry push --labels`, or map or suppress them: "
            "SPANFERRY_BACKEND_LABELS, SPANFERRY_BACKEND_SUPPRESS"
        )
        return CheckResult(name, PROBLEM, finding, fix)
    if never := [label for label in labels if label not in model_labels]:
        finding = f"the model predicts no {', '.join(never)}: people mark them by hand"
        return CheckResult(name, NOTE, finding, "Train a model on the reviews, and activate it")
    return CheckResult(name, OK, "those of the project")


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
        if urlsplit(backend.url).hostname in {"localhost", "127.0.0.1", "::1"}:
            fix += ". In a container, that address is Label Studio itself: connect another"
        yield CheckResult("backend", PROBLEM, finding, fix)
        return
    yield CheckResult("backend", OK, f"{backend.url} answers")
    if backend.interactive:
        yield CheckResult("interactive", OK, "on")
    else:
        fix = "Run `spanferry doctor --fix`, or `spanferry push … --backend URL` again"
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
    fix = (
        "Run `spanferry doctor --fix`, or `spanferry push … --backend URL` again, with the "
        "backend's password set"
    )
    return CheckResult("webhook", PROBLEM, wrong, fix)


def _problem(name: str, error: SpanferryError) -> CheckResult:
    return CheckResult(name, PROBLEM, f"{error.where}: {error.what}", error.fix)
