"""Time and memory of the bundled models: `python -m tests.projection.pipeline.footprint`."""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path


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
