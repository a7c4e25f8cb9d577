"""Writes a call into the records: its beginning, its sentences, its end."""

from __future__ import annotations

from datetime import datetime

from voiceworker.dispatch import CallRequest
from voiceworker.events import AgentInterrupted, AgentTranscript, Envelope, UserTranscript
from voiceworker.records import Records
from voiceworker.records.sessions import Session, SessionStatus
from voiceworker.records.transcripts import Role, TranscriptLine


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
        role = Role.AGENT
        heard_text: str | None = None
        match envelope.event:
            case UserTranscript(text, True):
                role = Role.CALLER
            case AgentTranscript(text, True):
                pass
            case AgentInterrupted(heard, unheard):
                text, heard_text = f"{heard} {unheard}".strip(), heard
            case _:
                return
        self._records.transcripts.put(
            TranscriptLine(
                envelope.session,
                envelope.sequence,
                envelope.time,
                role,
                text,
                interrupted=heard_text is not None,
                heard_text=heard_text,
            )
        )

    def ended(self, session: str, reason: str, now: datetime) -> None:
        if reason == "error":
            self._records.sessions.fail(session, reason, now)
        else:
            self._records.sessions.end(session, reason, now)
