"""What compose.yaml starts, started by hand: Label Studio on PostgreSQL, and the backend.

Their environments and the backend's command are those of the file; only hosts, ports and folders
are others. 127.0.0.1 stands for the backend's address, and 127.0.0.2 for another in its network.
PostgreSQL is whichever version is installed here, 15 on Debian 12, where the file has 17.
"""

import importlib.util
import ipaddress
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from label_config.annotations import annotation_of
from label_config.labeling_config import build_config
from ml_backend.auth import Credentials, credentials_of
from ml_backend.demo.label_studio_server import Account, LabelStudioServer, free_port
from ml_backend.label_studio.checks import CheckStatus
from ml_backend.label_studio.client import Project, ReviewServer
from ml_backend.label_studio.doctor import diagnose
from ml_backend.label_studio.tabs import review_tabs
from ml_backend.review.pull import fetch_reviewed
from ml_backend.review.push import push
from ml_backend.settings import Settings
from projection.records import Entity, ReviewStatus
from tests.compose import ROOT, SECRETS, compose
from tests.label_studio.bundled_backend import events_of
from tests.label_studio.examples import BY_ID, LABELS, SECOND, FixedProjector, place, projected

pytestmark = [
    pytest.mark.label_studio,
    # label-studio-sdk exchanges a personal token with a method pydantic has given up.
    pytest.mark.filterwarnings("ignore:The `parse_obj` method is deprecated:DeprecationWarning"),
]

HOST, OTHER_HOST = "127.0.0.1", "127.0.0.2"
BACKUP = {
    program: options.split()
    for program, options in re.findall(
        r"(?m)exec -T database (\w+) ([^<>\n]+)", (ROOT / "docs" / "team.md").read_text("utf-8")
    )
}


# The processes


