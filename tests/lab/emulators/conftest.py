"""Speech whose words are known, a client's session, and the emulators with delays short enough for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
import soundfile

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.emulators import Delays, ProviderEmulators
from voiceworker.lab.speech import Speech, SpeechKind, SpokenWord

QUICK = Delays(
    first_interim_seconds=0.3,
    interim_every_seconds=0.2,
    final_seconds=0.05,
    first_token_seconds=0.03,
    tokens_per_second=1000,
    first_audio_seconds=0.02,
    leading_silence_seconds=0.1,
)

MakeSpeech = Callable[..., Speech]


@pytest.fixture
def make_speech(tmp_path: Path) -> MakeSpeech:
    """`make_speech("what is | the price")`: words of 300 ms, without gaps; `|` is a pause of 400 ms.

    Each word is noise of its own, shaped like a syllable: like speech, no stretch of it looks like another.
    """

    def make(text: str, *, kind: SpeechKind = "turn", pause_seconds: float = 0.4, seed: int = 0) -> Speech:
        random = np.random.default_rng([seed, *text.encode()])
        pieces: list[Samples] = []
        words: list[SpokenWord] = []
        position = 0
        for item in text.split():
            length = round((pause_seconds if item == "|" else 0.3) * SAMPLE_RATE)
            if item == "|":
                pieces.append(np.zeros(length, np.int16))
            else:
                noise = np.convolve(random.normal(0, 1, length), np.ones(8) / 3, "same")
                shape = np.sin(np.linspace(0.15, np.pi - 0.15, length)) ** 0.5
                pieces.append((6000 * noise * shape).astype(np.int16))
                words.append(SpokenWord(item, position / SAMPLE_RATE, (position + length) / SAMPLE_RATE))
            position += length
        path = tmp_path / f"{abs(hash((text, seed)))}.wav"
        soundfile.write(path, np.concatenate(pieces), SAMPLE_RATE)
        spoken = () if kind == "noise" else tuple(words)
        return Speech(text, kind, "noise", path, spoken, position / SAMPLE_RATE)

    return make


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(delays=QUICK, speech_speed=100) as emulators:
        yield emulators
