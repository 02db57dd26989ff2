"""The result of a check of the doctor, and the checks of the machine it runs on."""

import shutil
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

TESTED_VERSION = "1.23.2"
LEAST_SDK = 2
MOST_SKEW = 60.0  # seconds; an access token is valid for a few minutes
LEAST_FREE = 2 << 30  # bytes; a training writes about 1 GB


class CheckStatus(StrEnum):
    """The outcome of a check. A note is worth knowing, but nothing is broken."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


class CheckResult(NamedTuple):
    """What one check found, and the fix of a problem."""

    check: str
    verdict: CheckStatus
    finding: str
    fix: str = ""


OK, NOTE, PROBLEM = CheckStatus


def check_version(release: str) -> CheckResult:
    """Compare Label Studio's version with the tested one: another major version is a problem."""
    if release == TESTED_VERSION:
        return CheckResult("version", OK, release)
    finding = f"{release}; spanferry is tested with {TESTED_VERSION}"
    if release.split(".", maxsplit=1)[0] == TESTED_VERSION.split(".", maxsplit=1)[0]:
        return CheckResult("version", NOTE, finding)
    return CheckResult("version", PROBLEM, finding, f"Install Label Studio {TESTED_VERSION}")


def check_clock(date: str, now: datetime | None = None) -> CheckResult:
    """Compare the clock here with the Date header of an answer."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return CheckResult("clock", NOTE, "Label Studio does not say what time it is")
    skew = ((now or datetime.now(UTC)) - theirs).total_seconds()
    if abs(skew) <= MOST_SKEW:
        return CheckResult("clock", OK, "as Label Studio's")
    way = "ahead of" if skew > 0 else "behind"
    finding = f"{abs(skew):,.0f} s {way} Label Studio's: tokens seem expired, times are wrong"
    return CheckResult("clock", PROBLEM, finding, "Set both clocks, for instance with NTP")


def check_disk(folder: Path) -> CheckResult:
    """Check that there is room for a training in the data folder."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    finding = f"{free / (1 << 30):.1f} GB free in {folder}"
    if free >= LEAST_FREE:
        return CheckResult("disk", OK, finding)
    fix = "Free some, or set SPANFERRY_DATA_DIR to a larger disk; a training needs 2 GB"
    return CheckResult("disk", PROBLEM, finding, fix)


def check_packages(sdk: str | None = None) -> CheckResult:
    """Check the version of Label Studio's SDK, by default the installed one."""
    found = sdk or version("label-studio-sdk")
    if int(found.split(".", maxsplit=1)[0]) >= LEAST_SDK:
        return CheckResult("packages", OK, f"label-studio-sdk {found}")
    finding = f"label-studio-sdk {found}, but spanferry needs version {LEAST_SDK} or newer"
    return CheckResult("packages", PROBLEM, finding, "Install spanferry again")
