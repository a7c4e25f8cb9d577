"""Who speaks when, in one call: everything that hears, decides and times a turn, put together.

The decisions are pure (policy/overlap, end_of_turn.py, speculation.py, latency.py); each has a driver beside this
file. Here they get the same caller, the same voice and the same session to look at.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any

from livekit import rtc
from livekit.agents import (
    AgentSession,
    ConversationItemAddedEvent,
    TurnHandlingOptions,
    UserStateChangedEvent,
    llm,
    stt,
)

from voiceworker.config import AgentDefinition
from voiceworker.events import AgentSpeechStarted, AgentSpeechStopped, Event, TurnCommitted
from voiceworker.policy.backchannels import Backchannels, lexicon_of
from voiceworker.policy.eagerness import turn_timing
from voiceworker.policy.end_of_turn import Commit, EndOfTurnSettings
from voiceworker.policy.latency import TurnClock
from voiceworker.policy.overlap import Overlap, OverlapSettings, Situation
from voiceworker.policy.situations import Situations
from voiceworker.policy.speculation import Completeness, Price, Speculation, SpeculationSettings
from voiceworker.policy.utterances import read_utterance
from voiceworker.runtime.call_sink import CallSink
from voiceworker.runtime.caller_audio import GAP_SECONDS, CallerAudio
from voiceworker.runtime.echo import EchoGuard, Samples
from voiceworker.runtime.heard_text import HeardText
from voiceworker.runtime.leading_silence import trim_leading_silence
from voiceworker.runtime.overlap_driver import OverlapDriver
from voiceworker.runtime.playout_events import Audible, Silent
from voiceworker.runtime.source_queue import Source
from voiceworker.runtime.speculator import PREEMPTIVE_GENERATION, Chunk, Speculator
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.transit import TransitMeter
from voiceworker.runtime.turn_detector import EndOfTurnDetector

VAD_SILENCE_SECONDS = 0.25
"of the session's voice detector: the least that the framework takes beside a turn detector"

_NEVER_SECONDS = 3600.0
"the framework is to interrupt for a text that is passed on to it, never for a voice of any length"

_COMPLETENESS = {
    "closed": Completeness.COMPLETE,
    "complete": Completeness.COMPLETE,
    "neutral": Completeness.NEUTRAL,
    "dictating": Completeness.UNFINISHED,
    "unfinished": Completeness.UNFINISHED,
}


class TurnTaking:
    def __init__(
        self,
        definition: AgentDefinition,
        room: rtc.Room,
        tasks: Tasks,
        tell: Callable[[Event], None],
        caller_identity: Callable[[], str | None],
        *,
        may_speculate: bool,
        in_pieces: bool,
        has_interims: bool,
        source: Source | None = None,
    ) -> None:
        """`may_speculate`: preparing replies is worth it with these models. `in_pieces`: the voice is a distant one,
        which tells no word times: see runtime/piecewise.py. `source`: where the sound goes instead of a track in the
        room."""
        self._turns = definition.turns
        self._language = definition.language
        self._tasks = tasks
        self._tell = tell
        self._timing = turn_timing(self._turns.eagerness, self._language)
        self._echo = EchoGuard()
        self._caller = CallerAudio(self._echo, self._gap)
        self._clock = TurnClock()
        self._meter = TransitMeter(room, caller_identity)
        self.sink = CallSink(room, listener=self, source=source)
        self.heard = HeardText(self._heard_more)
        self._overlap = OverlapDriver(
            Overlap(self._overlap_settings(has_interims), self._words()),
            Situations(self._turns.overlap.sentences),
            self.sink,
            self._echo,
            self._caller,
            tell,
            vad_silence_seconds=VAD_SILENCE_SECONDS,
        )
        patience = EndOfTurnSettings().paced(self._timing.pace)
        self._detector = EndOfTurnDetector(
            patience if has_interims else patience.without_interims(),
            language=self._language,
            on_commit=self._turn_taken,
        )
        self._in_pieces = in_pieces
        price = Price.METERED if may_speculate and self._turns.speculation else Price.FORBIDDEN
        settings = SpeculationSettings(llm_price=price, tts_price=price)
        self._speculator = Speculator(Speculation(settings), self._completeness)
        self._unheard: Callable[[str], str] = lambda _heard: ""
        self._stopped_at: float | None = None
        "when the caller's last voice really ended"

    def _overlap_settings(self, has_interims: bool) -> OverlapSettings:
        table = self._turns.overlap
        return OverlapSettings(
            policy=table.policy,
            situations=dict(table.situations),
            interims=has_interims,
            restore_seconds=VAD_SILENCE_SECONDS,
        )

    def _words(self) -> Backchannels:
        extra = self._turns.overlap.backchannels
        return Backchannels(lexicon_of(self._language), () if extra == "default" else extra)

    # --- the session ---

    @property
    def options(self) -> TurnHandlingOptions:
        by_silence = self._turns.end_of_turn == "vad"
        # our detector has waited when it answers; without it the framework waits
        silence = self._timing.minimum_silence_seconds if by_silence else VAD_SILENCE_SECONDS
        return TurnHandlingOptions(
            turn_detection="vad" if by_silence else self._detector,
            interruption={"mode": "vad", "min_duration": _NEVER_SECONDS, "resume_false_interruption": False},
            endpointing={"min_delay": silence, "max_delay": self._timing.maximum_silence_seconds},
            preemptive_generation=PREEMPTIVE_GENERATION,
        )

    def attach(self, session: AgentSession[Any], unheard: Callable[[str], str]) -> None:
        """Before the session starts, and before anybody else listens to it. `unheard(heard)`: what has been written of
        the present reply besides what was heard."""
        self._unheard = unheard
        session.output.audio = self.sink
        self._overlap.attach(session)
        self._speculator.attach(session)
        session.on("user_state_changed", self._user_state_changed)
        session.on("conversation_item_added", self._item_added)

    def enter_room(self) -> None:
        """Once the room is joined."""
        self._tasks.spawn(self.sink.start(), "the agent's track")
        self._meter.start(self._tasks)

    async def aclose(self) -> None:
        self._overlap.close()
        await self.sink.aclose()

    # --- what the call tells ---

    def next_speech_is(self, situation: Situation) -> None:
        self._overlap.next_speech_is(situation)

    def typed(self) -> None:
        """The caller has sent a text: a turn as it stands."""
        self._clock.typed(time.monotonic())
        self._overlap.turn_taken()

    def tool_called(self, call_id: str) -> None:
        self._overlap.tool_called(call_id)
        self._clock.tool_called(time.monotonic(), call_id)

    def tool_returned(self, call_id: str) -> None:
        self._overlap.tool_returned(call_id)
        self._clock.tool_returned(time.monotonic(), call_id)

    # --- the agent's nodes ---

    def hear(self, audio: AsyncIterable[rtc.AudioFrame]) -> AsyncIterable[rtc.AudioFrame]:
        return self._caller.passing(audio)

    def heed(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Of what the recogniser tells, what concerns the framework, and when."""
        return self._speculator.speculate(self._noted(self._overlap.heed(events)))

    async def _noted(self, events: AsyncIterable[stt.SpeechEvent]) -> AsyncGenerator[stt.SpeechEvent, None]:
        kinds = stt.SpeechEventType
        async for event in events:
            if event.type in (kinds.INTERIM_TRANSCRIPT, kinds.FINAL_TRANSCRIPT) and event.alternatives:
                final = event.type is kinds.FINAL_TRANSCRIPT
                self._detector.heard(event.alternatives[0].text, final=final)
                if final:
                    self._clock.transcribed(time.monotonic())
            yield event

    async def think(
        self, context: llm.ChatContext, ask: Callable[[], AsyncGenerator[Chunk, None]]
    ) -> AsyncGenerator[Chunk, None]:
        first = True
        async for chunk in self._speculator.thinking(context, ask):
            if first:
                self._clock.first_token(time.monotonic())
                first = False
            yield chunk

    async def speak(
        self, text: AsyncIterable[str], synthesize: Callable[[AsyncIterable[str]], AsyncGenerator[rtc.AudioFrame, None]]
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """A reply's audio: no more of it than may be made by now, and without the silence ahead of it."""
        first = True
        whole = trim_leading_silence(synthesize(text)) if not self._in_pieces else None
        async for frame in whole or self._speculator.synthesizing(text, synthesize):
            if first:
                self._clock.first_audio(time.monotonic())
                first = False
            yield frame

    async def voiced(self, frames: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[rtc.AudioFrame, None]:
        """A reply's audio as a speech-to-speech model makes it: its first token is a sound."""
        first = True
        async for frame in frames:
            if first:
                now, first = time.monotonic(), False
                self._clock.first_token(now)
                self._clock.first_audio(now)
            yield frame

    # --- what the sink tells ---

    def audible(self, event: Audible) -> None:
        latency = self._clock.audible(event.at, self._meter.transit)
        if latency is None:
            self._tell(AgentSpeechStarted())
        else:
            self._tell(AgentSpeechStarted(latency.total_ms, latency.parts))
        self._overlap.audible(event)

    def silent(self, event: Silent) -> None:
        self._overlap.silent(event)
        self._tell(AgentSpeechStopped())

    def played(self, samples: Samples, at: float) -> None:
        self._echo.played(samples, at)

    # --- what the session tells ---

    def _user_state_changed(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking" or event.old_state != "speaking":
            return
        now = time.monotonic()
        self._stopped_at = self._caller.last_speech_at(now - VAD_SILENCE_SECONDS)
        if self._stopped_at is not None:
            self._clock.speech_ended(now, self._stopped_at)

    def _item_added(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, llm.ChatMessage):
            return
        if item.role == "assistant":
            self._detector.agent_said(item.text_content or "")

    def turn_completed(self) -> None:
        """The framework has taken the caller's spoken turn."""
        now = time.monotonic()
        self._clock.committed(now)
        if self._turns.end_of_turn == "vad":  # else our detector has told, before the framework took it
            self._tell_turn(Commit(now - (self._stopped_at or now), "silence", None))
        self._stopped_at = None

    def _gap(self, in_gap: bool) -> None:
        self._speculator.voice(speaking=not in_gap, since_seconds=GAP_SECONDS if in_gap else 0.0)

    def _turn_taken(self, commit: Commit) -> None:
        self._overlap.turn_taken()
        self._tell_turn(commit)

    def _tell_turn(self, commit: Commit) -> None:
        waited = round(commit.waited_seconds * 1000)
        self._tell(TurnCommitted(self._turns.eagerness, commit.likelihood, waited, commit.reason))

    def _heard_more(self, heard: str) -> None:
        self._overlap.said(heard, self._unheard(heard))

    def _completeness(self, text: str) -> Completeness:
        return _COMPLETENESS[read_utterance(text, self._language).completeness]
