"""The pure parts: what the framework hears, what each rule makes of it, what comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.lab.turn_simulation import (
    Delays,
    Event,
    FrameworkRule,
    OurRule,
    Outcome,
    Rule,
    Trace,
    noise_events,
    outcome,
    summary,
    table,
    taken_at,
    voice_events,
    word_events,
)
from voiceworker.policy.end_of_turn import EndOfTurnSettings

WINDOW = 0.032


def spoken(*words: tuple[str, float, float]) -> Speech:
    return Speech(
        "a turn", "turn", "slt", Path("none.wav"), tuple(SpokenWord(*word) for word in words), seconds=words[-1][2]
    )


NUMBER = spoken(("my", 0, 0.2), ("number", 0.2, 0.6), ("is", 0.6, 0.8), ("seven", 1.6, 2.0))


def kinds(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.kind, round(event.at / WINDOW)) for event in events]


def test_the_framework_asks_and_hears_the_end_in_the_eighth_silent_window() -> None:
    assert kinds(voice_events([1.0] * 4 + [0.0] * 10)) == [("sound", 2), ("hush", 12), ("end", 12)]


def test_a_loud_window_in_a_silence_makes_it_begin_again() -> None:
    events = voice_events([1.0] * 4 + [0.0] * 7 + [1.0] + [0.0] * 9)
    assert kinds(events) == [("sound", 2), ("hush", 12), ("blip", 13), ("hush", 20), ("end", 20)]


def test_a_sound_in_a_silence_is_noticed_before_the_voice_detector_knows() -> None:
    loud = np.tile(np.array([5000, -5000], np.int16), 6000)  # half a second
    samples = np.concatenate([loud, np.zeros(12000, np.int16), loud])
    voice = [Event(0.1, "sound"), Event(0.756, "hush"), Event(0.756, "end"), Event(1.1, "sound")]
    noises = [round(event.at, 2) for event in noise_events(samples, voice)]
    assert noises == [1.02, 1.04, 1.06, 1.08]


def test_interims_grow_and_a_pause_makes_a_final() -> None:
    events = word_events(NUMBER.words, Delays())
    assert [(round(event.at, 2), event.kind, event.text) for event in events] == [
        (0.3, "words", "my"),
        (0.5, "words", "my number"),
        (0.7, "words", "my number"),
        (0.9, "words", "my number is"),
        (1.0, "final", "my number is"),
        (1.9, "words", "seven"),
        (2.1, "words", "seven"),
        (2.2, "final", "seven"),
    ]


def heard(speech: Speech) -> list[Event]:
    """As a voice detector without any delay of its own hears it."""
    windows = [
        1.0 if any(word.started_seconds <= count * WINDOW < word.ended_seconds for word in speech.words) else 0.0
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
        assert taken_at(events + word_events(speech.words, late), rule, until=7) == [2.0]


def test_a_turn_taken_in_a_pause_is_counted_there_and_the_next_after_the_end() -> None:
    trace = Trace(NUMBER, (), lambda _at: 0.5, np.zeros(0, np.int16))
    assert trace.pauses == [(0.8, 1.6)]
    assert outcome(trace, [1.2, 2.5]) == Outcome("a turn", 1, 1, 0.5)
    assert outcome(trace, [2.2]) == Outcome("a turn", 1, 0, pytest.approx(0.2))  # type: ignore[arg-type]
    assert outcome(trace, []) == Outcome("a turn", 1, 0, None)


def test_the_summary_counts_pauses_speeches_and_delays() -> None:
    outcomes = [Outcome("a", 2, 1, 0.4), Outcome("b", 2, 0, 0.6), Outcome("c", 0, 0, None)]
    seen = summary("a rule", outcomes)
    assert (seen.cut_pauses, seen.cut_speeches, seen.unanswered) == (0.25, 0.5, 1)
    assert seen.delays[0] == pytest.approx(0.5)
    assert "| a rule | 25.0% of 4 | 50.0% | 500 | 580 | 590 | 600 | 1 |" in table([seen])
