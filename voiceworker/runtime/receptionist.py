"""The agent of one call: an agent's file as the framework's Agent, whose nodes let the turn-taking look in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any

from livekit import rtc
from livekit.agents import Agent, ModelSettings, llm, stt

from voiceworker.config import AgentDefinition
from voiceworker.runtime.greeting import SpokenGreeting
from voiceworker.runtime.history import HistoryBound, bounded
from voiceworker.runtime.speculator import Chunk
from voiceworker.runtime.turn_taking import TurnTaking


class Receptionist(Agent):
    def __init__(
        self, definition: AgentDefinition, tools: list[llm.Tool | llm.Toolset], turns: TurnTaking | None
    ) -> None:
        """Without `turns` the framework's own turn-taking is left alone, as its console needs it."""
        super().__init__(instructions=definition.instructions, tools=tools)
        self._turns = turns
        self._most_items = definition.limits.history_items
        self._bound: HistoryBound | None = None
        self._written = ""
        "the text of the reply that is being spoken, as far as it has been written"
        self._to_keep: SpokenGreeting | None = None
        self.on_no_answer: Callable[[], None] = lambda: None
        "told when the caller waits for a reply and no language model gives one"

    def keep_next_speech(self, greeting: SpokenGreeting) -> None:
        """The next thing said is the greeting, spoken by this voice for the first time."""
        self._to_keep = greeting

    async def on_enter(self) -> None:
        self._bound = HistoryBound(self.session, lambda: self._chat_ctx, self._most_items)

    async def on_exit(self) -> None:
        if self._bound is not None:
            self._bound.close()

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        turns = self._turns
        heard = audio if turns is None else turns.hear(audio)
        events = Agent.default.stt_node(self, heard, model_settings)
        async for event in events if turns is None else turns.heed(events):
            yield event

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncGenerator[Chunk, None]:
        told = bounded(chat_ctx, self._most_items)  # its own copy: the framework compares and adds to the one it gave

        def ask() -> AsyncGenerator[Chunk, None]:
            return Agent.default.llm_node(self, told, tools, model_settings)

        try:
            async for chunk in ask() if self._turns is None else self._turns.think(told, ask):
                yield chunk
        except Exception:
            self.on_no_answer()
            raise

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        self._written = ""

        def synthesize(part: AsyncIterable[str]) -> AsyncGenerator[rtc.AudioFrame, None]:
            return Agent.default.tts_node(self, self._noted(part), model_settings)

        frames = synthesize(text) if self._turns is None else self._turns.speak(text, synthesize)
        greeting, self._to_keep = self._to_keep, None
        async for frame in frames if greeting is None else greeting.kept(frames):
            yield frame

    async def on_user_turn_completed(self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage) -> None:
        if self._turns is not None:
            self._turns.turn_completed()

    async def _noted(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        async for part in text:
            self._written += part
            yield part

    def speaks(self, text: str) -> None:
        """This is being said, by another voice than that of the node."""
        self._written = text

    def unheard(self, heard: str) -> str:
        """What of the written reply was cut off, when `heard` is what was heard of it; both compared word by word."""
        words: list[Any] = self._written.split()
        return " ".join(words[len(heard.split()) :])
