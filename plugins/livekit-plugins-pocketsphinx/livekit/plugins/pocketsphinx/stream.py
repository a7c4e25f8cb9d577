"""One caller's audio in, speech events out; the decoder works in a thread of its own, without the GIL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, LanguageCode, stt, utils
from livekit.agents import vad as voice_activity
from livekit.agents.types import TimedString

from .audio import mono
from .interims import Interims
from .native import SAMPLE_RATE
from .recognizer import Recognizer, Transcript

if TYPE_CHECKING:
    from .stt import STT

_LONGEST_UTTERANCE_SECONDS = 30.0  # bounds memory: the decoder keeps every path it followed since the utterance began
_USAGE_SECONDS = 5.0
_Result = TypeVar("_Result")


def speech_data(
    transcript: Transcript, language: LanguageCode, *, starts_at: float = 0.0, offset: float = 0.0
) -> stt.SpeechData:
    """The framework's form; the utterance begins `starts_at` in the stream, the stream `offset` in the session."""
    origin = starts_at + offset
    words = [
        TimedString(
            word.text,
            start_time=origin + word.start_seconds,
            end_time=origin + word.end_seconds,
            confidence=word.confidence,
            start_time_offset=offset,
        )
        for word in transcript.words
    ]
    return stt.SpeechData(
        language=language,
        text=transcript.text,
        start_time=origin + transcript.words[0].start_seconds if transcript.words else origin,
        end_time=origin + transcript.words[-1].end_seconds if transcript.words else origin,
        confidence=transcript.confidence,
        words=words,
    )


@dataclass
class _Utterance:
    """What is known of the speech that is going on."""

    starts_at: float
    "seconds since the stream began"
    fed_seconds: float = 0.0
    interims: Interims = field(default_factory=Interims)
    shown: bool = False
    "whether an interim result has told of it"
    request_id: str = field(default_factory=lambda: utils.shortuuid("pocketsphinx_"))


