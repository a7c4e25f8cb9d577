"""Acts on policy/overlap in one call: tells it what is heard and said, and lowers, raises or stops the voice.

It stands in three places: in the agent's `stt_node`, ahead of the framework, where it withholds what is not meant for
it; beside the sink, whose playout it follows; and on the session's events, which bring the voice detector's verdicts.
The framework is told never to interrupt by voice alone: a text that is passed on interrupts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import replace
from typing import Any, Protocol

from livekit.agents import AgentSession, UserStateChangedEvent, stt

from voiceworker.events import AgentDucked, AgentRestored, Event
from voiceworker.policy.overlap import Cut, Duck, Overlap, Release, Restore, Situation
from voiceworker.policy.situations import Situations
from voiceworker.runtime.caller_audio import CallerAudio
from voiceworker.runtime.echo import EchoGuard, Verdict
from voiceworker.runtime.event_inbox import EventInbox
from voiceworker.runtime.playout_events import Audible, Silent

logger = logging.getLogger("voiceworker.turn")

_ECHO_AGAIN_SECONDS = 0.1
"how often a voice over the agent's is compared with the agent's own"
_ONSET_SECONDS = 0.15
"the voice detector speaks up this long after a voice began"
_LEARNING_SECONDS = 0.6
"of the agent's voice tell how it comes back"
_LEARN_AGAIN_SECONDS = 1.0
_RELEASE_SECONDS = 0.15
"after a voice has stopped: a final text comes within this, and makes another reply"
_LONGEST_HOLD_SECONDS = 1.5
"a voice that has no word for so long is a noise, which must not keep the agent silent"

_TEXTS = (stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.FINAL_TRANSCRIPT)


class Voice(Protocol):
    """What the driver needs of the agent's voice; `CallSink` is one."""

    @property
    def is_held(self) -> bool: ...

    def duck(self) -> None: ...

    def restore(self) -> None: ...

    def cut(self) -> None: ...

    def hold(self) -> None: ...

    def release(self) -> None: ...


class _Released:
    """Texts that were withheld are waiting to be passed on."""


