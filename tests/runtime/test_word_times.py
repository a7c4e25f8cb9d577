from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString

from voiceworker.lab.emulators.tones import WORD_SECONDS, encode
from voiceworker.runtime.word_times import Pace, WordClock

RATE = 24_000
SENTENCE = "Apple river stone candle basket maple ocean."


def frames_of(sound: npt.NDArray[np.int16], seconds: float = 0.1) -> list[rtc.AudioFrame]:
    size = round(RATE * seconds)
    parts = [sound[place : place + size] for place in range(0, len(sound), size)]
    return [rtc.AudioFrame(part.tobytes(), RATE, 1, len(part)) for part in parts]


def words_in(frame: rtc.AudioFrame | None) -> list[TimedString]:
    return [] if frame is None else frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])


def dated(text: str, sound: npt.NDArray[np.int16], pace: Pace, frame_seconds: float = 0.1) -> list[TimedString]:
    clock, words = WordClock(text, pace), []
    for frame in frames_of(sound, frame_seconds):
        clock.hear(frame, 0.0)
        words += words_in(frame)
    return words + words_in(clock.last_words(0.0))


def known_pace(text: str = SENTENCE) -> Pace:
    pace = Pace()
    dated(text, encode(text), pace)
    return pace


def test_words_are_not_put_into_silence() -> None:
    sound = np.concatenate([encode("apple"), np.zeros(RATE, np.int16), encode("river")])
    first, second = dated("apple river", sound, Pace(letter_seconds=WORD_SECONDS / 7))
    assert first.end_time == pytest.approx(0.125, abs=0.03)
    assert second.start_time == pytest.approx(1.25, abs=0.03)


def test_what_has_arrived_of_a_piece_is_dated_before_the_piece_is_complete() -> None:
    """A caller who cuts in early would else be taken to have heard none of it."""
    clock, words = WordClock(SENTENCE, known_pace()), []
    for frame in frames_of(encode(SENTENCE))[:10]:  # a second: four words
        clock.hear(frame, 2.0)
        words += words_in(frame)
    assert 3 <= len(words) <= 4
    for place, word in enumerate(words):
        assert word.start_time == pytest.approx(2.0 + place * WORD_SECONDS, abs=WORD_SECONDS)


def test_a_slower_voice_than_the_usual_one_is_learnt_from_its_first_piece() -> None:
    assert known_pace().letter_seconds == pytest.approx(7 * WORD_SECONDS / (len(SENTENCE) - 6 + 14), rel=0.1)


def test_a_voice_that_speaks_slower_than_before_gets_its_last_words_where_sound_is_left() -> None:
    words = dated(SENTENCE, encode(SENTENCE), Pace(letter_seconds=0.01))
    assert [str(word).strip() for word in words] == SENTENCE.split()
    assert words[-1].end_time <= 7 * WORD_SECONDS


@given(
    st.lists(st.sampled_from(SENTENCE.lower().strip(".").split()), min_size=1, max_size=12),
    st.floats(0.005, 0.2),
    st.floats(0.02, 0.5),
)
def test_every_word_is_dated_once_in_order_within_the_sound(
    words: list[str], letter_seconds: float, frame_seconds: float
) -> None:
    sound = encode(" ".join(words))
    found = dated(" ".join(words), sound, Pace(letter_seconds), frame_seconds)
    assert [str(word).strip() for word in found] == words
    assert all(0 <= word.start_time <= word.end_time <= len(sound) / RATE for word in found)
    assert all(first.start_time <= second.start_time for first, second in itertools.pairwise(found))
