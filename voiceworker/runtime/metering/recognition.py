"""Speech recognition that is counted: the seconds of audio that the plugin has taken to send.

OpenAI charges for the utterances that it has found in a stream, not for all of it, and tells how long each was. Of a
speech gate what it has let through is counted: what it keeps back costs nothing.
"""

from __future__ import annotations

from typing import Any

from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    stt,
    utils,
)
from pydantic import BaseModel

from voiceworker.policy.pricing import Usage
from voiceworker.runtime.metering.counted import CountedEngine, CountedStream
from voiceworker.runtime.metering.requests import Counter, made_for, was_charged
from voiceworker.runtime.speech_gate import SpeechGate

_Input = rtc.AudioFrame | stt.RecognizeStream._FlushSentinel


class _Listening:
    """One stream, or one recording."""

    def __init__(
        self, name: str, counter: Counter, recording_seconds: float = 0.0, gate: SpeechGate | None = None
    ) -> None:
        self.turn = counter.turn
        self._name = name
        self._counter = counter
        self._recording_seconds = recording_seconds
        self._gate = gate
        self._before = gate.sent_seconds if gate is not None else 0.0
        self._goes_by_utterances = gate is None and name.startswith("openai/")
        self._goes_by_parts = gate is None and not self._goes_by_utterances
        self._seconds = 0.0

    def sent(self) -> None:
        self._count(self._recording_seconds - self._seconds)

    def answering(self) -> None:
        pass

    def took(self, seconds: float) -> None:
        """A part of the stream is on its way."""
        self._count(seconds if self._goes_by_parts else 0.0)

    def read(self, event: stt.SpeechEvent) -> None:
        if self._goes_by_utterances and event.recognition_usage is not None:
            self._count(event.recognition_usage.audio_duration)

    def _count(self, seconds: float) -> None:
        self._seconds += seconds
        self._counter.counted()

    def replaced(self) -> None:
        """Another stream goes through the gate from here on: what it lets through is no longer this one's."""
        self._seconds, self._gate = self._total, None

    @property
    def _total(self) -> float:
        return self._seconds if self._gate is None else self._gate.sent_seconds - self._before

    def usage(self) -> Usage:
        return Usage("stt", self._name, audio_seconds=self._total)

    def divide(self, turn: int) -> Usage:
        past = Usage("stt", self._name)
        if not self._recording_seconds:
            past, self._seconds, self.turn = self.usage(), 0.0, turn
            self._before = self._gate.sent_seconds if self._gate is not None else 0.0
        return past

    def failed(self, error: Exception, *, goes_on: bool) -> None:
        """Of a stream, what was taken was sent: the plugins take audio when they are connected, not before."""
        if not self._recording_seconds:
            return
        if was_charged(error, begun=False, answered=False):
            self._counter.add(self.usage(), self.turn)
        self._seconds = 0.0

    def told(self, figures: object) -> None:
        pass


class MeteredSTT(CountedEngine[stt.STT[Any]], stt.STT[Any]):
    """As the engine in it, in everything."""

    def __init__(self, engine: stt.STT[Any], name: str, counter: Counter) -> None:
        super().__init__(capabilities=engine.capabilities)
        self._stand_for(engine, name, counter)
        self._gate = engine if isinstance(engine, SpeechGate) else None
        self._latest: _Listening | None = None
        "of the streams, the one that was made last"

    @property
    def capabilities(self) -> stt.STTCapabilities:
        return self._engine.capabilities

    async def _recognize_impl(
        self, buffer: utils.AudioBuffer, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions
    ) -> stt.SpeechEvent:
        return await self._engine._recognize_impl(buffer, language=language, conn_options=conn_options)

    async def recognize(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.SpeechEvent:
        frames = buffer if isinstance(buffer, list) else [buffer]
        request = _Listening(self._name, self._counter, sum(frame.duration for frame in frames))
        self._counter.opened(request)
        if not self._tells_when_sent:
            request.sent()
        try:
            with made_for(request):
                return await self._engine.recognize(buffer, language=language, conn_options=conn_options)
        finally:
            self._counter.settled(request)

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        if self._latest is not None and self._gate is not None:
            self._latest.replaced()
        request = self._latest = _Listening(self._name, self._counter, gate=self._gate)
        with made_for(request):
            stream = self._engine.stream(language=language, conn_options=conn_options)
        self._counter.opened(request)
        return MeteredRecognizeStream(stream, request, self._counter)

    def prewarm(self) -> None:
        self._engine.prewarm()

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self._engine._update_session_keyterms(keyterms)

    def _push_conversation_item(self, ev: Any) -> None:
        self._engine._push_conversation_item(ev)


class _TakenAudio(utils.aio.Chan[_Input]):
    """Tells what is taken out of it."""

    def __init__(self, request: _Listening) -> None:
        super().__init__()
        self._request = request

    def recv_nowait(self) -> _Input:
        item = super().recv_nowait()
        if isinstance(item, rtc.AudioFrame):
            self._request.took(item.duration)
        return item


class MeteredRecognizeStream(CountedStream[stt.RecognizeStream, _Listening], stt.RecognizeStream):
    def __init__(self, stream: stt.RecognizeStream, request: _Listening, counter: Counter) -> None:
        super().__init__(stream, request, counter)
        # Audio waits here until the plugin is connected; what it never takes, it never sends. It has not begun yet.
        stream._input_ch = _TakenAudio(request)

    async def _run(self) -> None:
        await self._stream._run()

    @property
    def context(self) -> BaseModel | None:
        return self._stream.context

    @context.setter
    def context(self, value: BaseModel | None) -> None:
        self._stream.context = value

    @property
    def start_time_offset(self) -> float:
        return self._stream.start_time_offset

    @start_time_offset.setter
    def start_time_offset(self, value: float) -> None:
        self._stream.start_time_offset = value

    @property
    def start_time(self) -> float:
        return self._stream.start_time

    @start_time.setter
    def start_time(self, value: float) -> None:
        self._stream.start_time = value

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        self._stream.push_frame(frame)

    def flush(self) -> None:
        self._stream.flush()

    def end_input(self) -> None:
        self._stream.end_input()

    async def __anext__(self) -> stt.SpeechEvent:
        try:
            event = await self._stream.__anext__()
        except StopAsyncIteration:
            self._counter.settled(self._request)
            raise
        self._request.read(event)
        return event
