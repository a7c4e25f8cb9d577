"""What the framework's session reports, told on as facts: to the narrator and to the attendance policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    ToolExecutionUpdatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
    stt,
    tts,
)

from voiceworker.events import (
    AgentInterrupted,
    AgentSpeechStarted,
    AgentSpeechStopped,
    AgentTranscript,
    ErrorOccurred,
    ToolCalled,
    ToolReturned,
    UserSpeechStarted,
    UserSpeechStopped,
    UserTranscript,
)
from voiceworker.policy.attendance import Attendance
from voiceworker.runtime.narrator import Narrator
from voiceworker.runtime.turn_taking import TurnTaking


class SessionListener:
    def __init__(
        self,
        session: AgentSession[Any],
        unheard: Callable[[str], str],
        narrator: Narrator,
        attendance: Attendance,
        turns: TurnTaking | None,
        on_change: Callable[[], None],
    ) -> None:
        """`unheard(heard)`: what of the present reply was not. With `turns` the agent's speech is told by them, at the
        moment of its sound."""
        self._session = session
        self._unheard = unheard
        self._narrator = narrator
        self._attendance = attendance
        self._turns = turns
        self._on_change = on_change
        self._tools: dict[str, str] = {}
        "call id -> name of the tools at work"

    def attach(self) -> None:
        self._session.on("user_state_changed", self._user_state_changed)
        self._session.on("agent_state_changed", self._agent_state_changed)
        self._session.on("user_input_transcribed", self._user_input_transcribed)
        self._session.on("conversation_item_added", self._conversation_item_added)
        self._session.on("tool_execution_updated", self._tool_execution_updated)
        self._session.on("error", self._error)

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        speaking = event.new_state == "speaking"
        self._attendance.caller_sound(time.monotonic(), started=speaking)
        self._narrator.tell(UserSpeechStarted() if speaking else UserSpeechStopped())
        self._on_change()

    def _agent_state_changed(self, event: AgentStateChangedEvent) -> None:
        self._attendance.agent_busy(time.monotonic(), busy=event.new_state in ("thinking", "speaking"))
        if self._turns is None:
            if event.new_state == "speaking":
                self._narrator.tell(AgentSpeechStarted())
            elif event.old_state == "speaking":
                self._narrator.tell(AgentSpeechStopped())
        self._on_change()

    def _user_input_transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.transcript.strip():
            self._attendance.caller_words(time.monotonic())
            self._on_change()
        if event.is_final:
            language = str(event.language or "")
            self._narrator.tell(UserTranscript(text=event.transcript, final=True, language=language))

    def _conversation_item_added(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, llm.ChatMessage):
            return
        text = item.text_content or ""
        if item.role == "assistant" and item.interrupted:
            self._narrator.tell(AgentInterrupted(heard_text=text, unheard_text=self._unheard(text)))
        elif item.role == "assistant":
            self._narrator.tell(AgentTranscript(text=text, final=True))

    def _tool_execution_updated(self, event: ToolExecutionUpdatedEvent) -> None:
        update = event.update
        if update.type == "tool_call_started":
            call = update.function_call
            self._tools[call.call_id] = call.name
            self._narrator.tell(ToolCalled(tool=call.name, call_id=call.call_id))
            if self._turns is not None:
                self._turns.tool_called(call.call_id)
        elif update.type == "tool_call_ended":
            name = self._tools.pop(update.call_id, "")
            self._narrator.tell(ToolReturned(tool=name, call_id=update.call_id, failed=update.status != "done"))
            if self._turns is not None:
                self._turns.tool_returned(update.call_id)

    def _error(self, event: ErrorEvent) -> None:
        source = event.source
        where = next((name for kind, name in _ROLES if isinstance(source, kind)), "session")
        # the text of a provider's error may quote what was said or a key: the kind of the error has to do
        self._narrator.tell(
            ErrorOccurred(where=where, message=type(getattr(event.error, "error", event.error)).__name__)
        )


_ROLES: tuple[tuple[type, str], ...] = ((stt.STT, "stt"), (llm.LLM, "llm"), (tts.TTS, "tts"))
