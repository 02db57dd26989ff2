"""Who is let in, and where the password comes from."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ml_backend.auth import (
    GUESS_SECONDS,
    GUESSES,
    Brake,
    Credentials,
    credentials_of,
    ensure_credentials,
)
from ml_backend.settings import Settings, SettingsError


def basic(text: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(encoding)).decode()


@pytest.mark.parametrize(
    ("header", "let_in"),
    [
        pytest.param(basic("ada:s=cret? of ours"), True, id="basic, as Label Studio sends it"),
        pytest.param("Token s=cret? of ours", True, id="token, as our webhook sends it"),
        pytest.param("Bearer s=cret? of ours", True, id="bearer"),
        pytest.param("token  s=cret? of ours ", True, id="schemes have no case, blanks no meaning"),
        pytest.param(basic("ada:S=cret? of ours"), False, id="wrong password"),
        pytest.param(basic("bob:s=cret? of ours"), False, id="wrong user"),
        pytest.param(basic("ada:"), False, id="no password"),
        pytest.param(basic("s=cret? of ours"), False, id="no user"),
        pytest.param("Basic s=cret? of ours", False, id="not base64"),
        pytest.param("Basic ädä", False, id="not even ASCII"),
        pytest.param("Token ada:s=cret? of ours", False, id="token with a user"),
        pytest.param("Token", False, id="empty token"),
        pytest.param("s=cret? of ours", False, id="no scheme"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="no header"),
    ],
)
def test_only_who_knows_the_secret_is_let_in(header: str | None, let_in: bool) -> None:
    assert Credentials("ada", "s=cret? of ours").allow(header) is let_in


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_basic_credentials_come_in_either_encoding(encoding: str) -> None:
    assert Credentials("zoë", "für mich allein").allow(basic("zoë:für mich allein", encoding))


def test_a_character_latin_1_lacks_is_no_question_mark() -> None:
    assert not Credentials("ada", "密" * 12).allow(basic("ada:" + "?" * 12))


@pytest.mark.parametrize(
    ("user", "password"),
    [("a:b", "c" * 12), ("", "c" * 12), ("a", ""), ("a", "c" * 11), ("a", 123456789012)],
)
def test_credentials_that_cannot_be_sent_or_let_everyone_in_are_refused(
    user: str, password: Any
) -> None:
    with pytest.raises(SettingsError):
        Credentials(user, password)


def test_the_webhook_header_is_let_in() -> None:
    credentials = Credentials("ada", "a secret of ours")
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
    assert credentials_of(settings) == Credentials("label-studio", "open sesame!")


def test_a_password_alone_has_the_default_user(settings: Settings) -> None:
    credentials = credentials_of(settings.model_copy(update={"user": None}))
    assert credentials == Credentials("spanferry", "open sesame!")


@pytest.mark.parametrize("content", ["", "{}", "[]", "\0"])
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


@pytest.mark.parametrize("password", [123456789012, None, ["a password of theirs"]])
def test_a_password_that_is_no_text_is_said(unset: Settings, password: object) -> None:
    path = ensure_credentials(unset)
    assert path is not None
    path.write_text(json.dumps({"user": "ada", "password": password}), "utf-8")
    with pytest.raises(SettingsError, match=r"password is not a text\. Write both in quotes"):
        credentials_of(unset)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_password_that_others_may_read_or_write_is_refused(unset: Settings, mode: int) -> None:
    path = ensure_credentials(unset)
    assert path is not None
    path.chmod(mode)
    with pytest.raises(SettingsError, match=rf"others may read it\. chmod 600 {path}"):
        credentials_of(unset)


def test_the_data_folder_is_made_for_its_owner_only(unset: Settings) -> None:
    ensure_credentials(unset)
    assert stat.S_IMODE(unset.data_dir.stat().st_mode) == 0o700


class TestWebhookSecrets:
    """They are changed in three steps, and no event is lost meanwhile."""

    OLD, NEW = "the old webhook secret", "the new webhook secret"

    def test_old_and_new_open_the_webhook_and_nothing_else(self) -> None:
        both = Credentials("ada", "a password of ours", (self.NEW, self.OLD))
        for secret in (self.OLD, self.NEW):
            assert both.allow_webhook(f"Token {secret}")
            assert not both.allow(f"Token {secret}")
            assert not both.allow_webhook(basic(f"ada:{secret}"))
        assert both.webhook_header == {"Authorization": f"Token {self.NEW}"}
        assert not Credentials("ada", "a password of ours", (self.NEW,)).allow_webhook(
            f"Token {self.OLD}"
        )

    def test_the_password_still_opens_it(self) -> None:
        credentials = Credentials("ada", "a password of ours", (self.NEW,))
        assert credentials.allow_webhook("Token a password of ours")

    def test_they_come_from_the_settings_and_are_long(self, settings: Settings) -> None:
        changed = settings.model_copy(update={"webhook_secrets": (self.NEW, self.OLD)})
        found = credentials_of(changed)
        assert found is not None
        assert found.webhook_secrets == (self.NEW, self.OLD)
        assert self.NEW not in repr(changed) + repr(found)
        with pytest.raises(SettingsError, match="WEBHOOK_SECRETS: has fewer than 12"):
            Credentials("ada", "a password of ours", ("short",))


class TestBrake:
    @pytest.fixture
    def now(self) -> list[float]:
        return [1000.0]

    @pytest.fixture
    def brake(self, now: list[float]) -> Brake:
        return Brake(lambda: now[0])

    def test_after_some_guesses_an_address_waits_and_no_other(
        self, brake: Brake, now: list[float]
    ) -> None:
        for number in range(GUESSES):
            assert brake.seconds_left("10.0.0.1") == 0
            brake.count("10.0.0.1", f"Token {number}")
        assert brake.seconds_left("10.0.0.1") == GUESS_SECONDS
        assert brake.seconds_left("10.0.0.2") == 0
        now[0] += GUESS_SECONDS
        assert brake.seconds_left("10.0.0.1") == 0

    def test_one_wrong_password_again_and_again_is_one_guess(self, brake: Brake) -> None:
        for _ in range(100 * GUESSES):
            brake.count("10.0.0.1", "Token old")
        assert brake.seconds_left("10.0.0.1") == 0

    def test_addresses_do_not_fill_the_memory(self, brake: Brake) -> None:
        for number in range(5000):
            brake.count(str(number), "Token x")
        assert len(brake._guesses) <= 1024
