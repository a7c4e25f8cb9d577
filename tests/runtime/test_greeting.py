from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc

from voiceworker.runtime.greeting import SpokenGreeting

SPEECH = (np.sin(np.arange(30_000) / 8) * 9000).astype(np.int16)


async def speech(rate: int = 24_000) -> AsyncGenerator[rtc.AudioFrame, None]:
    for place in range(0, len(SPEECH), 480):
        part = SPEECH[place : place + 480]
        yield rtc.AudioFrame(part.tobytes(), rate, 1, len(part))


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def samples_of(frames: AsyncGenerator[rtc.AudioFrame, None]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.concatenate([np.frombuffer(frame.data, np.int16) async for frame in frames])


async def test_what_was_spoken_once_is_there_for_the_next_call(tmp_path: Path) -> None:
    first = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    first.load()
    assert not first.is_known
    assert np.array_equal(await samples_of(first.kept(speech())), SPEECH)
    first.save()
    second = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    second.load()
    assert np.array_equal(await samples_of(second.frames()), SPEECH)


@pytest.mark.parametrize(("voice", "text"), [("openai/tts", "Hello!"), ("deepgram/aura", "Good morning!")])
async def test_another_voice_or_text_is_another_greeting(tmp_path: Path, voice: str, text: str) -> None:
    first = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    await samples_of(first.kept(speech()))
    first.save()
    other = SpokenGreeting(tmp_path, voice, text)
    other.load()
    assert not other.is_known


async def test_a_greeting_that_was_cut_off_is_not_kept(tmp_path: Path) -> None:
    greeting = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    frames = greeting.kept(speech())
    await anext(frames)
    await frames.aclose()
    greeting.save()
    assert not files(tmp_path)


async def test_speech_at_another_rate_is_not_kept(tmp_path: Path) -> None:
    greeting = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    await samples_of(greeting.kept(speech(rate=16_000)))
    assert not greeting.is_known


async def test_a_broken_file_is_as_good_as_none_and_written_anew(tmp_path: Path) -> None:
    greeting = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    await samples_of(greeting.kept(speech()))
    greeting.save()
    files(tmp_path)[0].write_bytes(b"no sound")
    again = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    again.load()
    assert not again.is_known
    await samples_of(again.kept(speech()))
    again.save()
    third = SpokenGreeting(tmp_path, "deepgram/aura", "Hello!")
    third.load()
    assert third.is_known
