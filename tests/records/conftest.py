from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceworker.records import Records, Session, SessionStatus, migrate, open_records

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: a migration takes longer than the tests."""
    path = tmp_path_factory.mktemp("records") / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(empty_database: Path, tmp_path: Path) -> str:
    path = tmp_path / "voiceworker.db"
    path.write_bytes(empty_database.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = open_records(database_url)
    yield opened
    opened.close()


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def asked() -> Session:
    """A session as the API records it before the agent has joined."""
    return Session(
        id="ses_1",
        agent="frontdesk",
        status=SessionStatus.DISPATCHED,
        room="ses_1",
        caller_identity="caller-1",
        created_at=NOON,
        metadata={"plan": "free"},
        owner="key1",
    )
