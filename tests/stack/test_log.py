from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from rich.console import Console

from voiceworker.events import (
    AgentInterrupted,
    AgentSpeechStarted,
    AgentTranscript,
    Envelope,
    Event,
    SessionEnded,
    UserSpeechStarted,
    UserTranscript,
)
from voiceworker.stack.log import ReadableLog


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
        told(AgentSpeechStarted(640, {})),
        told(AgentTranscript(text="It is three.", final=True)),
        told(AgentSpeechStarted(None, {})),
        told(AgentInterrupted(heard_text="I was", unheard_text="saying")),
        told(SessionEnded(reason="caller_left")),
    )
    assert text.splitlines() == [
        " 456789  caller says: what time is it",
        " 456789  agent says: It is three.  [640 ms]",
        " 456789  agent says: I was — (interrupted)",
        " 456789  call ended: caller left",
    ]


@pytest.mark.parametrize("line", ['{"level": "info", "msg": "starting"}', '{"level": "DEBUG"}', "", "   "])
def test_chatter_is_left_out(line: str) -> None:
    assert printed(line) == ""


def test_warnings_and_plain_text_are_shown_with_their_origin() -> None:
    text = printed('{"level": "ERROR", "message": "no room"}', "Traceback: [bold]x[/bold]", '{"broken')
    assert text.splitlines() == [" worker  error: no room", " worker  Traceback: [bold]x[/bold]", ' worker  {"broken']
