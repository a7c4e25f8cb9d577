"""Streams with a known last sample of speech; then streams whose frames come late."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.end_of_speech import EndOfSpeech

RATE = 24_000
FRAME = 240
Samples = npt.NDArray[np.int16]


def tone(seconds: float, peak: int = 8000) -> Samples:
    times = np.arange(int(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * 220 * times + 0.1)).astype(np.int16)


def noise(seconds: float, deviation: float = 6) -> Samples:
    return np.random.default_rng(1).normal(0, deviation, int(seconds * RATE)).astype(np.int16)


def heard(stream: Samples, delays: list[float] | None = None, frame: int = FRAME) -> EndOfSpeech:
    """The stream begins at 100.0; frame k arrives when it is complete, or `delays[k]` seconds later, in order."""
    ear, arrived_at = EndOfSpeech(RATE), 0.0
    for number, start in enumerate(range(0, len(stream), frame)):
        late = delays[number % len(delays)] if delays else 0.0
        arrived_at = max(arrived_at, 100 + min(start + frame, len(stream)) / RATE + late)
        ear.hear(stream[start : start + frame], arrived_at)
    return ear


@pytest.mark.parametrize("seconds", [0.3, 0.4567, 1.7, 3.0])
@pytest.mark.parametrize("frame", [FRAME, 2 * FRAME, 1200])
def test_the_last_sample_of_speech_is_found_whatever_the_frames(seconds: float, frame: int) -> None:
    found = heard(np.concatenate([tone(seconds), noise(0.5)]), frame=frame).find()
    assert found == pytest.approx(100 + seconds, abs=0.002)


def test_a_soft_ending_belongs_to_the_speech() -> None:
    stream = np.concatenate([tone(0.5, peak=20_000), tone(0.2, peak=200), noise(0.4)])
    assert heard(stream).find() == pytest.approx(100.7, abs=0.005)


def test_the_noise_of_a_room_is_not_taken_for_speech() -> None:
    stream = np.concatenate([tone(0.5, peak=12_000), np.zeros(int(0.6 * RATE), np.int16)]) + noise(1.1, deviation=150)
    assert heard(stream.astype(np.int16)).find() == pytest.approx(100.5, abs=0.01)


def test_a_click_after_the_detectors_stamp_is_no_speech() -> None:
    stream = np.concatenate([tone(0.5), noise(0.2), tone(0.005), noise(0.2)])
    ear = heard(stream)
    assert ear.find() == pytest.approx(100.705, abs=0.002)
    assert ear.find(stamp=100.6) == pytest.approx(100.5, abs=0.002)


def test_an_ending_that_is_lost_in_noise_is_told_by_the_detectors_stamp() -> None:
    stream = np.concatenate([tone(0.5, peak=12_000), tone(0.3, peak=500), np.zeros(int(0.3 * RATE), np.int16)])
    ear = heard((stream + noise(1.1, deviation=300)).astype(np.int16))
    assert ear.find() == pytest.approx(100.5, abs=0.01)
    assert ear.find(stamp=100.85) == pytest.approx(100.8, abs=0.01)
    assert heard(stream).find(stamp=100.95) == pytest.approx(100.8, abs=0.01)


def test_nothing_is_found_in_silence_or_before_any_frame() -> None:
    assert EndOfSpeech(RATE).find() is None
    assert heard(np.zeros(RATE, np.int16)).find() is None


def test_a_stamp_is_better_than_nothing() -> None:
    assert EndOfSpeech(RATE).find(stamp=99.0) == pytest.approx(98.955)
    assert heard(np.concatenate([tone(0.5), noise(0.5)])).find(stamp=99.0) == pytest.approx(98.955)


def test_speech_that_ended_long_ago_is_forgotten() -> None:
    assert heard(np.concatenate([tone(0.5), np.zeros(4 * RATE, np.int16)])).find() is None


def test_a_stream_that_pauses_goes_by_its_new_clock() -> None:
    ear = EndOfSpeech(RATE)
    for start, stream in ((100.0, noise(0.5)), (107.0, np.concatenate([tone(0.3), noise(0.3)]))):
        for place in range(0, len(stream), FRAME):
            ear.hear(stream[place : place + FRAME], start + (place + FRAME) / RATE)
    assert ear.find() == pytest.approx(107.3, abs=0.002)


@given(
    st.lists(st.floats(0, 0.2), min_size=120, max_size=120),
    st.floats(0.2, 1.0),
)
def test_late_frames_do_not_lengthen_the_speech(delays: list[float], seconds: float) -> None:
    """As long as some frame of the silence after it comes in time."""
    stream = np.concatenate([tone(seconds), noise(0.7)])
    delays = [*delays[: len(stream) // FRAME - 30], *[0.0] * 40]
    assert heard(stream, delays).find() == pytest.approx(100 + seconds, abs=0.003)
