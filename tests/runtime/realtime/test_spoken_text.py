from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents.utils import is_given
from livekit.agents.voice.io import TimedString

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators.tones import WORD_SECONDS, encode
from voiceworker.runtime.realtime.spoken_text import SpokenText
from voiceworker.runtime.word_times import Pace

TEXT = "amber anchor basket beacon, berry blossom. Bridge button"
SILENCE_SECONDS = 0.2


async def parts(text: str, size: int = 5) -> AsyncIterator[str]:
    for begin in range(0, len(text), size):
        yield text[begin : begin + size]


def frames(text: str) -> list[rtc.AudioFrame]:
    sound = np.concatenate([np.zeros(round(SILENCE_SECONDS * SAMPLE_RATE), np.int16), encode(text)])
    step = SAMPLE_RATE // 10
    pieces = [sound[begin : begin + step] for begin in range(0, len(sound), step)]
    return [rtc.AudioFrame(piece.tobytes(), SAMPLE_RATE, 1, len(piece)) for piece in pieces]


async def dated(clock: SpokenText, text: str) -> list[TimedString]:
    return [word async for word in clock.timed(parts(text)) if isinstance(word, TimedString)]


async def test_the_words_of_a_complete_message_are_dated_by_its_sound() -> None:
    clock = SpokenText(Pace())
    for frame in frames(TEXT):
        clock.hear(frame)
    clock.sound_is_over()
    words = await dated(clock, TEXT)
    assert "".join(words) == TEXT
    starts = [float(word.start_time) for word in words if is_given(word.start_time)]
    true = [SILENCE_SECONDS + nth * WORD_SECONDS for nth in range(len(words))]
    assert starts == pytest.approx(true, abs=0.3)
    assert starts == sorted(starts)


async def test_words_are_given_while_the_sound_still_comes() -> None:
    clock = SpokenText(Pace())
    given: list[str] = []

    async def read() -> None:
        async for word in clock.timed(parts(TEXT)):
            given.append(word)

    reading = asyncio.ensure_future(read())
    pieces = frames(TEXT)
    for frame in pieces[: len(pieces) // 2]:
        clock.hear(frame)
        await asyncio.sleep(0)
    while not given:
        await asyncio.sleep(0)
    assert 1 <= len(given) < len(TEXT.split())
    for frame in pieces[len(pieces) // 2 :]:
        clock.hear(frame)
    clock.sound_is_over()
    await reading
    assert "".join(given) == TEXT


async def test_a_message_without_sound_keeps_its_text() -> None:
    clock = SpokenText(Pace())
    clock.sound_is_over()
    assert "".join(await dated(clock, TEXT)) == TEXT


@given(text=st.text(st.characters(codec="ascii"), max_size=60), size=st.integers(1, 9))
def test_no_word_is_lost_or_said_twice(text: str, size: int) -> None:
    async def run() -> str:
        clock = SpokenText(Pace())
        for frame in frames("amber anchor"):
            clock.hear(frame)
        clock.sound_is_over()
        return "".join([word async for word in clock.timed(parts(text, size))])

    assert asyncio.run(run()).split() == text.split()
