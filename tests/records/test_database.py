from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import StatementError

from voiceworker.config import ConfigError
from voiceworker.records import Heartbeat, Records, migrate
from voiceworker.records.database import postgresql_deadlines


def test_times_come_back_aware_and_in_utc(records: Records, noon: datetime) -> None:
    in_london_summer = noon.astimezone(timezone(timedelta(hours=1)))
    records.workers.beat(Heartbeat("worker", 4, 4, 0, in_london_summer))
    [beat] = records.workers.live(noon)
    assert beat.beat_at == noon
    assert beat.beat_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(records: Records, noon: datetime) -> None:
    with pytest.raises(StatementError, match="aware"):
        records.workers.beat(Heartbeat("worker", 4, 4, 0, noon.replace(tzinfo=None)))


def test_the_records_do_not_load_alembic_unless_they_migrate() -> None:
    program = "import sys, voiceworker.records; print('alembic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"


def test_a_missing_driver_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        ConfigError, match=r"DATABASE_URL: the driver psycopg is not .* pip install 'psycopg\[binary\]'"
    ):
        migrate("postgresql://127.0.0.1/voiceworker")


@pytest.mark.parametrize(
    ("query", "connect_timeout", "options"),
    [
        ("", 5, "-c statement_timeout=10s"),
        ("?connect_timeout=2", 2, "-c statement_timeout=10s"),
        ("?options=-c%20statement_timeout%3D1s", 5, "-c statement_timeout=10s -c statement_timeout=1s"),
    ],
)
def test_postgresql_does_not_wait_for_ever(query: str, connect_timeout: int, options: str) -> None:
    deadlines = postgresql_deadlines(make_url(f"postgresql://127.0.0.1/voiceworker{query}"))
    assert deadlines == {"connect_timeout": connect_timeout, "options": options}
