"""One reply through a chain of voices: each sentence by as many of them as it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, tokenize, tts, utils
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.chains.breakers import Trying
from voiceworker.runtime.chains.links import Failure, GivenUpError, Link
from voiceworker.runtime.chains.spoken_part import Passed, SpokenPart
from voiceworker.runtime.moved_words import moved_by
from voiceworker.runtime.tasks import Tasks

if TYPE_CHECKING:
    from voiceworker.runtime.chains.voice import VoiceChain

_AT_ONCE_SECONDS = 0.2
"of a sentence that are passed on as they come"


class ChainedSpeech(tts.SynthesizeStream):
    _tts_request_span_name: ClassVar[str] = "tts_chain"
    _tts_attempt_span_name: ClassVar[str | None] = None

    def __init__(self, chain: VoiceChain) -> None:
        # each voice is asked once: to repeat the whole chain would be seconds of silence
        super().__init__(tts=chain, conn_options=APIConnectOptions(max_retry=0))
        self._chain = chain
        self._seconds = 0.0
        "that have been passed on"
        self._sign_at = 0.0
        "when a voice was asked, or sounded last"

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
        """One sentence, by as many voices as it takes. False: no voice answers, and that has been told."""
        tried: list[str] = []
        failure: Failure | None = None
        while text.strip():
            candidates = self._chain.candidates(tried)
            if not candidates and self._may_pass(tried, failure):
                candidates = list(self._chain.links)
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

    def _may_pass(self, tried: list[str], failure: Failure | None) -> bool:
        """The only voice there is may be asked once more."""
        if len(self._chain.links) > 1 or len(tried) > 1 or failure is None:
            return False
        return failure.may_pass(time.monotonic() - self._sign_at, self._chain.patience.first_audio_seconds)

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
        self._sign_at = asked_at = time.monotonic()
        began_at = self._seconds
        first_at: float | None = None
        last_at, request_id = asked_at, ""
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
                self._sign_at = last_at = time.monotonic()
                request_id = audio.request_id
                if first_at is None:
                    first_at = last_at
                    self._chain.now_serves(link, failure)
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
        """How far the part may be passed on. Where another voice could go on, it would say a word that has only begun
        again: such a word waits until it is as good as said."""
        come = part.arrived_seconds
        until = come - max(0.0, min(self._chain.patience.held_back_seconds, (come - _AT_ONCE_SECONDS) / 2))
        return part.without_begun_word(until) if len(self._chain.links) > 1 else until

    def _give_up(self, failure: Failure | None, emitter: tts.AudioEmitter) -> bool:
        error = APIConnectionError(
            f"no voice answers: {failure.reason if failure else 'none is there'}", retryable=False
        )
        if self._chain.on_down is None:
            raise error
        self._emit_error(error, recoverable=True)  # an error that is raised would cut off what is said instead
        apology = self._chain.on_down()
        self._emit(
            emitter, _nothing_said() if apology is None else apology.spoken(self._chain.sample_rate), self._seconds
        )
        return False

    def _emit(self, emitter: tts.AudioEmitter, passed: Passed, began_at: float = 0.0) -> None:
        """`began_at`: when the part began to which the word times refer."""
        if passed.words:
            emitter.push_timed_transcript([moved_by(word, began_at) for word in passed.words])
        count = len(passed.samples)
        if count:
            emitter.push_frame(rtc.AudioFrame(passed.samples.tobytes(), self._chain.sample_rate, 1, count))
            self._seconds += count / self._chain.sample_rate

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[tts.SynthesizedAudio]) -> None:
        async for _ in event_aiter:  # the engines tell their own
            pass


def _nothing_said() -> Passed:
    """The times of no words: so nobody takes the text for heard, as he would when no word is timed."""
    return Passed(np.zeros(1, np.int16), [TimedString("", start_time=0.0, end_time=0.0)])


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
