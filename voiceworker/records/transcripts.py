"""Transcripts: what was said in a session, line by line, by both sides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.engine import Engine

from voiceworker.records.database import reading, writing
from voiceworker.records.tables import transcript_lines


class Role(StrEnum):
    CALLER = "caller"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    session: str
    sequence: int
    "place in the session, from 1"
    time: datetime
    "when it began to be said, or was typed"
    role: Role
    text: str
    "for the agent: all it meant to say"
    final: bool = True
    interrupted: bool = False
    "the caller cut the agent off"
    heard_text: str | None = None
    "when interrupted: the part the caller heard"


class Transcripts(Protocol):
    def put(self, line: TranscriptLine) -> None:
        """Keeps the line; one of the same session and sequence is replaced (a final text follows an interim one)."""

    def lines(self, session: str) -> list[TranscriptLine]:
        """In the order of their sequence."""


class StoredTranscripts:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, line: TranscriptLine) -> None:
        here = (transcript_lines.c.session == line.session, transcript_lines.c.sequence == line.sequence)
        with writing(self._engine) as connection:
            connection.execute(delete(transcript_lines).where(*here))
            connection.execute(insert(transcript_lines).values(**_values(line)))

    def lines(self, session: str) -> list[TranscriptLine]:
        ordered = (
            select(transcript_lines).where(transcript_lines.c.session == session).order_by(transcript_lines.c.sequence)
        )
        with reading(self._engine) as connection:
            return [_line(row) for row in connection.execute(ordered)]


def _values(line: TranscriptLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in TranscriptLine.__slots__}


def _line(row: Row[Any]) -> TranscriptLine:
    fields = dict(row._mapping)
    return TranscriptLine(**(fields | {"role": Role(fields["role"])}))
