"""Text to speech by Piper, on the machine itself."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from contextlib import aclosing
from pathlib import Path
from typing import cast

import numpy as np
from livekit.agents import APIConnectionError, APIConnectOptions, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from . import files
from .log import logger
from .mouth import Mouth
from .pieces import PieceCutter
from .voice import Style, VoiceError, read_config

AHEAD_SECONDS = 10.0
"a stream is never further ahead of real time than this: bounds the work that an interruption throws away"

SENTENCE_PAUSE_SECONDS = 0.2
"between the sentences of an utterance, which Piper speaks each by itself"


class TTS(tts.TTS[str]):
    """Speech by a Piper voice in a thread of this process: no key, no network.

    `voice` is a name such as `en_US-lessac-medium`, or that of your own; its two files lie in `download_root`, and are
    never fetched here (see `files.download`). `speaker`: of a voice with several, by name or number. The sample rate is
    the voice's own.

    Raises ValueError for a wrong name or number, MissingVoiceError when files are missing, VoiceError when they do not
    describe a voice.
    """

    def __init__(
        self,
        *,
        voice: str = "en_US-lessac-medium",
        download_root: Path,
        speaker: str | int | None = None,
        speed: float = 1.0,
        volume: float = 1.0,
        threads: int = 0,
    ) -> None:
        model = files.find(voice, download_root)
        self._config = read_config(model)
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True),
            sample_rate=self._config.sample_rate,
            num_channels=1,
        )
        self._voice = voice
        self._style = Style(speaker=self._speaker(speaker))
        self.update_options(speed=speed, volume=volume)
        self._mouth = Mouth(model, self._config, threads=threads)

    @property
    def model(self) -> str:
        return self._voice

    @property
    def provider(self) -> str:
        return "piper"

    @property
    def language(self) -> str:
        """espeak-ng's name of the language whose sounds the voice makes: `en-us`."""
        return self._config.espeak_voice

    def update_options(
        self, *, speaker: str | int | None = None, speed: float | None = None, volume: float | None = None
    ) -> None:
        """For the utterances that begin from now on. Raises ValueError and changes nothing when something is wrong."""
        style = self._style
        if speaker is not None:
            style = dataclasses.replace(style, speaker=self._speaker(speaker))
        if speed is not None:
            style = dataclasses.replace(style, speed=_within("speed", speed, 0.25, 4))
        if volume is not None:
            style = dataclasses.replace(style, volume=_within("volume", volume, 0, 1))
        self._style = style

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return ChunkedStream(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        return SynthesizeStream(tts=self, conn_options=conn_options)

    def prewarm(self) -> None:
        """Begins to load the voice; returns at once."""
        self._mouth.prewarm()

    async def aclose(self) -> None:
        """Stops what is being spoken, and ends the thread."""
        await self._mouth.aclose()

    def _speaker(self, speaker: str | int | None) -> int | None:
        if speaker is None:
            return None
        names, number = self._config.speaker_id_map, self._config.num_speakers
        chosen = names.get(speaker, -1) if isinstance(speaker, str) else speaker
        if not 0 <= chosen < number:
            known = f"{', '.join(list(names)[:20])} or 0 to {number - 1}" if number > 1 else "it has one alone"
            raise ValueError(f"the voice {self._voice} has no speaker {speaker!r}; {known}")
        return chosen

    def _delivery(self, emitter: tts.AudioEmitter) -> _Delivery:
        return _Delivery(self._mouth, self._style, self.sample_rate, emitter)


class _Delivery:
    """Hands the sentences of one utterance to the framework's emitter."""

    def __init__(self, mouth: Mouth, style: Style, sample_rate: int, emitter: tts.AudioEmitter) -> None:
        self._mouth = mouth
        self._style = style
        self._sample_rate = sample_rate
        self._emitter = emitter
        self._text = ""
        self._given_samples = 0
        self._began_at = 0.0

    async def deliver(self, piece: str) -> None:
        """Speaks a piece of text; waits as long as what was given lies far ahead of its playback."""
        self._began_at = self._began_at or time.monotonic()
        pauses = self._text.rstrip().endswith((".", "!", "?", "…"))
        self._text += piece
        try:
            async with aclosing(self._mouth.speak(piece, self._style)) as sentences:
                async for samples in sentences:
                    if self._given_samples and pauses:
                        self._give(self._silence(SENTENCE_PAUSE_SECONDS))
                    self._give(samples.tobytes())
                    pauses = True
                    await self._keep_to(AHEAD_SECONDS)
        except VoiceError as error:
            raise APIConnectionError(str(error), retryable=False) from error

    def finish(self) -> None:
        """The framework takes a text without any audio for a failure: a wink alone is answered with a blink."""
        if self._text and not self._given_samples:
            self._give(self._silence(0.02))

    def _give(self, pcm: bytes) -> None:
        self._emitter.push(pcm)
        self._given_samples += len(pcm) // 2

    def _silence(self, seconds: float) -> bytes:
        return np.zeros(int(self._sample_rate * seconds), np.int16).tobytes()

    async def _keep_to(self, limit_seconds: float) -> None:
        ahead_seconds = self._given_samples / self._sample_rate - (time.monotonic() - self._began_at)
        if ahead_seconds > limit_seconds:
            logger.debug("speech is far ahead of its playback; waiting", extra={"ahead_seconds": ahead_seconds})
            await asyncio.sleep(ahead_seconds - limit_seconds)


class ChunkedStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=self._tts.sample_rate, num_channels=1, mime_type="audio/pcm"
        )
        delivery = cast(TTS, self._tts)._delivery(output_emitter)
        cutter = PieceCutter()
        for piece in [*cutter.push(self._input_text), *cutter.flush()]:
            await delivery.deliver(piece)
        delivery.finish()
        output_emitter.flush()


class SynthesizeStream(tts.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=self._tts.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=utils.shortuuid())
        delivery = cast(TTS, self._tts)._delivery(output_emitter)
        cutter = PieceCutter()
        async for part in self._input_ch:
            for piece in cutter.push(part) if isinstance(part, str) else cutter.flush():
                self._mark_started()
                await delivery.deliver(piece)
        delivery.finish()
        output_emitter.end_segment()


def _within(name: str, value: float, lowest: float, highest: float) -> float:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be {lowest:g} to {highest:g}, not {value:g}")
    return value
