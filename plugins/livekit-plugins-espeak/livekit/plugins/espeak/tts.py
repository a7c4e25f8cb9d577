"""espeak-ng as a text-to-speech of LiveKit Agents."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import Any, cast

import numpy as np
from livekit.agents import APIConnectionError, APIConnectOptions, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from .clauses import Clause, ClauseCutter
from .engine import EngineError, Style, shared_engine
from .log import logger
from .speaker import Speaker

AHEAD_SECONDS = 30.0
"a stream is never further ahead of real time than this: bounds the audio that waits to be played"

_RANGES = {
    "rate_words_per_minute": (80, 450),
    "pitch": (0, 99),
    "pitch_range": (0, 99),
    "volume": (0, 200),
    "word_gap_milliseconds": (0, 1000),
}


class TTS(tts.TTS[str]):
    """Speech by espeak-ng in this process: no key, no download, no system package.

    `voice` is a language tag (`en-us`, `de`), a name (`English (America)`) or an identifier (`gmw/en-US`), each with
    an optional variant (`en-us+f3`). 22050 Hz, mono. Word timings come from the engine and are exact to the sample.

    Raises ValueError for an unknown voice (naming the nearest) or a number out of range, EngineError when espeak-ng
    itself cannot be started.
    """

    def __init__(
        self,
        *,
        voice: str = "en-us",
        rate_words_per_minute: int = 165,
        pitch: int = 50,
        pitch_range: int = 50,
        volume: int = 100,
        word_gap_milliseconds: int = 0,
    ) -> None:
        self._engine = shared_engine()
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True, aligned_transcript=True),
            sample_rate=self._engine.sample_rate,
            num_channels=1,
        )
        self._style = Style("")
        self.update_options(
            voice=voice,
            rate_words_per_minute=rate_words_per_minute,
            pitch=pitch,
            pitch_range=pitch_range,
            volume=volume,
            word_gap_milliseconds=word_gap_milliseconds,
        )

    @property
    def model(self) -> str:
        return self._voice

    @property
    def provider(self) -> str:
        return "espeak-ng"

    @property
    def language(self) -> str:
        """The tag that the voice was made for."""
        return self._language

    def update_options(self, *, voice: str | None = None, **numbers: int) -> None:
        """Change the voice or any number of the constructor, for the utterances that begin from now on.

        Raises ValueError and changes nothing when something is wrong.
        """
        for name, value in numbers.items():
            if name not in _RANGES:
                raise ValueError(f"no such option: {name}; options: voice, {', '.join(_RANGES)}")
            lowest, highest = _RANGES[name]
            if not lowest <= value <= highest:
                raise ValueError(f"{name} must be {lowest} to {highest}, not {value}")
        changes: dict[str, Any] = dict(numbers)
        if voice is not None:
            chosen = self._engine.voices.find(voice)
            self._voice, self._language = voice, chosen.language
            changes["voice"] = chosen.identifier
        self._style = dataclasses.replace(self._style, **changes)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return ChunkedStream(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> tts.SynthesizeStream:
        return SynthesizeStream(tts=self, conn_options=conn_options)

    def prewarm(self) -> None:
        """Loads the voice, so that the first utterance does not (about 3 ms)."""
        self._engine.speak_blocking("a", self._style)

    def _speaker(self) -> Speaker:
        return Speaker(self._engine, self._style, self._language)


class _Delivery:
    """Hands the clauses of one utterance to the framework's emitter."""

    def __init__(self, owner: TTS, emitter: tts.AudioEmitter) -> None:
        self._speaker = owner._speaker()
        self._emitter = emitter
        self._sample_rate = owner.sample_rate
        self._words_given = False

    @property
    def given_seconds(self) -> float:
        return self._speaker.given_seconds

    async def deliver(self, clause: Clause) -> None:
        try:
            spoken = await self._speaker.speak(clause)
        except EngineError as error:
            raise APIConnectionError(str(error), retryable=False) from error
        self._words_given = self._words_given or bool(spoken.words)
        self._emitter.push_timed_transcript(spoken.words)
        if len(spoken.samples):
            self._emitter.push(spoken.samples.tobytes())

    def finish(self) -> None:
        """The framework takes a text without any audio for a failure: a wink alone is answered with a blink."""
        if self._words_given and self._speaker.given_seconds == 0:
            self._emitter.push(np.zeros(self._sample_rate // 50, np.int16).tobytes())


class ChunkedStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(), sample_rate=self._tts.sample_rate, num_channels=1, mime_type="audio/pcm"
        )
        delivery = _Delivery(cast(TTS, self._tts), output_emitter)
        cutter = ClauseCutter()
        for clause in [*cutter.push(self._input_text), *cutter.flush()]:
            await delivery.deliver(clause)
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
        delivery = _Delivery(cast(TTS, self._tts), output_emitter)
        cutter = ClauseCutter()
        started_at: float | None = None
        async for piece in self._input_ch:
            clauses = cutter.push(piece) if isinstance(piece, str) else cutter.flush()
            for clause in clauses:
                self._mark_started()
                started_at = started_at or time.monotonic()
                await delivery.deliver(clause)
                await _keep_to(AHEAD_SECONDS, delivery.given_seconds - (time.monotonic() - started_at))
        delivery.finish()
        output_emitter.end_segment()


async def _keep_to(limit_seconds: float, ahead_seconds: float) -> None:
    if ahead_seconds > limit_seconds:
        logger.debug("speech is far ahead of its playback; waiting", extra={"ahead_seconds": ahead_seconds})
        await asyncio.sleep(ahead_seconds - limit_seconds)
