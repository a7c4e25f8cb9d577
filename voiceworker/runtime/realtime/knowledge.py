"""What every connection to a speech-to-speech model has to know, so that the next one can take over."""

from __future__ import annotations

from collections import deque

from livekit import rtc
from livekit.agents import NOT_GIVEN, NotGivenOr, llm, utils

from voiceworker.runtime.realtime.caller_input import CallerInput
from voiceworker.runtime.realtime.reply import Reply
from voiceworker.runtime.realtime.wire import Wire


class Knowledge:
    def __init__(self) -> None:
        self.instructions: NotGivenOr[str] = NOT_GIVEN
        self.tools: NotGivenOr[list[llm.Tool]] = NOT_GIVEN
        self.tool_choice: NotGivenOr[llm.ToolChoice | None] = NOT_GIVEN
        self.input = CallerInput()
        self.turns: deque[list[rtc.AudioFrame]] = deque(maxlen=2)
        "of the caller's that were taken, and whose words have not come"
        self.replies: list[Reply] = []
        "asked for, and not begun"

    @property
    def is_open(self) -> bool:
        """Something was told to a connection, and its answer has not come."""
        return bool(self.replies or self.turns)

    async def brief(self, wire: Wire, history: llm.ChatContext) -> None:
        """Before it takes over. Raises llm.RealtimeError when the history is not confirmed."""
        if isinstance(self.instructions, str):
            await wire.session.update_instructions(self.instructions)
        if isinstance(self.tools, list):
            await wire.session.update_tools(self.tools)
        if utils.is_given(self.tool_choice):
            wire.session.update_options(tool_choice=self.tool_choice)
        await wire.tell(history)

    def hand_over(self, wire: Wire) -> None:
        """As it takes over: what no other connection has answered, and the turn that is open."""
        for turn in self.turns:
            for frame in turn:
                wire.session.push_audio(frame)
            wire.session.commit_audio()
        for reply in self.replies:
            reply.ask(wire)
        for frame in self.input.turn:
            wire.session.push_audio(frame)
