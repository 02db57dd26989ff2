"""A database that Label Studio has created already: that takes it half a minute."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ml_backend.demo.label_studio_server import LabelStudioServer
from projection.io.files import locked

DATABASE = "label_studio.sqlite3"
# What a first start adds to what the migrations make.
ACCOUNT_TABLES = (
    "authtoken_token",
    "jwt_auth_jwtsettings",
    "organizations_organizationmember",
    "organization",
    "htx_user",
)


def copy_database(database: Path, copy: Path) -> None:
    """Copy a database of Label Studio, which may run."""
    with closing(sqlite3.connect(database)) as theirs, closing(sqlite3.connect(copy)) as ours:
        theirs.backup(ours)


def start_server(server: LabelStudioServer, factory: pytest.TempPathFactory) -> None:
    """Start the first of a test run on an empty folder, the others with a copy of its database."""
    with _left(factory) as left:
        if left.exists():
            copy_database(left, server.data_dir / DATABASE)
        else:
            server.start()
            _leave_database(server.data_dir / DATABASE, left)
    server.start()


def left_database(folder: Path, factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return settings for a Label Studio to begin with a copy in `folder`, if there is one."""
    with _left(factory) as left:
        if not left.exists():
            return {}
        copy_database(left, folder / DATABASE)
    return {"DATABASE_NAME": str(folder / DATABASE)}


@contextmanager
def _left(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The database left to all test processes, once none of them is about to make it."""
    base = factory.getbasetemp()  # each test process has its own, beside the others
    left = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / DATABASE
    with locked(left.with_suffix(".lock"), "the first Label Studio"):
        yield left


def _leave_database(database: Path, left: Path) -> None:
    """Leave a copy without the account: who starts with it makes one, as on an empty folder."""
    copy_database(database, new := left.with_suffix(".new"))
    with closing(sqlite3.connect(new)) as copy, copy:
        copy.execute("PRAGMA foreign_keys = ON")  # so that it fails if it misses a table
        for table in ACCOUNT_TABLES:
            copy.execute(f"DELETE FROM {table}")
            copy.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    new.rename(left)
