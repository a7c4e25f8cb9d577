from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError

from voiceworker.records import Heartbeat, Records


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
