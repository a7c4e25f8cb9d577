"""What lets a caller in: a LiveKit token for one room, and TURN credentials where a TURN server is configured."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from livekit import api

from voiceworker.api.schema import IceServer

TOKEN_LIFETIME = timedelta(seconds=120)
"only the join needs it; LiveKit renews it for who is in the room"
TURN_LIFETIME = timedelta(minutes=5)
"an allocation that has begun outlives its credentials (coturn checks them when it is made)"

_RESERVED_ATTRIBUTES = ("lk.", "vw.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who joins, as the others in the room will see him."""

    identity: str
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] | None = None


def join_token(api_key: str, api_secret: str, room: str, session: str, caller: Caller) -> str:
    """A JWT that lets `caller` join `room`, speak, listen and type there, and nothing else.

    The microphone is its only source; it cannot change its own attributes, administer, hide or be an agent.
    """
    attributes = {
        key: value for key, value in (caller.attributes or {}).items() if not key.startswith(_RESERVED_ATTRIBUTES)
    }
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=True,
        can_update_own_metadata=False,
    )
    return (
        api.AccessToken(api_key, api_secret)
        .with_identity(caller.identity)
        .with_name(caller.name)
        .with_metadata(caller.metadata)
        .with_attributes(attributes | {"vw.session": session})
        .with_grants(grants)
        .with_ttl(TOKEN_LIFETIME)
        .to_jwt()
    )


def turn_servers(urls: Sequence[str], secret: str, identity: str, now: datetime) -> list[IceServer]:
    """Time-limited credentials as coturn's `use-auth-secret` checks them; none when no TURN server is configured.

    https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00
    """
    if not urls or not secret:
        return []
    username = f"{int((now + TURN_LIFETIME).timestamp())}:{identity}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return [IceServer(urls=list(urls), username=username, credential=base64.b64encode(digest).decode())]
