"""Who is let in, and where the password comes from."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml_backend.auth import Credentials, credentials_of, ensure_credentials
from ml_backend.settings import Settings, SettingsError


def basic(text: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


@pytest.mark.parametrize(
    ("header", "let_in"),
    [
        pytest.param(basic("ada:s=cret?"), True, id="basic, as Label Studio sends it"),
        pytest.param("Token s=cret?", True, id="token, as our webhook sends it"),
        pytest.param("Bearer s=cret?", True, id="bearer"),
        pytest.param("token  s=cret? ", True, id="schemes have no case, blanks no meaning"),
        pytest.param(basic("ada:S=cret?"), False, id="wrong password"),
        pytest.param(basic("bob:s=cret?"), False, id="wrong user"),
        pytest.param(basic("ada:"), False, id="no password"),
        pytest.param(basic("s=cret?"), False, id="no user"),
        pytest.param("Basic s=cret?", False, id="not base64"),
        pytest.param("Basic ädä", False, id="not even ASCII"),
        pytest.param("Token ada:s=cret?", False, id="token with a user"),
        pytest.param("Token", False, id="empty token"),
        pytest.param("s=cret?", False, id="no scheme"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="no header"),
    ],
)
def test_only_who_knows_the_secret_is_let_in(header: str | None, let_in: bool) -> None:
    assert Credentials("ada", "s=cret?").allow(header) is let_in


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_basic_credentials_come_in_either_encoding(encoding: str) -> None:
    assert Credentials("zoë", "für mich").allow(basic("zoë:für mich", encoding))


def test_a_character_latin_1_lacks_is_no_question_mark() -> None:
    assert not Credentials("ada", "密").allow(basic("ada:?"))


@pytest.mark.parametrize(("user", "password"), [("a:b", "c"), ("", "c"), ("a", "")])
def test_credentials_that_cannot_be_sent_or_let_everyone_in_are_refused(
    user: str, password: str
) -> None:
    with pytest.raises(SettingsError):
        Credentials(user, password)


def test_the_webhook_header_is_let_in() -> None:
    credentials = Credentials("ada", "secret")
    assert credentials.allow(credentials.webhook_header["Authorization"])


@pytest.fixture
def unset(settings: Settings) -> Settings:
    """Nobody has chosen a password."""
    return settings.model_copy(update={"user": None, "password": None})


def test_without_a_password_nobody_is_served_by_accident(unset: Settings) -> None:
    with pytest.raises(SettingsError, match="no password was generated yet"):
        credentials_of(unset)


def test_a_password_is_generated_once_and_kept_for_its_owner_only(unset: Settings) -> None:
    path = ensure_credentials(unset)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = credentials_of(unset)
    assert ensure_credentials(unset) == path
    assert credentials_of(unset) == first
    assert first is not None
    assert len(first.password) >= 32
    assert [each.name for each in unset.data_dir.iterdir()] == [path.name]


def test_servers_that_start_at_once_agree(unset: Settings) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ensure_credentials, [unset] * 32))
    assert len({repr(credentials_of(unset)) for _ in range(3)}) == 1
    assert len(list(unset.data_dir.iterdir())) == 1


def test_a_given_password_is_not_written_anywhere(settings: Settings) -> None:
    assert ensure_credentials(settings) is None
    assert not settings.data_dir.exists()
    assert credentials_of(settings) == Credentials("label-studio", "open sesame")


def test_a_password_alone_has_the_default_user(settings: Settings) -> None:
    credentials = credentials_of(settings.model_copy(update={"user": None}))
    assert credentials == Credentials("spanferry", "open sesame")


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"user": 1, "password": None}), "\0"])
def test_an_unreadable_file_says_how_to_mend_it(unset: Settings, content: str) -> None:
    path = ensure_credentials(unset)
    assert path is not None
    path.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=f"{path.name}: .*Remove the file"):
        credentials_of(unset)


def test_authentication_is_off_only_when_switched_off(unset: Settings) -> None:
    off = unset.model_copy(update={"auth": False})
    assert ensure_credentials(off) is None
    assert credentials_of(off) is None
