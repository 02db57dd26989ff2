"""Time and memory of the bundled models, and what texts make them touch.

python -m tests.projection.pipeline.footprint
"""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projection.pipeline.projector import Projector

HOSTILE = (
    "Ada Lovelace read http://127.0.0.1:9/%s?q=1 and ftp://[::1]/%n in Berlin.",
    "/etc/passwd file:///etc/passwd ../../etc/hosts C:\\Users \\\\host\\share hf://a/b @/etc/hosts",
    "{{ ''.__class__ }} {0.__class__} %(Ada)s ${HOME} $(id) `id` ; import os",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;<script src=//localhost></script>",
)


def measure() -> Iterator[tuple[str, float, int]]:
    """The name of each step, its seconds, and the peak memory (bytes) of the process so far."""
    began = time.perf_counter()
    from projection.pipeline.projector import Projector, pair  # noqa: PLC0415  its cost is measured

    yield "libraries imported", time.perf_counter() - began, peak_memory()
    began = time.perf_counter()
    projector = Projector.load()
    yield "teacher and aligner loaded", time.perf_counter() - began, peak_memory()
    began = time.perf_counter()
    projector.project([pair("Anna Weber lives in Vienna.", "Anna Weber wohnt in Wien.", "de")])
    yield "first sentence projected", time.perf_counter() - began, peak_memory()
    sys.stdout.write(f"touched: {', '.join(touched(projector))}\n")


def touched(projector: "Projector") -> list[str]:
    """The files, sockets and processes that hostile texts make a projection touch, then our own."""
    from label_config.tasks import to_prediction, to_task  # noqa: PLC0415  counts for the memory
    from projection.pipeline.projector import pair  # noqa: PLC0415  as above

    def project(*texts: str) -> None:
        for projected in projector.project([pair(text, text, "de") for text in texts]):
            to_task(projected)
            to_prediction(projected)

    project("What is read once: {{Vienna}} – %s", "Anna")
    seen: list[str] = []
    # A hook cannot be removed: this process ends soon.
    kinds = ("open", "socket.", "subprocess.", "os.", "import", "ctypes.", "urllib.")
    sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(kinds) else None)
    project(*HOSTILE)
    seen.append("-")
    Path(__file__).read_bytes()
    return [*seen]


def peak_memory() -> int:
    """The most bytes this process ever held in memory."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Unlike getrusage, this does not count the memory of a large parent process.
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def main() -> None:
    """Print a line a step."""
    for name, seconds, peak in measure():
        sys.stdout.write(f"{name:28}{seconds:6.2f} s{peak / 1e6:7.0f} MB\n")


if __name__ == "__main__":
    main()
