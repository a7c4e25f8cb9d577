"""All that one call holds of speech to speech: the line, its agent, and the agent that goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livekit.agents import NOT_GIVEN, Agent, AgentSession, NotGivenOr
from livekit.agents import llm as models
from livekit.agents.voice import SpeechHandle

from voiceworker.config import AgentDefinition
from voiceworker.runtime.realtime.agents import Hearing, RealtimeAgent, StandIn
from voiceworker.runtime.realtime.line import RealtimeLine
from voiceworker.runtime.realtime.settings import LineSettings, Lost
from voiceworker.runtime.realtime.takeover import Takeover
from voiceworker.runtime.receptionist import Receptionist
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.turn_taking import TurnTaking

Tools = list[models.Tool | models.Toolset]


class SpeechToSpeech:
    def __init__(
        self,
        model: models.RealtimeModel,
        definition: AgentDefinition,
        turns: TurnTaking | None,
        make_tools: Callable[[], Tools],
        tasks: Tasks,
        *,
        settings: LineSettings,
        on_lost: Callable[[Lost], None],
        on_agent: Callable[[Receptionist], None],
        voiced: Hearing = lambda frames: frames,
    ) -> None:
        """`model`: made with `model_options()`. `make_tools` is asked once for each agent. `on_agent` is told of the
        one that speaks from then on."""
        self._definition = definition
        self._turns = turns
        self._make_tools = make_tools
        self._on_agent = on_agent
        self._session: AgentSession[Any] | None = None
        self._takeover = Takeover(self._running, self._make_stand_in, lambda: self.agent.last_turn, tasks, on_lost)
        self.line = RealtimeLine(
            model,
            settings,
            history=lambda: self._running().current_agent.chat_ctx,
            on_lost=self._takeover.lost,
            on_broken_off=self._takeover.broken_off,
        )
        self.agent = RealtimeAgent(definition, make_tools(), turns, self.line, voiced)
        "to start the session with"

    def attach(self, session: AgentSession[Any]) -> None:
        """Before the session starts. The session's own `llm` is the one that stands by."""
        self._session = session
        self.line.attach(session)

    def say(self, text: str, *, allow_interruptions: NotGivenOr[bool] = NOT_GIVEN) -> SpeechHandle:
        """Has this text said, by the voice that holds the conversation."""
        return self._takeover.say(text, allow_interruptions=allow_interruptions)

    async def aclose(self) -> None:
        """After the session."""
        await self.line.aclose()

    def _running(self) -> AgentSession[Any]:
        assert self._session is not None, "attach comes before the session starts"
        return self._session

    def _make_stand_in(self, first: Callable[[Agent], None]) -> Agent:
        stand_in = StandIn(self._definition, self._make_tools(), self._turns, first)
        self._on_agent(stand_in)
        return stand_in
