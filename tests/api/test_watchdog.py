from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from voiceworker.api.metrics import Metrics
from voiceworker.api.rooms import RoomsInMemory, SfuUnreachable
from voiceworker.api.watchdog import Watchdog
from voiceworker.dispatch import agent_identity
from voiceworker.records import Session, SessionStatus

if TYPE_CHECKING:
    from tests.api.conftest import House


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def watchdog(house: House, metrics: Metrics) -> Watchdog:
    return Watchdog(house.records, house.rooms, metrics, house.clock)


@pytest.fixture
def asked(house: House) -> Session:
    """A session with its room, whose agent has not joined."""
    session = Session("ses_1", "frontdesk", SessionStatus.DISPATCHED, "ses_1", "caller-1", house.clock(), {}, "key1")
    house.records.sessions.create(session)
    house.rooms.open_rooms.add("ses_1")
    return session


def stands(house: House, session_id: str = "ses_1") -> tuple[SessionStatus, str | None]:
    session = house.records.sessions.get(session_id)
    assert session is not None
    return session.status, session.reason


async def test_ten_seconds_without_an_agent_fail_a_session_and_close_its_room(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    await watchdog.look(house.clock.advance(9.9))
    assert stands(house) == (SessionStatus.DISPATCHED, None)
    await watchdog.look(house.clock.advance(0.1))
    assert stands(house) == (SessionStatus.FAILED, "no_agent_joined")
    assert house.rooms.open_rooms == set()


async def test_a_session_whose_agent_has_joined_is_left_alone(house: House, watchdog: Watchdog, asked: Session) -> None:
    house.records.sessions.activate("ses_1", house.clock.advance(1))
    house.rooms.participants["ses_1"] = {"caller-1", agent_identity("ses_1")}
    for _ in range(100):
        await watchdog.look(house.clock.advance(1))
    assert stands(house) == (SessionStatus.ACTIVE, None)
    assert house.rooms.open_rooms == {"ses_1"}


async def test_an_active_session_ends_with_its_room(house: House, watchdog: Watchdog, asked: Session) -> None:
    house.records.sessions.activate("ses_1", house.clock())
    house.rooms.open_rooms.clear()
    await watchdog.look(house.clock.advance(5))
    assert stands(house) == (SessionStatus.ENDED, "room_closed")


async def test_the_room_of_a_session_that_is_over_is_closed_after_the_goodbye(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    house.records.sessions.activate("ses_1", house.clock())
    house.records.sessions.end("ses_1", "agent_hung_up", house.clock.advance(60))
    await watchdog.look(house.clock())
    assert house.rooms.open_rooms == {"ses_1"}
    await watchdog.look(house.clock.advance(5))
    assert house.rooms.open_rooms == set()


async def test_a_room_that_a_new_session_uses_is_not_closed_for_an_old_one(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    house.records.sessions.end("ses_1", "deleted", house.clock())
    house.records.sessions.create(replace(asked, id="ses_2", created_at=house.clock.advance(60)))
    await watchdog.look(house.clock())
    assert house.rooms.open_rooms == {"ses_1"}


async def test_rooms_of_others_are_not_ours_to_close(house: House, watchdog: Watchdog) -> None:
    house.rooms.open_rooms.add("somebody elses")
    await watchdog.look(house.clock.advance(3600))
    assert house.rooms.open_rooms == {"somebody elses"}


async def test_a_room_of_a_chosen_name_is_closed_within_a_minute_of_its_session_and_never_later(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    for number, room in enumerate(("lobby", "hall")):
        house.records.sessions.create(replace(asked, id=f"ses_chosen{number}", room=room))
        house.records.sessions.end(f"ses_chosen{number}", "caller_left", house.clock())
    house.rooms.open_rooms.add("lobby")
    await watchdog.look(house.clock.advance(8))
    assert "lobby" not in house.rooms.open_rooms
    house.rooms.open_rooms.add("hall")  # somebody else's by now
    await watchdog.look(house.clock.advance(52))
    assert "hall" in house.rooms.open_rooms


async def test_the_room_of_a_plain_dispatch_is_never_ours_to_close(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    for number, status in enumerate((SessionStatus.DISPATCHED, SessionStatus.ACTIVE, SessionStatus.ENDED)):
        room = f"theirs{number}"
        house.rooms.open_rooms.add(room)
        session = replace(asked, id=f"ses_plain{number}", room=room, owner=None, status=status)
        ended_at = house.clock() if status is SessionStatus.ENDED else None
        house.records.sessions.create(replace(session, ended_at=ended_at))
    for _ in range(12):
        await watchdog.look(house.clock.advance(5))
    assert stands(house, "ses_plain0") == (SessionStatus.FAILED, "no_agent_joined")
    assert stands(house, "ses_plain1") == (SessionStatus.FAILED, "agent_lost")
    assert house.rooms.open_rooms == {"theirs0", "theirs1", "theirs2"}


async def test_an_agent_that_is_gone_for_25_seconds_fails_its_session_and_lets_the_caller_go(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    house.records.sessions.activate("ses_1", house.clock())
    house.rooms.participants["ses_1"] = {"caller-1", agent_identity("ses_1")}
    await watchdog.look(house.clock())
    house.rooms.participants["ses_1"] = {"caller-1"}
    for _ in range(5):
        await watchdog.look(house.clock.advance(5))
    assert stands(house) == (SessionStatus.ACTIVE, None)
    await watchdog.look(house.clock.advance(5))
    assert stands(house) == (SessionStatus.FAILED, "agent_lost")
    assert house.rooms.open_rooms == set()


async def test_an_agent_that_comes_back_or_cannot_be_asked_for_is_not_lost(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    house.records.sessions.activate("ses_1", house.clock())
    agent = {agent_identity("ses_1")}
    for there, stuck in ((set(), False), (agent, False), (set(), False), (set(), True), (set(), False)):
        house.rooms.participants["ses_1"] = there
        house.rooms.stuck_rooms = {"ses_1"} if stuck else set()
        for _ in range(1 if there or stuck else 5):
            await watchdog.look(house.clock.advance(5))
    assert stands(house) == (SessionStatus.ACTIVE, None)


async def test_a_room_that_cannot_be_closed_does_not_keep_others_open(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    house.records.sessions.create(replace(asked, id="ses_2", room="ses_2"))
    house.rooms.open_rooms.add("ses_2")
    house.rooms.stuck_rooms.add("ses_1")
    await watchdog.look(house.clock.advance(10))
    assert stands(house) == stands(house, "ses_2") == (SessionStatus.FAILED, "no_agent_joined")
    assert house.rooms.open_rooms == {"ses_1"}
    house.rooms.open_rooms.add("ses_2")
    await watchdog.look(house.clock.advance(5))
    assert house.rooms.open_rooms == {"ses_1"}
    house.rooms.stuck_rooms.clear()
    await watchdog.look(house.clock.advance(5))
    assert house.rooms.open_rooms == set()


async def test_a_mistake_of_ours_is_logged_and_the_next_look_is_taken(
    house: House, metrics: Metrics, asked: Session, caplog: pytest.LogCaptureFixture
) -> None:
    class Clumsy(RoomsInMemory):
        mistakes = 2

        async def names(self, only: Iterable[str] = ()) -> set[str]:
            if self.mistakes:
                self.mistakes -= 1
                raise KeyError("not foreseen")
            return await super().names(only)

    house.records.sessions.activate("ses_1", house.clock())
    watchdog = Watchdog(house.records, Clumsy(), metrics, lambda: house.clock.advance(5), seconds_between_looks=0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watchdog.run())
        while stands(house)[0] is SessionStatus.ACTIVE and not watching.done():
            await asyncio.sleep(0)
        watching.cancel()
    assert stands(house) == (SessionStatus.ENDED, "room_closed")
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


async def test_while_the_sfu_is_away_sessions_fail_and_their_rooms_are_closed_later(
    house: House, watchdog: Watchdog, asked: Session
) -> None:
    house.rooms.unplugged = True
    with pytest.raises(SfuUnreachable):
        await watchdog.look(house.clock.advance(10))
    assert stands(house) == (SessionStatus.FAILED, "no_agent_joined")
    house.rooms.unplugged = False
    await watchdog.look(house.clock.advance(10))
    assert house.rooms.open_rooms == set()


async def test_the_time_to_join_is_measured_once(
    house: House, watchdog: Watchdog, metrics: Metrics, asked: Session
) -> None:
    house.records.sessions.activate("ses_1", house.clock.advance(0.4))
    await watchdog.look(house.clock.advance(1))
    await watchdog.look(house.clock.advance(1))
    text = metrics.render(house.records, house.clock()).decode()
    assert "voiceworker_join_seconds_count 1.0" in text
    assert 'voiceworker_join_seconds_bucket{le="0.5"} 1.0' in text


async def test_the_application_runs_it_and_ends_it(house: House, asked: Session) -> None:
    house.clock.advance(11)
    async with asyncio.timeout(5), house.app.router.lifespan_context(house.app):
        while stands(house)[0] is SessionStatus.DISPATCHED:
            await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "session watchdog"]
