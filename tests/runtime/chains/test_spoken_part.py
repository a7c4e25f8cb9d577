from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.agents.voice.io import TimedString

from voiceworker.lab.emulators.tones import decode, encode
from voiceworker.runtime.chains.spoken_part import SpokenPart
from voiceworker.runtime.word_times import Pace

RATE = 24_000
TEXT = "Circle clover copper cotton cradle desert dragon fiddle forest garden."
WORDS = TEXT.lower().strip(".").split()
SOUND = np.concatenate([np.zeros(RATE // 20, np.int16), encode(TEXT, RATE)])
SILENCE = np.zeros(RATE // 20, np.int16)


def learnt() -> Pace:
    pace = Pace()
    part = SpokenPart("Basket beacon bridge button candle canyon castle.", RATE, pace, pace_is_learnt=False)
    part.hear(encode(part.text, RATE), [])
    part.finish()
    return pace


def begun(
    seconds: float, passed: float
) -> tuple[SpokenPart, list[np.ndarray[tuple[int], np.dtype[np.int16]]], list[str]]:
    part = SpokenPart(TEXT, RATE, learnt(), pace_is_learnt=True)
    part.hear(SOUND[: round(seconds * RATE)], [])
    first = part.pass_on(passed)
    return part, [first.samples], list(first.words)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.3, 2.5), st.floats(0.3, 0.5))
def test_who_goes_on_says_each_word_once_wherever_the_first_breaks_off(seconds: float, held_back: float) -> None:
    part, sound, dated = begun(seconds, max(0.0, seconds - held_back))
    last, rest = part.cut()
    heard = np.concatenate([*sound, last.samples, SILENCE, encode(rest, RATE)])
    assert [word.text for word in decode(heard, RATE)] == WORDS
    assert "".join([*dated, *last.words]).split() + rest.split() == TEXT.split()


@settings(deadline=None, max_examples=60)
@given(st.floats(0.0, 0.25), st.sampled_from([0.02, 0.05, 0.1]), st.floats(0.01, 1.5))
def test_a_word_that_has_only_begun_is_not_passed_on_and_so_not_said_twice(
    silence: float, chunk: float, breaks_at: float
) -> None:
    """From the first sound on: there nothing is held back but this."""
    sound = np.concatenate([np.zeros(round(silence * RATE), np.int16), encode(TEXT, RATE)])
    part = SpokenPart(TEXT, RATE, learnt(), pace_is_learnt=True)
    passed = []
    for begin in range(0, round(breaks_at * RATE), round(chunk * RATE)):
        part.hear(sound[begin : begin + round(chunk * RATE)], [])
        come = part.arrived_seconds
        passed.append(part.pass_on(part.without_begun_word(come - max(0.0, (come - 0.2) / 2))).samples)
    last, rest = part.cut()
    heard = np.concatenate([*passed, last.samples, SILENCE, encode(rest, RATE)])
    assert [word.text for word in decode(heard, RATE)] == WORDS


def test_a_long_first_word_is_not_waited_for() -> None:
    part = SpokenPart("Incomprehensibilities", RATE, Pace(), pace_is_learnt=True)
    part.hear(np.full(round(0.15 * RATE), 1000, np.int16), [])
    assert part.without_begun_word(0.15) == 0
    part.hear(np.full(round(0.1 * RATE), 1000, np.int16), [])
    assert part.without_begun_word(0.2) == 0.2


def test_a_word_that_a_voice_tells_waits_as_well() -> None:
    part = SpokenPart("one two", RATE, Pace(), pace_is_learnt=True)
    told = [TimedString("one ", start_time=0.0, end_time=0.4), TimedString("two ", start_time=0.5, end_time=0.9)]
    part.hear(np.full(round(0.6 * RATE), 1000, np.int16), told)
    assert part.without_begun_word(0.55) == 0.5
    part.hear(np.full(round(0.2 * RATE), 1000, np.int16), [])
    assert part.without_begun_word(0.55) == 0.55


def test_of_what_was_not_heard_at_all_nothing_is_played() -> None:
    part, _, _ = begun(0.5, 0.0)
    last, rest = part.cut()
    assert (len(last.samples), last.words, rest) == (0, [], TEXT)


def test_a_voice_that_tells_its_words_is_believed() -> None:
    part = SpokenPart("one two three", RATE, Pace(), pace_is_learnt=True)
    told = [
        TimedString(f"{word} ", start_time=at, end_time=at + 0.4) for at, word in enumerate(["one", "two", "three"])
    ]
    part.hear(np.full(RATE * 2, 1000, np.int16), told)
    first = part.pass_on(1.2)
    last, rest = part.cut()
    assert "".join([*first.words, *last.words]).split() == ["one", "two"]
    assert len(first.samples) + len(last.samples) == round(1.4 * RATE)
    assert rest == "three"


def test_all_words_are_dated_when_it_is_complete() -> None:
    part, sound, dated = begun(2.55, 1.0)
    last = part.finish()
    times = [float(word.start_time) for word in last.words if isinstance(word.start_time, float)]
    assert "".join([*dated, *last.words]).split() == TEXT.split()
    assert times == sorted(times)
    assert len(sound[0]) + len(last.samples) == len(SOUND)


def test_a_text_that_was_not_spoken_to_its_end_is_too_short() -> None:
    assert begun(1.0, 0)[0].is_too_short
    assert not begun(2.5, 0)[0].is_too_short
    short = SpokenPart("Yes.", RATE, learnt(), pace_is_learnt=True)
    assert not short.is_too_short


def test_a_voice_that_turns_out_slower_gets_its_words_spread_over_all_of_its_sound() -> None:
    hasty = Pace(letter_seconds=0.01)
    part = SpokenPart(TEXT, RATE, hasty, pace_is_learnt=True)
    part.hear(SOUND, [])
    times = [float(word.start_time) for word in part.finish().words if isinstance(word.start_time, float)]
    assert len(times) == len(WORDS)
    assert all(abs(start - 0.05 - 0.25 * place) < 0.25 for place, start in enumerate(times))


SAID = {
    "Your number is 020 7946 0018.": 4.8,
    "What day would suit you for the appointment?": 1.9,
    "It costs £45.50 in all.": 2.5,
    "You are booked for a haircut with Maria.": 1.7,
    "Write to info@example.com or to the NHS.": 3.3,
    "That is on 27 November 2026, at 10:30 in the morning.": 4.2,
}
"seconds of sound in them, by espeak"


@pytest.mark.parametrize("order", list(permutations(SAID, 2)))
def test_numbers_and_addresses_make_no_sentence_after_them_seem_too_short(order: tuple[str, str]) -> None:
    pace = Pace()
    for number, text in enumerate(order):
        part = SpokenPart(text, RATE, pace, pace_is_learnt=number > 0)
        part.hear(np.full(round(SAID[text] * RATE), 1000, np.int16), [])
        assert not part.is_too_short
        part.finish()
