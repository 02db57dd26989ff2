"""What the bundled models cost before they say anything: `python -m projection.pipeline.footprint`.

It has to be a process of its own, with nothing else in its memory.
"""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """Seconds a step took, and the most memory (bytes) the process ever held until its end."""

    name: str
    seconds: float
    peak: int


def measure() -> Iterator[Step]:
    """Import the libraries, load the models, project one sentence."""
    began = time.perf_counter()
    from projection.pipeline.projector import Projector, pair  # noqa: PLC0415  its cost is the question

    yield Step("libraries imported", time.perf_counter() - began, peak_memory())
    began = time.perf_counter()
    projector = Projector.load()
    yield Step("teacher and aligner loaded", time.perf_counter() - began, peak_memory())
    began = time.perf_counter()
    projector.project([pair("Anna Weber lives in Vienna.", "Anna Weber wohnt in Wien.", "de")])
    yield Step("first sentence projected", time.perf_counter() - began, peak_memory())


def peak_memory() -> int:
    """The most bytes this process ever held in memory."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Where there is one, because the other counts a large parent in, too.
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def main() -> None:
    """Print a line a step."""
    for step in measure():
        sys.stdout.write(f"{step.name:28}{step.seconds:6.2f} s{step.peak / 1e6:7.0f} MB\n")


if __name__ == "__main__":
    main()
