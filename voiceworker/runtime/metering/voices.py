"""A voice that is counted: characters sent to be spoken, heard or not; tokens where the provider bills those."""

from __future__ import annotations

from typing import Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, metrics, tts

from voiceworker.policy.pricing import Usage
from voiceworker.runtime.metering.counted import CountedEngine, CountedStream
from voiceworker.runtime.metering.requests import (
    SPEECH_TOKENS_A_SECOND,
    TOKENS_A_CHARACTER,
    Counter,
    Rate,
    characters_sent,
    made_for,
    was_charged,
)


class SpeechCounts:
    """What a voice makes of characters and of seconds."""

    def __init__(self, *, by_tokens: bool) -> None:
        self.by_tokens = by_tokens
        "this voice is billed by tokens"
        self.text = Rate(TOKENS_A_CHARACTER)
        self.speech = Rate(SPEECH_TOKENS_A_SECOND)


class _Speaking:
    """One text to be spoken."""

    def __init__(self, name: str, counter: Counter, counts: SpeechCounts, text: str = "") -> None:
        self.turn = counter.turn
        self._name = name
        self._counter = counter
        self._counts = counts
        self._text = text
        self._is_whole = False
        self._streams = not text
        self._is_sent = False
        self._is_begun = False
        self._stream: tts.SynthesizeStream | None = None
        self._seconds = 0.0
        "of speech that has come"
        self._tokens: tuple[int, int] | None = None
        "read and spoken, as the provider told"

    def sent(self) -> None:
        self._is_sent = True
        self._counter.counted()

    def answering(self) -> None:
        self._is_begun = True

    def goes_by(self, stream: tts.SynthesizeStream) -> None:
        """A stream of text notes itself when the first of it was sent, for the framework's figures."""
        self._stream = stream

    def pushed(self, text: str) -> None:
        self._text += text

    def ended(self) -> None:
        self._is_whole = True
        self._counter.counted()

    def heard(self, seconds: float) -> None:
        self._is_sent = True
        self._seconds += seconds
        if self._counts.by_tokens:
            self._counter.counted()

    def told(self, figures: object) -> None:
        if not isinstance(figures, metrics.TTSMetrics):
            return
        self._is_sent = self._is_sent or self._streams  # of a stream nothing is told before something was sent
        if figures.input_tokens or figures.output_tokens:
            self._tokens = figures.input_tokens, figures.output_tokens
            self._counts.text.learn(len(self._text), figures.input_tokens)
            self._counts.speech.learn(figures.audio_duration, figures.output_tokens)

    def usage(self) -> Usage:
        if not self._is_sent and not (self._stream is not None and self._stream._started_time):
            return Usage("tts", self._name)
        read, spoken = self._tokens or (0, 0)
        if self._tokens is None and self._counts.by_tokens:
            read, spoken = round(self._counts.text(len(self._text))), round(self._counts.speech(self._seconds))
        return Usage(
            "tts",
            self._name,
            characters=self._characters(),
            input_tokens=read,
            audio_output_tokens=spoken,
            estimated=self._counts.by_tokens and self._tokens is None,
        )

    def _characters(self) -> int:
        if not self._streams:
            return len(self._text)
        return characters_sent(self._text, whole=self._is_whole)

    def divide(self, turn: int) -> Usage:
        return Usage("tts", self._name)

    def failed(self, error: Exception, *, goes_on: bool) -> None:
        """The plugin sends the text again when it tries again."""
        if was_charged(error, begun=self._is_begun, answered=self._seconds > 0):
            self._counter.add(self.usage(), self.turn)
        self._seconds, self._tokens, self._is_sent, self._is_begun = 0.0, None, False, False
        if not goes_on:
            self._stream = None


class MeteredTTS(CountedEngine[tts.TTS[Any]], tts.TTS[Any]):
    """As the engine in it, in everything."""

    def __init__(self, engine: tts.TTS[Any], name: str, counter: Counter, counts: SpeechCounts) -> None:
        super().__init__(
            capabilities=engine.capabilities, sample_rate=engine.sample_rate, num_channels=engine.num_channels
        )
        self._stand_for(engine, name, counter)
        self._markup = engine.markup
        self._counts = counts

    @property
    def capabilities(self) -> tts.TTSCapabilities:
        return self._engine.capabilities

    @property
    def sample_rate(self) -> int:
        return self._engine.sample_rate

    @property
    def num_channels(self) -> int:
        return self._engine.num_channels

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        request = _Speaking(self._name, self._counter, self._counts, text)
        with made_for(request):
            stream = self._engine.synthesize(text, conn_options=conn_options)
        self._counter.opened(request)
        if not self._tells_when_sent:
            request.sent()
        return MeteredChunkedStream(stream, request, self._counter)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        request = _Speaking(self._name, self._counter, self._counts)
        with made_for(request):
            stream = self._engine.stream(conn_options=conn_options)
        request.goes_by(stream)
        self._counter.opened(request)
        return MeteredSynthesizeStream(stream, request, self._counter)

    def prewarm(self) -> None:
        self._engine.prewarm()

    def _set_expressive(self, enabled: bool) -> None:
        self._engine._set_expressive(enabled)


class MeteredChunkedStream(CountedStream[tts.ChunkedStream, _Speaking], tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await self._stream._run(output_emitter)

    async def __anext__(self) -> tts.SynthesizedAudio:
        return await _heard(self._stream, self._request)


class MeteredSynthesizeStream(CountedStream[tts.SynthesizeStream, _Speaking], tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await self._stream._run(output_emitter)

    def push_text(self, token: str) -> None:
        with made_for(self._request):  # the base class starts the task that tells the figures here
            self._stream.push_text(token)
        self._request.pushed(token)

    def flush(self) -> None:
        self._stream.flush()
        self._request.ended()

    def end_input(self) -> None:
        self._stream.end_input()
        self._request.ended()

    async def __anext__(self) -> tts.SynthesizedAudio:
        return await _heard(self._stream, self._request)


async def _heard(stream: tts.ChunkedStream | tts.SynthesizeStream, request: _Speaking) -> tts.SynthesizedAudio:
    """The next of its frames, counted. The figures come after the last one, so it is settled when it is closed."""
    audio = await stream.__anext__()
    request.heard(audio.frame.duration)
    return audio
