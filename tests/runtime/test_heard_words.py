"""The framework's own session, without a room: what does its history say of a speech that was cut off?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, llm
from livekit.agents.voice import io
from livekit.agents.voice.io import TimedString
from livekit.agents.voice.transcription import TranscriptSynchronizer

from voiceworker.lab.emulators.tones import WORD_SECONDS, encode
from voiceworker.runtime.heard_words import count_heard_words

RATE = 24_000
TEXT = "Apple river stone candle basket maple ocean garden."


class Speaker(io.AudioOutput):
    """Plays nothing; ends a speech, or has it cut, where it is told."""

    def __init__(self) -> None:
        super().__init__(label="speaker", capabilities=io.AudioOutputCapabilities(pause=True), sample_rate=RATE)
        self.begun = asyncio.Event()
        self.cut_at = 0.0
        self.seconds = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self.seconds:
            self.on_playback_started(created_at=0.0)
        self.seconds += frame.duration

    def flush(self) -> None:
        super().flush()
        self.begun.set()

    def clear_buffer(self) -> None:
        self.on_playback_finished(playback_position=self.cut_at, interrupted=True)

    def play_out(self) -> None:
        self.on_playback_finished(playback_position=self.seconds, interrupted=False)


class Screen(io.TextOutput):
    def __init__(self) -> None:
        super().__init__(label="screen", next_in_chain=None)

    async def capture_text(self, text: str) -> None: ...

    def flush(self) -> None: ...


async def timed() -> AsyncIterator[str]:
    for place, word in enumerate(TEXT.split()):
        middle = (place + 0.5) * WORD_SECONDS
        yield TimedString(f"{word} ", start_time=place * WORD_SECONDS, end_time=middle)


async def tones() -> AsyncGenerator[rtc.AudioFrame, None]:
    sound = encode(TEXT)
    for place in range(0, len(sound), RATE // 10):
        part = np.ascontiguousarray(sound[place : place + RATE // 10])
        yield rtc.AudioFrame(part.tobytes(), RATE, 1, len(part))


class Talk:
    def __init__(self) -> None:
        self.speaker = Speaker()
        self.session: AgentSession[None] = AgentSession()

    async def speech(self, cut_at: float | None) -> str:
        """What the history has of it, cut there or played out."""
        self.speaker.begun.clear()
        self.speaker.seconds = 0.0
        handle = self.session.say(timed(), audio=tones())
        await self.speaker.begun.wait()
        if cut_at is None:
            self.speaker.play_out()
        else:
            self.speaker.cut_at = cut_at
            await self.session.interrupt()
        await handle.wait_for_playout()
        return "".join(
            item.text_content or "" for item in handle.chat_items if isinstance(item, llm.ChatMessage)
        ).strip()


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    talk = Talk()
    in_step = TranscriptSynchronizer(next_in_chain_audio=talk.speaker, next_in_chain_text=Screen())
    talk.session.output.audio, talk.session.output.transcription = in_step.audio_output, in_step.text_output
    await talk.session.start(Agent(instructions=""), record=False)
    count_heard_words(talk.session)
    yield talk
    await talk.session.aclose()
    await in_step.aclose()


@pytest.mark.parametrize("count", range(1, 8))
async def test_the_history_has_the_words_up_to_where_the_speech_was_cut(talk: Talk, count: int) -> None:
    heard = await talk.speech(count * WORD_SECONDS)
    assert heard.split() == TEXT.split()[:count]


async def test_a_word_counts_from_its_middle_on(talk: Talk) -> None:
    assert (await talk.speech(2.4 * WORD_SECONDS)).split() == TEXT.split()[:2]
    assert (await talk.speech(2.6 * WORD_SECONDS)).split() == TEXT.split()[:3]


async def test_what_was_played_out_is_heard_whole_and_each_speech_counts_for_itself(talk: Talk) -> None:
    assert await talk.speech(None) == TEXT
    assert (await talk.speech(WORD_SECONDS)).split() == TEXT.split()[:1]
    assert await talk.speech(None) == TEXT
