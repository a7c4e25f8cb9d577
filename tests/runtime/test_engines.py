from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import tts
from livekit.plugins import deepgram, espeak, openai, pocketsphinx

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import ModelName, weights_folder, weights_of
from voiceworker.providers import PROVIDERS
from voiceworker.runtime.engines import Assembly, EngineBuilder, Links
from voiceworker.runtime.plugins import NotHere, PluginError, plugin

KEYS = {one.key: f"key-of-{name}" for name, one in PROVIDERS.items() if one.key} | {"VLLM_API_KEY": "key-of-vllm"}


VOICE = {
    "audio": {"sample_rate": 22050},
    "espeak": {"voice": "en-gb"},
    "phoneme_type": "espeak",
    "num_symbols": 256,
    "num_speakers": 2,
    "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
    "phoneme_id_map": {},
}


def settings(directory: Path) -> Settings:
    return Settings(cache_directory=directory, provider_keys=KEYS, ollama_base_url="http://127.0.0.1:11434/v1")


def definition(**models: list[str]) -> AgentDefinition:
    return AgentDefinition.model_validate(
        {
            "name": "desk",
            "instructions": "x",
            "greeting": "y",
            "models": models,
            "endpoints": {"vllm": {"base_url": "http://127.0.0.1:8000/v1", "api_key_variable": "VLLM_API_KEY"}},
        }
    )


def builder(directory: Path, assembly: Assembly | None = None, **models: list[str]) -> EngineBuilder:
    here = settings(directory)
    models = {"llm": ["openai/gpt-4.1-mini"], **models}
    return EngineBuilder(definition(**models), here, here.now, assembly)


@pytest.mark.parametrize(
    ("text", "kind", "model"),
    [
        ("deepgram/nova-3", deepgram.STT, "nova-3"),
        ("deepgram/flux-general-en", deepgram.STTv2, "flux-general-en"),
        ("deepgram/flux-general-multi", deepgram.STTv2, "flux-general-multi"),
        ("openai/gpt-4o-transcribe", openai.STT, "gpt-4o-transcribe"),
        ("openai/whisper-1", openai.STT, "whisper-1"),
        ("openai-compatible/vllm", openai.STT, "vllm"),
        ("pocketsphinx", pocketsphinx.STT, "en-us"),
    ],
)
async def test_each_recogniser_is_the_stock_plugins(text: str, kind: type, model: str, tmp_path: Path) -> None:
    engine = builder(tmp_path, stt=[text]).hearing()
    assert isinstance(engine, kind)
    assert engine.model == model
    await engine.aclose()


@pytest.mark.parametrize(
    ("text", "kind", "model"),
    [
        ("openai/gpt-4.1-mini", openai.LLM, "gpt-4.1-mini"),
        ("openai-responses/gpt-4.1-mini", openai.responses.LLM, "gpt-4.1-mini"),
        ("openai-compatible/vllm", openai.LLM, "vllm"),
        ("ollama/llama3.2:3b", openai.LLM, "llama3.2:3b"),
    ],
)
async def test_each_language_model_is_the_stock_plugins(text: str, kind: type, model: str, tmp_path: Path) -> None:
    engine = builder(tmp_path, llm=[text]).thinking()
    assert type(engine) is kind
    assert engine.model == model
    await engine.aclose()


@pytest.mark.parametrize(
    ("text", "kind", "model"),
    [
        ("deepgram/aura-2-thalia-en", deepgram.TTS, "aura-2-thalia-en"),
        ("openai/gpt-4o-mini-tts/coral", openai.TTS, "gpt-4o-mini-tts"),
        ("openai-compatible/vllm/af_heart", openai.TTS, "vllm"),
        ("espeak/en-gb", espeak.TTS, "en-gb"),
    ],
)
async def test_each_voice_is_the_stock_plugins(text: str, kind: type, model: str, tmp_path: Path) -> None:
    engine = builder(tmp_path, tts=[text]).speaking()
    assert type(engine) is kind
    assert engine.model == model
    assert engine.capabilities.aligned_transcript
    await engine.aclose()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("openai/gpt-4.1-mini", "api.openai.com"),
        ("ollama/llama3.2", "127.0.0.1:11434"),
        ("openai-compatible/vllm", "127.0.0.1:8000"),
    ],
)
async def test_what_speaks_openais_language_is_asked_at_its_own_address(text: str, host: str, tmp_path: Path) -> None:
    engine = builder(tmp_path, llm=[text]).thinking()
    assert engine.provider == host
    await engine.aclose()


@pytest.mark.parametrize(
    ("role", "text", "model"),
    [
        ("stt", "elevenlabs/scribe_v2_realtime", "scribe_v2_realtime"),
        ("tts", "elevenlabs/eleven_flash_v2_5/voice7", "eleven_flash_v2_5"),
        ("tts", "rime/mistv2/cove", "mistv2"),
    ],
)
async def test_plugins_of_extras_are_used_where_they_are_installed(
    role: str, text: str, model: str, tmp_path: Path
) -> None:
    engines = builder(tmp_path, None, **{role: [text]})
    engine = engines.hearing() if role == "stt" else engines.speaking()
    assert type(engine).__module__.startswith(f"livekit.plugins.{text.split('/')[0]}")
    assert engine.model == model
    await engine.aclose()


def test_a_voice_that_does_not_speak_the_agents_language_is_refused(tmp_path: Path) -> None:
    finnish = definition(tts=["rime/mistv2"], llm=["openai/x"]).model_copy(update={"language": "fi"})
    here = settings(tmp_path)
    with pytest.raises(ValueError, match="rime does not speak 'fi'; it speaks en, es"):
        EngineBuilder(finnish, here, here.now).speaking()


