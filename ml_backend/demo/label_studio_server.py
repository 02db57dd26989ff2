"""A Label Studio server process of our own, for the demo and for tests on a real one."""

import importlib.util
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import httpx

from ml_backend.jobs.child_process import ChildProcess
from projection.errors import ServerError

HOST = "127.0.0.1"
START_SECONDS = 300.0
_POLL_SECONDS = 0.25
_WAIT_SECONDS = 5.0  # between two calls of on_wait

# Label Studio by default refuses to call any of these, so that nobody can make it fetch pages of an
# inner network. A backend beside it is on 127.0.0.1: that range is allowed, the rest stays banned.
STILL_BANNED = (
    "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24,"
    "192.88.99.0/24,192.168.0.0/16,198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/4,"
    "240.0.0.0/4,::/128,::1/128,::ffff:0:0/96,::ffff:0:0:0/96,64:ff9b::/96,64:ff9b:1::/48,100::/64,"
    "2001::/32,2001:20::/28,2001:db8::/32,2002::/16,fc00::/7,fe80::/10,ff00::/8"
)

_QUIET = {
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS": "false",
    "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS": STILL_BANNED,
    "PYTHONUNBUFFERED": "1",  # so that the log is there when a start fails
}
# Label Studio also reads these without a prefix, and shells and CI systems set them for others.
_NOT_MEANT_FOR_IT = ("HOST", "PORT", "DEBUG", "USERNAME", "PASSWORD", "CI")


class Account(NamedTuple):
    """A login (`user` is an e-mail address), and the legacy API token that goes with it."""

    user: str
    password: str
    token: str

    @classmethod
    def made_up(cls, user: str = "reviewer@localhost") -> Self:
        """Create one with a random password and token."""
        return cls(user, secrets.token_urlsafe(12), secrets.token_hex(20))


class LabelStudioServer:
    """A Label Studio process on 127.0.0.1 with everything it keeps in `data_dir`.

    The first start creates the database (about half a minute) and one account, kept in
    `account.json` for later starts, readable by its owner only. `environment` holds more of Label
    Studio's own settings, such as a database elsewhere. ServerError if Label Studio is not
    installed, `port` is taken, the folder belongs to another account, or the process ends early.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        account: Account | None = None,
        environment: Mapping[str, str] | None = None,
        on_wait: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = self.data_dir / "label-studio.log"
        self._given = account
        self._settings = {**_QUIET, **(environment or {})}
        self._on_wait = on_wait
        self._process: ChildProcess | None = None

    @property
    def account(self) -> Account:
        """The remembered account, else the given one, else one made up."""
        path = self.data_dir / "account.json"
        if path.exists():
            known = Account(**json.loads(path.read_text("utf-8")))
            if self._given not in (None, known):
                what = "this folder belongs to another account"
                raise ServerError(str(path), what, "Take a new folder")
            return known
        account = self._given or Account.made_up()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(account._asdict(), file)
        return account

    @property
    def pid(self) -> int | None:
        """The process (and process group) id while it runs."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and return when it answers; `on_wait` gets the seconds so far."""
        if self._process is not None:
            return
        if importlib.util.find_spec("label_studio") is None:
            raise ServerError(
                "label-studio",
                "not installed beside this Python",
                "pip install 'spanferry[label-studio]', or pass the URL of a server you have",
            )
        # On a taken port Label Studio would silently move on to another one.
        if not is_free(self.port):
            raise ServerError(f"{HOST}:{self.port}", "the port is taken", "Choose another")
        environment, command = self._environment(), [
            *(sys.executable, "-m", "label_studio.server", "start", "--no-browser"),
            *("--internal-host", HOST, "--port", str(self.port), "--enable-legacy-api-token"),
        ]  # fmt: skip
        self._keep_a_secret_key()
        with self.log.open("wb") as log:
            self._process = ChildProcess(command, log, environment, cwd=self.data_dir)
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process and its children. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def _environment(self) -> dict[str, str]:
        # The account goes by the environment: every user of the machine can read a command line.
        inherited = {k: value for k, value in os.environ.items() if k not in _NOT_MEANT_FOR_IT}
        account = self.account
        return {
            **inherited,
            **self._settings,
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.data_dir),
            "LABEL_STUDIO_USERNAME": account.user,
            "LABEL_STUDIO_PASSWORD": account.password,
            "LABEL_STUDIO_USER_TOKEN": account.token,
        }

    def _keep_a_secret_key(self) -> None:
        # Of the keys that Label Studio makes up, one in fifty begins with a $, which it reads back
        # as the name of a variable: after a restart no API key and no login would be valid.
        path = self.data_dir / ".env"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(f"SECRET_KEY={secrets.token_hex(32)}\n")

    def _wait_until_up(self) -> None:
        with httpx.Client(base_url=self.url, timeout=5, trust_env=False) as client:
            self._poll(client)

    def _poll(self, client: httpx.Client) -> None:
        started, told = time.monotonic(), float("-inf")
        while True:
            up = _is_up(client)
            # Also after an answer, which may be a stranger's; another thread may have stopped us.
            if (process := self._process) is None:
                raise ServerError(self.url, "stopped before it was up")
            if (status := process.poll()) is not None:
                raise self._failed(f"Label Studio ended with status {status}")
            if up:
                return
            now = time.monotonic()
            if now - started > START_SECONDS:
                raise self._failed(f"no answer after {START_SECONDS:.0f} s")
            if now - told >= _WAIT_SECONDS:
                told = now
                self._on_wait(now - started)
            time.sleep(_POLL_SECONDS)

    def _failed(self, what: str) -> ServerError:
        end = self.log.read_text("utf-8", errors="replace").splitlines()[-20:]
        return ServerError(self.url, what, "\n".join([f"The end of {self.log}:", *end]))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.HTTPError:
        return False
