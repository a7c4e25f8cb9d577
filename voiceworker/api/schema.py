"""What goes over the wire: the request and the answers of the session API.

The request is LiveKit's token-endpoint format (https://docs.livekit.io/frontends/build/authentication/endpoint/) with
three fields of our own. Our own level is strict, because a misspelt field that is ignored costs its author a day.
"""

from __future__ import annotations

import json
import math
import unicodedata
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from voiceworker.records import GroupBy, Role, SessionStatus

MAX_BODY_BYTES = 16 * 1024
_MAX_METADATA_DEPTH = 8
_MAX_METADATA_BYTES = 8 * 1024
_MAX_ATTRIBUTES_BYTES = 4 * 1024
_MAX_WHOLE_NUMBER = 2**53 - 1
"the largest that every JSON reader keeps exactly (RFC 8259, section 6)"


def _plain(text: str) -> str:
    """Refuses what has no place in a name: control characters, lone surrogates, and signs that reorder text."""
    if any(
        unicodedata.category(sign) in ("Cc", "Cs") or unicodedata.bidirectional(sign) in _REORDERING for sign in text
    ):
        raise ValueError("must not hold control characters")
    return text


_REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _printable(text: str) -> str:
    """Refuses control characters other than tab and line ends."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\r\n" for sign in text):
        raise ValueError("must not hold control characters")
    return text


def _metadata(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    _check_json(value, _MAX_METADATA_DEPTH)
    if len(json.dumps(value)) > _MAX_METADATA_BYTES:
        raise ValueError(f"must be at most {_MAX_METADATA_BYTES} bytes of JSON")
    return value


def _check_json(value: Any, depth: int) -> None:
    match value:
        case dict() | list() if depth == 0:
            raise ValueError(f"must not be nested deeper than {_MAX_METADATA_DEPTH} levels")
        case dict():
            for key, item in value.items():
                _printable(key)
                _check_json(item, depth - 1)
        case list():
            for item in value:
                _check_json(item, depth - 1)
        case str():
            _printable(value)
        case float() if not math.isfinite(value):
            raise ValueError("must not hold NaN or an infinite number")
        case int() if abs(value) > _MAX_WHOLE_NUMBER:
            raise ValueError("must not hold a whole number beyond 2**53 - 1")


def _attributes(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        _plain(key)
        _printable(text)
    if sum(len(key.encode()) + len(text.encode()) for key, text in value.items()) > _MAX_ATTRIBUTES_BYTES:
        raise ValueError(f"must be at most {_MAX_ATTRIBUTES_BYTES} bytes together")
    return value


Name = Annotated[str, Field(max_length=128), AfterValidator(_plain)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_metadata)]


class AgentChoice(BaseModel):
    """One entry of LiveKit's RoomConfiguration.agents; its other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    agent_name: Name | None = Field(default=None, description="A definition's name; empty: the default agent.")
    metadata: Annotated[str, Field(max_length=_MAX_METADATA_BYTES)] | None = Field(
        default=None, description="A JSON object as text. The field `metadata` of the request wins."
    )


class RoomConfig(BaseModel):
    """LiveKit's RoomConfiguration. Only the first agent is read."""

    model_config = ConfigDict(extra="ignore")

    agents: Annotated[list[AgentChoice], Field(max_length=8)] | None = None


class CreateSession(BaseModel):
    """A call that is wished for. Every field may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent: Name | None = Field(default=None, description="Who shall answer: the name of an agent definition.")
    metadata: Metadata | None = Field(
        default=None,
        description="For routing; a JSON object of at most 8 KiB. Handed to the agent's rules, not to the model.",
    )
    max_seconds: Annotated[int, Field(ge=10, le=86400)] | None = Field(
        default=None, description="Longest duration of the call. The agent's own limit stands when it is shorter."
    )
    room_name: Name | None = Field(
        default=None, description="Honoured with scope `sessions:room` only; otherwise the server chooses."
    )
    participant_identity: Name | None = Field(
        default=None, description="Honoured with scope `sessions:identity` only; otherwise the server chooses."
    )
    participant_name: Name | None = Field(default=None, description="The caller's name, as others in the room see it.")
    participant_metadata: Annotated[str, Field(max_length=2048), AfterValidator(_printable)] | None = None
    participant_attributes: Annotated[dict[str, str], Field(max_length=32), AfterValidator(_attributes)] | None = Field(
        default=None, description="Those that begin with `lk.` or `vw.` are dropped."
    )
    room_config: RoomConfig | None = Field(default=None, description="LiveKit's own way to name the agent.")

    @model_validator(mode="after")
    def _agents_metadata(self) -> CreateSession:
        # The text is read here, so that a mistake in it is told like any other.
        self.routing_metadata()
        return self

    def wished_agent(self) -> str:
        return self.agent or (self._first_agent().agent_name or "")

    def routing_metadata(self) -> dict[str, JsonValue]:
        """Raises ValueError when the agent's metadata is not a JSON object as text."""
        if self.metadata is not None:
            return self.metadata
        text = self._first_agent().metadata
        if not text:
            return {}
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("room_config.agents[0].metadata must be a JSON object as text") from None
        if not isinstance(value, dict):
            raise ValueError("room_config.agents[0].metadata must be a JSON object as text")
        return _metadata(value)

    def _first_agent(self) -> AgentChoice:
        agents = self.room_config.agents if self.room_config else None
        return agents[0] if agents else AgentChoice()


