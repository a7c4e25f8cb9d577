from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from livekit import rtc

from voiceworker.dispatch import CallRequest
from voiceworker.events import (
    AgentDucked,
    AgentInterrupted,
    AgentRestored,
    AgentSpeechStarted,
    AgentSpeechStopped,
    AgentTranscript,
    Envelope,
    Event,
    ModelsRouted,
    SessionEnded,
    SessionStarted,
    UserTranscript,
)
from voiceworker.records import Outcome, Overlap, Position, Records, Turn, migrate, open_records
from voiceworker.runtime.call_book import CallBook
from voiceworker.runtime.narrator import Narrator, TranscriptSink

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PARTS = {"end_of_speech": 300, "first_token": 250, "transit": 90}


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    url = f"sqlite:///{tmp_path / 'voiceworker.db'}"
    migrate(url)
    opened = open_records(url)
    yield opened
    opened.close()


def narrator_for(sink: TranscriptSink) -> Narrator:
    return Narrator("ses_1", rtc.Room(), sink, lambda: NOON)


async def told(sink: TranscriptSink, *events: Event) -> None:
    narrator = narrator_for(sink)
    for event in events:
        narrator.tell(event)
    narrator.finish()
    await asyncio.gather(narrator.keep(), narrator.send())


async def test_the_session_says_by_which_rule_and_arm_its_models_were_chosen(records: Records) -> None:
    book = CallBook(records)
    assert book.started("ses_1", "frontdesk", "ses_1", CallRequest(caller="caller-1"), NOON)
    models = ("deepgram/nova-3", "openai/gpt-4.1-mini", "espeak")
    await told(book, ModelsRouted("default", *models), ModelsRouted("trial", *models, arm="trial:cheap"))
    session = records.sessions.get("ses_1")
    assert session is not None
    assert (session.rule, session.arm) == ("trial", "trial:cheap")


async def test_what_happens_before_the_call_begins_is_told_behind_its_beginning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "voiceworker.call")
    narrator = narrator_for(StuckSink())
    narrator.hold()
    narrator.tell(AgentDucked())
    narrator.begin(SessionStarted("desk"), ModelsRouted("default", "a", "b", "c"))
    narrator.tell(AgentSpeechStopped())
    told = ["session.started", "models.routed", "agent.ducked", "agent.speech_stopped"]
    assert [record.message for record in caplog.records] == told


async def test_what_is_held_is_told_at_the_latest_with_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "voiceworker.call")
    narrator = narrator_for(StuckSink())
    narrator.hold()
    narrator.tell(SessionEnded("error"))
    narrator.finish()
    assert [record.message for record in caplog.records] == ["session.ended"]


async def test_sentences_answered_turns_and_overlaps_are_kept_in_their_places(records: Records) -> None:
    book = CallBook(records)
    assert book.started("ses_1", "frontdesk", "ses_1", CallRequest(caller="caller-1"), NOON)
    await told(
        book,
        AgentSpeechStarted(),  # a greeting answers nothing
        UserTranscript("what", final=False),
        UserTranscript("what time is it", final=True),
        AgentSpeechStarted(640, PARTS),
        AgentDucked(),
        AgentRestored("backchannel"),
        AgentInterrupted("It is", "three."),
        AgentSpeechStopped(),
        AgentTranscript("Yes?", final=True),
    )
    assert records.turns.of_session("ses_1") == [Turn("ses_1", 4, NOON, 640, PARTS)]
    assert records.turns.added(Position(), limit=10).overlaps == [
        Overlap("ses_1", 6, NOON, Outcome.RESTORED, "backchannel"),
        Overlap("ses_1", 7, NOON, Outcome.INTERRUPTED),
    ]
    lines = records.transcripts.lines("ses_1")
    assert [(line.sequence, line.role, line.text, line.heard_text) for line in lines] == [
        (3, "caller", "what time is it", None),
        (7, "agent", "It is three.", "It is"),
        (9, "agent", "Yes?", None),
    ]


class StuckSink:
    """A disk that hangs until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.kept: list[Event] = []

    def keep(self, envelope: Envelope) -> None:
        assert self.released.wait(10)
        self.kept.append(envelope.event)


async def test_a_disk_that_hangs_holds_up_neither_the_call_nor_its_events() -> None:
    sink = StuckSink()
    narrator = narrator_for(sink)
    keeping = asyncio.create_task(narrator.keep())
    events = [AgentSpeechStarted(640, PARTS), AgentSpeechStarted(700, PARTS)]
    for event in events:
        narrator.tell(event)
    narrator.finish()
    async with asyncio.timeout(5):
        await narrator.send()
    assert not keeping.done()
    sink.released.set()
    async with asyncio.timeout(5):
        await keeping
    assert sink.kept == events


async def test_what_cannot_be_kept_is_logged_and_the_rest_is_tried_all_the_same(
    records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "voiceworker.call"):
        await told(CallBook(records), AgentSpeechStarted(640, PARTS), UserTranscript("hello", final=True))
    assert [record.getMessage() for record in caplog.records] == [
        "agent.speech_started was not kept",  # nobody has recorded the session
        "user.transcript was not kept",
    ]
