from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import stt
from livekit.plugins import deepgram, espeak, openai, pocketsphinx, script

from voiceworker.config import AgentDefinition, Settings
from voiceworker.events import Event
from voiceworker.prices import load_prices
from voiceworker.runtime.call_models import CallModels, Listeners
from voiceworker.runtime.chains import Link, Switch
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


def test_a_waiting_process_has_made_the_engines_before_a_loop_runs(build: Build) -> None:
    call, engines = build(PREFERRED)
    engines.warm_up()
    ahead = engines.hearing(), engines.thinking(), engines.speaking()

    async def answer() -> None:
        assert (engines.hearing(), engines.thinking(), engines.speaking()) == ahead
        await call.aclose()

    asyncio.run(answer())


async def test_a_paid_recogniser_is_gated_unless_the_agent_says_no(build: Build) -> None:
    call, engines = build({**PREFERRED, "stt": ["deepgram/nova-3"]})
    gate = _only(engines.hearing())
    assert isinstance(gate, SpeechGate)
    assert isinstance(gate.engine, MeteredSTT)  # within: what the gate keeps back costs nothing
    assert isinstance(gate.engine.engine, deepgram.STT)
    await call.aclose()
    call, engines = build({**PREFERRED, "stt": ["deepgram/nova-3"]}, limits={"speech_gate": False})
    ungated = _only(engines.hearing())
    assert isinstance(ungated, MeteredSTT)
    assert isinstance(ungated.engine, deepgram.STT)
    await call.aclose()


async def test_what_is_built_in_answers_as_if_there_were_nothing_around_it(build: Build) -> None:
    script_rules = {"help": "book", "intents": {"hours": {"phrases": ["hours"], "say": ["From nine."]}}}
    call, engines = build({"stt": ["pocketsphinx"], "llm": ["script"], "tts": ["espeak"]}, script=script_rules)
    assert isinstance(engines.hearing(), pocketsphinx.STT)
    assert isinstance(engines.thinking(), script.LLM)
    assert isinstance(engines.speaking(), espeak.TTS)
    await call.prepare("en", "Nothing that could fail.")
    assert call.apology("Nothing that could fail.") is None
    await call.aclose()


async def test_what_is_distant_is_waited_for_no_longer_than_a_caller_does_though_nobody_stands_by(build: Build) -> None:
    call, engines = build({"stt": ["deepgram/nova-3"], "llm": ["openai/gpt-4.1-mini"], "tts": ["openai/tts-1"]})
    assert isinstance(engines.hearing(), SpeechRecognitionChain)
    thinking, speaking = engines.thinking(), engines.speaking()
    assert isinstance(thinking, LanguageModelChain)
    assert isinstance(thinking.links[0].engine, MeteredLLM)
    assert isinstance(thinking.links[0].engine.engine, openai.LLM)
    assert isinstance(speaking, VoiceChain)
    await call.aclose()


async def test_what_is_said_when_no_voice_answers_was_made_before(build: Build) -> None:
    call, engines = build({**PREFERRED, "tts": ["openai/tts-1"]})
    speaking = engines.speaking()
    assert isinstance(speaking, VoiceChain)
    assert speaking.on_down is not None
    await call.prepare("en", "I am sorry.", "Goodbye.")
    assert speaking.on_down() is None  # nobody has said what
    call.listeners = Listeners(on_mute=lambda: "Goodbye.")
    apology = speaking.on_down()
    assert apology is not None
    assert (apology.text, apology.is_ready) == ("Goodbye.", True)
    await call.aclose()


async def test_the_call_is_told_which_role_has_worked(build: Build) -> None:
    call, _ = build(PREFERRED)
    worked: list[str] = []
    call.listeners = Listeners(on_success=worked.append)
    trying = call.breakers.admit("llm", Link("openai/gpt-4.1-mini", None))
    assert trying is not None
    trying.succeeded()
    assert worked == ["llm"]
    await call.aclose()


async def test_switches_are_told_to_the_call_once_there_is_one(build: Build) -> None:
    call, _ = build(PREFERRED)
    switch = Switch("llm", "openai/gpt-4.1-mini", "openai/gpt-4.1-nano", "timed out")
    call.switched(switch)
    told: list[Event] = []
    call.listeners = Listeners(told.append, filler=lambda: "One moment. ")
    call.switched(switch)
    assert [event.type for event in told] == ["models.switched"]
    assert call.filler() == "One moment. "
    await call.aclose()


def _only(hearing: stt.STT[Any]) -> stt.STT[Any]:
    """The one recogniser of a chain."""
    assert isinstance(hearing, SpeechRecognitionChain)
    (link,) = hearing.links
    return link.engine
