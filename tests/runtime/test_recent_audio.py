from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc

from voiceworker.runtime.recent_audio import RecentAudio


def frame(first: int, length: int) -> rtc.AudioFrame:
    """Each sample is its own place."""
    samples = np.arange(first, first + length, dtype=np.int16)
    return rtc.AudioFrame(samples.tobytes(), 16000, 1, length)


def heard(frames: list[rtc.AudioFrame]) -> list[int]:
    return [int(sample) for one in frames for sample in np.frombuffer(one.data, np.int16)]


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 400), st.integers(0, 400), st.integers(0, 400)
)
def test_a_stretch_is_cut_to_the_sample(lengths: list[int], since: int, until: int, forgotten: int) -> None:
    audio, length = RecentAudio(), 0
    for one in lengths:
        audio.add(frame(length, one))
        length += one
    forgotten = min(forgotten, since)
    audio.forget(forgotten)
    assert audio.end == length
    assert heard(list(audio.cut(since, until))) == list(range(since, min(until, length)))


def test_whole_frames_are_passed_on_as_they_came() -> None:
    audio = RecentAudio()
    first, second = frame(0, 10), frame(10, 10)
    audio.add(first)
    audio.add(second)
    assert list(audio.cut(0, 20)) == [first, second]


def test_stereo_is_cut_at_the_same_moment_on_both_sides() -> None:
    audio = RecentAudio()
    samples = np.repeat(np.arange(10, dtype=np.int16), 2)
    audio.add(rtc.AudioFrame(samples.tobytes(), 16000, 2, 10))
    (part,) = audio.cut(4, 6)
    assert heard([part]) == [4, 4, 5, 5]
    assert part.samples_per_channel == 2
