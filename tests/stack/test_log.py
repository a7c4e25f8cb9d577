from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console

from voiceworker.events import (
    AgentInterrupted,
    AgentSpeechStarted,
    AgentTranscript,
    BudgetExceeded,
    Envelope,
    Event,
    ModelsRouted,
    ModelsSwitched,
    SessionEnded,
    TurnCommitted,
    UserSpeechStarted,
    UserTranscript,
)
from voiceworker.policy.latency import PARTS
from voiceworker.redaction import Redactor
from voiceworker.stack.log import SPANS, ReadableLog, latency_in_words

PARTS_OF_640 = {
    "end_of_speech": 220,
    "transcript": 60,
    "commit": 40,
    "tools": 0,
    "first_token": 180,
    "first_audio": 50,
    "playout": 5,
    "transit": 85,
}


def printed(*lines: str) -> str:
    output = io.StringIO()
    log = ReadableLog(Console(file=output, width=200, color_system=None))
    for line in lines:
        log.line("worker", line)
    return output.getvalue()


def told(event: Event) -> str:
    envelope = Envelope("ses_0123456789", 1, datetime(2026, 11, 23, tzinfo=UTC), event)
    return json.dumps({"level": "INFO", "message": event.type, "event": envelope.to_json()})


def test_who_said_what_stands_on_one_line_each_with_the_latency_of_the_reply() -> None:
    text = printed(
        told(UserSpeechStarted()),
        told(UserTranscript(text="what time is it", final=True)),
        told(AgentSpeechStarted(640, PARTS_OF_640)),
        told(AgentTranscript(text="It is three.", final=True)),
        told(AgentSpeechStarted(None, {})),
        told(AgentInterrupted(heard_text="I was", unheard_text="saying")),
        told(SessionEnded(reason="caller_left")),
    )
    assert text.splitlines() == [
        " 456789  caller says: what time is it",
        " 456789  agent says: It is three.  [640 ms: turn 320, answer 235, way 85]",
        " 456789  agent says: I was — (interrupted)",
        " 456789  call ended: caller left",
    ]


def test_models_and_money_are_told_in_plain_words() -> None:
    text = printed(
        told(ModelsRouted("default", "deepgram/nova-3", "script", "espeak")),
        told(ModelsRouted("default", "", "", "", realtime="openai/gpt-realtime")),
        told(ModelsSwitched("tts", from_="deepgram/aura-2-thalia-en", to="espeak", reason="timed out")),
        told(BudgetExceeded("session", "0.51", "0.50", "USD")),
    )
    assert text.splitlines() == [
        " 456789  hears with deepgram/nova-3, thinks with script, speaks with espeak",
        " 456789  hears, thinks and speaks with openai/gpt-realtime",
        " 456789  tts goes on with espeak; deepgram/aura-2-thalia-en timed out",
        " 456789  the budget of this session is spent: 0.51 of 0.50 USD",
    ]


def test_what_a_process_prints_past_its_log_shows_no_secret_either() -> None:
    output = io.StringIO()
    log = ReadableLog(Console(file=output, width=200), redactor=Redactor(["sk-a-key-of-somebody"]))
    log.line("worker", "openai.AuthenticationError: wrong key sk-a-key-of-somebody")
    assert output.getvalue() == " worker  openai.AuthenticationError: wrong key [redacted]\n"


@pytest.mark.parametrize("line", ['{"level": "info", "msg": "starting"}', '{"level": "DEBUG"}', "", "   "])
def test_chatter_is_left_out(line: str) -> None:
    assert printed(line) == ""


def test_warnings_and_plain_text_are_shown_with_their_origin() -> None:
    text = printed('{"level": "ERROR", "message": "no room"}', "Traceback: [bold]x[/bold]", '{"broken')
    assert text.splitlines() == [" worker  error: no room", " worker  Traceback: [bold]x[/bold]", ' worker  {"broken']


def test_a_reply_spoken_in_two_stretches_keeps_its_latency() -> None:
    text = printed(
        told(AgentSpeechStarted(640, PARTS_OF_640)),
        told(AgentSpeechStarted(None, {})),
        told(AgentTranscript(text="One moment. It is three.", final=True)),
    )
    assert text == " 456789  agent says: One moment. It is three.  [640 ms: turn 320, answer 235, way 85]\n"


def test_an_answer_that_was_never_heard_leaves_its_latency_to_no_other() -> None:
    text = printed(
        told(AgentSpeechStarted(640, PARTS_OF_640)),
        told(TurnCommitted("balanced", None, 300)),
        told(AgentSpeechStarted(None, {})),
        told(AgentTranscript(text="Are you still there?", final=True)),
    )
    assert text == " 456789  agent says: Are you still there?\n"


def test_tools_are_named_when_they_took_time() -> None:
    assert latency_in_words(1640, PARTS_OF_640 | {"tools": 1000}) == "1640 ms: turn 320, tools 1000, answer 235, way 85"


@pytest.mark.parametrize("parts", [{}, {"thinking": 640}, PARTS_OF_640 | {"transit": 80}])
def test_parts_that_are_not_the_whole_are_left_out(parts: dict[str, int]) -> None:
    assert latency_in_words(640, parts) == "640 ms"


@given(some.lists(some.integers(0, 5000), min_size=len(PARTS), max_size=len(PARTS)))
def test_what_a_line_shows_adds_up(milliseconds: list[int]) -> None:
    shown = latency_in_words(sum(milliseconds), dict(zip(PARTS, milliseconds, strict=True)))
    total, _, spans = shown.partition(" ms: ")
    assert int(total) == sum(int(span.split()[1]) for span in spans.split(", "))


def test_every_part_of_the_latency_belongs_to_one_word() -> None:
    assert sorted(part for parts in SPANS.values() for part in parts) == sorted(PARTS)
