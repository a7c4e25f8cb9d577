"""How a synthetic caller gets into a room: by the session API, or on anybody's LiveKit with its key pair."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from livekit import api

from voiceworker.config import Settings
from voiceworker.dispatch import CallRequest

_ANSWER_SECONDS = 20
_MAKE_KEY = "`voiceworker keys create NAME --scope sessions:create`"


class CallSetupError(Exception):
    """The call cannot begin. The text is one line for a person: what is wrong, and the remedy."""


@dataclass(frozen=True, slots=True)
class Invitation:
    server_url: str
    token: str
    session: str
    "id of the session; the room's name where there is no session API"


@asynccontextmanager
async def by_session_api(url: str, key: str, agent: str, **body: Any) -> AsyncIterator[Invitation]:
    """Asks the API for a session and ends it at the exit. `body` goes into the request. Raises CallSetupError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    sessions = f"{url.rstrip('/')}/v1/realtime/sessions"
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        answer = await _ask(http, sessions, {"agent": agent, **body}, agent)
        try:
            yield Invitation(answer["server_url"], answer["participant_token"], answer["id"])
        finally:
            with suppress(aiohttp.ClientError, TimeoutError):  # a courtesy: the agent notices by itself after 15 s
                async with http.delete(f"{sessions}/{answer['id']}"):
                    pass


async def _ask(http: aiohttp.ClientSession, sessions: str, body: dict[str, Any], agent: str) -> dict[str, Any]:
    try:
        async with http.post(sessions, json=body) as response:
            try:
                answer = await response.json(content_type=None)
            except ValueError:
                answer = None
            if response.status not in (200, 201):
                detail = answer.get("detail") or answer.get("title") if isinstance(answer, dict) else None
                raise CallSetupError(
                    _refusal(response.status, agent, detail or response.reason or "", response.headers)
                )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        where = _origin(sessions)
        raise CallSetupError(
            f"no API answers at {where}; start it with `voiceworker up`, or name it by --api"
        ) from error
    if not isinstance(answer, dict) or not {"id", "server_url", "participant_token"} <= answer.keys():
        raise CallSetupError(f"what answers at {_origin(sessions)} is not the voiceworker API; name it by --api")
    return answer


def _refusal(status: int, agent: str, detail: str, headers: Any) -> str:
    remedies = {
        401: f"give a key by --api-key or VOICEWORKER_API_KEY; {_MAKE_KEY} makes one",
        403: f"this key may not make sessions; {_MAKE_KEY} makes one that may",
        404: "there is no session API at this address; name it by --api",
        422: f"is there an agents/{agent}.yaml? GET /v1/agents lists the agents",
        429: f"too many calls at a time; try again in {headers.get('Retry-After', 'some')} s",
        503: f"no worker is free: is `voiceworker up` running? Try again in {headers.get('Retry-After', 'some')} s",
    }
    return f"the API refused the call ({status}: {detail}); {remedies.get(status, 'its log says why')}"


@asynccontextmanager
async def by_livekit(settings: Settings, url: str, agent: str, **metadata: Any) -> AsyncIterator[Invitation]:
    """Makes a room on the LiveKit server at `url`, dispatches the agent into it, and deletes the room at the exit.

    Raises CallSetupError.
    """
    if not (settings.livekit_api_key and settings.livekit_api_secret):
        raise CallSetupError("--url needs the server's key pair: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
    if not re.match(r"^(ws|http)s?://[^/\s]+", url):
        raise CallSetupError(f"--url must look like wss://host, not {url!r}")
    room = f"call-{secrets.token_urlsafe(9)}"
    pair = (settings.livekit_api_key, settings.livekit_api_secret)
    job = CallRequest(agent=agent, metadata=metadata).to_json()
    dispatch = api.CreateAgentDispatchRequest(agent_name=settings.agent_name, room=room, metadata=job)
    async with api.LiveKitAPI(url, *pair) as server:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await server.room.create_room(api.CreateRoomRequest(name=room, empty_timeout=130))
                await server.agent_dispatch.create_dispatch(dispatch)
        except api.ServerError as error:
            remedy = "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET" if error.status in (401, 403) else "see its log"
            raise CallSetupError(f"the LiveKit server refused the call ({error.message}); {remedy}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CallSetupError(f"no LiveKit server answers at {_origin(url)}; is --url right?") from error
        try:
            yield Invitation(re.sub("^http", "ws", url), _token(pair, room), room)
        finally:
            with suppress(api.ServerError, aiohttp.ClientError, TimeoutError):
                await server.room.delete_room(api.DeleteRoomRequest(room=room))


def _token(pair: tuple[str, str], room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room, can_publish=True, can_subscribe=True, can_publish_data=True)
    token = api.AccessToken(*pair).with_identity(f"caller-{secrets.token_urlsafe(6)}").with_grants(grants)
    return token.with_ttl(timedelta(seconds=120)).to_jwt()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
