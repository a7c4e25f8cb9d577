"""The stock plugins, counted, on the emulators over real sockets."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectOptions, ChatContext, stt, tts
from livekit.plugins import deepgram, openai

from voiceworker.lab.emulators import Delays, ProviderEmulators
from voiceworker.lab.emulators.bill import Account
from voiceworker.policy.pricing import Usage
from voiceworker.prices import load_prices
from voiceworker.runtime.metering import Meter

QUICK = Delays(
    first_interim_seconds=0.1,
    interim_every_seconds=0.1,
    final_seconds=0.02,
    first_token_seconds=0.01,
    tokens_per_second=500,
    first_audio_seconds=0.01,
    leading_silence_seconds=0.05,
)
RATE = 16000
STT, LLM, AURA, TTS = "deepgram/nova-3", "openai/gpt-4.1-mini", "deepgram/aura-2-thalia-en", "openai/tts-1"


class Line:
    """One call's engines, counted, and the bill of its own keys."""

    def __init__(self, emulators: ProviderEmulators, http: aiohttp.ClientSession, key: str) -> None:
        self.meter = Meter(load_prices(), "USD")
        self.options = APIConnectOptions(max_retry=0, timeout=2)
        self._emulators = emulators
        self._key = key
        listen, speak = (f"{emulators.deepgram_url}/v1/{path}" for path in ("listen", "speak"))
        url = emulators.openai_url
        self.ear = self.meter.stt(STT, deepgram.STT(base_url=listen, api_key=key, http_session=http))
        self.mind = self.meter.llm(LLM, openai.LLM(model="gpt-4.1-mini", base_url=url, api_key=key))
        aura = deepgram.TTS(model="aura-2-thalia-en", base_url=speak, api_key=f"{key}-aura", http_session=http)
        self.aura = self.meter.tts(AURA, aura)
        self.tts = self.meter.tts(TTS, openai.TTS(model="tts-1", base_url=url, api_key=key))

    # --- what a call does ---

    def push(self, stream: stt.RecognizeStream, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            stream.push_frame(rtc.AudioFrame(np.zeros(RATE // 50, np.int16).tobytes(), RATE, 1, RATE // 50))

    async def think(self, *texts: str) -> str:
        async with self.mind.chat(chat_ctx=conversation(*texts), conn_options=self.options) as stream:
            return (await stream.collect()).text

    async def say(self, voice: tts.TTS[Any], text: str) -> None:
        if not voice.capabilities.streaming:
            async with voice.synthesize(text, conn_options=self.options) as speech:
                return await drain(speech)
        async with voice.stream(conn_options=self.options) as stream:
            stream.push_text(text)
            stream.end_input()
            return await drain(stream)

    # --- what came of it ---

    @property
    def cost(self) -> Decimal:
        return self.meter.totals().cost

    def used(self, model: str) -> Usage:
        found = [one.usage for one in self.meter.turns() if one.usage.model == model]
        return sum(found[1:], found[0]) if found else Usage("", model)

    def bill(self, model: str) -> Account:
        role: Any = {STT: "stt", LLM: "llm"}.get(model, "tts")
        return self._emulators.bill.total(role, f"{self._key}-aura" if model == AURA else self._key)

    def billed(self) -> Decimal:
        """What the emulators ask for, at the same prices."""
        thought, prices = self.bill(LLM), load_prices()
        usages = (
            Usage("stt", STT, audio_seconds=self.bill(STT).audio_seconds),
            Usage("llm", LLM, input_tokens=thought.prompt_tokens, output_tokens=thought.completion_tokens),
            Usage("tts", AURA, characters=self.bill(AURA).characters),
            Usage("tts", TTS, characters=self.bill(TTS).characters),
        )
        costs = [prices.cost(usage, "USD") for usage in usages]
        return sum((cost for cost in costs if cost is not None), Decimal(0))

    async def until(self, condition: Callable[[], bool]) -> None:
        """What a socket carries is there when it is there."""
        async with asyncio.timeout(3):
            while not condition():
                await asyncio.sleep(0.002)

    async def aclose(self) -> None:
        for engine in (self.ear, self.mind, self.aura, self.tts):
            await engine.aclose()


def conversation(*texts: str) -> ChatContext:
    chat = ChatContext.empty()
    chat.add_message(role="system", content="You are a receptionist, terse and friendly. " * 8)
    for index, text in enumerate(texts):
        chat.add_message(role="assistant" if index % 2 else "user", content=text)
    return chat


async def drain(stream: AsyncIterator[object]) -> None:
    async with asyncio.timeout(5):
        async for _ in stream:
            pass


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def emulators(request: pytest.FixtureRequest) -> AsyncIterator[ProviderEmulators]:
    """With the faults that a test is parametrised with, indirectly."""
    faults = getattr(request, "param", ())
    async with ProviderEmulators(delays=QUICK, speech_speed=50, faults=faults) as emulators:
        yield emulators


@pytest.fixture
def make_line(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> Callable[[str], Line]:
    return functools.partial(Line, emulators, http)


@pytest_asyncio.fixture
async def line(make_line: Callable[[str], Line]) -> AsyncIterator[Line]:
    line = make_line("key-a")
    yield line
    await line.aclose()
