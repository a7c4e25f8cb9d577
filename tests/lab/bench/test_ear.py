"""Synthetic sound with known answers, in frames of 10 ms as the caller receives them."""

import numpy as np
import pytest

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.bench.ear import Ear, levels_of

FRAME = SAMPLE_RATE // 100


def tone(seconds: float, amplitude: float = 8000) -> Samples:
    steps = np.arange(round(seconds * SAMPLE_RATE))
    return (amplitude * np.sin(2 * np.pi * 700 * steps / SAMPLE_RATE)).astype(np.int16)


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def ear(*parts: Samples, began_at: float = 0.0, jitter: float = 0.0) -> Ear:
    """An ear that received the parts one after the other, its first sample at `began_at`."""
    random = np.random.default_rng(3)
    sound, found = np.concatenate(parts), Ear()
    for place in range(0, len(sound) - FRAME + 1, FRAME):
        late = random.uniform(0, jitter)
        found.hear(sound[place : place + FRAME], began_at + (place + FRAME) / SAMPLE_RATE + late)
    return found


def test_speech_begins_after_a_quarter_of_a_second_of_quiet() -> None:
    found = ear(quiet(1), tone(0.5), quiet(0.2), tone(0.5), quiet(0.3), tone(0.5))
    assert found.onset_after(0) == pytest.approx(1, abs=0.002)
    assert found.onset_after(1.1) == pytest.approx(2.5, abs=0.002)  # the gap of 0.2 s lies within a sentence
    assert found.onset_after(2.6) is None
    assert found.onset_after(1.1, before=2.0) is None


def test_the_first_sound_of_all_is_an_onset() -> None:
    assert ear(tone(0.5), began_at=7).onset_after(0) == pytest.approx(7, abs=0.002)


def test_speech_ends_with_the_last_loud_sample_before_a_quarter_of_a_second_of_quiet() -> None:
    found = ear(tone(1), quiet(0.2), tone(0.3), quiet(0.4), tone(0.5), quiet(0.1))
    assert found.silence_after(0.5) == pytest.approx(1.5, abs=0.002)
    assert found.silence_after(2.0) is None  # the last tone ended a tenth of a second ago: not over yet
    assert ear(tone(1), quiet(1)).silence_after(1.5) == pytest.approx(1, abs=0.002)


def test_nothing_heard_has_neither_begun_nor_ended() -> None:
    found = ear(quiet(1))
    assert found.onset_after(0) is None
    assert found.silence_after(0) is None
    assert not found.is_talking(1)


def test_talking_means_something_loud_within_a_quarter_of_a_second() -> None:
    found = ear(quiet(1), tone(0.5), quiet(1))
    assert not found.is_talking(0.9)
    assert found.is_talking(1.2)
    assert found.is_talking(1.7)
    assert not found.is_talking(1.8)


@pytest.mark.parametrize("softer_decibel", [12, 9.5])
def test_a_duck_is_found_where_the_level_falls(softer_decibel: float) -> None:
    found = ear(tone(2), tone(1, 8000 * 10 ** (-softer_decibel / 20)), tone(1))
    ducked = found.duck_after(1.5)
    assert ducked == pytest.approx(2, abs=0.01)
    assert found.restored_after(ducked, found.level(0.5, 1.5)) == pytest.approx(3, abs=0.03)


def test_a_fall_of_6_decibel_or_a_short_gap_between_words_is_no_duck() -> None:
    assert ear(tone(2), tone(2, 4000)).duck_after(1.5) is None
    words = [part for _ in range(10) for part in (tone(0.23), quiet(0.02))]
    assert ear(*words).duck_after(1.1) is None


def test_silence_is_a_duck_as_well() -> None:
    assert ear(tone(2), quiet(2)).duck_after(1.5) == pytest.approx(2, abs=0.01)


def test_nobody_who_was_silent_can_duck() -> None:
    assert ear(quiet(2), tone(1)).duck_after(1.5) is None


def test_sound_between_two_moments_is_cut_to_the_sample() -> None:
    found = ear(tone(1), began_at=5)
    cut = found.between(5.1234, 5.5)
    assert len(cut) == pytest.approx((5.5 - 5.1234) * SAMPLE_RATE, abs=2)
    assert np.array_equal(cut[:100], tone(1)[round(0.1234 * SAMPLE_RATE) :][:100])
    assert found.between(8, 9).size == 0


def test_jitter_of_arrival_moves_an_onset_by_no_more_than_itself() -> None:
    found = ear(quiet(1), tone(1), quiet(1), jitter=0.004)
    assert found.onset_after(0) == pytest.approx(1, abs=0.006)
    assert found.silence_after(1.5) == pytest.approx(2, abs=0.006)


def test_the_level_of_a_full_scale_sine_is_3_decibel_below_full_scale() -> None:
    assert levels_of(tone(0.1, 32767)) == pytest.approx(np.full(20, -3.01), abs=0.3)
    assert levels_of(quiet(0.01)) == pytest.approx([-96, -96])