async def test_a_plugin_is_imported_on_the_main_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin("rime")
    assert await asyncio.to_thread(plugin, "rime") is plugin("rime")
    monkeypatch.delitem(sys.modules, "livekit.plugins.rime")
    with pytest.raises(NotHere, match="not imported yet"):
        await asyncio.to_thread(plugin, "rime")


async def test_a_file_that_asks_for_a_plugin_while_the_worker_runs_is_taken_for_good_until_a_call_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin("rime")
    monkeypatch.delitem(sys.modules, "livekit.plugins.rime")
    engines = builder(tmp_path, tts=["rime/mistv2", "espeak/nonsense"])
    await asyncio.to_thread(engines.check, "tts")
    assert "livekit.plugins.rime" not in sys.modules
    assert type(engines.speaking()).__module__.startswith("livekit.plugins.rime")


def test_a_plugin_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(PluginError, match=r"livekit\.plugins\.nonsense cannot be imported: No module"):
        plugin("nonsense")


class All(Assembly):
    """Makes the whole chain, and notes who is in it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def speaking(self, links: Links[tts.TTS[Any]]) -> tts.TTS[Any]:
        chain = list(links)
        self.names = [str(name) for name, _ in chain]
        return chain[0][1]


async def test_the_engines_of_a_list_are_made_in_its_order_and_those_that_cannot_stand_by_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    everybody = All()
    lists = ["openai/tts-1", "espeak/nonsense", "elevenlabs/eleven_flash_v2_5", "espeak/en-us"]
    engines = builder(tmp_path, everybody, tts=lists)
    await engines.speaking().aclose()
    assert everybody.names == ["openai/tts-1", "elevenlabs/eleven_flash_v2_5", "espeak/en-us"]
    assert "espeak/nonsense cannot stand by for openai/tts-1" in caplog.text
    with pytest.raises(ValueError, match="nonsense"):
        builder(tmp_path, tts=["espeak/nonsense", "espeak/en-us"]).speaking()


async def test_without_an_assembly_the_first_usable_engine_is_made_and_no_other(tmp_path: Path) -> None:
    engines = builder(tmp_path, tts=["espeak/en-us", "espeak/nonsense"])
    assert isinstance(engines.speaking(), espeak.TTS)


async def test_a_realtime_model_is_made_when_the_agent_has_one(tmp_path: Path) -> None:
    model = builder(tmp_path, realtime=["openai/gpt-realtime/marin"]).realtime()
    assert isinstance(model, openai.realtime.RealtimeModel)
    assert model.model == "gpt-realtime"
    await model.aclose()
    assert builder(tmp_path).realtime() is None


def test_an_agent_of_a_realtime_model_alone_needs_no_other_engine(tmp_path: Path) -> None:
    alone = builder(tmp_path, None, realtime=["openai/gpt-realtime"], stt=[], tts=[], llm=[])
    alone.build()
    alone.warm_up()
    with pytest.raises(ValueError, match="no usable stt model"):
        alone.hearing()


async def test_weights_that_are_there_but_no_model_are_told_when_they_lead_and_left_out_when_they_stand_by(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in weights_of(ModelName("whisper", "small.en"), settings(tmp_path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
    with pytest.raises((ValueError, OSError)):
        builder(tmp_path, stt=["whisper/small.en", "pocketsphinx"]).hearing()
    builder(tmp_path, stt=["pocketsphinx", "whisper/small.en"]).check("stt")
    assert "whisper/small.en cannot stand by for pocketsphinx" in caplog.text


async def test_an_engine_on_this_machine_is_made_once_its_files_are_there(tmp_path: Path) -> None:
    for name in (ModelName("whisper", "tiny.en"), ModelName("piper", "en_GB-cori-medium")):
        for path in weights_of(name, settings(tmp_path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(VOICE), encoding="utf-8")
    (weights_folder("whisper", settings(tmp_path)) / "tiny.en" / "vocabulary.txt").touch()
    engines = builder(tmp_path, stt=["whisper/tiny.en"], tts=["piper/en_GB-cori-medium/1", "espeak"])
    hearing, voice = engines.hearing(), engines.speaking()
    assert isinstance(hearing, plugin("fasterwhisper").STT)
    assert isinstance(voice, plugin("piper").TTS)
    assert voice.sample_rate == 22050
    await hearing.aclose()
    await voice.aclose()
    with pytest.raises(ValueError, match="has no speaker 7"):
        builder(tmp_path, tts=["piper/en_GB-cori-medium/7"]).speaking()
    weights_of(ModelName("piper", "en_GB-cori-medium"), settings(tmp_path))[1].write_text("{}")
    with pytest.raises(OSError, match="does not describe a voice"):
        builder(tmp_path, tts=["piper/en_GB-cori-medium"]).speaking()


def test_the_files_that_are_looked_for_are_those_that_the_plugin_needs(tmp_path: Path) -> None:
    fasterwhisper = plugin("fasterwhisper")
    for name in ("small.en", "Systran/faster-distil-whisper-small.en"):
        ours = set(weights_of(ModelName("whisper", name), settings(tmp_path)))
        theirs = set(fasterwhisper.missing_files(name, weights_folder("whisper", settings(tmp_path))))
        assert {path.name for path in theirs - ours} == {"vocabulary.json"}  # or .txt, so it is not asked for by name
        assert ours < theirs


def test_piper_looks_for_the_same_files(tmp_path: Path) -> None:
    ours = weights_of(ModelName("piper", "en_GB-cori-medium"), settings(tmp_path))
    assert plugin("piper").missing_files("en_GB-cori-medium", weights_folder("piper", settings(tmp_path))) == ours
