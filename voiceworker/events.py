"""The vocabulary: what can happen in a call, as facts in the past tense, and their JSON form.

A fact knows nothing of who tells it: session, sequence and time belong to the `Envelope`. Its JSON is flat:
`{"type": "user.transcript", "session": "ses_...", "sequence": 17, "time": "<RFC 3339>", "text": "...", ...}`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    type: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SessionStarted(Event):
    type: ClassVar[str] = "session.started"
    agent: str
    "name of the agent definition"


@dataclass(frozen=True, slots=True)
class SessionEnded(Event):
    type: ClassVar[str] = "session.ended"
    reason: str
    """caller_left | caller_silent | caller_never_joined | agent_hung_up | time_limit | budget_spent | models_down |
    room_closed | worker_shutdown | error"""


@dataclass(frozen=True, slots=True)
class UserSpeechStarted(Event):
    type: ClassVar[str] = "user.speech_started"


@dataclass(frozen=True, slots=True)
class UserSpeechStopped(Event):
    type: ClassVar[str] = "user.speech_stopped"


@dataclass(frozen=True, slots=True)
class UserTranscript(Event):
    type: ClassVar[str] = "user.transcript"
    text: str
    final: bool
    language: str = ""
    "BCP 47, empty when the recogniser does not say"
    typed: bool = False
    "written in the chat, not spoken"


@dataclass(frozen=True, slots=True)
class TurnCommitted(Event):
    """The caller is taken to have finished."""

    type: ClassVar[str] = "turn.committed"
    eagerness: str
    end_of_turn_probability: float | None
    "the turn model's last word, scaled so that 0.5 is its threshold; None when it was not asked or did not answer"
    waited_ms: int
    "silence before the turn was taken"
    reason: str = ""
    "what of the words decided how long; none of the words themselves"


@dataclass(frozen=True, slots=True)
class AgentSpeechStarted(Event):
    type: ClassVar[str] = "agent.speech_started"
    first_audio_ms: int | None = None
    """from the caller's last sample of speech leaving him to the first audible sample of the reply reaching him; None
    when the agent spoke unasked"""
    parts: dict[str, int] = field(default_factory=dict)
    "where the milliseconds went, together `first_audio_ms`: policy/latency.py names them"


@dataclass(frozen=True, slots=True)
class AgentSpeechStopped(Event):
    type: ClassVar[str] = "agent.speech_stopped"


@dataclass(frozen=True, slots=True)
class AgentDucked(Event):
    """The agent has lowered its voice, because somebody spoke over it."""

    type: ClassVar[str] = "agent.ducked"


@dataclass(frozen=True, slots=True)
class AgentRestored(Event):
    """The agent goes on as before."""

    type: ClassVar[str] = "agent.restored"
    reason: str
    "backchannel | wordless | noise | aside | echo | held | situation | agent_stopped"


@dataclass(frozen=True, slots=True)
class AgentInterrupted(Event):
    type: ClassVar[str] = "agent.interrupted"
    heard_text: str
    "what the caller can have heard before the cut"
    unheard_text: str
    "what had been written but was cut off; empty when it is not known"


@dataclass(frozen=True, slots=True)
class AgentTranscript(Event):
    type: ClassVar[str] = "agent.transcript"
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class ToolCalled(Event):
    type: ClassVar[str] = "tool.called"
    tool: str
    call_id: str


@dataclass(frozen=True, slots=True)
class ToolReturned(Event):
    type: ClassVar[str] = "tool.returned"
    tool: str
    call_id: str
    failed: bool


@dataclass(frozen=True, slots=True)
class HandoffRequested(Event):
    """The agent cannot go on: a person has to."""

    type: ClassVar[str] = "handoff.requested"
    kind: str
    "callback: the caller has been told that he will be rung"
    reason: str
    "models_down"


@dataclass(frozen=True, slots=True)
class ModelsRouted(Event):
    type: ClassVar[str] = "models.routed"
    rule: str
    "which route of the agent's file chose them; `default` when none did"
    stt: str
    llm: str
    tts: str
    realtime: str = ""
    "the model that hears, thinks and speaks in one; the others then stand by. Empty: there is none"
    arm: str = ""
    "which side of a split the caller is on, as RULE:ARM; empty where there is none"


@dataclass(frozen=True, slots=True)
class ModelsSwitched(Event):
    """A model of a list has failed, and another of it goes on; or one that had failed is back."""

    type: ClassVar[str] = "models.switched"
    role: str
    "stt | llm | tts | realtime"
    from_: str
    to: str
    reason: str
    "what went wrong, without a word of what the provider said"


@dataclass(frozen=True, slots=True)
class UsageUpdated(Event):
    """What the call has used of its providers since it began."""

    type: ClassVar[str] = "usage.updated"
    seconds: float
    "of audio that was recognised"
    tokens: int
    "of language models, in and out"
    characters: int
    "that were spoken"
    cost: str
    "a decimal number"
    currency: str


@dataclass(frozen=True, slots=True)
class BudgetWarned(Event):
    type: ClassVar[str] = "budget.warned"
    scope: str
    "session | key | agent | day"
    spent: str
    limit: str
    currency: str


@dataclass(frozen=True, slots=True)
class BudgetExceeded(Event):
    """The budget is spent: the agent says goodbye."""

    type: ClassVar[str] = "budget.exceeded"
    scope: str
    spent: str
    limit: str
    currency: str


@dataclass(frozen=True, slots=True)
class ErrorOccurred(Event):
    type: ClassVar[str] = "error"
    where: str
    "stt | llm | tts | tool | session"
    message: str


EVENT_TYPES: dict[str, type[Event]] = {
    kind.type: kind
    for kind in (
        SessionStarted,
        SessionEnded,
        UserSpeechStarted,
        UserSpeechStopped,
        UserTranscript,
        TurnCommitted,
        AgentSpeechStarted,
        AgentSpeechStopped,
        AgentDucked,
        AgentRestored,
        AgentInterrupted,
        AgentTranscript,
        ToolCalled,
        ToolReturned,
        HandoffRequested,
        ModelsRouted,
        ModelsSwitched,
        UsageUpdated,
        BudgetWarned,
        BudgetExceeded,
        ErrorOccurred,
    )
}


_FIELD_NAMES = {"from": "from_"}
"of JSON names that are words of Python"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event as it happened in one session."""

    session: str
    sequence: int
    "1, 2, 3 ... without gaps within a session"
    time: datetime
    "when it happened, aware"
    event: Event

    def to_json(self) -> str:
        head = {
            "type": self.event.type,
            "session": self.session,
            "sequence": self.sequence,
            "time": self.time.isoformat(timespec="milliseconds"),
        }
        facts = {name.rstrip("_"): value for name, value in dataclasses.asdict(self.event).items()}
        return json.dumps(head | facts, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Envelope:
        """Raises ValueError when `text` is not an envelope of an event known here."""
        try:
            body: dict[str, Any] = json.loads(text)
            kind = EVENT_TYPES[body.pop("type")]
            session, sequence = body.pop("session"), body.pop("sequence")
            time = datetime.fromisoformat(body.pop("time"))
            facts = {_FIELD_NAMES.get(name, name): value for name, value in body.items()}
            return cls(session, sequence, time, kind(**facts))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an event: {error}") from error
