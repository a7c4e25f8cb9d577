"""What the caller is told when models fail, and what he is offered when they stay out of order."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from livekit.agents import AgentSession, ConversationItemAddedEvent, llm

from voiceworker.config import AgentDefinition
from voiceworker.events import Event, HandoffRequested
from voiceworker.policy.outage import Outage, Reaction, Role
from voiceworker.runtime.call_models import CallModels
from voiceworker.runtime.conversation import Conversation

logger = logging.getLogger("voiceworker.call")

_NUMBER = re.compile(r"\+?[0-9][0-9 ()/.-]{2,30}")

SIP_NUMBER = "sip.phoneNumber"
"the participant's attribute with the number of a caller by telephone"


class FaultDesk:
    """Of one call."""

    def __init__(
        self,
        definition: AgentDefinition,
        conversation: Conversation,
        models: CallModels,
        tell: Callable[[Event], None],
        part: Callable[[], None],
        keep_callback: Callable[[str], Awaitable[bool]],
    ) -> None:
        """`part`: has the call end, for which it asks `say_goodbye`. `keep_callback(number)`: writes down who is to be
        called back; False when that failed."""
        self._phrases = definition.phrases
        self._settings = definition.outage
        self._language = definition.language
        self._conversation = conversation
        self._models = models
        self._tell = tell
        self._part = part
        self._keep_callback = keep_callback
        self._outage = Outage()
        self._goodbye = self._goodbye_with(self._phrases.call_again)

    async def prepare(self) -> None:
        """Makes what has to be there when no voice is."""
        texts = [self._phrases.stumbled, self._goodbye_with(self._phrases.call_again)]
        if self._settings.callback:
            texts.append(self._goodbye_with(self._phrases.call_back))
        await self._models.prepare(self._language, *texts)

    def attach(self, session: AgentSession[Any]) -> None:
        session.on("conversation_item_added", self._item_added)

    def _item_added(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage) and event.item.role == "user":
            self._outage.turn_began()

    # --- what the models tell ---

    def answered(self, role: Role) -> None:
        self._outage.answered(role)

    def no_answer(self) -> None:
        """No language model has one: silence would be the worst."""
        self._excuse("llm", self._phrases.stumbled)

    def not_heard(self) -> None:
        """No recogniser has found words in what the caller said."""
        if not self._conversation.agent_speaks:  # else he was no turn, and the agent goes on or has been stopped
            self._excuse("stt", self._phrases.unheard)

    def no_voice(self) -> str:
        """The text to be said from a file; empty: none."""
        match self._outage.failed("tts"):
            case Reaction.EXCUSE:
                return self._phrases.stumbled
            case Reaction.PART:
                self._part()
                return ""
            case Reaction.TOLD:
                return ""
            case Reaction.PARTING:
                return self._goodbye  # it is the goodbye that finds no voice

    def _excuse(self, role: Role, text: str) -> None:
        match self._outage.failed(role):
            case Reaction.EXCUSE:
                self._conversation.say(text)
            case Reaction.PART:
                self._part()
            case Reaction.TOLD | Reaction.PARTING:
                pass

    # --- the end of such a call ---

    async def say_goodbye(self, metadata: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """`metadata`: of the session; `attributes`: of the caller. Raises what `Conversation.say_to_the_end` does."""
        number = self._number(metadata, attributes) if self._settings.callback else ""
        if number and await self._keep_callback(number):
            self._tell(HandoffRequested(kind="callback", reason="models_down"))
            self._goodbye = self._goodbye_with(self._phrases.call_back)
        spoken = self._models.apology(self._goodbye) if self._outage.is_mute else None
        await self._conversation.say_to_the_end(self._goodbye, None if spoken is None else spoken.frames())

    def _number(self, metadata: Mapping[str, Any], attributes: Mapping[str, str]) -> str:
        told = str(metadata.get(self._settings.number_key) or attributes.get(SIP_NUMBER, "")).strip()
        if told and not _NUMBER.fullmatch(told):
            logger.warning("nobody can be called back: %s is no telephone number", self._settings.number_key)
            return ""
        return told

    def _goodbye_with(self, offer: str) -> str:
        return f"{self._phrases.out_of_order} {offer}"
