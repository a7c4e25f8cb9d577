from __future__ import annotations

from datetime import datetime, timedelta

from voiceworker.records import STALE_AFTER, Heartbeat, Records


def test_a_worker_lives_as_long_as_it_beats(records: Records, noon: datetime) -> None:
    records.workers.beat(Heartbeat("worker", 4, 4, 0, noon))
    records.workers.beat(Heartbeat("worker", 3, 4, 1, noon + timedelta(seconds=1)))
    [beat] = records.workers.live(noon + timedelta(seconds=2))
    assert (beat.free_slots, beat.calls) == (3, 1)
    assert records.workers.live(noon + timedelta(seconds=1) + STALE_AFTER) == []


def test_a_worker_that_leaves_is_gone_at_once(records: Records, noon: datetime) -> None:
    records.workers.beat(Heartbeat("one", 4, 4, 0, noon))
    records.workers.beat(Heartbeat("two", 4, 4, 0, noon))
    records.workers.leave("one")
    assert [beat.id for beat in records.workers.live(noon)] == ["two"]
