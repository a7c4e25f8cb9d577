"""One caller's audio in, speech events out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, LanguageCode, stt, utils
from livekit.agents import vad as voice_activity
from livekit.agents.types import TimedString

from . import pace
from .agreement import agreed
from .audio import SAMPLE_RATE, mono, seconds_of
from .ear import Ear
from .model import ModelError, Transcript

if TYPE_CHECKING:
    from .stt import STT

_LONGEST_UTTERANCE_SECONDS = 28.0  # Whisper's window is 30
_USAGE_SECONDS = 5.0


def speech_data(transcript: Transcript, *, starts_at: float = 0.0, offset: float = 0.0) -> stt.SpeechData:
    """The framework's form; the utterance begins `starts_at` in the stream, the stream `offset` in the session."""
    origin = starts_at + offset
    words = [
        TimedString(
            word.text,
            start_time=origin + word.start_seconds,
            end_time=origin + word.end_seconds,
            confidence=word.probability,
            start_time_offset=offset,
        )
        for word in transcript.words
    ]
    return stt.SpeechData(
        language=LanguageCode(transcript.language),
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
    pcm: bytearray = field(default_factory=bytearray)
    voice_until: float = 0.0
    decoded_until: float = 0.0
    decoding: asyncio.Task[Transcript] | None = None
    words: tuple[str, ...] = ()
    "of the last decoding"
    shown: str = ""
    "what an interim result has told of it"
    ended: bool = False
    "what is still decoded is its final transcript"
    request_id: str = field(default_factory=lambda: utils.shortuuid("whisper_"))

    @property
    def heard(self) -> pace.Heard:
        running = self.decoding is not None and not self.decoding.done()
        return pace.Heard(seconds_of(self.pcm), self.voice_until, self.decoded_until, running)


class RecognizeStream(stt.RecognizeStream):
    """Finds utterances by voice activity and has each of them decoded, when `pace` says. Made by `STT.stream`."""

    def __init__(
        self,
        *,
        stt: STT,
        conn_options: APIConnectOptions,
        ear: Ear,
        vad: voice_activity.VAD,
        language: str | None,
        prompt: str,
    ) -> None:
        super().__init__(stt=stt, conn_options=conn_options, sample_rate=SAMPLE_RATE)
        self._ear = ear
        self._vad = vad
        self._language = language
        self._prompt = prompt
        self._earlier_seconds = 0.0  # audio of earlier segments: each has a voice detector that counts from 0
        self._unreported_seconds = 0.0
        self._utterance: _Utterance | None = None

    def push_frame(self, frame: rtc.AudioFrame) -> None:
        """Audio of any rate and number of channels, the same for the whole stream."""
        super().push_frame(mono(frame))

    async def _run(self) -> None:
        self._earlier_seconds, self._utterance = 0.0, None  # after an error the framework runs this again
        try:
            await self._ear.ready()
            while await self._segment():
                pass
        except ModelError as error:
            raise APIConnectionError(str(error), retryable=False) from error
        finally:
            if self._utterance is not None:
                await _stop(self._utterance)
            self._report_usage()

    async def _segment(self) -> bool:
        """Everything up to the next flush; False when the input has ended.

        A flush must not lose what the voice detector has not looked at: its stream is drained and a new one made.
        """
        detector = self._vad.stream()
        forwarding = asyncio.create_task(self._forward(detector), name="fasterwhisper.forward")  # noqa: TID251
        try:
            async for event in detector:
                await self._on_voice(event)
            if self._utterance is not None:
                await self._finish(silence_seconds=0.0)
            more, seconds = await forwarding
            self._earlier_seconds += seconds
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

    async def _on_voice(self, event: voice_activity.VADEvent) -> None:
        match event.type:
            case voice_activity.VADEventType.START_OF_SPEECH:
                pcm = _pcm(event)
                ends_at = self._earlier_seconds + event.timestamp
                utterance = self._utterance = _Utterance(starts_at=ends_at - seconds_of(pcm))
                self._event_ch.send_nowait(
                    stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH, request_id=utterance.request_id)
                )
                await self._hear(utterance, pcm, silence_seconds=0.0)
            case voice_activity.VADEventType.INFERENCE_DONE if self._utterance is not None:
                await self._hear(self._utterance, _pcm(event), silence_seconds=event.raw_accumulated_silence)
            case voice_activity.VADEventType.END_OF_SPEECH if self._utterance is not None:
                await self._finish(silence_seconds=event.silence_duration + event.inference_duration)

    async def _hear(self, utterance: _Utterance, pcm: bytes, *, silence_seconds: float) -> None:
        utterance.pcm += pcm
        heard_until = seconds_of(utterance.pcm)
        utterance.voice_until = max(utterance.voice_until, heard_until - silence_seconds)
        if heard_until >= _LONGEST_UTTERANCE_SECONDS:
            self._send_final(await self._whole(utterance), utterance, None)
            self._utterance = _Utterance(utterance.starts_at + heard_until)
        elif pace.is_due(utterance.heard, self._ear.cost_seconds):
            await self._decode(utterance)

    async def _decode(self, utterance: _Utterance) -> asyncio.Task[Transcript]:
        """Begins to decode all that was heard of an utterance, in place of what was begun before."""
        if utterance.decoding is not None and utterance.decoding.done():
            await utterance.decoding  # it may have failed
        await _stop(utterance)
        utterance.decoded_until = seconds_of(utterance.pcm)
        decoding = self._decoding(utterance, bytes(utterance.pcm), whole_words=pace.is_pause(utterance.heard))
        utterance.decoding = asyncio.create_task(decoding, name="fasterwhisper.decode")  # noqa: TID251
        return utterance.decoding

    async def _decoding(self, utterance: _Utterance, pcm: bytes, *, whole_words: bool) -> Transcript:
        transcript = await self._ear.hear(pcm, language=self._language, prompt=self._prompt)
        words = tuple(word.text for word in transcript.words)
        sure = transcript if whole_words else transcript.beginning(agreed(utterance.words, words))
        utterance.words = words
        if not utterance.ended and sure.text != utterance.shown:
            self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, sure, utterance)
            utterance.shown = sure.text
        return transcript

    async def _whole(self, utterance: _Utterance) -> Transcript:
        """The transcript of all that was said, from a decoding that covers it already, or a new one."""
        utterance.ended = True
        if utterance.voice_until <= 0:  # of silence Whisper makes words
            return Transcript("", self._language or "en")
        decoding = utterance.decoding
        if decoding is None or not pace.covers(utterance.heard):
            decoding = await self._decode(utterance)
        return await decoding

    async def _finish(self, *, silence_seconds: float) -> None:
        utterance = self._utterance
        assert utterance is not None
        speech_ended_at = time.time() - silence_seconds
        transcript = await self._whole(utterance)
        self._utterance = None
        self._send_final(transcript, utterance, speech_ended_at)
        self._event_ch.send_nowait(
            stt.SpeechEvent(
                stt.SpeechEventType.END_OF_SPEECH, request_id=utterance.request_id, speech_end_time=speech_ended_at
            )
        )

    def _send_final(self, transcript: Transcript, utterance: _Utterance, speech_ended_at: float | None) -> None:
        if transcript.text:
            self._send(stt.SpeechEventType.FINAL_TRANSCRIPT, transcript, utterance, speech_ended_at)
        elif utterance.shown:  # what was shown is taken back, else the framework would take it for the caller's words
            self._send(stt.SpeechEventType.INTERIM_TRANSCRIPT, transcript, utterance)

    def _send(
        self,
        kind: stt.SpeechEventType,
        transcript: Transcript,
        utterance: _Utterance,
        speech_ended_at: float | None = None,
    ) -> None:
        data = speech_data(transcript, starts_at=utterance.starts_at, offset=self.start_time_offset)
        self._event_ch.send_nowait(
            stt.SpeechEvent(kind, request_id=utterance.request_id, alternatives=[data], speech_end_time=speech_ended_at)
        )

    def _report_usage(self) -> None:
        seconds, self._unreported_seconds = self._unreported_seconds, 0.0
        if seconds and not self._event_ch.closed:
            usage = stt.RecognitionUsage(audio_duration=seconds)
            self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage))


async def _stop(utterance: _Utterance) -> None:
    decoding, utterance.decoding = utterance.decoding, None
    if decoding is not None:
        decoding.cancel()
        await asyncio.wait([decoding])
        if not decoding.cancelled():
            decoding.exception()  # what it failed with has been raised where it was waited for


def _pcm(event: voice_activity.VADEvent) -> bytes:
    return b"".join(frame.data.tobytes() for frame in event.frames)
