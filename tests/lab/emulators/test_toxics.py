"""The stock plugins on emulators whose network fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, ChatContext, stt
from livekit.plugins import deepgram, openai

from voiceworker.config import Settings
from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.emulators import ProviderEmulators
from voiceworker.lab.emulators.tones import decode, words_of
from voiceworker.lab.emulators.toxics import NoToxiproxyError, ToxicPort, Toxiproxy, toxiproxy_program
from voiceworker.lab.speech import Speech

pytestmark = [pytest.mark.slow, pytest.mark.system]

ONCE = APIConnectOptions(max_retry=0, timeout=2)


@pytest_asyncio.fixture
async def port(emulators: ProviderEmulators) -> AsyncIterator[ToxicPort]:
    try:
        program = await asyncio.to_thread(toxiproxy_program, Settings().cache_directory)
    except NoToxiproxyError as error:
        pytest.skip(str(error))
    async with Toxiproxy(program) as proxy:
        yield await proxy.put_ahead_of(emulators.port)


async def chat(port: ToxicPort) -> str:
    async with openai.LLM(model="gpt-4.1-mini", base_url=port.openai_url, api_key="key-a") as gpt:
        context = ChatContext.empty()
        context.add_message(role="user", content="hello")
        async with gpt.chat(chat_ctx=context, conn_options=ONCE) as stream, asyncio.timeout(5):
            texts = [chunk.delta.content or "" async for chunk in stream if chunk.delta is not None]
    return "".join(texts)


async def test_latency_is_waited_for(port: ToxicPort) -> None:
    await port.add("latency", latency=200)
    began = time.perf_counter()
    assert len(words_of(await chat(port))) == 24
    assert time.perf_counter() - began > 0.2
    await port.clear()
    assert len(words_of(await chat(port))) == 24


@pytest.mark.parametrize(("kind", "milliseconds"), [("reset_peer", 30), ("timeout", 30)])
async def test_a_connection_that_breaks_is_an_error_of_the_model(
    kind: Literal["reset_peer", "timeout"], milliseconds: int, port: ToxicPort
) -> None:
    await port.add(kind, timeout=milliseconds)
    with pytest.raises(APIConnectionError):
        await chat(port)


async def test_a_silent_network_is_a_timeout(port: ToxicPort) -> None:
    await port.add("timeout", timeout=0)
    with pytest.raises((APIError, TimeoutError)):
        await chat(port)


async def test_a_slow_end_is_not_waited_for(port: ToxicPort) -> None:
    await port.add("slow_close", delay=3000)
    async with asyncio.timeout(2.5):
        assert len(words_of(await chat(port))) == 24


async def test_a_narrow_line_makes_speech_late(port: ToxicPort, http: aiohttp.ClientSession) -> None:
    """48 kB/s is the pace of speech; at 24 a second takes two."""
    await port.add("bandwidth", rate=24)
    voice = deepgram.TTS(base_url=f"{port.deepgram_url}/v1/speak", api_key="key-a", http_session=http)
    began = time.perf_counter()
    frame = await voice.synthesize("Amber castle river spider.").collect()
    await voice.aclose()
    assert [word.text for word in decode(np.frombuffer(frame.data, np.int16))] == ["amber", "castle", "river", "spider"]
    assert time.perf_counter() - began > 1.5


async def test_a_recogniser_is_found_again_after_a_reset(
    emulators: ProviderEmulators,
    port: ToxicPort,
    http: aiohttp.ClientSession,
    make_speech: Callable[..., Speech],
) -> None:
    again = APIConnectOptions(max_retry=50, retry_interval=0.1, timeout=2)
    nova = deepgram.STT(base_url=f"{port.deepgram_url}/v1/listen", api_key="key-a", http_session=http)
    stream = nova.stream(conn_options=again)
    speech = make_speech("what is the price")
    quiet = np.zeros(SAMPLE_RATE // 2, np.int16)
    stream.push_frame(rtc.AudioFrame(quiet.tobytes(), SAMPLE_RATE, 1, len(quiet)))
    async with asyncio.timeout(10):
        while len(emulators.requests) < 1:
            await asyncio.sleep(0.01)
        await port.add("reset_peer", stream="upstream", timeout=0)  # with the next that the client sends
        stream.push_frame(rtc.AudioFrame(quiet.tobytes(), SAMPLE_RATE, 1, len(quiet)))
        while emulators.requests[0].ended_at is None:
            await asyncio.sleep(0.01)
        await port.clear()
        while len(emulators.requests) < 2 or emulators.requests[-1].ended_at is not None:
            await asyncio.sleep(0.05)
        emulators.expect(speech, time.perf_counter())
        samples = np.concatenate([read_speech(speech.path), quiet])
        stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))
        final = stt.SpeechEventType.FINAL_TRANSCRIPT
        heard = await anext(event.alternatives[0].text async for event in stream if event.type is final)
    await stream.aclose()
    assert heard == "what is the price"
