"""What system tests need to join a room by hand: tokens, the session API, a silent participant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from livekit import api, rtc

from voiceworker.config import Settings


def plain_token(settings: Settings, room: str, identity: str, **grants: bool) -> str:
    """A token as anybody with the key pair mints it: join this room, everything else by default."""
    video = api.VideoGrants(room_join=True, room=room, **grants)
    token = api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret)
    return token.with_identity(identity).with_grants(video).to_jwt()


@asynccontextmanager
async def joined(url: str, token: str) -> AsyncIterator[rtc.Room]:
    room = rtc.Room()
    await room.connect(url, token)
    try:
        yield room
    finally:
        await room.disconnect()


async def new_session(api_url: str, key: str, **body: Any) -> dict[str, Any]:
    """A session of the API, as JSON. Raises aiohttp.ClientResponseError."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http,
        http.post(f"{api_url}/v1/realtime/sessions", json=body) as response,
    ):
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer


async def until(condition: Callable[[], Any], *, within_seconds: float = 30) -> None:
    """Waits for what other processes do; raises TimeoutError."""
    async with asyncio.timeout(within_seconds):
        while not condition():
            await asyncio.sleep(0.02)


def agent_in(room: rtc.Room) -> rtc.RemoteParticipant | None:
    """The agent's participant, once it publishes its voice."""
    for participant in room.remote_participants.values():
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT and participant.track_publications:
            return participant
    return None
