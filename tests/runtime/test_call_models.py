from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins import deepgram, espeak, openai, pocketsphinx

from voiceworker.config import AgentDefinition, Settings
from voiceworker.events import Event
from voiceworker.prices import load_prices
from voiceworker.runtime.call_models import CallModels, Listeners
from voiceworker.runtime.chains import Switch
from voiceworker.runtime.chains.language_model import LanguageModelChain
from voiceworker.runtime.chains.recognition import SpeechRecognitionChain
from voiceworker.runtime.chains.voice import VoiceChain
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.metering.language import MeteredLLM
from voiceworker.runtime.metering.recognition import MeteredSTT
from voiceworker.runtime.metering.voices import MeteredTTS
from voiceworker.runtime.speech_gate import SpeechGate

PREFERRED = {
    "stt": ["deepgram/nova-3", "pocketsphinx"],
    "llm": ["openai/gpt-4.1-mini", "openai/gpt-4.1-nano"],
    "tts": ["deepgram/aura-2-thalia-en", "espeak/en-us"],
}

Build = Callable[..., tuple[CallModels, EngineBuilder]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    keys = {"OPENAI_API_KEY": "one-key", "DEEPGRAM_API_KEY": "other-key"}
    settings = Settings(data_directory=tmp_path, cache_directory=tmp_path, provider_keys=keys)

    def made(models: dict[str, list[str]], **more: Any) -> tuple[CallModels, EngineBuilder]:
        given = {"name": "desk", "instructions": "x", "greeting": "y", "models": models, **more}
        call = CallModels(settings, load_prices())
        return call, call.engines(AgentDefinition.model_validate(given))

    return made


async def test_each_list_becomes_a_chain_of_what_is_paid_for_metered_and_what_is_built_in_as_it_is(
    build: Build,
) -> None:
    call, engines = build(PREFERRED)
    hearing, thinking, speaking = engines.hearing(), engines.thinking(), engines.speaking()
    assert isinstance(hearing, SpeechRecognitionChain)
    assert isinstance(thinking, LanguageModelChain)
    assert isinstance(speaking, VoiceChain)
    assert [type(link.engine) for link in thinking.links] == [MeteredLLM, MeteredLLM]
    assert [type(link.engine) for link in speaking.links] == [MeteredTTS, espeak.TTS]
    await call.aclose()


async def test_a_paid_recogniser_is_gated_unless_the_agent_says_no(build: Build) -> None:
    call, engines = build({**PREFERRED, "stt": ["deepgram/nova-3"]})
    gate = engines.hearing()
    assert isinstance(gate, SpeechGate)
    assert isinstance(gate.engine, MeteredSTT)  # within: what the gate keeps back costs nothing
    assert isinstance(gate.engine.engine, deepgram.STT)
    await call.aclose()
    call, engines = build({**PREFERRED, "stt": ["deepgram/nova-3"]}, limits={"speech_gate": False})
    ungated = engines.hearing()
    assert isinstance(ungated, MeteredSTT)
    assert isinstance(ungated.engine, deepgram.STT)
    await call.aclose()


async def test_what_is_built_in_answers_as_if_there_were_nothing_around_it(build: Build) -> None:
    call, engines = build({"stt": ["pocketsphinx"], "llm": ["openai/gpt-4.1-mini"], "tts": ["espeak"]})
    assert isinstance(engines.hearing(), pocketsphinx.STT)
    assert isinstance(engines.speaking(), espeak.TTS)
    thinking = engines.thinking()
    assert isinstance(thinking, MeteredLLM)
    assert isinstance(thinking.engine, openai.LLM)
    await call.aclose()


async def test_switches_are_told_to_the_call_once_there_is_one(build: Build) -> None:
    call, _ = build(PREFERRED)
    switch = Switch("llm", "openai/gpt-4.1-mini", "openai/gpt-4.1-nano", "timed out")
    call.switched(switch)
    told: list[Event] = []
    call.listeners = Listeners(told.append, lambda: None, lambda: "One moment. ")
    call.switched(switch)
    assert [event.type for event in told] == ["models.switched"]
    assert call.filler() == "One moment. "
    await call.aclose()
