"""Several voices as one: when one breaks off, the next goes on with the word after the last that was heard.

Sentence by sentence: what is complete is known to have been said, and only within one sentence it has to be found out
how far the voice has come (spoken_part.py). The audio of all is brought to the sample rate of the first. With word
times, told by the voice or estimated: a switch in the midst leaves nobody else who could date the words.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, metrics, tokenize, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, USERDATA_TIMED_TRANSCRIPT
from livekit.agents.utils import is_given
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.chains.apology import Apology
from voiceworker.runtime.chains.breakers import Breakers, Trying
from voiceworker.runtime.chains.links import Failure, GivenUpError, Link, OnSwitch, RetryAfters, Switch
from voiceworker.runtime.chains.spoken_part import Passed, SpokenPart
from voiceworker.runtime.tasks import Tasks
from voiceworker.runtime.word_times import Pace

_AT_ONCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class VoicePatience:
    first_audio_seconds: float = 1.1
    "from the text to its first sound, of the first voice that is asked"
    next_audio_seconds: float = 0.8
    "of those after it"
    last_audio_seconds: float = 5.0
    "of the last of them: there is nobody else to ask"
    stall_seconds: float = 0.8
    "of silence, when all that came has been played: a voice that hangs, or comes slower than it plays"
    longest_gap_seconds: float = 1.5
    "between two pieces of sound, however much there is to be played"
    held_back_seconds: float = 0.4
    """of what came last, so that it ends between two words if no more follows. Of the first 0.2 s nothing, and of the
    rest not more than half: a voice twice as fast as it plays never runs dry by it"""
    stay_seconds: float = 30.0
    "with the voice that was switched to: one that changes twice in a reply is worse than the second best"
    apology_every_seconds: float = 15.0


class VoiceChain(tts.TTS[Any]):
    def __init__(
        self,
        links: Sequence[Link[tts.TTS[Any]]],
        breakers: Breakers,
        on_switch: OnSwitch,
        *,
        patience: VoicePatience | None = None,
        apology: Apology | None = None,
        on_down: Callable[[], None] | None = None,
    ) -> None:
        """`apology`: played when no voice answers; without it the reply ends with an error. `on_down`: told when no
        voice answers. Raises ValueError without links, or when one of them is not mono."""
        if not links:
            raise ValueError("a chain has at least one link")
        if any(link.engine.num_channels != 1 for link in links):
            raise ValueError("the voices of a chain are mono")
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=links[0].engine.sample_rate,
            num_channels=1,
        )
        self.links = tuple(links)
        self.breakers = breakers
        self.patience = patience or VoicePatience()
        self.tasks = Tasks()
        self.retry_afters = RetryAfters()
        self._apology = apology
        self._on_switch = on_switch
        self._on_down = on_down
        self._serving = links[0]
        self._stays_until = 0.0
        self._apologised_at = float("-inf")
        self._paces: dict[str, Pace] = {}
        self._learnt: set[str] = set()
        self._tells_tokens: set[str] = set()
        "links whose providers count tokens at the end of what they have spoken"
        self._told_tokens: deque[str] = deque(maxlen=64)
        "requests that were told so"
        for link in links:
            link.engine.on("metrics_collected", self._metrics_collected)
            self.retry_afters.listen_to(link.engine)

    @property
    def model(self) -> str:
        return self._serving.engine.model

    @property
    def provider(self) -> str:
        return self._serving.engine.provider

    @property
    def serving(self) -> str:
        """The name of the link that has spoken last, or will first."""
        return self._serving.name

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        return ChainedSpeech(self)

    def prewarm(self) -> None:
        """Of the first only: the others are not expected to be needed."""
        self.links[0].engine.prewarm()

    async def aclose(self) -> None:
        """Closes the engines, too."""
        await self.tasks.aclose()
        for link in self.links:
            link.engine.off("metrics_collected", self._metrics_collected)
            await link.engine.aclose()

    # --- for the streams ---

    def candidates(self, tried: Sequence[str]) -> list[Link[tts.TTS[Any]]]:
        """Who may be asked for the next part, in this order."""
        links = list(self.links)
        if time.monotonic() < self._stays_until:
            links.sort(key=lambda link: link is not self._serving)
        return [link for link in links if link.name not in tried]

    def now_serves(self, link: Link[tts.TTS[Any]], reason: str) -> None:
        old, self._serving = self._serving, link
        if old.name != link.name:
            self._stays_until = time.monotonic() + self.patience.stay_seconds
            self._on_switch(Switch("tts", old.name, link.name, reason))

    def part(self, link: Link[tts.TTS[Any]], text: str) -> SpokenPart:
        pace = self._paces.setdefault(link.name, Pace())
        return SpokenPart(text, self.sample_rate, pace, pace_is_learnt=link.name in self._learnt)

    def has_spoken(self, link: Link[tts.TTS[Any]]) -> None:
        self._learnt.add(link.name)

    def was_cut_off(self, link: Link[tts.TTS[Any]], request_id: str) -> bool:
        """It ended in good order, but without what it usually tells at its end. Asked when the stream is closed."""
        if request_id in self._told_tokens:
            self._tells_tokens.add(link.name)
            return False
        return link.name in self._tells_tokens

    def apologise(self) -> Apology | None:
        """No voice answers. What there is to be said instead, unless it was said just now."""
        now = time.monotonic()
        if now - self._apologised_at < self.patience.apology_every_seconds:
            return None
        self._apologised_at = now
        if self._on_down is not None:
            self._on_down()
        return self._apology

    @property
    def can_apologise(self) -> bool:
        return self._apology is not None

    def _metrics_collected(self, figures: metrics.TTSMetrics) -> None:
        if figures.output_tokens:
            self._told_tokens.append(figures.request_id)
        self.emit("metrics_collected", figures)


class ChainedSpeech(tts.SynthesizeStream):
    _tts_request_span_name: ClassVar[str] = "tts_chain"
    _tts_attempt_span_name: ClassVar[str | None] = None

    def __init__(self, chain: VoiceChain) -> None:
        # each voice is asked once: to repeat the whole chain would be seconds of silence
        super().__init__(tts=chain, conn_options=APIConnectOptions(max_retry=0))
        self._chain = chain
        self._seconds = 0.0
        "that have been passed on"

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=self._chain.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=utils.shortuuid())
        sentences = tokenize.blingfire.SentenceTokenizer(retain_format=True).stream()
        tasks = Tasks()
        tasks.spawn(self._feed(sentences), "text of a reply")
        try:
            async for sentence in sentences:
                if any(character.isalnum() for character in sentence.token):
                    self._mark_started()
                    if not await self._speak(sentence.token, output_emitter):
                        break
        finally:
            await tasks.aclose()
            await sentences.aclose()
        if not self._seconds:  # the framework takes a text without any audio for a failure
            self._emit(output_emitter, Passed(np.zeros(self._chain.sample_rate // 100, np.int16), []))
        output_emitter.end_segment()

    async def _feed(self, sentences: tokenize.SentenceStream) -> None:
        async for piece in self._input_ch:
            if isinstance(piece, str):
                sentences.push_text(piece)
            else:
                sentences.flush()
        sentences.end_input()

    async def _speak(self, text: str, emitter: tts.AudioEmitter) -> bool:
        """One sentence, by as many voices as it takes. False: no voice answers, and that has been said."""
        tried: list[str] = []
        failure: Failure | None = None
        while text.strip():
            candidates = self._chain.candidates(tried)
            picked = self._chain.breakers.admit_first("tts", candidates)
            if picked is None:
                return self._give_up(failure, emitter)
            link, trying = picked
            tried.append(link.name)
            part = self._chain.part(link, text)
            began_at = self._seconds
            try:
                await self._attempt(link, trying, part, emitter, failure, is_last=len(candidates) == 1)
                return True
            except Exception as error:  # whatever it is: the next voice is asked
                failure = self._chain.retry_afters.failure_of(error)
                trying.failed(failure)
                passed, rest = part.cut()
                self._emit(emitter, passed, began_at)
                if len(rest) < len(text):  # it has come further: whoever failed before may be asked again
                    tried = [link.name]
                text = rest
        return True

    async def _attempt(
        self,
        link: Link[tts.TTS[Any]],
        trying: Trying,
        part: SpokenPart,
        emitter: tts.AudioEmitter,
        failure: Failure | None,
        *,
        is_last: bool,
    ) -> None:
        """Raises whatever the engine does, GivenUpError when it takes too long or ends too soon."""
        settings = self._chain.patience
        patience = self._patience_with(link, is_last=is_last, is_first=failure is None)
        asked_at, began_at = time.monotonic(), self._seconds
        first_at: float | None = None
        last_at, request_id = 0.0, ""
        resampler = _resampler(link.engine.sample_rate, self._chain.sample_rate)
        stream = _request(link.engine, part.text, patience + settings.longest_gap_seconds + 1)
        try:
            while True:
                deadline = asked_at + patience
                if first_at is not None:
                    played_at = first_at + part.arrived_seconds
                    deadline = min(played_at + settings.stall_seconds, last_at + settings.longest_gap_seconds)
                try:
                    async with asyncio.timeout(deadline - time.monotonic()):
                        audio = await anext(stream)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    raise GivenUpError("no sound came" if first_at is None else "sound stalled") from None
                last_at, request_id = time.monotonic(), audio.request_id
                if first_at is None:
                    first_at = last_at
                    self._chain.now_serves(link, failure.reason if failure else "recovered")
                _hear(part, audio.frame, resampler)
                self._emit(emitter, part.pass_on(self._playable(part)), began_at)
            if resampler is not None:
                for frame in resampler.flush():
                    part.hear(np.frombuffer(frame.data, np.int16), [])
            await stream.aclose()
            if first_at is None or part.is_too_short or self._chain.was_cut_off(link, request_id):
                raise GivenUpError("closed early")
            self._emit(emitter, part.finish(), began_at)
            self._chain.has_spoken(link)
            trying.succeeded()
        except asyncio.CancelledError:
            # a reply that was cut short by the caller shows as well that the voice works
            trying.abandoned() if first_at is None else trying.succeeded()
            raise
        finally:
            # what hangs may hang when it is closed, too; the next voice does not wait for that
            self._chain.tasks.spawn(stream.aclose(), "end of a voice's request")

    def _patience_with(self, link: Link[tts.TTS[Any]], *, is_last: bool, is_first: bool) -> float:
        patience = self._chain.patience
        if is_last:
            return max(patience.last_audio_seconds, link.patience_seconds or 0.0)
        usual = patience.first_audio_seconds if is_first else patience.next_audio_seconds
        return usual if link.patience_seconds is None else link.patience_seconds

    def _playable(self, part: SpokenPart) -> float:
        """How far the part may be passed on."""
        come = part.arrived_seconds
        return come - max(0.0, min(self._chain.patience.held_back_seconds, (come - _AT_ONCE_SECONDS) / 2))

    def _give_up(self, failure: Failure | None, emitter: tts.AudioEmitter) -> bool:
        error = APIConnectionError(
            f"no voice answers: {failure.reason if failure else 'none is there'}", retryable=False
        )
        apology = self._chain.apologise()
        if not self._chain.can_apologise:
            raise error
        self._emit_error(error, recoverable=True)
        if apology is not None:
            self._emit(emitter, apology.spoken(self._chain.sample_rate), self._seconds)
        return False

    def _emit(self, emitter: tts.AudioEmitter, passed: Passed, began_at: float = 0.0) -> None:
        """`began_at`: when the part began to which the word times refer."""
        if passed.words:
            emitter.push_timed_transcript([_later(word, began_at) for word in passed.words])
        count = len(passed.samples)
        if count:
            emitter.push_frame(rtc.AudioFrame(passed.samples.tobytes(), self._chain.sample_rate, 1, count))
            self._seconds += count / self._chain.sample_rate

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[tts.SynthesizedAudio]) -> None:
        async for _ in event_aiter:  # the engines tell their own
            pass


def _request(engine: tts.TTS[Any], text: str, timeout: float) -> tts.SynthesizeStream | tts.ChunkedStream:
    options = APIConnectOptions(max_retry=0, timeout=timeout)
    if not engine.capabilities.streaming:
        return engine.synthesize(text.strip(), conn_options=options)
    stream = engine.stream(conn_options=options)
    stream.push_text(text)
    stream.end_input()
    return stream


def _resampler(from_rate: int, to_rate: int) -> rtc.AudioResampler | None:
    if from_rate == to_rate:
        return None
    return rtc.AudioResampler(from_rate, to_rate, quality=rtc.AudioResamplerQuality.HIGH)


def _hear(part: SpokenPart, frame: rtc.AudioFrame, resampler: rtc.AudioResampler | None) -> None:
    told = list(frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or [])
    frames = [frame] if resampler is None else resampler.push(frame)
    pieces = [np.frombuffer(one.data, np.int16) for one in frames]
    part.hear(np.concatenate(pieces) if pieces else np.zeros(0, np.int16), told)


def _later(word: TimedString, seconds: float) -> TimedString:
    return TimedString(
        word,
        start_time=word.start_time + seconds if is_given(word.start_time) else word.start_time,
        end_time=word.end_time + seconds if is_given(word.end_time) else word.end_time,
    )
