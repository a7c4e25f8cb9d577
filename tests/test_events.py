from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voiceworker.events import EVENT_TYPES, AgentSpeechStarted, Envelope, ModelsSwitched, UserTranscript

NOW = datetime(2026, 11, 23, 9, 0, 0, 250_000, UTC)


def test_an_envelope_is_flat_json_and_comes_back_the_same() -> None:
    envelope = Envelope("ses_abc", 17, NOW, UserTranscript(text="grüezi", final=True, language="de"))
    assert envelope.to_json() == (
        '{"type": "user.transcript", "session": "ses_abc", "sequence": 17, "time": "2026-11-23T09:00:00.250+00:00", '
        '"text": "grüezi", "final": true, "language": "de", "typed": false}'
    )
    assert Envelope.from_json(envelope.to_json()) == envelope


def test_parts_of_the_latency_survive_the_way() -> None:
    envelope = Envelope("ses_abc", 1, NOW, AgentSpeechStarted(812, {"end_of_turn": 400, "answer": 412}))
    assert Envelope.from_json(envelope.to_json()) == envelope


def test_a_switch_of_models_says_from_and_to() -> None:
    switched = ModelsSwitched("tts", from_="deepgram/aura-2-thalia-en", to="espeak", reason="timeout")
    envelope = Envelope("ses_abc", 1, NOW, switched)
    assert '"from": "deepgram/aura-2-thalia-en", "to": "espeak"' in envelope.to_json()
    assert Envelope.from_json(envelope.to_json()) == envelope


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "nonsense"}', '{"type": "user.transcript"}', "null"])
def test_what_is_not_an_event_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Envelope.from_json(text)


def test_every_type_is_named_for_what_it_is_about() -> None:
    assert all(name == "error" or "." in name for name in EVENT_TYPES)
