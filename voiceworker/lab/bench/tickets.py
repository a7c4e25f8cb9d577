"""Tokens for rooms on the bench's SFU, with or without a dispatch in them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from livekit import api

from voiceworker.lab.invitation import Invitation


@dataclass(frozen=True, slots=True)
class Tickets:
    url: str
    api_key: str
    api_secret: str

    def ticket(self, room: str, *, agent_name: str = "") -> Invitation:
        """A participant's way into `room`; the room dispatches the agent of that name, if one is given."""
        grants = api.VideoGrants(room_join=True, room=room, can_publish=True, can_subscribe=True, can_publish_data=True)
        token = api.AccessToken(self.api_key, self.api_secret).with_identity(f"caller-{secrets.token_urlsafe(6)}")
        token = token.with_grants(grants).with_ttl(timedelta(hours=1))
        if agent_name:
            dispatch = api.RoomAgentDispatch(agent_name=agent_name)
            token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        return Invitation(self.url, token.to_jwt(), room)

    def bot_token(self, room: str) -> str:
        """For a program that joins by itself, as an agent."""
        grants = api.VideoGrants(room_join=True, room=room, agent=True)
        token = api.AccessToken(self.api_key, self.api_secret).with_identity(f"bot-{secrets.token_urlsafe(6)}")
        return token.with_grants(grants).with_ttl(timedelta(hours=1)).to_jwt()
