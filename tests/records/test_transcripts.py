from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from voiceworker.records import Records, Role, Session, TranscriptLine


@pytest.fixture(autouse=True)
def _session(records: Records, asked: Session) -> None:
    records.sessions.create(asked)


def test_lines_come_in_the_order_of_their_sequence_as_they_were_written(records: Records, noon: datetime) -> None:
    cut = TranscriptLine(
        "ses_1", 9, noon, Role.AGENT, "Of course, which day?", interrupted=True, heard_text="Of course,"
    )
    asked = TranscriptLine("ses_1", 4, noon, Role.CALLER, "I need an appointment.")
    records.transcripts.put(cut)
    records.transcripts.put(asked)
    assert records.transcripts.lines("ses_1") == [asked, cut]


def test_a_final_text_replaces_its_interim_one(records: Records, noon: datetime) -> None:
    interim = TranscriptLine("ses_1", 4, noon, Role.CALLER, "I need a", final=False)
    records.transcripts.put(interim)
    records.transcripts.put(replace(interim, text="I need a haircut", final=True))
    assert [(line.text, line.final) for line in records.transcripts.lines("ses_1")] == [("I need a haircut", True)]


def test_sessions_do_not_see_each_others_lines(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(replace(asked, id="ses_2"))
    records.transcripts.put(TranscriptLine("ses_2", 1, noon, Role.CALLER, "secret"))
    assert records.transcripts.lines("ses_1") == []
