"""Builds the models that answer a call, by the names of the agent's file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from livekit.agents import inference, llm, stt, tts
from livekit.plugins import pocketsphinx, script

from voiceworker.config import AgentDefinition, Settings
from voiceworker.models import ModelName, Role, choose_models
from voiceworker.providers import PROVIDERS
from voiceworker.runtime.plugins import NotHere
from voiceworker.runtime.stock_engines import Surroundings, make_hearing, make_realtime, make_thinking, make_voice
from voiceworker.runtime.turn_taking import VAD_SILENCE_SECONDS

logger = logging.getLogger("voiceworker.engines")

Engine = TypeVar("Engine")
Links = Iterator[tuple[ModelName, Engine]]
"""The engines of one role, made one after the other while they are asked for, the first to lead. At least one."""


class Assembly:
    """What the engines of a role become before the call has them. This one: the first of them, as it is.

    From inside out: whatever is paid gets a meter; a paid, streaming recogniser gets a speech gate around it; those of
    one role are joined to a chain.
    """

    def hearing(self, links: Links[stt.STT[Any]]) -> stt.STT[Any]:
        return next(links)[1]

    def thinking(self, links: Links[llm.LLM[Any]]) -> llm.LLM[Any]:
        return next(links)[1]

    def speaking(self, links: Links[tts.TTS[Any]]) -> tts.TTS[Any]:
        return next(links)[1]


class EngineBuilder:
    """The engines of one agent, for one call; a waiting process makes it ahead and warms it up."""

    def __init__(
        self,
        definition: AgentDefinition,
        settings: Settings,
        clock: Callable[[], datetime],
        assembly: Assembly | None = None,
    ) -> None:
        """Raises script.ScriptError, ValueError when the definition's lists name nothing usable."""
        self.definition = definition
        self.choices = choose_models(definition, settings)
        self.voice_detector = inference.VAD(min_silence_duration=VAD_SILENCE_SECONDS)
        self._assembly = assembly or Assembly()
        self._hearing: stt.STT[Any] | None = None
        self._thinking: llm.LLM[Any] | None = None
        self._voice: tts.TTS[Any] | None = None
        rules: script.Script | None = None
        if definition.script:
            zone = ZoneInfo(definition.timezone)
            rules = script.Script.from_mapping(definition.script, clock=clock, timezone=zone)
        self._surroundings = Surroundings(definition, settings, rules)

    def build(self) -> None:
        """Makes the files that the engines load; seconds of work the first time, nothing after."""
        hearing = self.choices.get("stt")
        for _, engine in self._links("stt", make_hearing) if hearing and hearing.usable else ():
            if isinstance(engine, pocketsphinx.STT):
                engine.build()

    def warm_up(self) -> None:
        """Makes the engines, and loads what takes long to load; returns at once. No connection is made. Raises
        ValueError, OSError when one cannot be made."""
        hearing, thinking, voice = (self.choices.get(role) for role in ("stt", "llm", "tts"))
        if hearing and hearing.usable:
            self.hearing().prewarm()
        if thinking and thinking.usable:
            self.thinking()
        if voice and voice.usable:
            speaking = self.speaking()
            if PROVIDERS[voice.chosen.provider].weights:
                speaking.prewarm()

    def check(self, role: Role) -> None:
        """Makes each engine of the role once. Raises ValueError, OSError when the leading one cannot be made.

        What only the main thread may import is taken for good on another one.
        """
        makers: dict[Role, Callable[[ModelName, Surroundings], object]] = {
            "stt": make_hearing,
            "llm": make_thinking,
            "tts": make_voice,
            "realtime": make_realtime,
        }
        try:
            for _ in self._links(role, makers[role]):
                pass
        except NotHere:
            return

    def hearing(self) -> stt.STT[Any]:
        if self._hearing is None:
            self._hearing = self._assembly.hearing(self._links("stt", make_hearing))
        return self._hearing

    def thinking(self) -> llm.LLM[Any]:
        if self._thinking is None:
            self._thinking = self._assembly.thinking(self._links("llm", make_thinking))
        return self._thinking

    def speaking(self) -> tts.TTS[Any]:
        if self._voice is None:
            self._voice = self._assembly.speaking(self._links("tts", make_voice))
            # those that tell no word times are given them: see piecewise.py
            self._voice.capabilities.aligned_transcript = True
        return self._voice

    def realtime(self, **options: Any) -> llm.RealtimeModel | None:
        """The leading speech-to-speech model with these options of its plugin; None when none is usable."""
        choice = self.choices.get("realtime")
        if choice is None or not choice.usable:
            return None
        return make_realtime(choice.chosen, self._surroundings, **options)

    def _links(self, role: Role, make: Callable[[ModelName, Surroundings], Engine]) -> Links[Engine]:
        """Raises ValueError when the leading engine cannot be made; one that stands by is then left out."""
        choice = self.choices.get(role)
        if choice is None or not choice.usable:
            raise ValueError(f"no usable {role} model")
        for name in choice.usable:
            try:
                yield name, make(name, self._surroundings)
            except NotHere:
                raise
            except (ValueError, OSError) as error:
                if name == choice.chosen:
                    raise
                logger.warning("%s cannot stand by for %s: %s", name, choice.chosen, error)
