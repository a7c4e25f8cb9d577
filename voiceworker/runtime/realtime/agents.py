"""The agents of a speech-to-speech call: the one that speaks by the model, and the one that goes on without it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any

from livekit import rtc
from livekit.agents import Agent, ModelSettings, NotGivenOr
from livekit.agents import llm as models
from livekit.agents.voice.io import TimedString

from voiceworker.config import AgentDefinition
from voiceworker.runtime.realtime.line import RealtimeLine
from voiceworker.runtime.realtime.spoken_text import SpokenText
from voiceworker.runtime.receptionist import Receptionist
from voiceworker.runtime.turn_taking import TurnTaking
from voiceworker.runtime.word_times import Pace

Hearing = Callable[[AsyncIterable[rtc.AudioFrame]], AsyncIterable[rtc.AudioFrame]]


class RealtimeAgent(Receptionist):
    """Its model is the line; the session's own `llm` is the one that stands by."""

    def __init__(
        self,
        definition: AgentDefinition,
        tools: list[models.Tool | models.Toolset],
        turns: TurnTaking | None,
        line: RealtimeLine,
        voiced: Hearing = lambda frames: frames,
    ) -> None:
        """`voiced`: is shown the model's audio as it comes; must yield every frame."""
        self._line = line
        self._pace = Pace()
        self._spoken: SpokenText | None = None
        "the message that is about to be spoken"
        super().__init__(definition, tools, turns)
        self.last_turn = ""
        "the caller's last turn in the words of our own recogniser, which needs no transcript of the model's"
        self._voiced = voiced

    @property
    def llm(self) -> NotGivenOr[models.LLM[Any] | models.RealtimeModel | None]:
        return self._line

    async def on_user_turn_completed(self, turn_ctx: models.ChatContext, new_message: models.ChatMessage) -> None:
        self.last_turn = new_message.text_content or ""
        await super().on_user_turn_completed(turn_ctx, new_message)

    def realtime_audio_output_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Called ahead of `transcription_node` for each message: the two are about the same one."""
        spoken = self._spoken = SpokenText(self._pace)
        return self._heard_out(self._voiced(audio), spoken)

    async def _heard_out(
        self, audio: AsyncIterable[rtc.AudioFrame], spoken: SpokenText
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        try:
            async for frame in audio:
                spoken.hear(frame)
                yield frame
        finally:
            spoken.sound_is_over()

    def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncGenerator[str | TimedString, None]:
        spoken, self._spoken = self._spoken, None
        self._written = ""
        written = self._noted(text)
        return written if spoken is None else spoken.timed(written)


class StandIn(Receptionist):
    """Goes on with the pipeline; `first` is what it does as soon as it is there."""

    def __init__(
        self,
        definition: AgentDefinition,
        tools: list[models.Tool | models.Toolset],
        turns: TurnTaking | None,
        first: Callable[[Agent], None],
    ) -> None:
        super().__init__(definition, tools, turns)
        self._first = first

    async def on_enter(self) -> None:
        await super().on_enter()
        self._first(self)
