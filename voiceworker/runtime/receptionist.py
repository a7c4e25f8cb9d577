"""The agent of one call: an agent's file as the framework's Agent, with taps on what it is about to say."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

from livekit import rtc
from livekit.agents import Agent, ModelSettings, llm

from voiceworker.config import AgentDefinition


class Receptionist(Agent):
    def __init__(self, definition: AgentDefinition, tools: list[llm.Tool | llm.Toolset]) -> None:
        super().__init__(instructions=definition.instructions, tools=tools)
        self.written = ""
        "the text of the reply that is being spoken, as far as it has been written"

    async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterable[rtc.AudioFrame]:
        self.written = ""

        async def tapped() -> AsyncIterable[str]:
            async for part in text:
                self.written += part
                yield part

        async for frame in Agent.default.tts_node(self, tapped(), model_settings):
            yield frame

    def unheard(self, heard: str) -> str:
        """What of the written reply was cut off, when `heard` is what was heard of it; both compared word by word."""
        words: list[Any] = self.written.split()
        return " ".join(words[len(heard.split()) :])
