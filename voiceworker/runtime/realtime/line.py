"""What the framework takes for a speech-to-speech model: one that is connected again before and after it is lost.

The stock plugin closes its connection first and opens another afterwards, whatever is going on, and tells it what the
model has written, not what was heard. Here the new connection is opened, told the history that the agent keeps, and
takes over at a moment at which nothing is under way; the caller's open turn is sent to it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from typing import Any, Literal

from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    AgentSession,
    AgentStateChangedEvent,
    NotGivenOr,
    UserStateChangedEvent,
    llm,
)

from voiceworker.runtime.realtime.connections import Connections
from voiceworker.runtime.realtime.knowledge import Knowledge
from voiceworker.runtime.realtime.reply import Reply
from voiceworker.runtime.realtime.settings import LineSettings, Lost, ReplyState
from voiceworker.runtime.realtime.wire import Wire


class RealtimeLine(llm.RealtimeModel, rtc.EventEmitter[Literal["metrics_collected"]]):
    """A `RealtimeModel` over another one, made with `model_options()`. Emits `metrics_collected` with the figures of
    each answer, whichever session and connection has given it."""

    def __init__(
        self,
        model: llm.RealtimeModel,
        settings: LineSettings,
        *,
        history: Callable[[], llm.ChatContext],
        on_lost: Callable[[Lost], None],
        on_broken_off: Callable[[ReplyState], None] = lambda reply: None,
    ) -> None:
        """`history()`: the conversation as it was heard, of the agent that speaks.

        `on_lost` is called once, on the event loop: from then on every reply that is asked for fails. `on_broken_off`:
        the model is there again, and has to be asked for a reply that was under way.
        """
        llm.RealtimeModel.__init__(self, capabilities=replace(model.capabilities))
        rtc.EventEmitter.__init__(self)
        self.stock = model
        self.settings = settings
        self.history = history
        self.on_lost = on_lost
        self.on_broken_off = on_broken_off
        self.live: LineSession | None = None
        "the session of the agent that speaks"

    @property
    def model(self) -> str:
        return self.stock.model

    @property
    def provider(self) -> str:
        return self.stock.provider

    def session(self, *, turn_detection_disabled: bool = False) -> LineSession:
        self.live = LineSession(self, turn_detection_disabled=turn_detection_disabled)
        return self.live

    def attach(self, session: AgentSession[Any]) -> None:
        """Before the session starts: who speaks decides what is sent, and when the connection may be renewed."""
        session.on("user_state_changed", self._user_state_changed)
        session.on("agent_state_changed", self._agent_state_changed)

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        speaking = event.new_state == "speaking"
        if self.live is not None and speaking != (event.old_state == "speaking"):
            self.live.caller_voice(speaking=speaking)

    def _agent_state_changed(self, event: AgentStateChangedEvent) -> None:
        if self.live is not None:
            self.live.agent_voice(busy=event.new_state in ("thinking", "speaking"))

    async def aclose(self) -> None:
        await self.stock.aclose()


class LineSession(llm.RealtimeSession[str]):
    """The framework's side; `Connections` is the provider's."""

    def __init__(self, line: RealtimeLine, *, turn_detection_disabled: bool) -> None:
        super().__init__(line)
        self._line = line
        self._without_turn_detection = turn_detection_disabled
        self._knowledge = Knowledge()
        self._input = self._knowledge.input
        self._connections = Connections(self, self._knowledge, line.settings)
        self._connections.start()

    @property
    def renewals(self) -> int:
        return self._connections.renewals

    @property
    def _wire(self) -> Wire | None:
        return self._connections.wire

    # --- what its connections need ---

    def new_session(self) -> llm.RealtimeSession[Any]:
        return self._line.stock.session(turn_detection_disabled=self._without_turn_detection)

    def history(self) -> llm.ChatContext:
        return self._line.history().copy(
            exclude_instructions=True, exclude_empty_message=True, exclude_handoff=True, exclude_config_update=True
        )

    def forward(self, name: Any, event: Any) -> None:
        if name == "metrics_collected":
            self._line.emit(name, event)
        self.emit(name, event)

    def broken_off(self, reply: ReplyState) -> None:
        self._line.on_broken_off(reply)

    def given_up(self, lost: Lost) -> None:
        self._line.on_lost(lost)

    # --- what the call tells ---

    def caller_voice(self, *, speaking: bool) -> None:
        """The session's voice detector: what the caller says is sent from here on, and a little of it before."""
        now = time.monotonic()
        self._connections.sound("caller", on=speaking)
        if not speaking:
            self._input.voice_stopped(now)
            return
        stale, frames = self._input.voice_began(now)
        if self._wire is not None:
            if stale:
                self._wire.session.clear_audio()
            for frame in frames:
                self._wire.session.push_audio(frame)

    def agent_voice(self, *, busy: bool) -> None:
        """The agent prepares what it says, or says it."""
        self._connections.sound("agent", on=busy)

    # --- the framework's side ---

    @property
    def capabilities(self) -> llm.RealtimeCapabilities:
        return self._wire.session.capabilities if self._wire is not None else self._line.capabilities

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._wire.session.chat_ctx if self._wire is not None else self.history()

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext(self._knowledge.tools if isinstance(self._knowledge.tools, list) else [])

    async def update_instructions(self, instructions: str) -> None:
        self._knowledge.instructions = instructions
        if self._wire is not None:
            await self._wire.session.update_instructions(instructions)

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._knowledge.tools = tools
        if self._wire is not None:
            await self._wire.session.update_tools(tools)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        self._knowledge.tool_choice = tool_choice
        if self._wire is not None:
            self._wire.session.update_options(tool_choice=tool_choice)

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        """Raises llm.RealtimeError when the line is lost meanwhile."""
        if self._wire is None and not chat_ctx.items:
            return  # the beginning of a call waits for nobody
        async with self._connections.updating() as wire:
            await wire.session.update_chat_ctx(chat_ctx)

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        if self._input.push(frame, time.monotonic()) and self._wire is not None:
            self._wire.session.push_audio(frame)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        if self._wire is not None:
            self._wire.session.push_video(frame)

    def commit_audio(self) -> None:
        missing, turn = self._input.take()
        if not turn or self._connections.lost is not None:
            return
        if self._line.capabilities.user_transcription or self._wire is None:
            self._knowledge.turns.append(turn)
        if self._wire is None:
            return  # the next connection hears it
        for frame in missing:
            self._wire.session.push_audio(frame)
        self._wire.session.commit_audio()

    def clear_audio(self) -> None:
        self._input.clear()
        if self._wire is not None:
            self._wire.session.clear_audio()

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[llm.GenerationCreatedEvent]:
        """Outlives the connection that it is asked of; fails with llm.RealtimeError when the line is lost."""
        reply = Reply({"instructions": instructions, "tool_choice": tool_choice, "tools": tools}, self._reply_settled)
        if self._connections.lost is not None:
            reply.fail(llm.RealtimeError("the realtime model is down"))
            return reply.future
        self._knowledge.replies.append(reply)
        if self._wire is not None:  # else the next connection is asked
            reply.ask(self._wire)
        self._connections.asked()
        return reply.future

    def _reply_settled(self, reply: Reply) -> None:
        if reply in self._knowledge.replies:
            self._knowledge.replies.remove(reply)
        if reply.was_refused and self._connections.lost is None:
            self._connections.give_up("it refused to answer", "owed")
        self._connections.look()

    def interrupt(self) -> None:
        if self._wire is not None:
            self._wire.session.interrupt()

    def start_user_activity(self) -> None:
        if self._wire is not None:
            self._wire.session.start_user_activity()

    def say(self, text: str | AsyncIterable[str]) -> asyncio.Future[llm.GenerationCreatedEvent]:
        raise NotImplementedError("the model speaks what it is told by `verbatim`")

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """What the model believes it said is what was heard, also of a message that another connection has spoken."""
        if self._wire is None:
            return
        if message_id not in self._wire.spoken:
            modalities = ["text"]
        self._wire.session.truncate(
            message_id=message_id,
            modalities=modalities,
            audio_end_ms=audio_end_ms,
            audio_transcript=audio_transcript,
        )

    async def aclose(self) -> None:
        await self._connections.aclose()