class IceServer(BaseModel):
    """As RTCPeerConnection takes it."""

    urls: list[str]
    username: str
    credential: str


class CreatedSession(BaseModel):
    """What a client needs to join. `server_url` and `participant_token` are what LiveKit's TokenSource keeps."""

    id: str
    agent: str
    status: SessionStatus
    room_name: str
    server_url: str
    participant_token: str = Field(description="A LiveKit token for this room, good for two minutes.")
    expires_at: datetime = Field(description="When the token expires; a call that has begun goes on.")
    ice_servers: list[IceServer] = Field(
        serialization_alias="iceServers", description="Empty unless a TURN server of one's own is configured."
    )
    events_url: None = Field(
        default=None, description="Not there yet; the caller's client gets events on topic `vw.events`."
    )


class SessionState(BaseModel):
    id: str
    agent: str
    status: SessionStatus
    reason: str | None = Field(description="Why it ended or failed, e.g. `caller_left`, `no_agent_joined`.")
    room_name: str
    created_at: datetime
    joined_at: datetime | None = Field(description="When the agent was in the room.")
    ended_at: datetime | None
    max_seconds: int | None
    metadata: dict[str, Any]
    rule: str | None = Field(
        description="Which rules of the agent's file chose its models, or `default`. Null until an agent is there."
    )
    arm: str | None = Field(description="RULE:ARM of each split of callers that counts; empty: none does.")


class SessionPage(BaseModel):
    sessions: list[SessionState] = Field(description="Newest first.")
    next_before: str | None = Field(description="Hand it over as `before` to get the next page; null on the last.")


class TranscriptEntry(BaseModel):
    sequence: int
    time: datetime
    role: Role
    text: str = Field(description="For the agent: all it meant to say.")
    final: bool
    interrupted: bool = Field(description="The caller cut the agent off.")
    heard_text: str | None = Field(description="When interrupted: the part the caller heard.")


class Transcript(BaseModel):
    session: str
    lines: list[TranscriptEntry]


class Quantities(BaseModel):
    """What was used, in all the units a provider may bill."""

    audio_seconds: float = Field(description="Of audio sent for recognition.")
    input_tokens: int = Field(description="Of text, cached ones included.")
    cached_input_tokens: int
    output_tokens: int
    audio_input_tokens: int = Field(description="Of sound, cached ones included.")
    cached_audio_input_tokens: int
    audio_output_tokens: int
    characters: int = Field(description="Sent to be spoken, heard or not.")


_COST = Field(description="A decimal number as text, of what has a known price.")
_ESTIMATED = Field(description="A part was cut off before its provider told the figures.")
_UNPRICED = Field(description="Models whose price is not known; their cost is not in it.")


class UsageEntry(Quantities):
    turn: int = Field(description="0: before the caller's first.")
    role: str = Field(description="`stt`, `llm`, `tts` or `realtime`.")
    model: str
    cost: str | None = Field(description="A decimal number as text; null: the model's price is not known.")
    currency: str
    estimated: bool = _ESTIMATED


class SessionUsage(BaseModel):
    session: str
    cost: str = _COST
    currency: str = Field(description="Empty while nothing was used.")
    estimated: bool = _ESTIMATED
    unpriced: list[str] = _UNPRICED
    turns: list[UsageEntry]


class UsageGroup(Quantities):
    group: str = Field(description="The day, agent, key (its id, empty: no key asked) or model.")
    sessions: int
    cost: str = _COST
    currency: str
    estimated: bool = _ESTIMATED
    unpriced: list[str] = _UNPRICED


class UsageReport(BaseModel):
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    group_by: GroupBy
    groups: list[UsageGroup] = Field(description="In their order.")


class AgentEntry(BaseModel):
    name: str
    language: str = Field(description="BCP 47.")
    default: bool = Field(description="Answers when a request names nobody.")


class AgentList(BaseModel):
    agents: list[AgentEntry]


class Alive(BaseModel):
    status: str = "alive"


class Check(BaseModel):
    ok: bool
    detail: str


class Readiness(BaseModel):
    status: str
    checks: dict[str, Check]


class FieldError(BaseModel):
    field: str
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457. Read `code`; `title` and `detail` are for people and may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None
