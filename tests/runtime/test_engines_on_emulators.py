"""The engines as the builder makes them, each at its provider's emulator over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from livekit import rtc
from livekit.agents import ChatContext, utils

from voiceworker.config import AgentDefinition, Settings
from voiceworker.lab.emulators import Delays, ProviderEmulators
from voiceworker.runtime.engines import EngineBuilder

pytestmark = pytest.mark.slow

QUICK = Delays(first_token_seconds=0.01, tokens_per_second=1000, first_audio_seconds=0.01, leading_silence_seconds=0.0)
KEYS = {"OPENAI_API_KEY": "key-of-openai", "DEEPGRAM_API_KEY": "key-of-deepgram", "VLLM_API_KEY": "key-of-vllm"}


@pytest_asyncio.fixture
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(delays=QUICK, speech_speed=100) as emulators, utils.http_context.open():
        yield emulators


def engines(emulators: ProviderEmulators, directory: Path, **models: str) -> EngineBuilder:
    definition = AgentDefinition.model_validate(
        {
            "name": "desk",
            "instructions": "x",
            "greeting": "y",
            "models": {"llm": "openai/gpt-4.1-mini", **models},
            "endpoints": {
                "vllm": {"base_url": emulators.openai_url, "model": "qwen3", "api_key_variable": "VLLM_API_KEY"},
                "speech": {"base_url": emulators.openai_url, "model": "tts-1"},
                "ear": {"base_url": emulators.openai_url, "model": "whisper-1"},
            },
        }
    )
    settings = Settings(
        cache_directory=directory,
        openai_base_url=emulators.openai_url,
        deepgram_base_url=emulators.deepgram_url,
        ollama_base_url=emulators.openai_url,
        provider_keys=KEYS,
    )
    return EngineBuilder(definition, settings, settings.now)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("openai/gpt-4.1-mini", "key-of-openai"),
        ("openai-responses/gpt-4.1-mini", "key-of-openai"),
        ("openai-compatible/vllm", "key-of-vllm"),
        ("ollama/llama3.2", "none"),
    ],
)
async def test_a_language_model_is_asked_with_its_own_key(
    text: str, key: str, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    engine = engines(emulators, tmp_path, llm=text).thinking()
    chat = ChatContext.empty()
    chat.add_message(role="user", content="hello")
    async with asyncio.timeout(60), engine.chat(chat_ctx=chat) as stream:
        said = "".join([chunk.delta.content or "" async for chunk in stream if chunk.delta])
    await engine.aclose()
    assert said
    assert {request.api_key for request in emulators.requests if request.role == "llm"} == {key}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("openai/gpt-4o-mini-tts/coral", "key-of-openai"),
        ("openai-compatible/speech/af_heart", "none"),
        ("deepgram/aura-2-thalia-en", "key-of-deepgram"),
    ],
)
async def test_a_voice_is_asked_with_its_own_key(
    text: str, key: str, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    engine = engines(emulators, tmp_path, tts=text).speaking()
    async with asyncio.timeout(60), engine.synthesize("hello") as stream:
        frames = [audio.frame async for audio in stream]
    await engine.aclose()
    assert sum(frame.duration for frame in frames) > 0
    assert {request.api_key for request in emulators.requests if request.role == "tts"} == {key}


@pytest.mark.parametrize("text", ["deepgram/nova-3", "deepgram/flux-general-en", "deepgram/flux-general-multi"])
async def test_a_streaming_recogniser_listens_with_its_own_key(
    text: str, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    engine = engines(emulators, tmp_path, stt=text).hearing()
    async with asyncio.timeout(60), engine.stream() as stream:
        stream.push_frame(silence())
        while not emulators.bill.total("stt", "key-of-deepgram").audio_seconds:
            await asyncio.sleep(0.01)
    await engine.aclose()
    assert {request.api_key for request in emulators.requests if request.role == "stt"} == {"key-of-deepgram"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("openai/gpt-4o-transcribe", "key-of-openai"),
        ("openai/whisper-1", "key-of-openai"),
        ("openai-compatible/ear", "none"),
    ],
)
async def test_a_recogniser_of_recordings_is_asked_with_its_own_key(
    text: str, key: str, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    engine = engines(emulators, tmp_path, stt=text).hearing()
    async with asyncio.timeout(60):
        event = await engine.recognize(silence())
    await engine.aclose()
    assert event.alternatives[0].text == ""
    assert {request.api_key for request in emulators.requests if request.role == "stt"} == {key}


async def test_a_realtime_model_opens_its_session_with_its_own_key(
    emulators: ProviderEmulators, tmp_path: Path
) -> None:
    model = engines(emulators, tmp_path, realtime="openai/gpt-realtime/marin").realtime()
    assert model is not None
    session = model.session()
    async with asyncio.timeout(60):
        await session.update_instructions("Be kind.")
        await session.generate_reply()
    await session.aclose()
    await model.aclose()
    assert {request.api_key for request in emulators.requests} == {"key-of-openai"}


def silence() -> rtc.AudioFrame:
    samples = 16_000 // 2
    return rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples)
