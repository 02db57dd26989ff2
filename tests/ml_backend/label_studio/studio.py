"""A Label Studio in memory behind a real port, which fails as it is told to.

It has the part of the API that the commands use, on the paths and in the forms of Label Studio
1.23. Whatever is sent to it is in `calls`; `fault` says which call fails, and how.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
KEY = "0123456789abcdef0123456789abcdef01234567"

HTML = b"<!doctype html><html><body>Please log in</body></html>"
BROKEN = b'{"detail": "boom", "exc_info": "Traceback: secret"}'
ANSWERS: dict[str, tuple[int, bytes]] = {
    "401": (401, b'{"detail": "Invalid token."}'),
    "500": (500, BROKEN),
    "502": (502, b"<html>Bad gateway</html>"),
    "429": (429, b'{"detail": "slow down"}'),
    "html": (200, HTML),
    "null": (200, b"null"),
    "empty": (200, b""),
    "{}": (200, b"{}"),
}
"""Faults that are an answer, given without doing what was asked for."""
LINES = ("down", "slow", "lost", "truncated", "half", "redirect")
"""Faults of the line: closed before the work or after it, too slow, cut off, another host."""
FAULTS = (*ANSWERS, *LINES)


@dataclass
class Fault:
    """The call that fails (by its number from 0, or all like it), how, and how often."""

    kind: str
    call: int | str
    times: float = float("inf")


@dataclass
class Held:
    """What the server keeps."""

    projects: dict[int, Json] = field(default_factory=dict)
    tasks: dict[int, Json] = field(default_factory=dict)
    views: dict[int, Json] = field(default_factory=dict)
    exports: dict[int, Json] = field(default_factory=dict)
    backends: dict[int, Json] = field(default_factory=dict)
    webhooks: dict[int, Json] = field(default_factory=dict)


AnyServer = TypeVar("AnyServer", bound=ThreadingHTTPServer)


class Studio(ThreadingHTTPServer):
    """The server; `held` is its database. `before` is called with each call."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held, self.calls, self.fault = Held(), list[str](), Fault("", -1, 0)
        self.before: Callable[[str], object] = lambda _: None
        self.lock, self._ids = threading.RLock(), count(1)
        self.versions: list[str] = []  # of the connected backend, in turn; the last one stays

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_id(self) -> int:
        return next(self._ids)

    def add_project(self, title: str, config: str, tasks: Sequence[Json], version: str) -> int:
        """Make a project with these tasks, as Label Studio exports them."""
        number = self.next_id()
        self.held.projects[number] = {
            "id": number, "title": title, "label_config": config, "model_version": version,
            "show_collab_predictions": True,
        }  # fmt: skip
        for task in deepcopy([*tasks]):
            self.held.tasks[task["id"]] = {**task, "project": number}
        return number

    def state(self) -> Json:
        """Everything that matters, without ids that depend on the number of attempts."""
        with self.lock:
            held = deepcopy(self.held)
        titles = {number: p["title"] for number, p in held.projects.items()}
        tasks = [
            {
                "project": titles[t["project"]],
                "data": t["data"],
                "predictions": [_without(p, "id", "task") for p in t["predictions"]],
                "annotations": [_without(a, "id") for a in t["annotations"]],
            }
            for t in held.tasks.values()
        ]
        return {
            "projects": sorted((_without(p, "id") for p in held.projects.values()), key=str),
            "tasks": sorted(tasks, key=lambda t: str(t["data"].get("pair_id"))),
            "views": sorted(
                (titles[v["project"]], v["data"]["title"]) for v in held.views.values()
            ),
            "backends": sorted(b["url"] for b in held.backends.values()),
            "webhooks": sorted(w["url"] for w in held.webhooks.values()),
        }

    def take(self, call: str) -> str:
        """Note a call, and return the fault it is to have, or ""."""
        self.before(call)
        with self.lock:
            number, fault = len(self.calls), self.fault
            self.calls.append(call)
            if fault.times > 0 and fault.call in {number, call}:
                fault.times -= 1
                return fault.kind
        return ""


