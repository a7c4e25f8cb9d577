"""What a dispatch tells the worker: the job's metadata, written by the session API or by anybody who may dispatch."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

AGENT_IDENTITY_PREFIX = "agent-"
SESSION_PATTERN = re.compile(r"^ses_[A-Za-z0-9_-]{16,64}$")
_LONGEST_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class CallRequest:
    agent: str = ""
    "name of the agent definition; empty: the default agent"
    session: str = ""
    "id of the session record; empty: a plain dispatch, the worker makes a record"
    caller: str = ""
    "identity of the participant to listen to; empty: the first one who joins"
    metadata: dict[str, Any] = field(default_factory=dict)
    "for routing; never shown to the model as it is"
    max_seconds: int | None = None
    "longest duration of this call, where it is to be shorter than the agent's own limit"

    def to_json(self) -> str:
        body: dict[str, Any] = {
            "agent": self.agent,
            "session": self.session,
            "caller": self.caller,
            "metadata": self.metadata,
        }
        if self.max_seconds is not None:
            body["max_seconds"] = self.max_seconds
        return json.dumps(body)

    @classmethod
    def from_json(cls, text: str) -> CallRequest:
        """Raises ValueError with a reason that echoes nothing of the text; unknown keys are left alone."""
        if not text.strip():
            return cls()
        if len(text.encode("utf-8", errors="replace")) > _LONGEST_BYTES:
            raise ValueError(f"job metadata is over {_LONGEST_BYTES} bytes")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError('job metadata is not JSON; it must look like {"agent": "frontdesk"}') from None
        if not isinstance(body, dict):
            raise ValueError("job metadata must be a JSON object")
        agent, session, caller = (_text(body, key) for key in ("agent", "session", "caller"))
        if session and not SESSION_PATTERN.match(session):
            raise ValueError("session must be an id of the session API (ses_...)")
        metadata, max_seconds = body.get("metadata", {}), body.get("max_seconds")
        if not isinstance(metadata, dict):
            raise ValueError("metadata must be a JSON object")
        if max_seconds is not None and (type(max_seconds) is not int or not 1 <= max_seconds <= 86400):
            raise ValueError("max_seconds must be a whole number from 1 to 86400")
        return cls(agent, session, caller, metadata, max_seconds)


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str) or len(value) > 256:
        raise ValueError(f"{key} must be a text of at most 256 characters")
    return value


def new_session_id() -> str:
    """128 random bits: it is the room's name as well, and must not be guessed."""
    return f"ses_{secrets.token_urlsafe(16)}"


def agent_identity(session: str) -> str:
    """The agent's identity in the room; made by the server alone, so that nobody can take its place."""
    return AGENT_IDENTITY_PREFIX + session
