"""One connection to a speech-to-speech model: the plugin's session, and what is known of it from its events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Literal

from livekit.agents import llm

logger = logging.getLogger("voiceworker.realtime")

_FORWARDED: tuple[llm.realtime.EventTypes, ...] = (
    "input_speech_started",
    "input_speech_stopped",
    "input_audio_transcription_completed",
    "generation_created",
    "metrics_collected",
    "remote_item_added",
)
_TRANSCRIBED = (
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
)

Forward = Callable[[Any, Any], None]
Fingerprint = tuple[tuple[str, str | None], ...]


def fingerprint(history: llm.ChatContext) -> Fingerprint:
    """Tells whether two histories say the same."""
    return tuple((item.id, item.text_content if isinstance(item, llm.ChatMessage) else None) for item in history.items)


class Wire:
    """Serves from `serve` to `retire`; what it tells before and after is not passed on."""

    def __init__(self, session: llm.RealtimeSession[Any], on_event: Callable[[Wire], None]) -> None:
        """`on_event` is called with each event of the provider's, and when the connection is lost."""
        self.session = session
        self.failure = ""
        "why it is lost; empty while it stands"
        self.response: Literal["none", "begun", "spoken"] = "none"
        "of the response under way: whether it has sounded"
        self.spoken: set[str] = set()
        "ids of the messages that were spoken here: only these can be cut by their sound"
        self.transcribed = 0
        "turns of which the provider has told the words, or that it cannot"
        self.took_over_in_speech = False
        "the agent was speaking, and its message was not in the history"
        self.told: Fingerprint = ()
        "the history that it was given last"
        self._on_event = on_event
        self._ready = asyncio.Event()
        self._forward: Forward | None = None
        self._forwarders = {name: self._forwarder(name) for name in _FORWARDED}
        for name, forwarder in self._forwarders.items():
            session.on(name, forwarder)
        session.on("openai_server_event_received", self._received)
        session.on("error", self._error)

    async def stand(self) -> None:
        """Returns when the provider has answered. Raises llm.RealtimeError when the connection fails."""
        await self._ready.wait()
        if self.failure:
            raise llm.RealtimeError(self.failure)

    async def tell(self, history: llm.ChatContext) -> None:
        """Raises llm.RealtimeError when it is not confirmed."""
        await self.session.update_chat_ctx(history)
        self.told = fingerprint(history)

    def serve(self, forward: Forward) -> None:
        self._forward = forward

    def retire(self) -> None:
        self._forward = None

    @property
    def is_serving(self) -> bool:
        return self._forward is not None

    async def aclose(self) -> None:
        self.retire()
        with contextlib.suppress(Exception):  # it tells once more why it was lost
            await self.session.aclose()

    # --- what the plugin tells ---

    def _forwarder(self, name: Any) -> Callable[[Any], None]:
        def forward(event: Any) -> None:
            if self._forward is not None:
                self._forward(name, event)

        return forward

    def _received(self, event: dict[str, Any]) -> None:
        kind = event.get("type", "")
        if kind == "session.updated":
            self._ready.set()
        elif kind == "response.created":
            self.response = "begun"
        elif kind in ("response.output_audio.delta", "response.output_text.delta"):
            self.response = "spoken"
            self.spoken.add(event.get("item_id", ""))
        elif kind == "response.done":
            if self.response == "begun" and event.get("response", {}).get("status") == "failed":
                self.failure = "the response failed"
            self.response = "none"
        elif kind in _TRANSCRIBED:
            self.transcribed += 1
        self._on_event(self)

    def _error(self, error: llm.RealtimeModelError) -> None:
        # the text of a provider's error may quote what was said or a key: the kind of the error has to do
        kind = type(error.error).__name__
        if error.recoverable:
            logger.warning("the realtime model complains: %s", kind)
            return
        self.failure = self.failure or kind
        self._ready.set()
        self._on_event(self)
