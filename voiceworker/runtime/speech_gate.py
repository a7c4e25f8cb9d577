"""Lets a paid recogniser hear speech only: a recogniser around a recogniser, which sends it what policy/speech_gate.py
says and gives its transcripts back in the call's time.

The detector is the gate's own: it looks at single windows, where that of the session looks for turns. All of it costs
6 ms of one core in a second of the call, a sixteenth of what a call takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import replace
from typing import Any

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    ConversationItemAddedEvent,
    NotGivenOr,
    inference,
    metrics,
    stt,
    utils,
    vad,
)
from livekit.plugins import deepgram

from voiceworker.policy.speech_gate import Command, Gate, GateSettings, Send, SentAudio
from voiceworker.runtime.moved_words import moved
from voiceworker.runtime.recent_audio import RecentAudio
from voiceworker.runtime.tasks import Tasks

_TELL_NOT_TO_END = GateSettings(hang_over_seconds=0.8, patience_seconds=6.0, keep_alive_seconds=5.0)
"""Flux ends turns itself, up to `eot_timeout_ms` (5 s unless told) after the words, and is told nothing: so it needs
the silence. It has no KeepAlive either, but audio."""


def gate_settings(engine: stt.STT[Any]) -> GateSettings:
    """What suits a recogniser, whatever it is wrapped in. Deepgram's is flushed by Finalize, and keeps its connection
    by KeepAlive of its own."""
    while isinstance(inner := getattr(engine, "engine", None), stt.STT):
        engine = inner
    return _TELL_NOT_TO_END if isinstance(engine, deepgram.STTv2) else GateSettings()


def gate_detector() -> vad.VAD:
    """The bundled detector as a gate uses it: probabilities only, no speech is put together."""
    return inference.VAD(activation_threshold=2.0, prefix_padding_duration=0.0, max_buffered_speech=1.0)


class SpeechGate(stt.STT[Any]):
    """A streaming recogniser that is sent speech only; all else is asked of the engine, which closes with it.

    As RECOGNITION_USAGE it reports the audio that the engine was sent: that is what its provider charges. A meter that
    counts audio belongs inside, for the same reason: `SpeechGate(meter.stt(name, plugin), vad=...)`.
    """

    def __init__(self, engine: stt.STT[Any], *, vad: vad.VAD, settings: GateSettings | None = None) -> None:
        """Raises ValueError when the engine does not stream: it is sent whole utterances already."""
        if not engine.capabilities.streaming:
            raise ValueError(f"{engine.label} does not stream, there is nothing to gate")
        super().__init__(capabilities=engine.capabilities)
        self._label = engine.label
        self._vad = vad
        self._settings = settings or gate_settings(engine)
        self.engine = engine
        self.heard_seconds = 0.0
        "of the callers' audio, over all streams"
        self.sent_seconds = 0.0
        "of it, what the engine was sent, again after a lost connection included"
        engine.on("metrics_collected", self._metrics_collected)

    @property
    def model(self) -> str:
        return self.engine.model

    @property
    def provider(self) -> str:
        return self.engine.provider

    def prewarm(self) -> None:
        self.engine.prewarm()

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> GatedStream:
        return GatedStream(self, self._vad.stream(), self._settings, language, conn_options)

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        return await self.engine.recognize(buffer, language=language, conn_options=replace(conn_options, max_retry=0))

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self.engine._update_session_keyterms(keyterms)

    def _push_conversation_item(self, event: ConversationItemAddedEvent) -> None:
        self.engine._push_conversation_item(event)

    def _metrics_collected(self, collected: metrics.STTMetrics) -> None:
        """Of the engine's own, those that tell of a connection; usage is told by the gate."""
        if collected.streamed and not collected.audio_duration:
            self.emit("metrics_collected", collected)

    async def aclose(self) -> None:
        self.engine.off("metrics_collected", self._metrics_collected)
        await self.engine.aclose()


