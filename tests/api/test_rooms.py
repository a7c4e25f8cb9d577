"""One story for the double and for the real SFU: what the session API relies on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc

from voiceworker.api.rooms import LiveKitRooms, Rooms, RoomsInMemory, SfuUnreachable
from voiceworker.api.tokens import Caller, join_token

if TYPE_CHECKING:
    from tests.api.conftest import RunningSfu


@pytest.fixture
async def livekit_rooms(sfu: RunningSfu) -> AsyncIterator[LiveKitRooms]:
    settings = sfu.settings
    rooms = LiveKitRooms(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret)
    yield rooms
    await rooms.aclose()


async def tell_the_story(rooms: Rooms) -> None:
    assert await rooms.names() == set()
    await rooms.create("ses_1")
    await rooms.create("ses_2")
    assert await rooms.names() == {"ses_1", "ses_2"}
    assert await rooms.names(["ses_2", "ses_3"]) == {"ses_2"}
    await rooms.dispatch("ses_1", "voiceworker", '{"agent": "frontdesk"}')
    assert await rooms.identities("ses_1") == set()
    assert await rooms.identities("ses_3") == set()
    await rooms.close("ses_1")
    await rooms.close("ses_1")
    assert await rooms.names() == {"ses_2"}


async def test_the_double_makes_and_closes_rooms() -> None:
    await tell_the_story(RoomsInMemory())


@pytest.mark.system
async def test_the_sfu_makes_and_closes_rooms(livekit_rooms: LiveKitRooms) -> None:
    await tell_the_story(livekit_rooms)


@pytest.mark.system
async def test_a_room_waits_long_enough_and_holds_few(sfu: RunningSfu, livekit_rooms: LiveKitRooms) -> None:
    await livekit_rooms.create("ses_1")
    await livekit_rooms.dispatch("ses_1", "voiceworker", '{"agent": "frontdesk"}')
    settings = sfu.settings
    async with api.LiveKitAPI(settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret) as livekit:
        [room] = (await livekit.room.list_rooms(api.ListRoomsRequest())).rooms
        assert (room.empty_timeout, room.departure_timeout, room.max_participants) == (130, 20, 4)
        assert room.metadata == ""
        dispatches = await livekit.agent_dispatch.list_dispatch("ses_1")
        # The SFU itself adds one without a name, for workers that take every room.
        named = [(dispatch.agent_name, dispatch.metadata) for dispatch in dispatches if dispatch.agent_name]
        assert named == [("voiceworker", '{"agent": "frontdesk"}')]


@pytest.mark.system
async def test_who_is_in_a_room_is_told_by_identity(sfu: RunningSfu, livekit_rooms: LiveKitRooms) -> None:
    settings = sfu.settings
    await livekit_rooms.create("ses_1")
    token = join_token(settings.livekit_api_key, settings.livekit_api_secret, "ses_1", "ses_1", Caller("caller-1"))
    room = rtc.Room()
    await room.connect(settings.livekit_url, token)
    assert await livekit_rooms.identities("ses_1") == {"caller-1"}
    await room.disconnect()


@pytest.mark.system
async def test_a_wrong_key_pair_is_told_as_unreachable(sfu: RunningSfu) -> None:
    rooms = LiveKitRooms(sfu.settings.livekit_url, "APItest", "another secret of the same length....")
    with pytest.raises(SfuUnreachable):
        await rooms.names()
    await rooms.aclose()


async def test_nobody_there_is_told_as_unreachable() -> None:
    rooms = LiveKitRooms("ws://127.0.0.1:9", "key", "secret of thirty-two characters....")
    for call in (
        rooms.create("a"),
        rooms.dispatch("a", "b", ""),
        rooms.close("a"),
        rooms.names(),
        rooms.identities("a"),
    ):
        with pytest.raises(SfuUnreachable):
            await call
    await rooms.aclose()
