"""Prepares replies before the caller's turn is over: the driver of policy/speculation.py.

The framework's preemptive generation is the engine. `speculate` stands in the agent's `stt_node` and adds the
PREFLIGHT_TRANSCRIPT events that start it; `thinking` stands in `llm_node`, `synthesizing` in `tts_node`: they hold back
what the policy has not granted until the turn is committed, and count what each reply costs.

The session has to be made with `PREEMPTIVE_GENERATION`: the limits are the policy's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from livekit.agents import (
    AgentSession,
    ConversationItemAddedEvent,
    SpeechCreatedEvent,
    UserStateChangedEvent,
    llm,
    stt,
)
from livekit.agents.types import FlushSentinel
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.turn import PreemptiveGenerationOptions

from voiceworker.policy.speculation import Completeness, Speculate, Speculation, SynthesizeAhead
from voiceworker.runtime.event_inbox import EventInbox
from voiceworker.runtime.metering.requests import answer_characters, prompt_characters
from voiceworker.runtime.piecewise import Frames, speak_in_pieces

PREEMPTIVE_GENERATION = PreemptiveGenerationOptions(
    enabled=True, preemptive_tts=True, max_retries=1000, max_speech_duration=3600.0
)

Chunk = llm.ChatChunk | str | FlushSentinel

_CHARACTERS_PER_TOKEN = 4.0
"OpenAI's rule of thumb for English, until the first answer has told better"


# --- the replies, and what each may do ---


@dataclass(eq=False, slots=True)
class _Reply:
    """One speech of the agent, from its making by the framework to its end."""

    handle: SpeechHandle
    attempt: int | None = None
    "the policy's attempt that it is"
    ask: asyncio.Event = field(default_factory=asyncio.Event)
    "the LLM may be asked"
    synthesize: asyncio.Event = field(default_factory=asyncio.Event)
    "the first clause may be synthesized"
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    "the turn is committed: everything may go on"
    tokens: int = 0
    characters: int = 0

    def open_if_committed(self) -> bool:
        """True when it is open."""
        if self.handle.scheduled:
            for event in (self.ask, self.synthesize, self.opened):
                event.set()
        return self.opened.is_set()

    async def may_synthesize(self) -> None:
        self.open_if_committed()
        await self.synthesize.wait()

    async def counted(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        async for part in text:
            self.characters += len(part)
            yield part


_reply: ContextVar[_Reply | None] = ContextVar("reply", default=None)
"whose llm_node or tts_node is running: set when the framework makes the speech, inherited by the speech's tasks"


class _Woken:
    """Something has changed besides the transcript."""


class Speculator:
    def __init__(
        self,
        policy: Speculation,
        completeness: Callable[[str], Completeness],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`completeness` judges a text that may go on; `clock` has to run as the event loop's own does."""
        self._policy = policy
        self._completeness = completeness
        self._clock = clock
        self._session: AgentSession[Any] | None = None
        self._replies: set[_Reply] = set()
        self._inbox: EventInbox[_Woken] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._segment: stt.SpeechData | None = None
        "the running segment as it was last recognised"
        self._segment_final = False
        self._grant: Speculate | None = None
        "for the reply that the framework is about to make"
        self._grant_aloud = False
        self._held: _Reply | None = None
        "made by the framework for the last final transcript, not granted so far"
        self._characters_per_token = _CHARACTERS_PER_TOKEN

    def attach(self, session: AgentSession[Any]) -> None:
        """Before the session starts."""
        self._session = session
        session.on("speech_created", self._speech_created)
        session.on("conversation_item_added", self._item_added)
        session.on("agent_state_changed", self._changed)
        session.on("user_state_changed", self._user_state_changed)

    def voice(self, *, speaking: bool, since_seconds: float = 0.0) -> None:
        """A voice is heard, or silence has begun `since_seconds` ago.

        To be told from the sound itself: the framework's own word comes after the final transcript. Where nobody tells
        of silence, the words alone decide.
        """
        self._policy.voice(self._clock() - since_seconds, speaking=speaking)
        self._wake()

    # --- the transcript ---

    async def speculate(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        """The same events, with preflight transcripts where the policy grants an attempt.

        A final transcript that says the same as the attempt's words gets the attempt's spelling: the framework keeps
        a prepared reply only for exactly the same text. What `events` raises is raised here.
        """
        inbox = self._inbox = EventInbox[_Woken]()
        try:
            async with aclosing(inbox.items(events)) as items:
                async for item in items:
                    for told in self._heard(item) if isinstance(item, stt.SpeechEvent) else self._decided():
                        yield told
                    self._set_timer()
        finally:
            if self._inbox is inbox:
                self._inbox = None
                self._stop_timer()

    def _set_timer(self) -> None:
        self._stop_timer()
        deadline = self._policy.deadline() if self._may_start() else None
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_later(deadline - self._clock(), self._wake)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _heard(self, event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
        kinds = stt.SpeechEventType
        if event.type not in (kinds.INTERIM_TRANSCRIPT, kinds.FINAL_TRANSCRIPT) or not event.alternatives:
            return [event]
        data, now = event.alternatives[0], self._clock()
        if not data.text.strip():
            return [event]
        self._held = None
        self._segment, self._segment_final = data, event.type is kinds.FINAL_TRANSCRIPT
        if self._segment_final:
            settled = self._policy.settle(data.text)
            if settled != data.text:
                event = replace(event, alternatives=[replace(data, text=settled), *event.alternatives[1:]])
            self._policy.final(settled, self._completeness(settled), now)
            self._decide()
            return [event]
        self._policy.interim(data.text, self._completeness(data.text), now)
        return [event, *self._decided()]

    def _decided(self) -> list[stt.SpeechEvent]:
        preflight = self._decide()
        return [] if preflight is None else [preflight]

    def _decide(self) -> stt.SpeechEvent | None:
        """Does what the policy grants; the preflight transcript, where one is needed to start the framework."""
        if not self._may_start():
            return None
        started: stt.SpeechEvent | None = None
        for command in self._policy.due(self._clock()):
            match command:
                case Speculate():
                    started = self._begin(command)
                case SynthesizeAhead(attempt):
                    self._begin_synthesis(attempt)
        return started

    def _begin(self, command: Speculate) -> stt.SpeechEvent | None:
        if self._held is not None and not self._held.handle.scheduled:
            self._held.attempt = command.attempt
            self._held.ask.set()
            self._held = None
            return None
        self._drop_grant()
        self._grant, self._grant_aloud = command, False
        if self._segment_final or self._segment is None:
            return None  # the final transcript itself starts the framework
        data = replace(self._segment, text=command.text)
        return stt.SpeechEvent(type=stt.SpeechEventType.PREFLIGHT_TRANSCRIPT, alternatives=[data])

    def _begin_synthesis(self, attempt: int) -> None:
        if self._grant is not None and self._grant.attempt == attempt:
            self._grant_aloud = True
        for reply in self._replies:
            if reply.attempt == attempt:
                reply.synthesize.set()

    def _drop_grant(self) -> None:
        """The framework has not made use of it."""
        if self._grant is not None:
            self._policy.discarded(self._grant.attempt, tokens=0, characters=0)
            self._grant = None

    def _may_start(self) -> bool:
        """While the agent speaks the framework prepares nothing; and what is prepared while a cut reply ends is thrown
        away, because what was heard of that reply is not in its context yet.
        """
        speech = None if self._session is None else self._session.current_speech
        return speech is None or speech.done()

    def _wake(self) -> None:
        if self._inbox is not None:
            self._inbox.put(_Woken())

    # --- what the session tells ---

    def _speech_created(self, event: SpeechCreatedEvent) -> None:
        """Called before the tasks of the speech are made, within the context that they inherit."""
        reply = _Reply(event.speech_handle)
        _reply.set(reply)
        self._replies.add(reply)
        reply.handle.add_done_callback(lambda _: self._done(reply))
        if event.source == "say":
            return
        if self._grant is None:
            self._held = reply
            return
        reply.attempt = self._grant.attempt
        reply.ask.set()
        if self._grant_aloud:
            reply.synthesize.set()
        self._grant = None

    def _item_added(self, event: ConversationItemAddedEvent) -> None:
        self._changed(event)
        if isinstance(event.item, llm.ChatMessage) and event.item.role == "user":
            self._held = None
            self._drop_grant()
            self._policy.turn_ended()

    def _changed(self, _: object) -> None:
        for reply in self._replies:
            self._settle_if_committed(reply)
        self._wake()

    def _settle_if_committed(self, reply: _Reply) -> bool:
        """True when its turn is committed; the policy knows then that its attempt was used."""
        is_committed = reply.open_if_committed()
        if is_committed and reply.attempt is not None:
            self._policy.reused(reply.attempt)
        return is_committed

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        """Of its two verdicts only that of a voice comes in time: it ends a silence that nobody else has ended."""
        if event.new_state == "speaking":
            self.voice(speaking=True)

    def _done(self, reply: _Reply) -> None:
        self._replies.discard(reply)
        if self._held is reply:
            self._held = None
        if self._settle_if_committed(reply):
            self._policy.used(reply.tokens, reply.characters)
        elif reply.attempt is not None:
            self._policy.discarded(reply.attempt, reply.tokens, reply.characters)
        self._wake()

    # --- taps on the reply ---

    async def thinking(
        self, context: llm.ChatContext, ask: Callable[[], AsyncGenerator[Chunk, None]]
    ) -> AsyncGenerator[Chunk, None]:
        """The answer of `ask`, asked when the policy or the turn allows it; its tokens are counted.

        What fails ahead of the turn nobody has missed yet: it is asked again when the turn is committed. Raises what
        `ask` does, not before that.
        """
        reply = _reply.get()
        if reply is not None:
            reply.open_if_committed()
            await reply.ask.wait()
            is_ahead, has_begun = not reply.opened.is_set(), False
            try:
                async with aclosing(self._answer(reply, context, ask)) as answer:
                    async for chunk in answer:
                        has_begun = True
                        yield chunk
                    return
            except Exception:
                await reply.opened.wait()
                if has_begun or not is_ahead:
                    raise
        async with aclosing(self._answer(reply, context, ask)) as answer:
            async for chunk in answer:
                yield chunk

    async def _answer(
        self, reply: _Reply | None, context: llm.ChatContext, ask: Callable[[], AsyncGenerator[Chunk, None]]
    ) -> AsyncGenerator[Chunk, None]:
        """Of an answer that was cut off nobody tells the tokens: they are estimated from its characters, at the rate of
        the answers that told them."""
        asked_characters, answered_characters = prompt_characters(context), 0
        before = 0 if reply is None else reply.tokens
        self._policy.asked(tokens := self._tokens(asked_characters))
        if reply is not None:
            reply.tokens = before + tokens  # paid even if no answer comes
        async with aclosing(ask()) as answer:
            async for chunk in answer:
                usage = chunk.usage if isinstance(chunk, llm.ChatChunk) else None
                answered_characters += _length(chunk)
                tokens = self._tokens(asked_characters + answered_characters)
                if usage is not None and usage.prompt_tokens and usage.total_tokens:
                    tokens = usage.total_tokens
                    self._characters_per_token = max(1.0, asked_characters / usage.prompt_tokens)
                    self._policy.asked(usage.prompt_tokens)
                if reply is not None:
                    reply.tokens = before + tokens
                yield chunk

    async def synthesizing(
        self, text: AsyncIterable[str], synthesize: Callable[[AsyncIterable[str]], Frames]
    ) -> Frames:
        """The speech of `synthesize` for `text`: before the turn is committed at most its first clause, and that only
        where the policy grants it; the characters are counted."""
        reply = _reply.get()
        if reply is None:
            speech = speak_in_pieces(text, _at_once, synthesize)
        else:
            await reply.may_synthesize()
            opened, counted = reply.opened.wait, reply.counted
            speech = speak_in_pieces(text, opened, lambda part: synthesize(counted(part)))
        async with aclosing(speech) as frames:
            async for frame in frames:
                yield frame

    def _tokens(self, characters: int) -> int:
        return round(characters / self._characters_per_token)


async def _at_once() -> None:
    """The turn needs no waiting for."""


def _length(chunk: Chunk) -> int:
    match chunk:
        case str():
            return len(chunk)
        case FlushSentinel():
            return 0
    return answer_characters(chunk)