def _without(row: Json, *keys: str) -> Json:
    return {key: value for key, value in row.items() if key not in keys}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Studio
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one packet
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        call = f"{self.command} {re.sub(r'/[0-9]+', '/N', parts.path.rstrip('/'))}"
        fault = self.server.take(call)
        if fault in ANSWERS:
            self._answer(*ANSWERS[fault])
            return
        if fault == "redirect":
            self.send_response(307)
            self.send_header("Location", f"http://localhost:9{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "slow":
            time.sleep(0.15)
        if fault in {"down", "slow"}:
            self.close_connection = True
            return
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        with self.server.lock:
            status, answer = self._do(parts.path.rstrip("/"), query, json.loads(body or b"null"))
            sent = b"" if answer is None else json.dumps(answer).encode()
        if fault == "lost":
            self.close_connection = True
        elif fault == "half":
            self._answer(status, sent[: len(sent) // 2])
        elif fault == "truncated":
            self._answer(status, sent[: len(sent) // 2], len(sent) + 1)
            self.close_connection = True
        else:
            self._answer(status, sent)

    do_GET = _serve  # noqa: N815  # the names that http.server calls
    do_POST = _serve  # noqa: N815
    do_PATCH = _serve  # noqa: N815
    do_DELETE = _serve  # noqa: N815

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _do(self, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        for method, pattern, work in ROUTES:
            match = re.fullmatch(pattern, path)
            if method == self.command and match:
                try:
                    return work(self.server, [*map(int, match.groups())], query, body)
                except KeyError:
                    return 404, {"detail": "Not found."}
        return 404, {"detail": f"{self.command} {path} is not part of the fake"}


Answer = tuple[int, Any]


def _project(studio: Studio, number: int) -> Json:
    tasks = [t for t in studio.held.tasks.values() if t["project"] == number]
    return {
        **studio.held.projects[number],
        "task_number": len(tasks),
        "total_predictions_number": sum(len(t["predictions"]) for t in tasks),
        "total_annotations_number": sum(len(t["annotations"]) for t in tasks),
        "skipped_annotations_number": 0,
    }


def list_projects(studio: Studio, _: list[int], query: dict[str, str], __: Any) -> Answer:
    if int(query.get("page", 1)) > 1:
        return 404, {"detail": "Invalid page."}
    wanted = query.get("title", "").lower()
    found = [_project(studio, n) for n in studio.held.projects]
    results = [p for p in found if wanted in p["title"].lower()]
    return 200, {"count": len(results), "next": None, "previous": None, "results": results}


def create_project(studio: Studio, _: list[int], __: dict[str, str], body: Any) -> Answer:
    number = studio.next_id()
    made = {"model_version": "", **body, "id": number, "title": body["title"].strip()}
    studio.held.projects[number] = made
    return 201, _project(studio, number)


def get_project(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    return 200, _project(studio, ids[0])


def update_project(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    versions = {
        p["model_version"]
        for t in studio.held.tasks.values()
        if t["project"] == ids[0]
        for p in t["predictions"]
    }
    if body.get("model_version", "") not in {"", *versions}:
        return 400, {"detail": "no such model version"}
    studio.held.projects[ids[0]].update(body)
    return 200, _project(studio, ids[0])


def delete_project(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    del studio.held.projects[ids[0]]
    return 204, None


def import_tasks(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    made, project = [], studio.held.projects[ids[0]]
    for task in body:
        number = studio.next_id()
        predictions = [
            {"id": studio.next_id(), "task": number, **p} for p in task.get("predictions", ())
        ]
        annotations = [
            {"completed_by": 1, "updated_by": None, **a, "import_id": a.get("id"),
             "id": studio.next_id()}
            for a in task.get("annotations", ())
        ]  # fmt: skip
        kept = {"project": ids[0], "meta": {}, "drafts": [], **task}
        lists = {"predictions": predictions, "annotations": annotations}
        studio.held.tasks[number] = {**kept, **lists, "id": number}
        made.append(number)
        if predictions and not project["model_version"]:
            project["model_version"] = predictions[-1]["model_version"]
    return 201, {"task_count": len(made), "task_ids": made}


def import_predictions(studio: Studio, _: list[int], __: dict[str, str], body: Any) -> Answer:
    for each in body:
        made = {"id": studio.next_id(), **each}
        studio.held.tasks[each["task"]]["predictions"].append(made)
    return 201, {"created": len(body)}


def list_tasks(studio: Studio, _: list[int], query: dict[str, str], __: Any) -> Answer:
    found = [t for t in studio.held.tasks.values() if t["project"] == int(query["project"])]
    return 200, {"total": len(found), "tasks": found[: int(query["page_size"])]}


def get_task(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    task = studio.held.tasks[ids[0]]
    shown = studio.held.projects[task["project"]]["model_version"]
    of_version = [p for p in task["predictions"] if p["model_version"] == shown]
    counted = {"total_predictions": len(task["predictions"]), "draft_exists": False}
    return 200, {**task, **counted, "predictions": of_version}


def update_task(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    studio.held.tasks[ids[0]]["data"] = body["data"]
    return 200, studio.held.tasks[ids[0]]


def delete_task(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    del studio.held.tasks[ids[0]]
    return 204, None


def update_prediction(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    for task in studio.held.tasks.values():
        for each in task["predictions"]:
            if each["id"] == ids[0]:
                each.update(body)
                return 200, each
    raise KeyError(ids[0])


def create_draft(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    annotation = ids[1] if len(ids) > 1 else None
    made = {**body, "id": studio.next_id(), "task": ids[0], "annotation": annotation}
    studio.held.tasks[ids[0]]["drafts"].append(made)
    return 201, made


def create_export(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    tasks = [deepcopy(t) for t in studio.held.tasks.values() if t["project"] == ids[0]]
    if body.get("task_filter_options", {}).get("only_with_annotations"):
        tasks = [t for t in tasks if t["annotations"]]
    if body["serialization_options"]["predictions"]["only_id"]:
        tasks = [{**t, "predictions": [p["id"] for p in t["predictions"]]} for t in tasks]
    number = studio.next_id()
    studio.held.exports[number] = {"id": number, "status": "completed", "tasks": tasks}
    return 201, {"id": number, "status": "completed"}


def get_export(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    return 200, _without(studio.held.exports[ids[1]], "tasks")


def download_export(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    return 200, studio.held.exports[ids[1]]["tasks"]


def delete_export(studio: Studio, ids: list[int], _: dict[str, str], __: Any) -> Answer:
    del studio.held.exports[ids[1]]
    return 204, None


def list_views(studio: Studio, _: list[int], query: dict[str, str], __: Any) -> Answer:
    views = studio.held.views.values()
    return 200, [v for v in views if v["project"] == int(query["project"])]


def create_view(studio: Studio, _: list[int], __: dict[str, str], body: Any) -> Answer:
    number = studio.next_id()
    studio.held.views[number] = {"id": number, **body}
    return 201, studio.held.views[number]


def update_view(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    studio.held.views[ids[0]].update(body)
    return 200, studio.held.views[ids[0]]


def order_views(_: Studio, __: list[int], ___: dict[str, str], ____: Any) -> Answer:
    return 200, None


def _backend(studio: Studio, row: Json) -> Json:
    versions = studio.versions or [""]
    version = versions.pop(0) if len(versions) > 1 else versions[0]
    return {**row, "state": "CO", "model_version": version}


def list_backends(studio: Studio, _: list[int], query: dict[str, str], __: Any) -> Answer:
    rows = [b for b in studio.held.backends.values() if b["project"] == int(query["project"])]
    return 200, [_backend(studio, row) for row in rows]


def create_backend(studio: Studio, _: list[int], __: dict[str, str], body: Any) -> Answer:
    number = studio.next_id()
    studio.held.backends[number] = {"id": number, **body}
    return 201, _backend(studio, studio.held.backends[number])


def update_backend(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    studio.held.backends[ids[0]].update(body)
    return 200, _backend(studio, studio.held.backends[ids[0]])


def list_webhooks(studio: Studio, _: list[int], __: dict[str, str], ___: Any) -> Answer:
    return 200, [*studio.held.webhooks.values()]


def create_webhook(studio: Studio, _: list[int], __: dict[str, str], body: Any) -> Answer:
    number = studio.next_id()
    studio.held.webhooks[number] = {"organization": 1, **body, "id": number}
    return 201, studio.held.webhooks[number]


def update_webhook(studio: Studio, ids: list[int], _: dict[str, str], body: Any) -> Answer:
    studio.held.webhooks[ids[0]].update(body)
    return 200, studio.held.webhooks[ids[0]]


def version(_: Studio, __: list[int], ___: dict[str, str], ____: Any) -> Answer:
    return 200, {"release": "1.23.2"}


def whoami(_: Studio, __: list[int], ___: dict[str, str], ____: Any) -> Answer:
    return 200, {"id": 1, "email": "anna@example.org"}


def users(_: Studio, __: list[int], ___: dict[str, str], ____: Any) -> Answer:
    return 200, [{"id": 1, "email": "anna@example.org"}]


N = "/([0-9]+)"
ROUTES: tuple[tuple[str, str, Callable[[Studio, list[int], dict[str, str], Any], Answer]], ...] = (
    ("GET", "/api/version", version),
    ("GET", "/api/current-user/whoami", whoami),
    ("GET", "/api/users", users),
    ("GET", "/api/projects", list_projects),
    ("POST", "/api/projects", create_project),
    ("GET", f"/api/projects{N}", get_project),
    ("PATCH", f"/api/projects{N}", update_project),
    ("DELETE", f"/api/projects{N}", delete_project),
    ("POST", f"/api/projects{N}/import", import_tasks),
    ("POST", f"/api/projects{N}/import/predictions", import_predictions),
    ("GET", "/api/tasks", list_tasks),
    ("GET", f"/api/tasks{N}", get_task),
    ("PATCH", f"/api/tasks{N}", update_task),
    ("DELETE", f"/api/tasks{N}", delete_task),
    ("POST", f"/api/tasks{N}/drafts", create_draft),
    ("POST", f"/api/tasks{N}/annotations{N}/drafts", create_draft),
    ("PATCH", f"/api/predictions{N}", update_prediction),
    ("POST", f"/api/projects{N}/exports", create_export),
    ("GET", f"/api/projects{N}/exports{N}", get_export),
    ("GET", f"/api/projects{N}/exports{N}/download", download_export),
    ("DELETE", f"/api/projects{N}/exports{N}", delete_export),
    ("GET", "/api/dm/views", list_views),
    ("POST", "/api/dm/views", create_view),
    ("PATCH", f"/api/dm/views{N}", update_view),
    ("POST", "/api/dm/views/order", order_views),
    ("GET", "/api/ml", list_backends),
    ("POST", "/api/ml", create_backend),
    ("PATCH", f"/api/ml{N}", update_backend),
    ("GET", "/api/webhooks", list_webhooks),
    ("POST", "/api/webhooks", create_webhook),
    ("PATCH", f"/api/webhooks{N}", update_webhook),
)


@contextmanager
def serving(server: AnyServer) -> Iterator[AnyServer]:
    """Let a server answer until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running() -> Iterator[Studio]:
    """A server that answers until the block ends."""
    with serving(Studio()) as studio:
        yield studio