class GatedStream(stt.RecognizeStream):
    """One call's audio. A lost connection of the engine is renewed here: its time begins anew with each."""

    def __init__(
        self,
        gate: SpeechGate,
        detector: vad.VADStream,
        settings: GateSettings,
        language: NotGivenOr[str],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(stt=gate, conn_options=conn_options)
        self._account = gate
        self._detector = detector
        self._settings = settings
        self._language = language
        self._offset = 0.0
        self._recent = RecentAudio()
        self._gate: Gate | None = None
        "from the first frame on, which tells the rate"
        self._engine: stt.RecognizeStream | None = None
        self._sent = SentAudio(1)
        self._unreported_seconds = 0.0
        self._flush_at: int | None = None
        "a flush that waits for the verdict on what came before it"
        self._ended = False
        self._tasks = Tasks()
        self._judging: asyncio.Task[None] | None = None

    @property
    def start_time_offset(self) -> float:
        """As it was given. Audio is counted over all connections, so the time that a lost one took is in it."""
        return self._offset

    @start_time_offset.setter
    def start_time_offset(self, value: float) -> None:
        if value < 0:
            raise ValueError("start_time_offset must be non-negative")
        self._offset = value

    @property
    def lag_seconds(self) -> float:
        """How far the detector is behind."""
        return self._gate.lag_seconds if self._gate is not None else 0.0

    async def aclose(self) -> None:
        await super().aclose()
        await self._tasks.aclose()
        await self._detector.aclose()

    async def _run(self) -> None:
        """One connection of the engine."""
        once = replace(self._conn_options, max_retry=0)
        engine = self._account.engine.stream(language=self._language, conn_options=once)
        if self._judging is None:
            self._judging = self._tasks.spawn(self._judge(), "gate: verdicts")
        try:
            async with engine, asyncio.TaskGroup() as group:
                self._connect(engine)
                listening = group.create_task(self._listen(), name="gate: audio")
                async for event in engine:
                    self._pass_on(event)
                listening.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            self._engine = None
            self._report_usage()

    def _connect(self, engine: stt.RecognizeStream) -> None:
        self._engine = engine
        if self._gate is not None:
            self._sent = SentAudio(self._recent.rate)
            self._do(self._gate.reconnected())
        if self._judging is not None and self._judging.done():
            engine.end_input()

    # --- audio in ---

    async def _listen(self) -> None:
        async for data in self._input_ch:
            if isinstance(data, rtc.AudioFrame):
                self._hear(data)
            else:
                self._flush_at = self._recent.end
                self._flush_when_due()
        if not self._ended:
            self._ended = True
            self._detector.end_input()

    def _hear(self, frame: rtc.AudioFrame) -> None:
        if self._gate is None:
            self._gate = Gate(self._settings, frame.sample_rate)
            self._sent = SentAudio(frame.sample_rate)
        self._recent.add(frame)
        self._account.heard_seconds += frame.duration
        self._detector.push_frame(frame)
        self._do(self._gate.received(self._recent.end))
        self._recent.forget(self._gate.needed_since)

    async def _judge(self) -> None:
        """As long as the call: what is to be done without a connection is made up for by the next."""
        async for event in self._detector:
            if event.type is vad.VADEventType.INFERENCE_DONE and self._gate is not None:
                self._do(self._gate.judged(round(event.timestamp * self._recent.rate), event.probability))
                self._flush_when_due()
        if self._gate is not None:
            self._do(self._gate.ended())
        if self._engine is not None:
            with contextlib.suppress(RuntimeError):
                self._engine.end_input()

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Send):
                self._send(command)
            else:
                self._flush()

    def _send(self, stretch: Send) -> None:
        if self._engine is None:
            return
        with contextlib.suppress(RuntimeError):  # it has just failed: the next connection is sent this again
            for frame in self._recent.cut(stretch.since, stretch.until):
                self._engine.push_frame(frame)
        self._sent.add(stretch)
        seconds = (stretch.until - stretch.since) / self._recent.rate
        self._account.sent_seconds += seconds
        self._unreported_seconds += seconds

    def _flush(self) -> None:
        if self._engine is not None:
            with contextlib.suppress(RuntimeError):
                self._engine.flush()

    def _flush_when_due(self) -> None:
        if self._flush_at is None:
            return
        if self._gate is None or self._gate.all_sent or self._gate.has_judged(self._flush_at):
            self._flush_at = None
            self._flush()

    # --- transcripts out ---

    def _pass_on(self, event: stt.SpeechEvent) -> None:
        kinds = stt.SpeechEventType
        if event.type is kinds.RECOGNITION_USAGE:
            self._report_usage(event)
            return
        alternatives = [moved(data, self._began, self._ended_at) for data in event.alternatives]
        if self._gate is not None:
            if event.type is kinds.START_OF_SPEECH:
                self._gate.engine_began()
            elif event.type is kinds.END_OF_SPEECH:
                self._gate.engine_ended()
            elif event.type is kinds.FINAL_TRANSCRIPT:
                ended = max((data.end_time for data in alternatives), default=0.0) - self._offset
                self._gate.settled(math.ceil(ended * self._recent.rate) if ended > 0 else None)
        # the engine dates speech by the clock and its own time: without them the framework does, by the words
        self._event_ch.send_nowait(
            replace(event, alternatives=alternatives, speech_start_time=None, speech_end_time=None)
        )

    def _began(self, second: float) -> float:
        return self._offset + self._sent.began(second - self._engine_offset)

    def _ended_at(self, second: float) -> float:
        return self._offset + self._sent.ended(second - self._engine_offset)

    @property
    def _engine_offset(self) -> float:
        return 0.0 if self._engine is None else self._engine.start_time_offset

    def _report_usage(self, engine: stt.SpeechEvent | None = None) -> None:
        """What was sent since the last report; how much that was the engine does not always say, tokens it does."""
        seconds, self._unreported_seconds = self._unreported_seconds, 0.0
        told = engine.recognition_usage if engine is not None else None
        if not seconds and not (told and (told.input_tokens or told.output_tokens)):
            return
        usage = replace(told or stt.RecognitionUsage(0.0), audio_duration=seconds)
        event = engine or stt.SpeechEvent(stt.SpeechEventType.RECOGNITION_USAGE)
        with contextlib.suppress(utils.aio.ChanClosed):
            self._event_ch.send_nowait(replace(event, recognition_usage=usage))
