from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from voiceworker.records import Records
from voiceworker.records.idempotency import ABANDONED_AFTER, KEPT_FOR, Begun, Finished, InFlight, OtherBody


def test_a_key_in_flight_then_finished_names_its_session(records: Records, noon: datetime) -> None:
    keys = records.idempotency
    assert keys.begin("me", "k", "hash", noon) == Begun()
    assert keys.begin("me", "k", "hash", noon) == InFlight()
    keys.finish("me", "k", "ses_1")
    assert keys.begin("me", "k", "hash", noon) == Finished("ses_1")
    assert keys.begin("me", "k", "other", noon) == OtherBody()
    assert keys.begin("you", "k", "other", noon) == Begun()


def test_a_released_key_may_be_used_again(records: Records, noon: datetime) -> None:
    records.idempotency.begin("me", "k", "hash", noon)
    records.idempotency.release("me", "k")
    assert records.idempotency.begin("me", "k", "other", noon) == Begun()


def test_a_request_that_died_with_its_process_does_not_block_its_key(records: Records, noon: datetime) -> None:
    records.idempotency.begin("me", "k", "hash", noon)
    assert records.idempotency.begin("me", "k", "hash", noon + ABANDONED_AFTER) == Begun()


def test_a_key_is_kept_for_a_day(records: Records, noon: datetime) -> None:
    records.idempotency.begin("me", "k", "hash", noon)
    records.idempotency.finish("me", "k", "ses_1")
    last_moment = noon + KEPT_FOR - timedelta(seconds=1)
    records.idempotency.sweep(last_moment)
    assert records.idempotency.begin("me", "k", "hash", last_moment) == Finished("ses_1")
    assert records.idempotency.begin("me", "k", "other", noon + KEPT_FOR) == Begun()


def test_fifty_threads_with_one_key_begin_once(records: Records, noon: datetime) -> None:
    with ThreadPoolExecutor(50) as threads:
        outcomes = list(threads.map(lambda _: records.idempotency.begin("me", "k", "hash", noon), range(50)))
    assert outcomes.count(Begun()) == 1
    assert outcomes.count(InFlight()) == 49
