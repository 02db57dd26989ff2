"""What the bundled models cost, and what texts make them touch, in a process of their own."""

import re
import subprocess
import sys


def test_the_bundled_models_are_small_and_a_text_opens_no_file_and_no_socket() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.projection.pipeline.footprint"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [re.fullmatch(r"(.+?) +([\d.]+) s +(\d+) MB", x) for x in done.stdout.splitlines()]
    steps = {line[1]: (float(line[2]), int(line[3])) for line in lines if line}
    assert list(steps) == [
        "libraries imported",
        "teacher and aligner loaded",
        "first sentence projected",
    ]
    peaks = [peak for _, peak in steps.values()]
    assert peaks == sorted(peaks)
    assert 100 < peaks[0] < peaks[-1] <= 1100
    assert all(seconds > 0 for seconds, _ in steps.values())
    *_, touched = done.stdout.splitlines()
    assert touched == "touched: -, open", "nothing for the texts, and one file that the test opens"
