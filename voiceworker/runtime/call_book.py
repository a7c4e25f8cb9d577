"""Writes a call into the records: its beginning, its sentences, how its turns went, its end."""

from __future__ import annotations

from datetime import datetime

from voiceworker.dispatch import CallRequest
from voiceworker.events import (
    AgentInterrupted,
    AgentRestored,
    AgentSpeechStarted,
    AgentTranscript,
    Envelope,
    ModelsRouted,
    UserTranscript,
)
from voiceworker.records import Callback, Records
from voiceworker.records.sessions import Session, SessionStatus
from voiceworker.records.transcripts import Role, TranscriptLine
from voiceworker.records.turns import Outcome, Overlap, Turn


class CallBook:
    def __init__(self, records: Records) -> None:
        self._records = records

    def started(self, session: str, agent: str, room: str, request: CallRequest, now: datetime) -> bool:
        """The agent has joined. False when the session has ended meanwhile: then the call must not go on."""
        if self._records.sessions.get(session) is None:  # a plain dispatch: nobody has made a record yet
            self._records.sessions.create(
                Session(
                    id=session,
                    agent=agent,
                    status=SessionStatus.DISPATCHED,
                    room=room,
                    caller_identity=request.caller,
                    created_at=now,
                    metadata=request.metadata,
                    max_seconds=request.max_seconds,
                )
            )
        return self._records.sessions.activate(session, now)

    def keep(self, envelope: Envelope) -> None:
        """Writes what belongs into the records; any other event is passed by."""
        where = (envelope.session, envelope.sequence, envelope.time)
        match envelope.event:
            case UserTranscript(text, True):
                self._records.transcripts.put(TranscriptLine(*where, Role.CALLER, text))
            case AgentTranscript(text, True):
                self._records.transcripts.put(TranscriptLine(*where, Role.AGENT, text))
            case AgentInterrupted(heard, unheard):
                text = f"{heard} {unheard}".strip()
                self._records.transcripts.put(
                    TranscriptLine(*where, Role.AGENT, text, interrupted=True, heard_text=heard)
                )
                self._records.turns.put(Overlap(*where, Outcome.INTERRUPTED))
            case AgentRestored(reason):
                self._records.turns.put(Overlap(*where, Outcome.RESTORED, reason))
            case ModelsRouted(rule=rule, arm=arm):
                self._records.sessions.route(envelope.session, rule, arm)
            case AgentSpeechStarted(int(first_audio_ms), parts):
                self._records.turns.put(Turn(*where, first_audio_ms, parts))

    def call_back(self, session: str, agent: str, number: str, now: datetime) -> None:
        self._records.callbacks.ask(Callback(session, agent, number, now))

    def ended(self, session: str, reason: str, now: datetime) -> None:
        if reason == "error":
            self._records.sessions.fail(session, reason, now)
        else:
            self._records.sessions.end(session, reason, now)
