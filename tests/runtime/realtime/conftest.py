"""A line over the stock plugin on the emulator, and speech whose words are known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from livekit import rtc
from livekit.agents import llm
from livekit.plugins.openai import realtime

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.emulators import Delays, ProviderEmulators
from voiceworker.lab.speech import Speech, SpokenWord
from voiceworker.runtime.realtime import LineSettings, Lost, RealtimeLine, model_options
from voiceworker.runtime.realtime.line import LineSession
from voiceworker.runtime.realtime.settings import ReplyState

QUICK = Delays(
    final_seconds=0.02,
    first_token_seconds=0.03,
    tokens_per_second=1000,
    first_audio_seconds=0.02,
    leading_silence_seconds=0.1,
)

MakeSpeech = Callable[[str], Speech]


@pytest.fixture
def make_speech(tmp_path: Path) -> MakeSpeech:
    """Words of 200 ms, each noise of its own."""

    def make(text: str) -> Speech:
        random = np.random.default_rng(list(text.encode()))
        length = SAMPLE_RATE // 5
        shape = np.sin(np.linspace(0.15, np.pi - 0.15, length)) ** 0.5
        pieces = [(6000 * random.normal(0, 1, length) * shape).astype(np.int16) for _ in text.split()]
        words = tuple(SpokenWord(word, 0.2 * index, 0.2 * index + 0.2) for index, word in enumerate(text.split()))
        path = tmp_path / f"{text.replace(' ', '_')[:60]}.wav"
        soundfile.write(path, np.concatenate(pieces), SAMPLE_RATE)
        return Speech(text, "turn", "noise", path, words, 0.2 * len(words))

    return make


@dataclass
class Talk:
    """What the framework does with a line, as far as the line can see: a history of what was heard, and replies."""

    line: RealtimeLine
    session: LineSession
    history: llm.ChatContext
    losses: list[Lost] = field(default_factory=list)
    broken_off: list[ReplyState] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def transcribed(self, event: llm.InputTranscriptionCompleted) -> None:
        if event.is_final:
            self._keep(llm.ChatMessage(id=event.item_id, role="user", content=[event.transcript]))

    def _keep(self, item: llm.ChatItem) -> None:
        self.history.items.append(item)
        self.changed.set()

    def push(self, samples: Samples) -> None:
        step = SAMPLE_RATE // 50
        for begin in range(0, len(samples), step):
            chunk = samples[begin : begin + step]
            self.session.push_audio(rtc.AudioFrame(chunk.tobytes(), SAMPLE_RATE, 1, len(chunk)))

    def say(self, samples: Samples) -> None:
        """A whole turn of the caller's, with silence around it, up to its being taken."""
        self.push(np.zeros(SAMPLE_RATE, np.int16))
        self.session.caller_voice(speaking=True)
        self.push(samples)
        self.session.caller_voice(speaking=False)
        self.push(np.zeros(SAMPLE_RATE // 2, np.int16))
        self.session.commit_audio()

    async def reply(self, **how: Any) -> str:
        generation = await self.session.generate_reply(**how)
        text = ""
        async for message in generation.message_stream:
            async for part in message.text_stream:
                text += part
            async for _ in message.audio_stream:
                pass
            self._keep(llm.ChatMessage(id=message.message_id, role="assistant", content=[text]))
        return text.strip()

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(delays=QUICK, speech_speed=100) as emulators:
        yield emulators


@pytest.fixture
def talking() -> Any:
    """`async with talking(emulators, cap_seconds=20) as talk:`"""
    return _talking


@asynccontextmanager
async def _talking(emulators: ProviderEmulators, **settings: Any) -> AsyncIterator[Talk]:
    async with aiohttp.ClientSession() as http:
        options = model_options()
        model = realtime.RealtimeModel(api_key="key", base_url=emulators.openai_url, http_session=http, **options)
        history = llm.ChatContext()
        losses: list[Lost] = []
        broken: list[ReplyState] = []
        line = RealtimeLine(
            model,
            LineSettings(**settings),
            history=lambda: history,
            on_lost=losses.append,
            on_broken_off=broken.append,
        )
        session = line.session()
        talk = Talk(line, session, history, losses, broken)
        session.on("input_audio_transcription_completed", talk.transcribed)
        try:
            yield talk
        finally:
            await session.aclose()