class OverlapDriver:
    def __init__(
        self,
        policy: Overlap,
        situations: Situations,
        sink: Voice,
        echo: EchoGuard,
        caller: CallerAudio,
        tell: Callable[[Event], None],
        *,
        vad_silence_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` has to run as the event loop's own does."""
        self._policy = policy
        self._situations = situations
        self._sink = sink
        self._echo = echo
        self._caller = caller
        self._tell = tell
        self._vad_silence_seconds = vad_silence_seconds
        self._clock = clock
        self._session: AgentSession[Any] | None = None
        self._inbox: EventInbox[_Released] | None = None
        self._released: list[str] = []
        self._last_final: stt.SpeechData | None = None
        self._next_situation: Situation | None = None
        self._speech_situation: Situation = "ordinary"
        "of the whole of what is being said, whatever its sentences are"
        self._tools_at_work: set[str] = set()
        self._is_audible = False
        self._voice_since: float | None = None
        self._judged_echo = False
        self._timer: asyncio.TimerHandle | None = None
        self._echo_timer: asyncio.TimerHandle | None = None
        self._learning_timer: asyncio.TimerHandle | None = None
        self._release_timer: asyncio.TimerHandle | None = None

    def attach(self, session: AgentSession[Any]) -> None:
        """Before the session starts."""
        self._session = session
        session.on("user_state_changed", self._user_state_changed)

    def close(self) -> None:
        for timer in (self._timer, self._echo_timer, self._learning_timer, self._release_timer):
            if timer is not None:
                timer.cancel()

    # --- what the agent does ---

    def next_speech_is(self, situation: Situation) -> None:
        """The next speech of the agent's is of this kind; the ones after it are ordinary again."""
        self._next_situation = situation

    def tool_called(self, call_id: str) -> None:
        self._tools_at_work.add(call_id)

    def tool_returned(self, call_id: str) -> None:
        self._tools_at_work.discard(call_id)

    def audible(self, event: Audible) -> None:
        self._is_audible = True
        usual: Situation = "tool_running" if self._tools_at_work else "ordinary"
        self._speech_situation, self._next_situation = self._next_situation or usual, None
        self._policy.agent_started(self._clock(), situation=self._speech_situation)
        if self._voice_since is not None:
            self._look_for_echo()
        self._learn_echo_after(_LEARNING_SECONDS)
        self._act()

    def silent(self, event: Silent) -> None:
        self._is_audible = False
        self._policy.agent_stopped(self._clock())
        self._act()
        self._sink.restore()  # what comes next is said in full voice, whatever befell this

    def said(self, heard: str, upcoming: str) -> None:
        """`heard`: of the present speech, as the caller has it; `upcoming`: what is known to follow."""
        now = self._clock()
        if self._is_audible:
            self._policy.agent_in(now, self._situations.of(heard, upcoming) or self._speech_situation)
        self._policy.agent_said(now, heard, upcoming)
        self._act()

    # --- what the caller does ---

    def turn_taken(self) -> None:
        """The caller has finished: the reply may be heard."""
        self._drop(self._release_timer)
        self._sink.release()

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        now = self._clock()
        self._caller.voice(speaking=event.new_state == "speaking")
        if event.new_state == "speaking":
            self._voice_since = now
            if not self._is_audible:
                self._sink.hold()  # he goes on before the first sound of the reply: he is not talked over
                self._release_after(_LONGEST_HOLD_SECONDS)
            self._judged_echo = self._is_echo(now)
            self._policy.caller_started(now, echo=self._judged_echo)
            self._look_for_echo()
        elif event.old_state == "speaking":
            self._voice_since = None
            self._policy.caller_stopped(now, quiet_seconds=self._vad_silence_seconds)
            self._release_after(_RELEASE_SECONDS)
        self._act()

    def _release_after(self, seconds: float) -> None:
        self._drop(self._release_timer)
        self._release_timer = asyncio.get_running_loop().call_later(seconds, self._sink.release)

    def _is_echo(self, now: float) -> bool:
        """The last judgement stands while there is nothing new: a line that echoed a moment ago does so still."""
        if not self._is_audible or self._voice_since is None:
            return False
        verdict = self._echo.verdict(self._voice_since - _ONSET_SECONDS, now).verdict
        return self._judged_echo if verdict is Verdict.UNKNOWN else verdict is Verdict.ECHO

    def _look_for_echo(self) -> None:
        """Asks again as more of the voice is there; the policy may be told another verdict at any time."""
        self._drop(self._echo_timer)
        if self._voice_since is None or not self._is_audible:
            return
        now = self._clock()
        is_echo = self._is_echo(now)
        if is_echo != self._judged_echo:
            self._judged_echo = is_echo
            self._policy.caller_started(now, echo=is_echo)
            self._act()
        self._echo_timer = asyncio.get_running_loop().call_later(_ECHO_AGAIN_SECONDS, self._look_for_echo)

    def _learn_echo_after(self, seconds: float) -> None:
        self._drop(self._learning_timer)
        self._learning_timer = asyncio.get_running_loop().call_later(seconds, self._learn_echo)

    def _learn_echo(self) -> None:
        """While the agent speaks alone: how loud it comes back, though no voice detector hears a voice in it. A caller
        over an echo that is not known sounds louder than he is."""
        if not self._is_audible:
            return
        now = self._clock()
        if self._voice_since is None:
            self._echo.verdict(now - _LEARNING_SECONDS, now)
        self._learn_echo_after(_LEARN_AGAIN_SECONDS)

    # --- the transcript ---

    async def heed(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        """The events that concern the framework, the finals among them that were withheld at first and turned out to
        be part of a turn. A text that cuts has cut when it is yielded."""
        inbox = self._inbox = EventInbox[_Released]()
        async for item in inbox.items(events):
            if isinstance(item, _Released):
                for event in self._take_released():
                    yield event
                continue
            for event in self._heed(item):
                yield event

    def _heed(self, event: stt.SpeechEvent) -> list[stt.SpeechEvent]:
        if event.type not in _TEXTS or not event.alternatives or not event.alternatives[0].text.strip():
            return [event]
        data, final = event.alternatives[0], event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
        level_db = self._caller.level_db()
        if level_db is not None:
            self._policy.caller_level(level_db)
        verdict = self._policy.transcript(self._clock(), data.text, final=final)
        if final:
            self._last_final = data
        self._act()
        if verdict.pass_on:
            if self._sink.is_held:  # words: the reply that waits will be another one
                self._release_after(_LONGEST_HOLD_SECONDS)
            self._caller.was_spoken_to_us()
            return [*self._take_released(), event]
        logger.debug("withheld %s of %d words: %s", event.type.value, len(data.text.split()), verdict.reason)
        return self._take_released()

    def _take_released(self) -> list[stt.SpeechEvent]:
        texts, self._released = self._released, []
        data = self._last_final
        return [
            stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[replace(data, text=text)])
            for text in texts
            if data is not None
        ]

    # --- acting ---

    def _act(self) -> None:
        """Does what is due, and looks again when the policy says so."""
        self._drop(self._timer)
        for command in self._policy.due(self._clock()):
            match command:
                case Duck():
                    self._sink.duck()
                    self._tell(AgentDucked())
                case Restore(reason):
                    self._sink.restore()
                    self._tell(AgentRestored(reason))
                case Cut(reason):
                    self._cut(reason)
                case Release(texts):
                    self._released += texts
                    if self._inbox is not None:
                        self._inbox.put(_Released())
        deadline = self._policy.deadline()
        if deadline is not None:
            wait = max(0.0, deadline - self._clock())
            self._timer = asyncio.get_running_loop().call_later(wait, self._act)

    def _cut(self, reason: str) -> None:
        assert self._session is not None
        logger.debug("cut: %s", reason)
        try:
            self._session.interrupt()
        except RuntimeError:  # a speech that must not be interrupted: the agent's farewell
            logger.debug("the speech cannot be interrupted")
            return
        self._sink.cut()

    @staticmethod
    def _drop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
