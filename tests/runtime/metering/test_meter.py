"""The stock plugins, counted, on the emulators over real sockets: what we count is what they bill."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectOptions, ChatContext, stt, tts
from livekit.plugins import deepgram, openai

from voiceworker.lab.emulators import Delays, ProviderEmulators, Sentences
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
ONCE = APIConnectOptions(max_retry=0, timeout=2)
AGAIN = APIConnectOptions(max_retry=2, retry_interval=0.01, timeout=2)
RATE = 16000
STT, LLM, AURA, TTS = "deepgram/nova-3", "openai/gpt-4.1-mini", "deepgram/aura-2-thalia-en", "openai/tts-1"


class Line:
    """One call's engines, counted, and the bill of its own key."""

    def __init__(self, emulators: ProviderEmulators, http: aiohttp.ClientSession, key: str) -> None:
        self.meter = Meter(load_prices(), "USD")
        self._emulators = emulators
        self._key = key
        url = emulators.deepgram_url
        self.ear = self.meter.stt(STT, deepgram.STT(base_url=f"{url}/v1/listen", api_key=key, http_session=http))
        self.mind = self.meter.llm(LLM, openai.LLM(model="gpt-4.1-mini", base_url=emulators.openai_url, api_key=key))
        self.aura = self.meter.tts(
            AURA,
            deepgram.TTS(
                model="aura-2-thalia-en", base_url=f"{url}/v1/speak", api_key=f"{key}-aura", http_session=http
            ),
        )
        self.tts = self.meter.tts(TTS, openai.TTS(model="tts-1", base_url=emulators.openai_url, api_key=key))

    @property
    def cost(self) -> Decimal:
        return self.meter.totals().cost

    def used(self, model: str) -> Usage:
        found = [one.usage for one in self.meter.turns() if one.usage.model == model]
        return sum(found[1:], found[0]) if found else Usage("", model)

    def billed(self) -> Decimal:
        """What the emulators ask for, at the same prices."""
        bill, prices = self._emulators.bill, load_prices()
        thought = bill.total("llm", self._key)
        usages = (
            Usage("stt", STT, audio_seconds=bill.total("stt", self._key).audio_seconds),
            Usage("llm", LLM, input_tokens=thought.prompt_tokens, output_tokens=thought.completion_tokens),
            Usage("tts", AURA, characters=bill.total("tts", f"{self._key}-aura").characters),
            Usage("tts", TTS, characters=bill.total("tts", self._key).characters),
        )
        costs = [prices.cost(usage, "USD") for usage in usages]
        return sum((cost for cost in costs if cost is not None), Decimal(0))

    async def aclose(self) -> None:
        for engine in (self.ear, self.mind, self.aura, self.tts):
            await engine.aclose()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(delays=QUICK, speech_speed=50) as emulators:
        yield emulators


