"""Makes the single engine of each model's name, by the stock plugin of its provider; by ours where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livekit.agents import inference, llm, stt, tts
from livekit.plugins import deepgram, espeak, openai, pocketsphinx, script
from openai import AsyncOpenAI

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import ModelName, endpoint_of, weights_folder
from voiceworker.policy.eagerness import turn_timing
from voiceworker.providers import PROVIDERS
from voiceworker.runtime.plugins import plugin

_KEYLESS = "none"
"openai's client insists on a key; a server without keys does not look at it"

_RIME_LANGUAGES = {"en": "eng", "es": "spa", "fr": "fra", "de": "ger", "hi": "hin"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    definition: AgentDefinition
    settings: Settings
    script: script.Script | None
    "the script of the agent's file, when it has one"

    def key(self, name: ModelName) -> str:
        return self.settings.provider_key(PROVIDERS[name.provider].key)

    def openai(self, name: ModelName) -> dict[str, Any]:
        """What openai's plugin is told for the model: where it is, what it is called, with which key."""
        settings = self.settings
        if name.provider == "openai":
            return {"model": name.model, "api_key": self.key(name), "base_url": settings.openai_base_url}
        if name.provider == "ollama":
            key = settings.provider_key("OLLAMA_API_KEY") or _KEYLESS
            return {"model": name.model, "api_key": key, "base_url": settings.ollama_base_url}
        endpoint = endpoint_of(name, self.definition)
        key = settings.provider_key(endpoint.api_key_variable) if endpoint.api_key_variable else _KEYLESS
        return {"model": endpoint.model or name.model, "api_key": key, "base_url": endpoint.base_url}


def make_hearing(name: ModelName, here: Surroundings) -> stt.STT[Any]:
    """Raises ValueError when the provider has no such model or language, OSError when its files cannot be read."""
    return _HEARING[name.provider](name, here)


def make_thinking(name: ModelName, here: Surroundings) -> llm.LLM[Any]:
    """Raises ValueError."""
    return _THINKING[name.provider](name, here)