class RecognizeStream(stt.RecognizeStream):
    """Finds utterances by voice activity and decodes each while it is spoken. Made by `STT.stream`."""

    def __init__(
        self,
        *,
        stt: STT,
        conn_options: APIConnectOptions,
        vad: voice_activity.VAD,
        language: LanguageCode,
        rejection_confidence: float,
    ) -> None:
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=SAMPLE_RATE)
        self._engine = stt
        self._vad = vad
        self._language = language
        self._rejection_confidence = rejection_confidence
        self._decoding: ThreadPoolExecutor | None = None
        self._heard_seconds = (
            0.0  # audio of earlier segments: each has a voice detector of its own, which counts from 0
        )
        self._unreported_seconds = 0.0
        self._utterance: _Utterance | None = None

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Audio of any rate and number of channels, the same for the whole stream."""
        super().push_frame(mono(frame))

    async def _run(self) -> None:
        self._decoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pocketsphinx.decode")
        self._heard_seconds, self._utterance = 0.0, None  # after an error the framework runs this again
        recognizer = None
        try:
            recognizer = await self._engine.take_recognizer()
            while await self._segment(recognizer):
                pass
        except RuntimeError as error:
            raise APIConnectionError(f"the decoder failed: {error}") from error
        finally:
            if recognizer is not None:
                await self._in_thread(recognizer.forget_caller)
                self._engine.give_back(recognizer)
            self._decoding.shutdown()
            self._report_usage()

    async def _segment(self, recognizer: Recognizer) -> bool:
        """Everything up to the next flush; False when the input has ended.

        A flush must not lose what the voice detector has not looked at: its stream is drained and a new one made.
        """
        detector = self._vad.stream()
        forwarding = asyncio.create_task(self._forward(detector), name="pocketsphinx.forward")  # noqa: TID251
        try:
            async for event in detector:
                await self._on_voice(event, recognizer)
            if self._utterance is not None:
                await self._finish(recognizer, silence_seconds=0.0)
            more, seconds = await forwarding
            self._heard_seconds += seconds
            return more
        finally:
            await utils.aio.cancel_and_wait(forwarding)
            await detector.aclose()

    async def _forward(self, detector: voice_activity.VADStream) -> tuple[bool, float]:
        """Hands audio to the detector until a flush or the end; returns whether more can come, and its seconds."""
        seconds = 0.0
        more = False
        async for item in self._input_ch:
            if isinstance(item, self._FlushSentinel):
                more = True
                break
            detector.push_frame(item)
            seconds += item.duration
            self._unreported_seconds += item.duration
            if self._unreported_seconds >= _USAGE_SECONDS:
                self._report_usage()
        detector.end_input()
        return more, seconds

    async def _on_voice(self, event: voice_activity.VADEvent, recognizer: Recognizer) -> None:
        match event.type:
            case voice_activity.VADEventType.START_OF_SPEECH:
                pcm = _pcm(event)
                ends_at = self._heard_seconds + event.timestamp
                self._utterance = _Utterance(starts_at=ends_at - _seconds(pcm))
                self._event_ch.send_nowait(
                    stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH, request_id=self._utterance.request_id)
                )
                await self._in_thread(recognizer.begin)
                await self._hear(pcm, recognizer)
            case voice_activity.VADEventType.INFERENCE_DONE if self._utterance is not None:
                await self._hear(_pcm(event), recognizer)
            case voice_activity.VADEventType.END_OF_SPEECH if self._utterance is not None:
                await self._finish(recognizer, silence_seconds=event.silence_duration + event.inference_duration)

    async def _hear(self, pcm: bytes, recognizer: Recognizer) -> None:
        utterance = self._utterance
        assert utterance is not None
        partial = await self._in_thread(lambda: recognizer.feed(pcm))
        utterance.fed_seconds += _seconds(pcm)
        believed = utterance.interims.guess(partial.text.split(), utterance.fed_seconds)
        if believed is not None:
            self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, Transcript(partial.words[:believed]), utterance)
            utterance.shown = True
        if utterance.fed_seconds >= _LONGEST_UTTERANCE_SECONDS:
            self._send_final(await self._in_thread(recognizer.finish), utterance, None)
            self._utterance = _Utterance(utterance.starts_at + utterance.fed_seconds)
            await self._in_thread(recognizer.begin)

    async def _finish(self, recognizer: Recognizer, *, silence_seconds: float) -> None:
        utterance, self._utterance = self._utterance, None
        assert utterance is not None
        speech_ended_at = time.time() - silence_seconds
        self._send_final(await self._in_thread(recognizer.finish), utterance, speech_ended_at)
        self._event_ch.send_nowait(
            stt.SpeechEvent(
                stt.SpeechEventType.END_OF_SPEECH, request_id=utterance.request_id, speech_end_time=speech_ended_at
            )
        )

    def _send_final(self, transcript: Transcript, utterance: _Utterance, speech_ended_at: float | None) -> None:
        if transcript.is_speech(self._rejection_confidence):
            self._send(stt.SpeechEventType.FINAL_TRANSCRIPT, transcript, utterance, speech_ended_at)
        elif utterance.shown:  # what was shown is taken back, else the framework would take it for the caller's words
            self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, Transcript(()), utterance)

    def _send(
        self,
        kind: stt.SpeechEventType,
        transcript: Transcript,
        utterance: _Utterance,
        speech_ended_at: float | None = None,
    ) -> None:
        data = speech_data(transcript, self._language, starts_at=utterance.starts_at, offset=self.start_time_offset)
        self._event_ch.send_nowait(
            stt.SpeechEvent(kind, request_id=utterance.request_id, alternatives=[data], speech_end_time=speech_ended_at)
        )

    def _report_usage(self) -> None:
        seconds, self._unreported_seconds = self._unreported_seconds, 0.0
        if seconds and not self._event_ch.closed:
            usage = stt.RecognitionUsage(audio_duration=seconds)
            self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage))

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._decoding, work)


def _pcm(event: voice_activity.VADEvent) -> bytes:
    return b"".join(frame.data.tobytes() for frame in event.frames)


def _seconds(pcm: bytes) -> float:
    return len(pcm) / 2 / SAMPLE_RATE
