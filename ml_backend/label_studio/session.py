"""A session with one Label Studio server and one API key."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from label_studio_sdk.base_client import LabelStudioBase
from label_studio_sdk.client import LabelStudio

from ml_backend.label_studio.access import read_key, read_url, token_kind
from ml_backend.label_studio.transport import LabelStudioHttp, as_server_error, server_version

_SNAPSHOT_SECONDS = 600.0


class ApiSession:
    """A Label Studio server, accessed with one API key. Open it with `connect`; close it after use.

    Tasks, predictions and annotations stay JSON. Every request raises `ServerError` if Label Studio
    refuses it, does not answer, or answers in another form. `pauses` are the seconds before each
    new attempt at a request (`LabelStudioHttp`); `snapshot_seconds` limits how long `tasks` waits.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        snapshot_seconds: float = _SNAPSHOT_SECONDS,
        pauses: Sequence[float] | None = None,
    ) -> None:
        address, key = read_url(url), read_key(api_key)
        self.url, self.token_kind = str(address).rstrip("/"), token_kind(key)
        self._snapshot_seconds = snapshot_seconds
        self._http = LabelStudioHttp(address, key=key, pauses=pauses)
        with as_server_error(self.url):
            # Its constructor takes anything, so it has no types. `_http` knows what to repeat.
            self._api: LabelStudioBase = LabelStudio(  # type: ignore[no-untyped-call]
                base_url=self.url, api_key=key, httpx_client=self._http, max_retries=0
            )

    @classmethod
    def connect(cls, url: str, api_key: str) -> Self:
        """Connect, and check the key: a personal access token or a legacy token."""
        read_key(api_key)
        server_version(url)
        server = cls(url, api_key)
        try:
            with as_server_error(server.url):
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

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with as_server_error(f"{self.url} {what}"):
            yield
