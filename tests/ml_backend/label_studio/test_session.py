"""Opening a session checks the address and the key."""

import pytest

from ml_backend.label_studio.client import ReviewServer
from projection.errors import ServerError
from tests.ml_backend.label_studio.studio import KEY, Fault, running


def test_a_key_with_blanks_around_it_is_taken() -> None:
    with running() as studio, ReviewServer.connect(f" {studio.url}/\n", f"{KEY}\r\n") as server:
        assert server.url == studio.url
        assert server.token_kind == "legacy token"


def test_a_key_that_cannot_be_one_is_refused_before_anything_is_asked() -> None:
    with running() as studio, pytest.raises(ServerError, match="no key has") as raised:
        ReviewServer.connect(studio.url, f"{KEY}é")
    assert studio.calls == []
    assert KEY not in str(raised.value)


def test_a_refused_key_names_the_kinds_of_keys() -> None:
    with running() as studio:
        studio.fault = Fault("401", "GET /api/current-user/whoami")
        with pytest.raises(ServerError, match=r"the API key is refused .*legacy tokens"):
            ReviewServer.connect(studio.url, KEY)
