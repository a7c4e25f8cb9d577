from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from voiceworker.records import Records, Session, SessionStatus

SECOND = timedelta(seconds=1)


def test_a_session_is_read_as_it_was_written(records: Records, asked: Session) -> None:
    records.sessions.create(asked)
    assert records.sessions.get("ses_1") == asked
    assert records.sessions.get("ses_2") is None


def test_a_session_goes_from_dispatched_over_active_to_ended(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(asked)
    assert records.sessions.activate("ses_1", noon + SECOND)
    assert records.sessions.activate("ses_1", noon + 2 * SECOND)
    assert records.sessions.end("ses_1", "caller_left", noon + 60 * SECOND)
    ended = records.sessions.get("ses_1")
    assert ended is not None
    assert (ended.status, ended.reason) == (SessionStatus.ENDED, "caller_left")
    assert (ended.joined_at, ended.ended_at) == (noon + SECOND, noon + 60 * SECOND)


def test_what_is_over_stays_over_and_keeps_its_first_reason(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(asked)
    assert records.sessions.fail("ses_1", "sfu_unreachable", noon)
    assert not records.sessions.activate("ses_1", noon)
    assert not records.sessions.end("ses_1", "deleted", noon)
    assert not records.sessions.end("ses_unknown", "deleted", noon)
    failed = records.sessions.get("ses_1")
    assert failed is not None
    assert (failed.status, failed.reason) == (SessionStatus.FAILED, "sfu_unreachable")


def test_a_session_whose_agent_just_joined_is_not_failed_for_having_none(
    records: Records, asked: Session, noon: datetime
) -> None:
    records.sessions.create(asked)
    records.sessions.activate("ses_1", noon + 9 * SECOND)
    assert not records.sessions.fail_unjoined("ses_1", "no_agent_joined", noon + 10 * SECOND)
    assert [session.id for session in records.sessions.open()] == ["ses_1"]


def test_pages_go_back_in_time_without_gap_or_repetition(records: Records, asked: Session, noon: datetime) -> None:
    for number in range(7):
        # Pairs share a moment, so that the order among equals is tested too.
        created = noon + (number // 2) * SECOND
        records.sessions.create(replace(asked, id=f"ses_{number}", room=f"ses_{number}", created_at=created))
    records.sessions.create(replace(asked, id="ses_other", room="ses_other", owner="key2"))
    seen: list[str] = []
    before = None
    while page := records.sessions.page("key1", agent=None, status=None, before=before, limit=3):
        seen += [session.id for session in page]
        before = seen[-1]
    assert seen == [f"ses_{number}" for number in reversed(range(7))]


def test_a_page_can_be_narrowed_to_an_agent_and_a_status(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(asked)
    records.sessions.create(replace(asked, id="ses_2", agent="clinic"))
    records.sessions.end("ses_2", "deleted", noon)

    def ids(agent: str | None, status: SessionStatus | None) -> list[str]:
        found = records.sessions.page("key1", agent=agent, status=status, before=None, limit=10)
        return [session.id for session in found]

    assert ids("clinic", None) == ["ses_2"]
    assert ids(None, SessionStatus.DISPATCHED) == ["ses_1"]
    assert ids("clinic", SessionStatus.DISPATCHED) == []


def test_the_page_before_somebody_elses_session_is_empty(records: Records, asked: Session) -> None:
    records.sessions.create(asked)
    records.sessions.create(replace(asked, id="ses_other", owner="key2"))
    assert records.sessions.page("key1", agent=None, status=None, before="ses_other", limit=10) == []


def test_counts_name_every_status(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(asked)
    records.sessions.create(replace(asked, id="ses_2"))
    records.sessions.activate("ses_2", noon)
    assert records.sessions.count_by_status() == {
        SessionStatus.DISPATCHED: 1,
        SessionStatus.ACTIVE: 1,
        SessionStatus.ENDED: 0,
        SessionStatus.FAILED: 0,
    }
    assert [session.id for session in records.sessions.joined_between(noon - SECOND, noon)] == ["ses_2"]
    assert records.sessions.joined_between(noon, noon + SECOND) == []


def test_finished_sessions_are_found_by_their_rooms(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(asked)
    records.sessions.create(replace(asked, id="ses_2", room="lobby"))
    records.sessions.end("ses_2", "deleted", noon)
    assert [session.id for session in records.sessions.finished(["ses_1", "lobby", "elsewhere"])] == ["ses_2"]
    assert records.sessions.finished([]) == []
