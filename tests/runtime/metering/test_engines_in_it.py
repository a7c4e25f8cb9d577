"""A counted engine is like the one in it, and the parts of a call take it for an ordinary one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import Agent, AgentSession, TurnHandlingOptions, llm, stt, tts
from livekit.agents.utils import http_context
from livekit.plugins import deepgram, openai
from openai import AsyncOpenAI

from voiceworker.lab.emulators import Fault, ProviderEmulators, Sentences
from voiceworker.policy.pricing import Usage
from voiceworker.runtime.chains import Breakers, Link
from voiceworker.runtime.chains.language_model import LanguageModelChain
from voiceworker.runtime.metering.requests import characters_sent
from voiceworker.runtime.speech_gate import SpeechGate, gate_detector, gate_settings

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.runtime.metering.conftest import Line

STT, LLM, AURA, TTS = "deepgram/nova-3", "openai/gpt-4.1-mini", "deepgram/aura-2-thalia-en", "openai/tts-1"
RATE = 16000
MANUAL = TurnHandlingOptions(turn_detection="manual")


def test_it_is_called_like_the_engine_in_it(line: Line) -> None:
    for engine in (line.ear, line.mind, line.aura, line.tts):
        inner = engine.engine  # type: ignore[union-attr]
        assert (engine.label, engine.model, engine.provider) == (inner.label, inner.model, inner.provider)
    assert isinstance(line.ear, stt.STT)
    assert isinstance(line.mind, llm.LLM)
    assert isinstance(line.aura, tts.TTS)
    line.aura.capabilities.aligned_transcript = True
    assert line.aura.engine.capabilities.aligned_transcript  # type: ignore[attr-defined]
    assert (line.aura.sample_rate, line.aura.num_channels) == (24000, 1)


def test_what_only_one_engine_can_is_asked_of_it(line: Line) -> None:
    line.aura.update_options(model="aura-2-orion-en")  # type: ignore[attr-defined]
    assert line.aura.model == "aura-2-orion-en"
    with pytest.raises(AttributeError):
        _ = line.mind.no_such_thing  # type: ignore[attr-defined]


async def test_its_figures_and_errors_are_told_as_its_own(line: Line) -> None:
    told: list[str] = []
    line.mind.on("metrics_collected", lambda figures: told.append(figures.type))
    line.aura.on("metrics_collected", lambda figures: told.append(figures.type))
    answer = await line.think("hello")
    await line.say(line.aura, answer)
    assert told == ["llm_metrics", "tts_metrics"]


async def test_a_stream_has_the_times_and_the_words_of_the_one_in_it(line: Line) -> None:
    async with line.ear.stream(conn_options=line.options) as stream:
        stream.start_time_offset, stream.start_time = 5.0, 7.0
        assert isinstance(stream, stt.RecognizeStream)
        assert (stream.start_time_offset, stream.start_time, stream.context) == (5.0, 7.0, None)
        with pytest.raises(ValueError, match="non-negative"):
            stream.start_time_offset = -1
    async with line.aura.stream(conn_options=line.options) as speech:
        speech.push_text("Good morning.")
        speech.end_input()
        frames = [audio.frame async for audio in speech]
    assert sum(frame.duration for frame in frames) > 0.5


async def test_a_voice_that_is_billed_by_tokens_is_counted_in_them(line: Line, emulators: ProviderEmulators) -> None:
    name = "openai/gpt-4o-mini-tts"
    engine = openai.TTS(model="gpt-4o-mini-tts", base_url=emulators.openai_url, api_key="key-b")
    voice = line.meter.tts(name, engine)
    text = "Good morning. How can I help you today?"
    await line.say(voice, text)
    whole = line.used(name)
    assert (whole.input_tokens, whole.characters, whole.estimated) == (8, len(text), False)
    seconds = emulators.bill.total("tts", "key-b").audio_seconds
    assert whole.audio_output_tokens == pytest.approx(20 * seconds, abs=1)
    speech = voice.synthesize(text * 40, conn_options=line.options)
    heard = (await anext(speech)).frame.duration
    await speech.aclose()
    cut = line.used(name) - whole
    assert line.used(name).estimated
    assert cut.input_tokens == 40 * 8
    assert cut.audio_output_tokens == pytest.approx(20 * heard, abs=2)
    assert line.cost > Decimal("0.00001")
    await voice.aclose()


async def test_a_recording_is_counted_by_its_length(line: Line, emulators: ProviderEmulators) -> None:
    client = AsyncOpenAI(base_url=emulators.openai_url, api_key="key-b")
    engine = openai.STT(model="whisper-1", client=client)
    ear = line.meter.stt("openai/whisper-1", engine)
    silence = rtc.AudioFrame(np.zeros(3 * RATE, np.int16).tobytes(), RATE, 1, 3 * RATE)
    await ear.recognize(silence, conn_options=line.options)
    assert line.used("openai/whisper-1") == Usage("stt", "openai/whisper-1", audio_seconds=3.0)
    assert line.cost == Decimal("0.0003")
    assert emulators.bill.total("stt", "key-b").audio_seconds == pytest.approx(3, abs=0.01)
    await ear.aclose()
    await client.close()  # which the plugin leaves to whoever made it


async def test_flux_is_counted_by_what_it_is_sent(
    line: Line, emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    engine = deepgram.STTv2(base_url=f"{emulators.deepgram_url}/v2/listen", api_key="key-b", http_session=http)
    ear = line.meter.stt("deepgram/flux-general-en", engine)
    async with ear.stream(conn_options=line.options) as stream:
        line.push(stream, 1)
        await line.until(lambda: emulators.bill.total("stt", "key-b").audio_seconds > 0.94)
    assert line.used("deepgram/flux-general-en").audio_seconds == pytest.approx(1, abs=0.01)
    await ear.aclose()


async def test_a_recogniser_that_charges_for_utterances_is_counted_by_them(
    line: Line, emulators: ProviderEmulators
) -> None:
    name = "openai/gpt-4o-mini-transcribe"
    client = AsyncOpenAI(base_url=emulators.openai_url, api_key="key-b")
    ear = line.meter.stt(name, openai.STT(model="gpt-4o-mini-transcribe", use_realtime=True, client=client))
    loud = np.random.default_rng(0).normal(0, 6000, RATE).astype(np.int16)
    async with http_context.open(), ear.stream(conn_options=line.options) as stream:
        line.push(stream, 2)
        stream.push_frame(rtc.AudioFrame(loud.tobytes(), RATE, 1, RATE))
        line.push(stream, 2)
        async with asyncio.timeout(5):
            await anext(event async for event in stream if event.recognition_usage is not None)
    charged = emulators.bill.total("stt", "key-b").audio_seconds
    assert 0.9 < charged < 2.5
    assert line.used(name).audio_seconds == pytest.approx(charged, abs=0.5)
    await ear.aclose()
    await client.close()


def test_a_streamed_text_is_counted_as_it_is_sent() -> None:
    assert characters_sent("Good  morning. How", whole=False) == len("Good morning. ")
    assert characters_sent("Good  morning. How", whole=True) == len("Good morning. How ")
    assert characters_sent("", whole=True) == characters_sent("Good", whole=False) == 0


# --- as parts of a call ---


@pytest.mark.parametrize("place", ["around", "within"])
async def test_a_gate_saves_what_it_keeps_back(line: Line, place: str) -> None:
    """What the gate lets through is paid for, and nothing else, whichever of the two is put into the other."""
    stock = line.ear.engine  # type: ignore[attr-defined]
    within = place == "within"
    gate = SpeechGate(stock if within else line.ear, vad=gate_detector(), settings=gate_settings(stock))
    ear = line.meter.stt(STT, gate) if within else gate
    for _ in range(2):
        async with ear.stream(conn_options=line.options) as stream:
            for _ in range(20):  # it looks at what it has by and by, and lets through what it cannot look at in time
                line.push(stream, 0.1)
                await asyncio.sleep(0.01)
        line.meter.begin_turn()
    assert gate.heard_seconds == pytest.approx(4)
    assert line.used(STT).audio_seconds == pytest.approx(gate.sent_seconds, abs=0.2)
    assert line.used(STT).audio_seconds == pytest.approx(line.bill(STT).audio_seconds, abs=0.2)
    await ear.aclose()


@pytest.mark.parametrize("emulators", [(Fault("llm", "status", nth=1),)], indirect=True)
async def test_of_a_chain_each_link_is_counted_under_its_own_name(line: Line, emulators: ProviderEmulators) -> None:
    better = openai.LLM(model="gpt-4.1", base_url=emulators.openai_url, api_key="key-a")
    links = [Link("openai/gpt-4.1", line.meter.llm("openai/gpt-4.1", better)), Link(LLM, line.mind)]
    chain = LanguageModelChain(links, Breakers(clock=time.time), lambda switch: None)
    chat = llm.ChatContext.empty()
    chat.add_message(role="user", content="hello")
    async with chain.chat(chat_ctx=chat) as stream:
        assert (await stream.collect()).text == Sentences().text(1)
    assert line.used("openai/gpt-4.1").is_nothing
    assert (line.used(LLM).output_tokens, line.used(LLM).estimated) == (24, False)
    await chain.aclose()


@pytest_asyncio.fixture
async def session(line: Line) -> AsyncIterator[AgentSession[Any]]:
    session: AgentSession[Any] = AgentSession(
        stt=line.ear, llm=line.mind, tts=line.aura, vad=None, turn_handling=MANUAL
    )
    await session.start(Agent(instructions="Be kind."), record=False, session_host=False)
    yield session
    await session.aclose()


async def test_the_frameworks_session_holds_a_turn_on_it(line: Line, session: AgentSession[Any]) -> None:
    async with asyncio.timeout(10):
        await session.run(user_input="What does it cost?")
    assert line.used(LLM).output_tokens == line.bill(LLM).completion_tokens == 24
    assert line.used(LLM).input_tokens == line.bill(LLM).prompt_tokens
    assert not line.used(LLM).estimated
