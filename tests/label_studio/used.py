"""A database that Label Studio has created already: that takes it half a minute."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

DATABASE = "label_studio.sqlite3"


def copy_database(database: Path, copy: Path) -> None:
    """Copy a database of Label Studio, which may run."""
    with closing(sqlite3.connect(database)) as theirs, closing(sqlite3.connect(copy)) as ours:
        theirs.backup(ours)


def leave_database(database: Path, factory: pytest.TempPathFactory) -> None:
    """Leave a copy to other servers of this session; they create accounts of their own."""
    copy_database(database, new := factory.mktemp("used") / DATABASE)
    with closing(sqlite3.connect(new)) as used, used:
        used.execute("UPDATE htx_user SET email = 'first-' || email")
    new.rename(_shared(factory))


def left_database(folder: Path, factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return settings for a Label Studio to begin with a copy in `folder`, if there is one."""
    if not _shared(factory).exists():
        return {}
    copy_database(_shared(factory), folder / DATABASE)
    return {"DATABASE_NAME": str(folder / DATABASE)}


def _shared(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()  # each test process has its own, beside the others
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / DATABASE
