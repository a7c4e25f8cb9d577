"""What the framework takes for a speech-to-speech model: one that is connected again before and after it is lost.

The stock plugin closes its connection first and opens another afterwards, whatever is going on, and tells it what the
model has written, not what was heard. Here the new connection is opened, told the history that the agent keeps, and
takes over at a moment at which nothing is under way; the caller's open turn is sent to it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
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
    utils,
)

from voiceworker.policy.liveness import Liveness
from voiceworker.policy.renewal import Renewal, RenewalSettings
from voiceworker.runtime.realtime.caller_input import CallerInput
from voiceworker.runtime.realtime.reply import Reply
from voiceworker.runtime.realtime.settings import LineSettings, Lost, ReplyState
from voiceworker.runtime.realtime.wire import Wire, fingerprint
from voiceworker.runtime.tasks import Tasks

logger = logging.getLogger("voiceworker.realtime")

_REPLY = "reply"
_SECOND_TRY_SECONDS = 0.1


class RealtimeLine(llm.RealtimeModel):
    """A `RealtimeModel` over another one, made with `model_options()`."""

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
        super().__init__(capabilities=replace(model.capabilities))
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
    def __init__(self, line: RealtimeLine, *, turn_detection_disabled: bool) -> None:
        super().__init__(line)
        self.renewals = 0
        self._line = line
        self._settings = line.settings
        self._without_turn_detection = turn_detection_disabled
        self._tasks = Tasks()
        self._changed = asyncio.Event()
        self._serving = asyncio.Event()
        now = time.monotonic()
        self._renewal = Renewal(RenewalSettings(line.settings.cap_seconds), now)
        self._renew_not_before = now
        self._liveness = Liveness(line.settings.patience_seconds)
        self._input = CallerInput()
        self._wire: Wire | None = None
        "that serves; None until the first one does, and while another is opened for one that was lost"
        self._replies: list[Reply] = []
        "asked for, and not begun"
        self._turns: deque[list[rtc.AudioFrame]] = deque(maxlen=2)
        "that were taken, and whose words have not come: another connection hears them again"
        self._transcribed = 0
        "turns of the serving connection whose words have come"
        self._instructions: NotGivenOr[str] = NOT_GIVEN
        self._offered: NotGivenOr[list[llm.Tool]] = NOT_GIVEN
        self._tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN
        self._under_way = 0
        "updates of the history that wait for the provider's word"
        self._lost: Lost | None = None
        self._tasks.spawn(self._live(), "the realtime line")

    # --- its life ---

    async def _live(self) -> None:
        await self._connect(self._settings.open_seconds)
        while self._lost is None:
            self._changed.clear()
            wire, now = self._wire, time.monotonic()
            assert wire is not None
            if wire.failure or self._liveness.is_dead(now):
                await self._replace(wire)
            elif self._is_behind(wire, now):
                await self._catch_up(wire)
            elif self._renewal.due(now) and now >= self._renew_not_before:
                await self._renew(wire)
            else:
                await self._sleep(now)

    async def _sleep(self, now: float) -> None:
        renewal = self._renewal.deadline(now)
        moments = (None if renewal is None else max(renewal, self._renew_not_before), self._liveness.deadline())
        next_at = min((moment for moment in moments if moment is not None), default=now + 60)
        try:
            async with asyncio.timeout(max(0.01, next_at - now)):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _connect(self, seconds: float, reply: ReplyState = "none") -> None:
        """Opens a connection and lets it serve, or gives up. `reply`: what is lost with the one before."""
        try:
            async with asyncio.timeout(seconds):
                wire = await self._open_again()
        except (llm.RealtimeError, TimeoutError) as error:
            self._give_up(str(error) or "it did not answer in time", reply)
            return
        self._take_over(wire)
        if reply != "none":
            self._line.on_broken_off(reply)

    async def _replace(self, wire: Wire) -> None:
        """The connection is gone, or hangs."""
        reason = wire.failure or "it hangs"
        logger.warning("the connection to the realtime model is lost: %s", reason)
        reply: ReplyState = "none" if wire.response == "none" else "cut" if wire.response == "spoken" else "owed"
        self._wire = None
        self._serving.clear()
        wire.retire()
        self._tasks.spawn(wire.aclose(), "end of a lost connection")
        if not wire.failure:  # it has cost its time already, and the next one may hang as well
            self._give_up(reason, reply)
            return
        is_owed = reply != "none" or bool(self._replies)
        await self._connect(self._settings.open_again_seconds if is_owed else self._settings.open_seconds, reply)

    async def _renew(self, old: Wire) -> None:
        """Opens another connection beside the one that serves, and lets it take over when nothing would be lost."""
        try:
            async with asyncio.timeout(self._settings.renew_seconds):
                new = await self._open()
        except (llm.RealtimeError, TimeoutError) as error:
            logger.warning("the connection to the realtime model was not renewed: %s", error or "no answer in time")
            self._renew_not_before = time.monotonic() + self._settings.renew_again_seconds
            return
        try:
            while not (old.failure or new.failure or self._liveness.is_dead(time.monotonic())):
                self._changed.clear()
                if not self._may_switch(old):
                    await self._sleep(time.monotonic())
                elif new.told != fingerprint(history := self._history()):
                    await new.tell(history)
                else:
                    self._take_over(new)
                    self.renewals += 1
                    self._tasks.spawn(old.aclose(), "end of an old connection")
                    return
        except llm.RealtimeError as error:
            logger.warning("the new connection did not take the history: %s", error)
        self._renew_not_before = time.monotonic() + self._settings.renew_again_seconds
        await new.aclose()

    def _may_switch(self, old: Wire) -> bool:
        return old.response == "none" and not self._replies and not self._under_way and not self._turns

    def _is_behind(self, wire: Wire, now: float) -> bool:
        """It has taken over while the agent spoke: what was heard of that has to be told."""
        return wire.took_over_in_speech and self._renewal.is_quiet(now) and self._may_switch(wire)

    async def _catch_up(self, wire: Wire) -> None:
        wire.took_over_in_speech = False
        try:
            await wire.tell(self._history())
        except llm.RealtimeError as error:
            logger.warning("the new connection was not told what was said meanwhile: %s", error)

    async def _open_again(self) -> Wire:
        """Twice, if need be: a single connection breaks for many reasons."""
        try:
            return await self._open()
        except llm.RealtimeError as error:
            logger.info("the realtime model is tried once more: %s", error)
            await asyncio.sleep(_SECOND_TRY_SECONDS)
            return await self._open()

    async def _open(self) -> Wire:
        """A connection that knows all that the one before knew. Raises llm.RealtimeError."""
        session = self._line.stock.session(turn_detection_disabled=self._without_turn_detection)
        wire = Wire(session, self._wire_told)
        try:
            await wire.stand()
            await self._brief(wire)
            if wire.failure:
                raise llm.RealtimeError(wire.failure)
        except BaseException:
            await wire.aclose()
            raise
        return wire

    async def _brief(self, wire: Wire) -> None:
        if isinstance(self._instructions, str):
            await wire.session.update_instructions(self._instructions)
        if isinstance(self._offered, list):
            await wire.session.update_tools(self._offered)
        if utils.is_given(self._tool_choice):
            wire.session.update_options(tool_choice=self._tool_choice)
        await wire.tell(self._history())

    def _history(self) -> llm.ChatContext:
        context = self._line.history().copy(
            exclude_instructions=True, exclude_empty_message=True, exclude_handoff=True, exclude_config_update=True
        )
        return context.truncate(max_items=self._settings.longest_history)

    def _take_over(self, wire: Wire) -> None:
        """From here on `wire` serves. Nothing is awaited: no frame and no order falls between two connections."""
        if self._wire is not None:
            self._wire.retire()
        self._wire = wire
        self._transcribed = 0
        wire.took_over_in_speech = not self._renewal.is_quiet(time.monotonic())
        wire.serve(self.emit)
        for turn in self._turns:
            for frame in turn:
                wire.session.push_audio(frame)
            wire.session.commit_audio()
        for reply in self._replies:
            reply.ask(wire)
        for frame in self._input.turn:
            wire.session.push_audio(frame)
        now = time.monotonic()
        self._renewal.opened(now)
        self._liveness.heard(now)
        self._serving.set()
        self._look()
        self.emit("session_reconnected", llm.realtime.RealtimeSessionReconnectedEvent())

    def _give_up(self, reason: str, reply: ReplyState = "none") -> None:
        if self._lost is not None:
            return
        lost = self._lost = Lost(reason, "owed" if self._replies else reply)
        wire, self._wire = self._wire, None
        if wire is not None:
            self._tasks.spawn(wire.aclose(), "end of a connection")
        self._liveness.forget()
        for one in list(self._replies):
            one.fail(llm.RealtimeError(f"the realtime model is down: {reason}"))
        self._replies.clear()
        self._serving.set()
        self._changed.set()
        self._line.on_lost(lost)

    def _wire_told(self, wire: Wire) -> None:
        """An event of the provider's has come, or the end of the connection."""
        if wire is not self._wire:
            self._changed.set()
            return
        if not wire.failure:
            self._liveness.heard(time.monotonic())
        while self._transcribed < wire.transcribed:
            self._transcribed += 1
            if self._turns:
                self._turns.popleft()
        self._look()

    def _look(self) -> None:
        """Something has changed that the line's life depends on."""
        wire = self._wire
        if wire is not None and wire.response == "none" and not self._replies:
            self._liveness.settled(_REPLY)
        self._renewal.pending(on=wire is None or not self._may_switch(wire))
        self._changed.set()

    # --- what the call tells ---

    def caller_voice(self, *, speaking: bool) -> None:
        """The session's voice detector: what the caller says is sent from here on, and a little of it before."""
        now = time.monotonic()
        self._renewal.sound("caller", now, on=speaking)
        self._changed.set()
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
        self._renewal.sound("agent", time.monotonic(), on=busy)
        self._changed.set()

    # --- the framework's side ---

    @property
    def capabilities(self) -> llm.RealtimeCapabilities:
        return self._wire.session.capabilities if self._wire is not None else self._line.capabilities

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._wire.session.chat_ctx if self._wire is not None else self._history()

    @property
    def tools(self) -> llm.ToolContext:
        return llm.ToolContext(self._offered if isinstance(self._offered, list) else [])

    async def update_instructions(self, instructions: str) -> None:
        self._instructions = instructions
        if self._wire is not None:
            await self._wire.session.update_instructions(instructions)

    async def update_tools(self, tools: list[llm.Tool]) -> None:
        self._offered = tools
        if self._wire is not None:
            await self._wire.session.update_tools(tools)

    def update_options(self, *, tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN) -> None:
        self._tool_choice = tool_choice
        if self._wire is not None:
            self._wire.session.update_options(tool_choice=tool_choice)

    async def update_chat_ctx(self, chat_ctx: llm.ChatContext) -> None:
        """Raises llm.RealtimeError when the line is lost meanwhile."""
        if self._wire is None and not chat_ctx.items:
            return  # the beginning of a call waits for nobody
        await self._serving.wait()
        if self._wire is None:
            raise llm.RealtimeError("the realtime model is down")
        self._under_way += 1
        self._liveness.owes("history", time.monotonic())
        self._look()
        try:
            await self._wire.session.update_chat_ctx(chat_ctx)
        finally:
            self._under_way -= 1
            self._liveness.settled("history")
            self._look()

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        if self._input.push(frame, time.monotonic()) and self._wire is not None:
            self._wire.session.push_audio(frame)

    def push_video(self, frame: rtc.VideoFrame) -> None:
        if self._wire is not None:
            self._wire.session.push_video(frame)

    def commit_audio(self) -> None:
        missing, turn = self._input.take()
        if not turn or self._lost is not None:
            return
        if self._line.capabilities.user_transcription or self._wire is None:
            self._turns.append(turn)
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
        if self._lost is not None:
            reply.fail(llm.RealtimeError("the realtime model is down"))
            return reply.future
        self._replies.append(reply)
        self._liveness.owes(_REPLY, time.monotonic())
        if self._wire is not None:  # else the next connection is asked
            reply.ask(self._wire)
        self._look()
        return reply.future

    def _reply_settled(self, reply: Reply) -> None:
        if reply in self._replies:
            self._replies.remove(reply)
        if reply.was_refused and self._lost is None:
            self._give_up("it refused to answer", "owed")
        self._look()

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
        self._lost = self._lost or Lost("it is closed", "none")
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()
        await self._tasks.aclose()
