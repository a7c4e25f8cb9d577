"""The connection to the records' database: SQLite in one file, or any other that SQLAlchemy speaks, PostgreSQL first.

SQLite runs in WAL mode, so that the API reads while the worker writes; every writer takes the write lock at BEGIN and
waits for it, because a transaction that reads first and writes later fails at once when another writer came between
(https://www.sqlite.org/rescode.html#busy_snapshot).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, DateTime, Dialect, create_engine, event, make_url, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.types import TypeDecorator

from voiceworker.config import PREFIX, ConfigError

BUSY_TIMEOUT_SECONDS = 10
"longer than any transaction of ours by three orders of magnitude; only a stuck writer makes it an error"
CONNECT_TIMEOUT_SECONDS = 5


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC; SQLite has no zones, so the zone is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone is not a moment; pass an aware datetime")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_engine(database_url: str) -> Engine:
    """An engine for `database_url`; the folder of an SQLite file is made, readable by its owner only.

    Raises ConfigError when the driver is missing.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return _open_server(url)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, pool_timeout=BUSY_TIMEOUT_SECONDS)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_server(url: URL) -> Engine:
    deadlines = postgresql_deadlines(url) if url.get_backend_name() == "postgresql" else {}
    try:
        return create_engine(url, pool_pre_ping=True, pool_timeout=BUSY_TIMEOUT_SECONDS, connect_args=deadlines)
    except ImportError as error:
        raise ConfigError(
            f"{PREFIX}DATABASE_URL: the driver {error.name} is not installed; for PostgreSQL: "
            "pip install 'psycopg[binary]', and a URL that begins with postgresql://"
        ) from None


def postgresql_deadlines(url: URL) -> dict[str, Any]:
    """Arguments of the driver, for those on libpq; what the URL itself says stands.

    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    """
    if url.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    own_options = url.query.get("options", "")
    statement_timeout = f"-c statement_timeout={BUSY_TIMEOUT_SECONDS}s"
    return {
        "connect_timeout": int(str(url.query.get("connect_timeout", CONNECT_TIMEOUT_SECONDS))),
        "options": f"{statement_timeout} {own_options}".strip(),  # of two, the later one counts
    }


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own implicit BEGIN is switched off; `_begin_sqlite` says it instead.
    connection.isolation_level = None
    _enter_wal_mode(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _enter_wal_mode(connection: sqlite3.Connection) -> None:
    # The switch needs the file for itself and does not wait for the busy timeout; it happens once in a file's life.
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection with a consistent view, for reading."""
    with engine.begin() as connection:
        yield connection


@contextlib.contextmanager
def writing(engine: Engine, alone: str | None = None) -> Iterator[Connection]:
    """A transaction that writes. With `alone`, no other of that name runs at the same time, on any machine."""
    with engine.execution_options(writes=True).begin() as connection:
        if alone is not None:
            lock_for_transaction(connection, alone)
        yield connection


def lock_for_transaction(connection: Connection, name: str) -> None:
    """Waits until no other transaction holds `name`. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number: Any = zlib.crc32(name.encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