def make_voice(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    """Raises ValueError when the provider has no such model, voice or language, OSError as `make_hearing` does."""
    return _VOICES[name.provider](name, here)


def make_realtime(name: ModelName, here: Surroundings, **options: Any) -> llm.RealtimeModel:
    """`options`: those of openai's RealtimeModel, as the runtime of speech to speech wants them."""
    voice = {"voice": name.voice} if name.voice else {}
    engine: llm.RealtimeModel = openai.realtime.RealtimeModel(**{**here.openai(name), **voice, **options})
    return engine


# --- speech to text --------------------------------------------------------------------------------------------------


def _deepgram_hearing(name: ModelName, here: Surroundings) -> stt.STT[Any]:
    address, language, key = here.settings.deepgram_base_url, here.definition.language, here.key(name)
    if name.model.startswith("flux-"):
        # the multilingual one takes hints, the others know their one language
        hint: dict[str, Any] = {"language_hint": [language]} if name.model.endswith("-multi") else {}
        return deepgram.STTv2(model=name.model, api_key=key, base_url=f"{_websocket(address)}/v2/listen", **hint)
    return deepgram.STT(model=name.model, language=language, api_key=key, base_url=f"{address}/v1/listen")


def _websocket(address: str) -> str:
    return address.replace("http", "ws", 1) if address.startswith("http") else address


class _OpenAIHearing(openai.STT):
    """The stock recogniser, which leaves the client that it makes open: it is given one, and that is closed."""

    def __init__(self, client: AsyncOpenAI, **options: Any) -> None:
        super().__init__(client=client, **options)
        self._own_client = client

    async def aclose(self) -> None:
        await super().aclose()
        await self._own_client.close()


def _openai_hearing(name: ModelName, here: Surroundings) -> stt.STT[Any]:
    options = here.openai(name)
    model = options.pop("model")
    client = AsyncOpenAI(**options, max_retries=0)  # the plugin has its own, and a deadline for each request
    return _OpenAIHearing(client, model=model, language=here.definition.language)


def _elevenlabs_hearing(name: ModelName, here: Surroundings) -> stt.STT[Any]:
    engine: stt.STT[Any] = plugin("elevenlabs").STT(
        model=name.model,
        language_code=here.definition.language.partition("-")[0],
        api_key=here.key(name),
        base_url=here.settings.elevenlabs_base_url,
    )
    return engine


def _whisper(name: ModelName, here: Surroundings) -> stt.STT[Any]:
    engine: stt.STT[Any] = plugin("fasterwhisper").STT(
        model=name.model,
        language=here.definition.language.partition("-")[0],
        download_root=weights_folder("whisper", here.settings),
        vad=_ear(here),
    )
    return engine


def _pocketsphinx(name: ModelName, here: Surroundings) -> stt.STT[Any]:
    grammar = here.script.jsgf() if here.script else None
    cache = here.settings.cache_directory / "pocketsphinx"
    return pocketsphinx.STT(grammar=grammar, language=here.definition.language, vad=_ear(here), cache_folder=cache)


def _ear(here: Surroundings) -> inference.VAD:
    """For those that hear an utterance as a whole: they hear better what is whole."""
    timing = turn_timing(here.definition.turns.eagerness, here.definition.language)
    return inference.VAD(min_silence_duration=timing.vad_silence_seconds)


_HEARING: dict[str, Callable[[ModelName, Surroundings], stt.STT[Any]]] = {
    "deepgram": _deepgram_hearing,
    "openai": _openai_hearing,
    "openai-compatible": _openai_hearing,
    "elevenlabs": _elevenlabs_hearing,
    "whisper": _whisper,
    "pocketsphinx": _pocketsphinx,
}


# --- language models -------------------------------------------------------------------------------------------------


def _openai_thinking(name: ModelName, here: Surroundings) -> llm.LLM[Any]:
    return openai.LLM(**here.openai(name))


def _openai_responses(name: ModelName, here: Surroundings) -> llm.LLM[Any]:
    url = f"{here.settings.openai_base_url}/responses"  # over its WebSocket: one connection for the whole call
    return openai.responses.LLM(model=name.model, api_key=here.key(name), base_url=url)


def _script(name: ModelName, here: Surroundings) -> llm.LLM[Any]:
    if here.script is None:
        raise ValueError("the model `script` needs the key `script:` in the agent's file")
    return script.LLM(script=here.script)


_THINKING: dict[str, Callable[[ModelName, Surroundings], llm.LLM[Any]]] = {
    "openai": _openai_thinking,
    "openai-responses": _openai_responses,
    "openai-compatible": _openai_thinking,
    "ollama": _openai_thinking,
    "script": _script,
}


# --- voices ----------------------------------------------------------------------------------------------------------


def _openai_voice(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    voice: dict[str, Any] = {"voice": name.voice} if name.voice else {}
    return openai.TTS(**here.openai(name), **voice)


def _deepgram_voice(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    url = f"{here.settings.deepgram_base_url}/v1/speak"
    return deepgram.TTS(model=name.model, api_key=here.key(name), base_url=url)


def _elevenlabs_voice(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    voice: dict[str, Any] = {"voice_id": name.voice} if name.voice else {}
    engine: tts.TTS[Any] = plugin("elevenlabs").TTS(
        model=name.model, api_key=here.key(name), base_url=here.settings.elevenlabs_base_url, **voice
    )
    return engine


def _rime_voice(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    spoken = _RIME_LANGUAGES.get(here.definition.language.partition("-")[0])
    if spoken is None:
        raise ValueError(f"rime does not speak {here.definition.language!r}; it speaks {', '.join(_RIME_LANGUAGES)}")
    options: dict[str, Any] = {"speaker": name.voice} if name.voice else {}
    if here.settings.rime_base_url:
        options |= {"base_url": here.settings.rime_base_url, "allow_custom_endpoint": True}
    engine: tts.TTS[Any] = plugin("rime").TTS(model=name.model, lang=spoken, api_key=here.key(name), **options)
    return engine


def _piper(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    speaker = int(name.voice) if name.voice.isdecimal() else name.voice or None
    folder = weights_folder("piper", here.settings)
    engine: tts.TTS[Any] = plugin("piper").TTS(voice=name.model, speaker=speaker, download_root=folder)
    return engine


def _espeak(name: ModelName, here: Surroundings) -> tts.TTS[Any]:
    return espeak.TTS(voice=name.model or here.definition.language)


_VOICES: dict[str, Callable[[ModelName, Surroundings], tts.TTS[Any]]] = {
    "openai": _openai_voice,
    "openai-compatible": _openai_voice,
    "deepgram": _deepgram_voice,
    "elevenlabs": _elevenlabs_voice,
    "rime": _rime_voice,
    "piper": _piper,
    "espeak": _espeak,
}
