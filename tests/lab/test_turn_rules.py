"""What each rule makes of what the framework hears."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.lab.turn_rules import WINDOW_SECONDS, Delays, Event, FrameworkRule, OurRule, Rule, taken_at
from voiceworker.lab.turn_simulation import voice_events, word_events
from voiceworker.policy.end_of_turn import EndOfTurnSettings


def spoken(*words: tuple[str, float, float]) -> Speech:
    return Speech(
        "a turn", "turn", "slt", Path("none.wav"), tuple(SpokenWord(*word) for word in words), seconds=words[-1][2]
    )


NUMBER = spoken(("my", 0, 0.2), ("number", 0.2, 0.6), ("is", 0.6, 0.8), ("seven", 1.6, 2.0))


def heard(speech: Speech) -> list[Event]:
    """As a voice detector without any delay of its own hears it."""
    windows = [
        1.0
        if any(word.started_seconds <= count * WINDOW_SECONDS < word.ended_seconds for word in speech.words)
        else 0.0
        for count in range(200)
    ]
    return voice_events(windows) + word_events(speech.words)


@pytest.mark.parametrize(("probability", "first"), [(0.9, 1.1), (0.1, 4.5)])
def test_the_frameworks_rule_believes_the_model_once(probability: float, first: float) -> None:
    moments = taken_at(heard(NUMBER), FrameworkRule(lambda _at: probability), until=7)
    assert moments[0] == pytest.approx(first, abs=0.05)


def test_our_rule_hears_that_my_number_is_no_end() -> None:
    rule = OurRule(lambda _at: 0.9, EndOfTurnSettings())
    [moment] = taken_at(heard(NUMBER), rule, until=7)
    assert moment > NUMBER.seconds
    assert rule.asked


def test_both_rules_wait_for_the_final_transcript() -> None:
    late = Delays(final_seconds=1.0)
    speech = spoken(("thanks", 0, 0.5), ("bye", 0.5, 1.0))
    rules: list[Rule] = [FrameworkRule(lambda _at: 1.0), OurRule(lambda _at: 1.0, EndOfTurnSettings())]
    for rule in rules:
        events = [event for event in heard(speech) if event.kind not in ("words", "final")]
        [moment] = taken_at(events + word_events(speech.words, late), rule, until=7)
        assert moment == pytest.approx(2.0, abs=0.011)
