"""Builds the models that answer a call, by the names of the agent's file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from livekit.agents import llm, stt, tts, vad
from livekit.plugins import deepgram, espeak, openai, pocketsphinx, script

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import ModelName


class EngineBuilder:
    """The engines of one agent, for one call; a waiting process makes it ahead and warms it up."""

    def __init__(self, definition: AgentDefinition, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.definition = definition
        self._settings = settings
        self._script: script.Script | None = None
        if definition.script:
            self._script = script.Script.from_mapping(
                definition.script, clock=clock, timezone=ZoneInfo(definition.timezone)
            )

    def stt(self, name: ModelName, voice_detector: vad.VAD) -> stt.STT[Any]:
        if name.provider == "deepgram":
            return deepgram.STT(
                model=name.model, language=self.definition.language, api_key=self._settings.deepgram_api_key
            )
        if name.provider == "openai":
            return openai.STT(
                model=name.model, language=self.definition.language, api_key=self._settings.openai_api_key
            )
        return pocketsphinx.STT(grammar=self._script.jsgf() if self._script else None, vad=voice_detector)

    def llm(self, name: ModelName) -> llm.LLM[Any]:
        if name.provider == "openai":
            return openai.LLM(model=name.model, api_key=self._settings.openai_api_key)
        if self._script is None:
            raise ValueError("the llm `script` needs the key `script:` in the agent's file")
        return script.LLM(script=self._script)

    def tts(self, name: ModelName) -> tts.TTS[Any]:
        if name.provider == "openai":
            return openai.TTS(model=name.model, api_key=self._settings.openai_api_key)
        if name.provider == "deepgram":
            return deepgram.TTS(model=name.model, api_key=self._settings.deepgram_api_key)
        return espeak.TTS(voice=name.model or self.definition.language)