@contextmanager
def running(command: list[str], log: Path, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end afterwards, and nothing of it left."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **how
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")
        time.sleep(0.1)


class PostgreSQL:
    """A server of our own in `folder`, with the account and database the image would make."""

    def __init__(self, programs: Path, folder: Path, image: dict[str, str]) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self.user, self.database = image["POSTGRES_USER"], image["POSTGRES_DB"]
        self.password = image["POSTGRES_PASSWORD"]
        self.log = folder / "postgresql.log"
        # It refuses to run as root.
        self.owner = postgres_account() if os.geteuid() == 0 else None

    @contextmanager
    def running(self) -> Iterator[None]:
        data, secret = self.folder / "data", self.folder / "password"
        secret.write_text(self.password, "utf-8")
        if self.owner:
            shutil.chown(self.folder, self.owner.pw_uid)
            shutil.chown(secret, self.owner.pw_uid)
        initdb = [self._program("initdb"), "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        login = [f"--username={self.user}", "--auth=scram-sha-256", f"--pwfile={secret}"]
        made = subprocess.run(
            [*initdb, *login, f"--pgdata={data}"], capture_output=True, check=False, **self._how()
        )
        assert made.returncode == 0, made.stderr.decode()
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",  # what is lost in a crash is a test
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [self._program("postgres"), "-D", str(data), *options]
        with running(command, self.log, **self._how()) as process:
            wait_for(self._is_ready, process, self.log)
            self.run("createdb", f"--username={self.user}", self.database)
            yield

    def run(self, program: str, *options: str, given: bytes = b"") -> bytes:
        """What a client of this server prints."""
        done = subprocess.run(
            [self._program(program), f"--host={HOST}", f"--port={self.port}", *options],
            input=given,
            capture_output=True,
            check=False,
            env={**os.environ, "PGPASSWORD": self.password},
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _is_ready(self) -> bool:
        asked = [self._program("pg_isready"), f"--host={HOST}", f"--port={self.port}"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def _program(self, name: str) -> str:
        return str(self.programs / name)

    def _how(self) -> dict[str, Any]:
        if self.owner is None:
            return {"cwd": self.folder}
        user, group = self.owner.pw_name, self.owner.pw_gid
        return {"cwd": self.folder, "user": user, "group": group, "extra_groups": []}


def postgres_account() -> pwd.struct_passwd:
    known = {account.pw_name: account for account in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def postgresql_programs() -> Path:
    """Where Debian puts them, of the newest version there is."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
    on_path = shutil.which("initdb")
    if newest is None and on_path is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return newest.parent if newest else Path(str(on_path)).parent


def label_studio_environment(postgresql: PostgreSQL, url: str) -> dict[str, str]:
    given: dict[str, str] = compose(PUBLIC_URL=url)["services"]["label-studio"]["environment"]
    banned = given["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"].split(",")
    loopback = ipaddress.ip_network("127.0.0.0/8")
    banned.remove(str(loopback))
    banned += map(str, loopback.address_exclude(ipaddress.ip_network(f"{HOST}/32")))
    return given | {
        "POSTGRE_HOST": HOST,
        "POSTGRE_PORT": str(postgresql.port),
        "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS": ",".join(banned),
    }


def backend_environment(data: Path, port: int) -> dict[str, str]:
    given: dict[str, str] = compose()["services"]["backend"]["environment"]
    return given | {
        "SPANFERRY_DATA_DIR": str(data),
        "SPANFERRY_BACKEND_PORT": str(port),
        # Knows the examples, and needs no torch.
        "SPANFERRY_BACKEND_LOADER": "tests.label_studio.conftest:fixed_loader",
    }


@contextmanager
def running_backend(data: Path, env: dict[str, str]) -> Iterator[None]:
    _, *arguments = shlex.split(compose()["services"]["backend"]["command"])
    data.mkdir()
    log = data.parent / "backend.log"
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = [sys.executable, "-m", "ml_backend", *arguments]
    url = f"http://{HOST}:{env['SPANFERRY_BACKEND_PORT']}/health"
    with running(command, log, cwd=ROOT, env={**kept, **env}) as process:
        wait_for(lambda: answers(url), process, log)
        yield


def answers(url: str) -> bool:
    try:
        return bool(httpx.get(url).json()["model_version"])
    except httpx.TransportError:
        return False


# The team


@dataclass(frozen=True)
class Team:
    """Everything that runs, and the owner's API key."""

    postgresql: PostgreSQL
    studio: LabelStudioServer
    settings: Settings
    key: str

    @property
    def backend_url(self) -> str:
        return f"http://{HOST}:{self.settings.port}"

    @property
    def credentials(self) -> Credentials:
        found = credentials_of(self.settings)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    programs = postgresql_programs()
    # Not pytest's folder: that is root's alone where root runs the tests.
    with tempfile.TemporaryDirectory(prefix="spanferry-postgresql-") as folder:
        server = PostgreSQL(
            programs, Path(folder), compose()["services"]["database"]["environment"]
        )
        with server.running():
            yield server


@pytest.fixture(scope="module")
def team(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    if importlib.util.find_spec("label_studio") is None:
        pytest.skip("Label Studio is not installed: pip install 'spanferry[label-studio]'")
    folder, port = tmp_path_factory.mktemp("team"), free_port()
    studio = LabelStudioServer(
        folder / "label-studio",
        port=port,
        account=Account(
            SECRETS["LABEL_STUDIO_USERNAME"], SECRETS["LABEL_STUDIO_PASSWORD"], uuid4().hex
        ),
        environment=label_studio_environment(postgresql, f"http://{HOST}:{port}"),
    )
    env = backend_environment(folder / "backend", free_port())
    with running_backend(folder / "backend", env), studio:
        with signed_in(studio.url, studio.account.user, studio.account.password) as browser:
            key = personal_access_token(browser)
        yield Team(postgresql, studio, Settings.from_env(env), key)


@pytest.fixture
def server(team: Team) -> Iterator[ReviewServer]:
    with ReviewServer.connect(team.studio.url, team.key) as server:
        yield server


@contextmanager
def signed_in(url: str, email: str, password: str) -> Iterator[httpx.Client]:
    """A browser after the login form."""
    with httpx.Client(base_url=url, follow_redirects=True) as browser:
        filled_in(browser, "/user/login/", email=email, password=password).raise_for_status()
        assert browser.get("/api/current-user/whoami").json()["email"] == email
        yield browser


def filled_in(browser: httpx.Client, page: str, **fields: str) -> httpx.Response:
    """What a form answers. The token against forged requests comes with the page."""
    browser.get(page)
    form = {**fields, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    return browser.post(page, data=form, headers={"Origin": str(browser.base_url).rstrip("/")})


def personal_access_token(browser: httpx.Client) -> str:
    """What Account & Settings → Personal Access Token gives."""
    headers = {"X-CSRFToken": browser.cookies["csrftoken"]}
    made = browser.post("/api/token/", headers=headers).raise_for_status()
    return str(made.json()["token"])


def pushed(server: ReviewServer, title: str) -> tuple[Project, dict[str, int]]:
    """A project with the examples, and its tasks by the examples' ids."""
    project = server.ensure_project(title, build_config(LABELS))
    # With the model the backend serves.
    assert push(server, project, projected(FixedProjector(SECOND))).added == len(BY_ID)
    return project, {task["data"]["pair_id"]: task["id"] for task in server.tasks(project)}


def decide(server: ReviewServer, task_id: int, pair_id: str, status: ReviewStatus) -> list[Entity]:
    """Annotate one example, rightly or with nothing; what was decided."""
    example = BY_ID[pair_id]
    kept = example.marks if status is ReviewStatus.ACCEPTED else []
    entities = [Entity(place(example.target, phrase), label) for label, phrase in kept]
    result = annotation_of(entities, example.target, status)
    server.annotate(task_id, result, skipped=status is ReviewStatus.SKIPPED)
    return entities


def test_a_round_trip(team: Team, server: ReviewServer) -> None:
    assert server.token_kind == "personal access token"
    project, ids = pushed(server, "Round trip")

    connected = server.connect_backend(project, team.backend_url, team.credentials)
    decided = {
        pair_id: decide(server, ids[pair_id], pair_id, status)
        for pair_id, status in (
            ("emoji", ReviewStatus.ACCEPTED),
            ("combining", ReviewStatus.ACCEPTED),
            ("lines", ReviewStatus.UNUSABLE),
        )
    }

    assert (connected.connected, connected.model_version) == (True, SECOND)
    reviewed = {each.sentence.id: each for each in fetch_reviewed(server, project)}
    assert {pair_id: list(each.entities) for pair_id, each in reviewed.items()} == decided
    assert reviewed["lines"].status is ReviewStatus.UNUSABLE
    told = events_of(team.backend_url, team.credentials, len(decided))
    assert told == {"ANNOTATION_CREATED": len(decided)}
    found = list(diagnose(team.studio.url, team.key, project.title, team.backend_url))
    assert [check for check in found if check.verdict is CheckStatus.PROBLEM] == []


def test_tabs_filter_and_order_as_they_do_on_sqlite(team: Team, server: ReviewServer) -> None:
    project, ids = pushed(server, "Tabs")
    decide(server, ids["plain"], "plain", ReviewStatus.ACCEPTED)
    decide(server, ids["lines"], "lines", ReviewStatus.UNUSABLE)
    decide(server, ids["none"], "none", ReviewStatus.SKIPPED)

    tabs = server.ensure_tabs(project, list(review_tabs()))

    pairs = {task_id: pair_id for pair_id, task_id in ids.items()}
    shown = {}
    with signed_in(team.studio.url, team.studio.account.user, team.studio.account.password) as me:
        for title, view in tabs.items():
            found = me.get("/api/tasks", params={"view": view, "project": project.id})
            tasks = found.raise_for_status().json()["tasks"]
            shown[title] = [pairs[task["id"]] for task in tasks]
    assert shown["Queue"] == ["overlap", "combining", "chinese", "emoji"]
    assert shown["Overlap"] == shown["Failed"] == ["overlap"]
    assert sorted(shown["Done"]) == ["lines", "plain"]
    assert (shown["Unusable"], shown["Skipped"]) == (["lines"], ["none"])


def test_nobody_makes_an_account_without_the_link(team: Team) -> None:
    person = {"email": "guest@example.org", "password": "ein langes Passwort"}
    with httpx.Client(base_url=team.studio.url, follow_redirects=True) as stranger:
        assert filled_in(stranger, "/user/signup/", **person).status_code == 403
        guessed = filled_in(stranger, "/user/signup/?token=guessed", **person)
        assert guessed.status_code == 403

    account = team.studio.account
    with signed_in(team.studio.url, account.user, account.password) as owner:
        link = owner.get("/api/invite").raise_for_status().json()["invite_url"]
    with httpx.Client(base_url=team.studio.url, follow_redirects=True) as invited:
        filled_in(invited, link, **person).raise_for_status()
        key = personal_access_token(invited)
        guest = invited.get("/api/current-user/whoami").json()
    assert guest["email"] == person["email"]
    with ReviewServer.connect(team.studio.url, key) as theirs:
        project, ids = pushed(theirs, "Of a guest")
        decide(theirs, ids["plain"], "plain", ReviewStatus.ACCEPTED)
        (reviewed,) = fetch_reviewed(theirs, project)
    assert reviewed.annotator == str(guest["id"])


def test_label_studio_calls_the_backend_and_nobody_else_around_it(
    team: Team, server: ReviewServer
) -> None:
    # The same backend answers at another address, as all of the network would.
    other = f"http://{OTHER_HOST}:{team.settings.port}"
    assert answers(f"{other}/health")
    (pool,) = compose()["networks"]["spanferry"]["ipam"]["config"]
    inner = (pool["gateway"], "10.0.0.1", "169.254.169.254")

    assert server.may_call(team.backend_url)
    assert [
        url for url in (other, *(f"http://{host}" for host in inner)) if server.may_call(url)
    ] == []


def test_the_backup_of_the_guide_can_be_restored(team: Team, server: ReviewServer) -> None:
    project, ids = pushed(server, "Backed up")
    decide(server, ids["chinese"], "chinese", ReviewStatus.ACCEPTED)
    dump = team.postgresql.run("pg_dump", *BACKUP["pg_dump"])
    decide(server, ids["plain"], "plain", ReviewStatus.ACCEPTED)

    team.studio.stop()
    for program in ("dropdb", "createdb"):
        team.postgresql.run(program, *BACKUP[program])
    team.postgresql.run("pg_restore", *BACKUP["pg_restore"], given=dump)
    team.studio.start()

    with ReviewServer.connect(team.studio.url, team.key) as again:
        reviewed = fetch_reviewed(again, again.existing_project(project.title))
        assert [each.sentence.id for each in reviewed] == ["chinese"]
        assert reviewed[0].sentence.target == BY_ID["chinese"].target
