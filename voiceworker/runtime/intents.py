"""What the caller wants, once it is known, may change the language model of the call that is held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from livekit.agents import Agent, function_tool, llm

from voiceworker.config import AgentDefinition
from voiceworker.models import ModelName
from voiceworker.runtime.engines import EngineBuilder
from voiceworker.runtime.routing import EXCHANGEABLE, CallRouting

logger = logging.getLogger("voiceworker.intents")

OTHER = "something else"


class IntentRouting:
    """Tells the rules of the agent's file an intent, and gives the agent the language model that they then decide."""

    def __init__(
        self,
        routing: CallRouting,
        engines: EngineBuilder,
        build: Callable[[AgentDefinition], EngineBuilder],
        changed: Callable[[EngineBuilder], None],
    ) -> None:
        """`engines`: those of the call's beginning. `changed` is told who has built the new model; whoever
        assembles a call's engines closes this one with them."""
        self._routing = routing
        self._engines = engines
        self._build = build
        self._changed = changed
        self._agent: Agent | None = None
        self._made: dict[tuple[ModelName, ...], llm.LLM[Any]] = {}
        "by the models of the list; an intent that comes up again finds the one that it had"
        self._one_at_a_time = asyncio.Lock()

    def attach(self, agent: Agent) -> None:
        self._agent = agent

    def tools(self) -> list[llm.Tool]:
        """One by which a language model names the intent; none where no rule asks for an intent."""
        intents = self._routing.intents
        if not intents or self._speaks_itself():
            return []
        schema = {
            "name": "note_intent",
            "description": "Call this, before you answer, as soon as you know what the caller wants, and again when "
            "that changes. The caller does not hear of it: afterwards answer as if you had not called it.",
            "parameters": {
                "type": "object",
                "properties": {"intent": {"type": "string", "enum": [*intents, OTHER]}},
                "required": ["intent"],
                "additionalProperties": False,
            },
        }

        async def note_intent(raw_arguments: dict[str, object]) -> str:
            await self.learn(str(raw_arguments.get("intent", OTHER)))
            return "Noted. Now answer the caller."

        return [function_tool(note_intent, raw_schema=schema)]

    async def learn(self, intent: str) -> None:
        """Also for tools and scripts that find an intent by themselves. The reply that is being made goes on as it is;
        whatever the language model is asked after this goes to the new one."""
        async with self._one_at_a_time:
            if self._agent is None or self._speaks_itself() or not self._routing.learn_intent(intent):
                return
            try:
                engines = await asyncio.to_thread(self._build, self._routing.definition)
                names = _thinking(engines)
                if names == _thinking(self._engines):  # what the lists have in common is all that is usable here
                    return
                if names not in self._made:
                    self._made[names] = engines.thinking()
            except ValueError as error:
                logger.error("%s: the language model stays as it is: %s", self._routing.decision.rule, error)
                return
            self._engines = engines
            self._agent.update_options(llm=self._made[names])
            self._changed(engines)

    def _speaks_itself(self) -> bool:
        """A speech-to-speech model cannot be exchanged while it is connected."""
        realtime = self._engines.choices.get("realtime")
        return realtime is not None and bool(realtime.usable)


def _thinking(engines: EngineBuilder) -> tuple[ModelName, ...]:
    choice = engines.choices.get(EXCHANGEABLE)
    return choice.usable if choice else ()
