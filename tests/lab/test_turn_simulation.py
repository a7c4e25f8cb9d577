"""The pure parts: what the framework hears, and what comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.lab.turn_rules import TYPICAL, Event
from voiceworker.lab.turn_simulation import (
    Outcome,
    Trace,
    noise_events,
    outcome,
    summary,
    table,
    voice_events,
    word_events,
)

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
    events = word_events(NUMBER.words, TYPICAL)
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