@pytest_asyncio.fixture
async def line(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> AsyncIterator[Line]:
    line = Line(emulators, http, "key-a")
    yield line
    await line.aclose()


def push(stream: stt.RecognizeStream, seconds: float) -> None:
    for _ in range(round(seconds / 0.02)):
        stream.push_frame(rtc.AudioFrame(np.zeros(RATE // 50, np.int16).tobytes(), RATE, 1, RATE // 50))


def context(*texts: str) -> ChatContext:
    chat = ChatContext.empty()
    chat.add_message(role="system", content="You are a receptionist, terse and friendly. " * 8)
    for index, text in enumerate(texts):
        chat.add_message(role="assistant" if index % 2 else "user", content=text)
    return chat


async def drain(stream: AsyncIterator[object]) -> None:
    async with asyncio.timeout(5):
        async for _ in stream:
            pass


async def until(condition: Callable[[], bool]) -> None:
    """What a socket carries is there when it is there."""
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.002)


async def say(voice: tts.TTS[object], text: str) -> None:
    async with voice.stream(conn_options=ONCE) as stream:
        stream.push_text(text)
        stream.end_input()
        await drain(stream)


async def test_a_whole_conversation_is_counted_to_the_unit(line: Line, emulators: ProviderEmulators) -> None:
    async with line.ear.stream(conn_options=ONCE) as stream:
        push(stream, 1.24)
        stream.end_input()  # the plugin's own end of a stream takes it five seconds
        await until(lambda: emulators.bill.total("stt", "key-a").audio_seconds >= 1.239)
    async with line.mind.chat(chat_ctx=context("hello"), conn_options=ONCE) as answer:
        text = (await answer.collect()).text
    await say(line.aura, text)
    async with line.tts.synthesize("Good morning.", conn_options=ONCE) as speech:
        await drain(speech)
    heard, thought = (emulators.bill.total(role, "key-a") for role in ("stt", "llm"))
    assert line.used(STT).audio_seconds == pytest.approx(heard.audio_seconds)
    assert line.used(LLM) == Usage(
        "llm", LLM, input_tokens=thought.prompt_tokens, output_tokens=thought.completion_tokens
    )
    assert line.used(AURA).characters == emulators.bill.total("tts", "key-a-aura").characters
    assert line.used(TTS).characters == len("Good morning.")
    expected = (
        Decimal(repr(line.used(STT).audio_seconds)) / 60 * Decimal("0.0077")
        + thought.prompt_tokens * Decimal("0.0000004")
        + thought.completion_tokens * Decimal("0.0000016")
        + line.used(AURA).characters * Decimal("0.00003")
        + len("Good morning.") * Decimal("0.000015")
    )
    assert line.cost == expected
    assert abs(line.billed() - expected) < Decimal("0.000000001")
    assert line.meter.totals().unpriced == ()


async def hold(line: Line, draw: random.Random) -> None:
    """A short conversation: three turns, each with a request that is given up, at any point, and one that is not."""
    texts: list[str] = []
    async with line.ear.stream(conn_options=ONCE) as stream:
        for turn in range(1, 4):
            push(stream, draw.uniform(0.5, 3))
            texts.append(" ".join(draw.choices(("I", "would", "like", "an", "appointment", "tomorrow"), k=12)))
            async with line.mind.chat(chat_ctx=context(*texts), conn_options=ONCE) as speculation:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(draw.choice((0, draw.uniform(0, 0.03)))):
                        await speculation.collect()
            line.meter.begin_turn()
            answer = Sentences().text(turn)
            async with line.mind.chat(chat_ctx=context(*texts), conn_options=ONCE) as completion:
                answer = (await completion.collect()).text
            texts.append(answer)
            voice = draw.choice((line.aura, line.tts))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(draw.choice((5, draw.uniform(0, 0.05)))):
                    await speak(voice, answer)
        stream.end_input()
        await asyncio.sleep(draw.uniform(0, 0.02))


async def speak(voice: tts.TTS[object], text: str) -> None:
    if voice.capabilities.streaming:
        return await say(voice, text)
    for sentence in text.split(". "):
        async with voice.synthesize(sentence, conn_options=ONCE) as speech:
            await drain(speech)
    return None


async def hold_many(emulators: ProviderEmulators, http: aiohttp.ClientSession, count: int) -> list[Decimal]:
    """What each of so many conversations costs more by our count than by the bill."""
    lines = [Line(emulators, http, f"key-{number}") for number in range(count)]
    for begin in range(0, count, 10):
        async with asyncio.TaskGroup() as calls:
            for number in range(begin, min(begin + 10, count)):
                calls.create_task(hold(lines[number], random.Random(number)))
    await asyncio.gather(*(line.aclose() for line in lines))
    return [line.cost - line.billed() for line in lines]


async def test_interrupted_conversations_cost_what_the_providers_bill(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    differences = await hold_many(emulators, http, 10)
    assert max(abs(one) for one in differences) < Decimal("0.01")
    assert abs(sum(differences, Decimal(0))) < Decimal("0.01")


@pytest.mark.slow
async def test_a_hundred_interrupted_conversations_cost_what_the_providers_bill_to_the_cent(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    differences = await hold_many(emulators, http, 100)
    assert max(abs(one) for one in differences) < Decimal("0.01")
    assert abs(sum(differences, Decimal(0))) < Decimal("0.01")
