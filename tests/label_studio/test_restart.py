"""Stopping Label Studio, and starting it again on the same data."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ml_backend.demo.label_studio_server import Account, LabelStudioServer
from ml_backend.label_studio.client import ReviewServer
from projection.errors import ServerError


@pytest.mark.label_studio
def test_a_second_start_finds_the_account_and_the_projects_again(used_folder: Path) -> None:
    waited: list[float] = []
    first = LabelStudioServer(used_folder, on_wait=waited.append)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with first:
        account = first.account
        with ReviewServer.connect(first.url, account.token) as server:
            server.ensure_project("Kept", "<View></View>")
        pid = first.pid
        assert pid is not None

    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    assert bystander.poll() is None, "another process was ended"
    bystander.communicate()
    assert waited == sorted(waited)
    assert waited
    with LabelStudioServer(used_folder) as second:
        assert second.account == account
        with ReviewServer.connect(second.url, account.token) as server:
            assert server.find_project("Kept") is not None
        second.stop()
        second.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{second.url}/health")
    with pytest.raises(ServerError, match="belongs to another account"):
        LabelStudioServer(used_folder, account=Account.made_up()).start()
