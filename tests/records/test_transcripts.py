from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from voiceworker.records import Records, Role, Session, TranscriptLine


@pytest.fixture(autouse=True)
def _session(records: Records, asked: Session) -> None:
    records.sessions.create(asked)


def test_lines_are_numbered_in_the_order_they_are_added(records: Records, noon: datetime) -> None:
    records.transcripts.add("ses_1", Role.AGENT, "Hello, how can I help?", noon)
    records.transcripts.add("ses_1", Role.CALLER, "I need an appointment.", noon)
    cut = records.transcripts.add("ses_1", Role.AGENT, "Of course, which day?", noon, heard_text="Of course,")
    lines = records.transcripts.lines("ses_1")
    assert [(line.sequence, line.role) for line in lines] == [(1, "agent"), (2, "caller"), (3, "agent")]
    assert lines[2] == cut
    assert (cut.interrupted, cut.heard_text) == (True, "Of course,")
    assert not lines[0].interrupted


def test_a_final_text_replaces_its_interim_one(records: Records, noon: datetime) -> None:
    interim = TranscriptLine("ses_1", 4, noon, Role.CALLER, "I need a", final=False)
    records.transcripts.put(interim)
    records.transcripts.put(replace(interim, text="I need a haircut", final=True))
    assert [(line.text, line.final) for line in records.transcripts.lines("ses_1")] == [("I need a haircut", True)]


def test_sessions_do_not_see_each_others_lines(records: Records, asked: Session, noon: datetime) -> None:
    records.sessions.create(replace(asked, id="ses_2"))
    records.transcripts.add("ses_2", Role.CALLER, "secret", noon)
    assert records.transcripts.lines("ses_1") == []
