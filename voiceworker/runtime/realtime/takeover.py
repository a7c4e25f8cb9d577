"""When the speech-to-speech model breaks off or is down: the call goes on, and what was owed is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from livekit.agents import NOT_GIVEN, Agent, AgentSession, AgentStateChangedEvent, NotGivenOr, llm
from livekit.agents.voice import SpeechHandle

from voiceworker.runtime.realtime.settings import Lost, ReplyState
from voiceworker.runtime.tasks import Tasks

logger = logging.getLogger("voiceworker.realtime")

_EXACTLY = 'Say exactly this, word for word, and nothing else: "{text}"'
_GO_ON = "You were cut off in the midst of your last reply. Go on from there; do not repeat what you have said."


class Takeover:
    """`lost` and `broken_off` are given to the line, `say` to whoever has the agent say a text."""

    def __init__(
        self,
        session: Callable[[], AgentSession[Any]],
        make_stand_in: Callable[[Callable[[Agent], None]], Agent],
        last_turn: Callable[[], str],
        tasks: Tasks,
        on_lost: Callable[[Lost], None],
    ) -> None:
        """`make_stand_in(first)`: the agent of the pipeline, with the history to come. `last_turn()`: what the caller
        said last, in our recogniser's words. `on_lost`: tells it as an event."""
        self._session = session
        self._make_stand_in = make_stand_in
        self._last_turn = last_turn
        self._tasks = tasks
        self._on_lost = on_lost
        self._is_lost = False
        self._texts: list[tuple[str, SpeechHandle]] = []
        "that are being said word for word"

    # --- what the call says ---

    def say(self, text: str, *, allow_interruptions: NotGivenOr[bool] = NOT_GIVEN) -> SpeechHandle:
        """Has this text said, by the voice that holds the conversation."""
        session = self._session()
        if self._is_lost:
            return session.say(text, allow_interruptions=allow_interruptions)
        handle = session.generate_reply(
            instructions=_EXACTLY.format(text=text), tool_choice="none", allow_interruptions=allow_interruptions
        )
        self._texts.append((text, handle))
        handle.add_done_callback(self._said)
        return handle

    def _said(self, handle: SpeechHandle) -> None:
        if not self._is_lost:
            self._texts = [one for one in self._texts if one[1] is not handle]

    # --- what the line tells ---

    def broken_off(self, reply: ReplyState) -> None:
        """The model is there again."""
        session = self._session()
        text = self._texts[-1][0] if self._texts else ""
        if text and reply == "owed":
            self.say(text)
        else:
            session.generate_reply(instructions=_GO_ON if reply == "cut" else NOT_GIVEN)

    def lost(self, lost: Lost) -> None:
        self._is_lost = True
        logger.warning("the realtime model is down: the call goes on without it (%s)", lost.reason)
        self._on_lost(lost)
        self._tasks.spawn(self._replace(lost), "the stand-in of the realtime model")

    async def _replace(self, lost: Lost) -> None:
        session = self._session()
        await _until_started(session)
        stand_in = self._make_stand_in(lambda agent: self._first(lost))
        await stand_in.update_chat_ctx(self._history(session.current_agent.chat_ctx, lost))
        session.update_agent(stand_in)

    def _history(self, known: llm.ChatContext, lost: Lost) -> llm.ChatContext:
        history = known.copy(exclude_instructions=True, exclude_empty_message=True, exclude_handoff=True)
        unheard = any(
            isinstance(item, llm.ChatMessage) and item.role == "user" and not item.text_content for item in known.items
        )
        last_turn = self._last_turn()
        if lost.reply == "owed" and not self._texts and last_turn and (unheard or not _is_open(history)):
            history.add_message(role="user", content=last_turn)
        return history

    def _first(self, lost: Lost) -> None:
        """Of the stand-in: what the caller is waiting for."""
        session, texts = self._session(), [text for text, _ in self._texts]
        self._texts.clear()
        if texts:
            for text in texts:
                session.say(text)
        elif lost.reply == "cut":
            session.generate_reply(instructions=_GO_ON)
        elif lost.reply == "owed":
            session.generate_reply()


def _is_open(history: llm.ChatContext) -> bool:
    """The caller has spoken last."""
    messages = history.messages()
    return bool(messages) and messages[-1].role == "user"


async def _until_started(session: AgentSession[Any]) -> None:
    """An agent that is put in its place before is overlooked."""
    if session.agent_state != "initializing":
        return
    started = asyncio.Event()

    def changed(event: AgentStateChangedEvent) -> None:
        started.set()

    session.on("agent_state_changed", changed)
    try:
        await started.wait()
    finally:
        session.off("agent_state_changed", changed)
