"""A process in its own group that ends when we do, even if we are killed."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

STOP_SECONDS = 10.0  # from SIGTERM to SIGKILL

# End of file means that we have ended, and ends the group; a line means that there is no need.
_GUARD = 'read -r _ || { kill -s TERM -- "-$1" && sleep "$2" && kill -s KILL -- "-$1"; }'


class ChildProcess:
    """A command with its output in a file, which a terminal's Ctrl-C does not reach.

    `stop` ends it and everything it started: its process group. If we are killed, a shell beside it
    does so.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: IO[bytes],
        env: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        self._stopped, self._stopping = False, threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603  commands of our own, no shell
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._guard = subprocess.Popen(  # noqa: S603  a constant
            ["/bin/sh", "-c", _GUARD, "guard", str(self.pid), str(int(STOP_SECONDS))],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for its end, and return the exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """Send SIGTERM to the group, then SIGKILL after STOP_SECONDS. Idempotent.

        The process has ended on return; others of its group were killed, and may still be ending.
        """
        with self._stopping:
            if self._stopped:
                return
            for ending in (signal.SIGTERM, signal.SIGKILL):
                self._signal(ending)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_SECONDS)
                    break
            self._signal(signal.SIGKILL)  # for what it left behind
            self._guard.communicate(b"\n")
            self._stopped = True

    def _signal(self, number: signal.Signals) -> None:
        # Some systems raise PermissionError if only dead processes are left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
