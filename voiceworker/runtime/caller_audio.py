"""What is kept of the caller's sound as it passes: when he really stopped, how loud he is, whether it is an echo."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from statistics import median

import numpy as np
from livekit import rtc

from voiceworker.policy.end_of_speech import EndOfSpeech, Samples
from voiceworker.runtime.echo import EchoGuard, mean_square

SAMPLE_RATE = 24_000
"what the framework is asked to give"

_KEPT_LEVELS = 5
"of turns: the gain control of a telephone or a browser changes how loud all of them are, some tenths of a dB each"
_KEPT_FRAMES = 3000
"of 10 ms: half a minute tells how loud a voice is, and a television may go on for hours"
_SPEECH_DB = -60.0
"softer is not a voice, and tells nothing of how loud it is"
_GAP_DB = 22.0
"this far below the loudest of the present voice is a gap in it"
GAP_SECONDS = 0.05
"closures within words are shorter"
_AUDIBLE_IN_ECHO = 0.1
"of the echo's power: what is left of a frame with less tells nothing of the caller"


class CallerAudio:
    """A tap in the agent's `stt_node`: every frame passes, in the order and at the time of its arrival."""

    def __init__(
        self,
        echo: EchoGuard,
        on_gap: Callable[[bool], None] = lambda _in_gap: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_gap(True)` tells that a voice has paused for 50 ms, long before the voice detector is sure of it;
        `on_gap(False)` that it goes on. Only between the detector's own verdicts."""
        self._echo = echo
        self._on_gap = on_gap
        self._clock = clock
        self._end = EndOfSpeech(SAMPLE_RATE)
        self._is_speaking = False
        self._present: deque[float] = deque(maxlen=_KEPT_FRAMES)
        "levels of the frames of the present or last voice, without the agent's echo"
        self._usual: list[float] = []
        "of his last voices that belonged to turns, one for each"
        self._is_counted = False
        "the last of them is that of the present voice"
        self._loudest = _SPEECH_DB
        self._soft_seconds = 0.0
        self._in_gap = False

    async def passing(self, audio: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for frame in audio:
            if frame.sample_rate == SAMPLE_RATE and frame.num_channels == 1:
                self._hear(np.frombuffer(frame.data, np.int16), self._clock())
            yield frame

    def _hear(self, samples: Samples, now: float) -> None:
        self._end.hear(samples, now)
        self._echo.heard(samples, now)
        if not self._is_speaking:
            return
        seconds = len(samples) / SAMPLE_RATE
        power, echo = mean_square(samples), self._echo.echo_power(now, seconds)
        own = power - echo
        level = _decibel(own)
        if own > _AUDIBLE_IN_ECHO * echo and level > _SPEECH_DB:
            self._present.append(level)
        self._look_for_gap(_decibel(power), seconds)

    def _look_for_gap(self, level: float, seconds: float) -> None:
        self._loudest = max(self._loudest, level)
        soft = level < max(self._loudest - _GAP_DB, _SPEECH_DB)
        self._soft_seconds = self._soft_seconds + seconds if soft else 0.0
        in_gap = self._soft_seconds >= GAP_SECONDS
        if in_gap != self._in_gap:
            self._in_gap = in_gap
            self._on_gap(in_gap)

    def last_speech_at(self, stamp: float | None = None) -> float | None:
        """Arrival of the last sample of speech, now that the caller is known to have stopped; see EndOfSpeech.find."""
        return self._end.find(stamp)

    # --- how loud ---

    def voice(self, *, speaking: bool) -> None:
        """The voice detector's verdict."""
        self._is_speaking = speaking
        self._soft_seconds = 0.0
        if speaking:
            if self._in_gap:
                self._in_gap = False
                self._on_gap(False)
            self._present.clear()
            self._is_counted = False
            self._loudest = _SPEECH_DB

    def was_spoken_to_us(self) -> None:
        """The present voice belongs to a turn: so loud is he usually. To be told with each of its texts."""
        if self._present:
            before = self._usual[:-1] if self._is_counted else self._usual
            self._usual = [*before, _loudness(self._present)][-_KEPT_LEVELS:]
            self._is_counted = True

    def level_db(self) -> float | None:
        """The present voice against the usual one; None while either is unknown."""
        if not self._present or not self._usual:
            return None
        return _loudness(self._present) - median(self._usual)


def _loudness(levels: Iterable[float]) -> float:
    """Of a voice with its pauses: the middle of its loudest quarter."""
    softest_first = sorted(levels)
    return median(softest_first[-max(1, len(softest_first) // 4) :])


def _decibel(power: float) -> float:
    """Against full scale, of the mean square of int16 samples."""
    return 10 * float(np.log10(max(power, 1e-3) / 32768.0**2))
