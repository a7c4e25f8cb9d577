"""The SFU as the session API needs it: make a room, send an agent there, close it. And a double that behaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from livekit import api

EMPTY_TIMEOUT_SECONDS = 130
"the agent waits 120 s for the caller's first join; the room must outlive that"
DEPARTURE_TIMEOUT_SECONDS = 20
"the agent waits 15 s for a caller who left to come back"
MAX_PARTICIPANTS = 4
"caller, agent, and two more: a person who takes over, a listener"
_DEADLINE_SECONDS = 3.0


class SfuUnreachable(Exception):
    """The SFU did not answer in time, or refused what it should have done."""


class Rooms(Protocol):
    """All methods raise SfuUnreachable."""

    async def create(self, room: str) -> None: ...

    async def dispatch(self, room: str, agent_name: str, metadata: str) -> None:
        """Asks for an agent in the room. Success does not say that a worker will come."""

    async def close(self, room: str) -> None:
        """Everybody in it is disconnected; a room that is not there is closed already."""

    async def names(self, only: Iterable[str] = ()) -> set[str]:
        """The rooms there are, or those of `only` that there are."""

    async def identities(self, room: str) -> set[str]:
        """The participants in the room; none when there is no such room."""


class LiveKitRooms:
    """The real SFU. Made inside the running loop; `aclose` it."""

    def __init__(self, url: str, api_key: str, api_secret: str) -> None:
        deadline = aiohttp.ClientTimeout(total=_DEADLINE_SECONDS)
        self._livekit = api.LiveKitAPI(url, api_key, api_secret, timeout=deadline)

    async def create(self, room: str) -> None:
        request = api.CreateRoomRequest(
            name=room,
            empty_timeout=EMPTY_TIMEOUT_SECONDS,
            departure_timeout=DEPARTURE_TIMEOUT_SECONDS,
            max_participants=MAX_PARTICIPANTS,
        )
        try:
            await self._livekit.room.create_room(request)
        except _FAILURES as error:
            raise SfuUnreachable("create room") from error

    async def dispatch(self, room: str, agent_name: str, metadata: str) -> None:
        request = api.CreateAgentDispatchRequest(agent_name=agent_name, room=room, metadata=metadata)
        try:
            await self._livekit.agent_dispatch.create_dispatch(request)
        except _FAILURES as error:
            raise SfuUnreachable("create dispatch") from error

    async def close(self, room: str) -> None:
        try:
            await self._livekit.room.delete_room(api.DeleteRoomRequest(room=room))
        except api.ServerError as error:
            if error.code != "not_found":
                raise SfuUnreachable("delete room") from error
        except _FAILURES as error:
            raise SfuUnreachable("delete room") from error

    async def names(self, only: Iterable[str] = ()) -> set[str]:
        try:
            answer = await self._livekit.room.list_rooms(api.ListRoomsRequest(names=list(only)))
        except _FAILURES as error:
            raise SfuUnreachable("list rooms") from error
        return {room.name for room in answer.rooms}

    async def identities(self, room: str) -> set[str]:
        try:
            answer = await self._livekit.room.list_participants(api.ListParticipantsRequest(room=room))
        except api.ServerError as error:
            if error.code != "not_found":
                raise SfuUnreachable("list participants") from error
            return set()
        except _FAILURES as error:
            raise SfuUnreachable("list participants") from error
        return {participant.identity for participant in answer.participants}

    async def aclose(self) -> None:
        await self._livekit.aclose()


_FAILURES = (api.ServerError, aiohttp.ClientError, TimeoutError)


@dataclass
class RoomsInMemory:
    """An SFU without media: rooms exist, dispatches are remembered, and it can be unplugged at any step."""

    open_rooms: set[str] = field(default_factory=set)
    participants: dict[str, set[str]] = field(default_factory=dict)
    "room -> identities of those in it"
    dispatches: list[tuple[str, str, str]] = field(default_factory=list)
    "room, agent name, metadata"
    stuck_rooms: set[str] = field(default_factory=set)
    "questions about them, and closing them, fail"
    unplugged: bool = False
    refuses_dispatch: bool = False

    async def create(self, room: str) -> None:
        self._answer()
        self.open_rooms.add(room)

    async def dispatch(self, room: str, agent_name: str, metadata: str) -> None:
        self._answer()
        if self.refuses_dispatch:
            raise SfuUnreachable("create dispatch")
        self.dispatches.append((room, agent_name, metadata))

    async def close(self, room: str) -> None:
        self._answer(room)
        self.open_rooms.discard(room)
        self.participants.pop(room, None)

    async def names(self, only: Iterable[str] = ()) -> set[str]:
        self._answer()
        wanted = set(only)
        return self.open_rooms & wanted if wanted else set(self.open_rooms)

    async def identities(self, room: str) -> set[str]:
        self._answer(room)
        return set(self.participants.get(room, ()))

    def _answer(self, room: str = "") -> None:
        if self.unplugged or room in self.stuck_rooms:
            raise SfuUnreachable("unplugged")
