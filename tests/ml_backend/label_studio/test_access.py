"""Addresses and keys as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.label_studio.access import read_key, read_url
from projection.errors import ServerError

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("ends", [" ", "\r", "\n", "\r\n", "\t", "\u00a0", "\u2028"])
def test_white_space_around_a_key_is_stripped(ends: str) -> None:
    assert read_key(f"{KEY}{ends}") == read_key(f"{ends}{KEY}") == KEY


@pytest.mark.parametrize(
    ("key", "position"),
    [(f"{KEY}é", 41), (f"“{KEY}”", 1), (f"{KEY[:9]}\r\n{KEY[9:]}", 10), (f"{KEY} {KEY}", 41)],
)
def test_a_character_that_no_key_has_is_named_by_its_place(key: str, position: int) -> None:
    with pytest.raises(ServerError, match=rf"no key has \(position {position}\)") as raised:
        read_key(key)
    assert KEY[:9] not in str(raised.value)


@given(st.text())
def test_a_key_is_taken_or_refused_and_never_shown(key: str) -> None:
    read = said = ""
    try:
        read = read_key(key)
    except ServerError as error:
        said = str(error)
    assert read.isascii()
    assert len(key) < 4 or key not in said


@pytest.mark.parametrize(
    ("given_url", "read"),
    [
        (" http://localhost:8080/ \n", "http://localhost:8080"),
        ("https://ls.example.org/?next=x#top", "https://ls.example.org"),
    ],
)
def test_an_address_is_read_as_a_browser_shows_it(given_url: str, read: str) -> None:
    assert str(read_url(given_url)).rstrip("/") == read


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "http://", "http://[::1", "a b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ServerError, match="not a URL"):
        read_url(url)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ServerError, match="user or password") as raised:
        read_url("http://anna:geheim@localhost:8080")
    assert "geheim" not in str(raised.value)
