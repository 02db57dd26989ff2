"""`spanferry try`: the port is one of this machine alone."""

from ml_backend.cli.try_ import listen
from tests.ml_backend.cli.conftest import Spanferry


def test_a_taken_port_is_a_mistake_and_nothing_is_loaded(spanferry: Spanferry) -> None:
    with listen(0) as taken:
        host, port = taken.getsockname()
        assert host == "127.0.0.1"
        mistake = spanferry("try", "no/such/model", "--port", port).mistake
    assert mistake.startswith(f"--port {port}: ")
    assert mistake.endswith("Choose another one with --port")


def test_the_language_is_checked_first(spanferry: Spanferry) -> None:
    assert "--lang: 'Dutch' is no language" in spanferry("try", "--lang", "Dutch").mistake
