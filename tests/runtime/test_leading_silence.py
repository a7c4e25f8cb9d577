from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
import pytest
from livekit import rtc
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.leading_silence import trim_leading_silence
from voiceworker.runtime.playout_ledger import Samples

RATE = 24_000


def silence(seconds: float) -> Samples:
    return np.random.default_rng(1).integers(-90, 90, round(seconds * RATE)).astype(np.int16)


def speech(seconds: float) -> Samples:
    return np.full(round(seconds * RATE), 4000, np.int16)


async def trimmed(
    samples: Samples, *, frame_seconds: float, words: tuple[TimedString, ...] = (), channels: int = 1
) -> tuple[Samples, list[TimedString]]:
    """What comes out of `samples` given in frames, the words in the first of them."""

    async def frames() -> AsyncGenerator[rtc.AudioFrame, None]:
        step = round(frame_seconds * RATE)
        for place in range(0, len(samples), step):
            part = np.repeat(samples[place : place + step], channels)
            frame = rtc.AudioFrame(part.tobytes(), RATE, channels, len(part) // channels)
            if place == 0:
                frame.userdata[USERDATA_TIMED_TRANSCRIPT] = list(words)
            yield frame

    passed = [frame async for frame in trim_leading_silence(frames())]
    heard = np.concatenate([np.frombuffer(frame.data, np.int16)[::channels] for frame in passed])
    return heard, [word for frame in passed for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]


@pytest.mark.parametrize("frame_seconds", [0.005, 0.01, 0.2, 1.0])
async def test_silence_before_the_first_sound_is_cut_to_eight_milliseconds(frame_seconds: float) -> None:
    heard, _ = await trimmed(np.concatenate([silence(0.2), speech(0.5)]), frame_seconds=frame_seconds)
    assert int(np.argmax(heard > 1000)) == 192
    assert len(heard) == 192 + round(0.5 * RATE)


@pytest.mark.parametrize("frame_seconds", [0.01, 1.0])
async def test_of_long_silence_only_the_first_four_tenths_go(frame_seconds: float) -> None:
    heard, _ = await trimmed(np.concatenate([silence(1.0), speech(0.2)]), frame_seconds=frame_seconds)
    assert len(heard) == round(0.8 * RATE)


@pytest.mark.parametrize("channels", [1, 2])
async def test_speech_that_begins_at_once_passes_untouched_with_its_pauses(channels: int) -> None:
    said = np.concatenate([speech(0.1), silence(0.3), speech(0.1)])
    heard, words = await trimmed(said, frame_seconds=0.02, words=(TimedString("yes", 0.0, 0.1),), channels=channels)
    assert np.array_equal(heard, said)
    assert [(word, word.start_time, word.end_time) for word in words] == [("yes", 0.0, 0.1)]


@pytest.mark.parametrize("frame_seconds", [0.01, 1.0])
async def test_words_keep_their_place_in_the_sound(frame_seconds: float) -> None:
    words = (TimedString("one ", 0.2, 0.35, speaker_id="a"), TimedString("two", 0.45, 0.7), TimedString("open"))
    said = np.concatenate([silence(0.2), speech(0.15), silence(0.1), speech(0.25)])
    heard, moved = await trimmed(said, frame_seconds=frame_seconds, words=words)
    assert [str(word) for word in moved] == ["one ", "two", "open"]
    assert moved[0].start_time == pytest.approx(0.008, abs=1e-4)
    assert moved[1].end_time == pytest.approx(len(heard) / RATE, abs=1e-4)
    assert moved[0].speaker_id == "a"
    assert moved[2].start_time == words[2].start_time


async def test_speech_that_is_all_silence_keeps_its_last_milliseconds() -> None:
    heard, words = await trimmed(silence(0.3), frame_seconds=0.01, words=(TimedString("hm", 0.1, 0.2),))
    assert len(heard) == 192
    assert words[0].start_time == 0.0


async def test_who_stops_listening_stops_the_synthesis() -> None:
    ended = []

    async def frames() -> AsyncGenerator[rtc.AudioFrame, None]:
        try:
            while True:
                yield rtc.AudioFrame(speech(0.01).tobytes(), RATE, 1, 240)
        finally:
            ended.append(True)

    trimmer = trim_leading_silence(frames())
    await anext(trimmer)
    await trimmer.aclose()
    assert ended == [True]
