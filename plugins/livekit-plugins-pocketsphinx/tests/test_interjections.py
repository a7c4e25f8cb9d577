"""A listener's words and a "stop", as callers say them over an agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
from livekit import rtc
from livekit.agents.stt import SpeechEvent, SpeechEventType
from livekit.plugins.pocketsphinx import STT
from livekit.plugins.pocketsphinx.dictionary import read_dictionary
from livekit.plugins.pocketsphinx.grammar import END, automata, expected_counts
from livekit.plugins.pocketsphinx.interjections import (
    GRAMMAR,
    INTERRUPTING,
    LISTENING,
    NOISES,
    PRONUNCIATIONS,
    sounds_like_laughter,
)

pytestmark = pytest.mark.slow

Samples = npt.NDArray[np.int16]
TURNS = Path(__file__).parents[3] / "tests" / "audio" / "turns"
SPOKEN = {word for (word,) in expected_counts(automata(GRAMMAR))[0]} - {END}
QUIET = np.zeros(16000, np.int16)


def read(name: str) -> Samples:
    """16 kHz mono."""
    samples, rate = soundfile.read(TURNS / name, dtype="float32")
    resampled: npt.NDArray[np.float32] = soxr.resample(samples, rate, 16000)
    return np.round(np.clip(resampled, -1, 1) * 32767).astype(np.int16)


async def heard(stt: STT, said: Samples) -> list[SpeechEvent]:
    samples = np.concatenate([QUIET, said, QUIET])
    async with stt.stream() as stream:
        for start in range(0, len(samples), 320):
            part = samples[start : start + 320]
            stream.push_frame(rtc.AudioFrame(part.tobytes(), 16000, 1, len(part)))
        stream.end_input()
        return [event async for event in stream if event.alternatives]


def test_every_word_can_be_pronounced() -> None:
    assert SPOKEN - set(read_dictionary()) <= set(PRONUNCIATIONS)
    phones = {phone for sounds in read_dictionary().values() for sound in sounds for phone in sound.split()}
    assert {phone for sounds in PRONUNCIATIONS.values() for sound in sounds for phone in sound.split()} <= phones


def test_what_is_shown_early_can_be_heard() -> None:
    early = {word for phrase in LISTENING | INTERRUPTING for word in phrase}
    assert early - SPOKEN - set(read_dictionary()) == set()
    assert NOISES <= SPOKEN


def test_no_phrase_both_listens_and_interrupts() -> None:
    assert not LISTENING & INTERRUPTING
    assert not any(phrase[:length] in LISTENING for phrase in INTERRUPTING for length in (1, 2))


def test_a_short_word_again_and_again_is_a_laugh() -> None:
    assert sounds_like_laughter(["that's", "f", "f", "f", "f"], times=3)
    assert not sounds_like_laughter(["no", "no", "no", "no"], times=3)
    assert not sounds_like_laughter(["five", "five", "five"], times=3)
    assert not sounds_like_laughter(["l", "l", "o", "y", "d"], times=3)


async def test_a_listeners_sound_is_never_taken_for_another_word(engine: Callable[..., STT]) -> None:
    events = await heard(engine(), read("backchannel/awb-mm-hmm-d48bf1.flac"))
    assert {event.alternatives[0].text for event in events} <= {"mm-hmm", "mhm", "mm", ""}
    assert events


async def test_stop_is_told_before_the_end_of_speech(engine: Callable[..., STT]) -> None:
    events = await heard(engine(), read("interruption/awb-stop-dd25ab.flac"))
    assert [(event.type, event.alternatives[0].text) for event in events][-2:] == [
        (SpeechEventType.INTERIM_TRANSCRIPT, "stop"),
        (SpeechEventType.FINAL_TRANSCRIPT, "stop"),
    ]


@pytest.mark.parametrize("name", ["cough-1-f6c61a", "laugh-2-f3a6d4"])
async def test_a_noise_is_nothing_said(engine: Callable[..., STT], name: str) -> None:
    events = await heard(engine(), read(f"noise/{name}.flac"))
    assert [event.alternatives[0].text for event in events if event.alternatives[0].text] == []
