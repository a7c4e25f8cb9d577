"""Builds the models that answer a call, by the names of the agent's file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from livekit.agents import inference, llm, stt, tts
from livekit.plugins import deepgram, espeak, openai, pocketsphinx, script

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import choose_models
from voiceworker.policy.eagerness import turn_timing
from voiceworker.runtime.turn_taking import VAD_SILENCE_SECONDS


class EngineBuilder:
    """The engines of one agent, for one call; a waiting process makes it ahead and warms it up."""

    def __init__(self, definition: AgentDefinition, settings: Settings, clock: Callable[[], datetime]) -> None:
        """Raises script.ScriptError, ValueError when the definition's lists name nothing usable."""
        self.definition = definition
        self.choices = choose_models(definition, settings)
        self.voice_detector = inference.VAD(min_silence_duration=VAD_SILENCE_SECONDS)
        self._settings = settings
        self._script: script.Script | None = None
        self._hearing: stt.STT[Any] | None = None
        if definition.script:
            zone = ZoneInfo(definition.timezone)
            self._script = script.Script.from_mapping(definition.script, clock=clock, timezone=zone)

    def build(self) -> None:
        """Makes the files that the engines load; seconds of work the first time, nothing after."""
        hearing = self.hearing()
        if isinstance(hearing, pocketsphinx.STT):
            hearing.build()

    def warm_up(self) -> None:
        """Loads ahead what takes long to load; returns at once."""
        self.hearing().prewarm()

    def hearing(self) -> stt.STT[Any]:
        if self._hearing is None:
            self._hearing = self._make_hearing()
        return self._hearing

    def _make_hearing(self) -> stt.STT[Any]:
        name, settings, language = self.choices["stt"].chosen, self._settings, self.definition.language
        if name.provider == "deepgram":
            url, key = f"{settings.deepgram_base_url}/v1/listen", settings.deepgram_api_key
            return deepgram.STT(model=name.model, language=language, api_key=key, base_url=url)
        if name.provider == "openai":
            url, key = settings.openai_base_url, settings.openai_api_key
            return openai.STT(model=name.model, language=language, api_key=key, base_url=url)
        grammar = self._script.jsgf() if self._script else None
        cache = settings.cache_directory / "pocketsphinx"
        timing = turn_timing(self.definition.turns.eagerness, language)
        ear = inference.VAD(min_silence_duration=timing.vad_silence_seconds)  # it hears better what is whole
        return pocketsphinx.STT(grammar=grammar, language=language, vad=ear, cache_folder=cache)

    def thinking(self) -> llm.LLM[Any]:
        name, settings = self.choices["llm"].chosen, self._settings
        if name.provider == "openai":
            return openai.LLM(model=name.model, api_key=settings.openai_api_key, base_url=settings.openai_base_url)
        if self._script is None:
            raise ValueError("the model `script` needs the key `script:` in the agent's file")
        return script.LLM(script=self._script)

    def speaking(self) -> tts.TTS[Any]:
        voice = self._make_voice()
        voice.capabilities.aligned_transcript = True  # those that tell no word times are given them: see piecewise.py
        return voice

    def _make_voice(self) -> tts.TTS[Any]:
        name, settings = self.choices["tts"].chosen, self._settings
        if name.provider == "openai":
            return openai.TTS(model=name.model, api_key=settings.openai_api_key, base_url=settings.openai_base_url)
        if name.provider == "deepgram":
            url, key = f"{settings.deepgram_base_url}/v1/speak", settings.deepgram_api_key
            return deepgram.TTS(model=name.model, api_key=key, base_url=url)
        return espeak.TTS(voice=name.model or self.definition.language)
