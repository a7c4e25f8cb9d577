from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from voiceworker.records import Admission, Heartbeat, Records, Session

SECOND = timedelta(seconds=1)


def test_nobody_is_admitted_without_a_live_worker(records: Records, asked: Session, noon: datetime) -> None:
    assert records.admission.admit(asked) == Admission.NO_WORKER
    records.workers.beat(Heartbeat("worker", 4, 4, 0, noon - 4 * SECOND))
    assert records.admission.admit(asked) == Admission.NO_WORKER
    assert records.sessions.get(asked.id) is None


def test_a_full_worker_takes_nobody(records: Records, asked: Session, noon: datetime) -> None:
    records.workers.beat(Heartbeat("worker", 0, 4, 4, noon))
    assert records.admission.admit(asked) == Admission.NO_FREE_SLOT
    assert records.sessions.get(asked.id) is None


def test_a_rush_is_admitted_up_to_the_free_slots_of_all_workers(
    records: Records, asked: Session, noon: datetime
) -> None:
    records.workers.beat(Heartbeat("one", 2, 4, 2, noon))
    records.workers.beat(Heartbeat("two", 1, 4, 3, noon))
    wanted = [replace(asked, id=f"ses_{number}", room=f"ses_{number}") for number in range(12)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(records.admission.admit, wanted))
    assert answers.count(Admission.ADMITTED) == 3
    assert answers.count(Admission.NO_FREE_SLOT) == 9


def test_a_dispatch_that_the_heartbeat_already_counts_is_not_counted_twice(
    records: Records, asked: Session, noon: datetime
) -> None:
    records.workers.beat(Heartbeat("worker", 2, 2, 0, noon))
    assert records.admission.admit(asked) == Admission.ADMITTED
    later = noon + 2 * SECOND
    records.workers.beat(Heartbeat("worker", 1, 2, 1, later))
    assert records.admission.admit(replace(asked, id="ses_2", created_at=later)) == Admission.ADMITTED
    assert records.admission.admit(replace(asked, id="ses_3", created_at=later)) == Admission.NO_FREE_SLOT


def test_an_agent_that_joined_before_the_next_heartbeat_still_takes_its_place(
    records: Records, asked: Session, noon: datetime
) -> None:
    records.workers.beat(Heartbeat("worker", 1, 1, 0, noon))
    assert records.admission.admit(asked) == Admission.ADMITTED
    assert records.sessions.activate(asked.id, noon + 0.4 * SECOND)
    another = replace(asked, id="ses_2", created_at=noon + 0.5 * SECOND)
    assert records.admission.admit(another) == Admission.NO_FREE_SLOT


def test_an_agent_that_joined_before_the_heartbeat_is_not_counted_twice(
    records: Records, asked: Session, noon: datetime
) -> None:
    records.workers.beat(Heartbeat("worker", 2, 2, 0, noon))
    assert records.admission.admit(asked) == Admission.ADMITTED
    assert records.sessions.activate(asked.id, noon + 0.4 * SECOND)
    records.workers.beat(Heartbeat("worker", 1, 2, 1, noon + 0.6 * SECOND))
    another = replace(asked, id="ses_2", created_at=noon + 0.7 * SECOND)
    assert records.admission.admit(another) == Admission.ADMITTED
