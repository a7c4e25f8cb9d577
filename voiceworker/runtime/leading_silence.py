"""Takes the silence off the beginning of synthesised speech, before the framework sees it.

Why here and not in the sink: the framework counts word times (`TimedString`) and the heard position in samples of what
`Agent.tts_node` yields. A sink that drops samples makes it either show each word too late by what was dropped, or date
the beginning of speech before it was heard. Trimmed at the source, everything counts the same samples.

    async def tts_node(self, text, model_settings):
        async for frame in trim_leading_silence(Agent.default.tts_node(self, text, model_settings)):
            yield frame
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import utils
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString

from voiceworker.runtime.moved_words import move_words

SILENCE = 104
"-50 dB of full scale: what is softer is not heard as speech"
LONGEST_SECONDS = 0.4
"more silence than this is meant"
KEPT_SECONDS = 0.008
"of the silence, so that the onset of the first sound is not clipped"


async def trim_leading_silence(frames: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[rtc.AudioFrame, None]:
    """The frames without what is silent (below -50 dB) before the first sound, up to 400 ms; 8 ms of it are kept.

    Word times in the frames' userdata are moved by what was cut. Speech is not delayed: a frame with sound in it is
    passed on as it comes. One call is one segment: the silence between sentences stays.
    """
    trimmer = _Trimmer()
    try:
        async for frame in frames:
            passed = trimmer.push(frame)
            if passed is not None:
                yield passed
        last = trimmer.rest()
        if last is not None:
            yield last
    finally:
        if isinstance(frames, AsyncGenerator):  # who stops listening stops the synthesis
            await frames.aclose()


class _Trimmer:
    def __init__(self) -> None:
        self._cut_seconds = 0.0
        self._open = False
        "sound has been heard: everything passes"
        self._held: rtc.AudioFrame | None = None
        "the end of the silence so far"
        self._userdata: dict[str, Any] = {}
        "of frames that were dropped"
        self._words: list[TimedString] = []

    def push(self, frame: rtc.AudioFrame) -> rtc.AudioFrame | None:
        if not self._open:
            return self._silence_so_far(frame)
        move_words(frame, -self._cut_seconds)
        return frame

    def _silence_so_far(self, frame: rtc.AudioFrame) -> rtc.AudioFrame | None:
        self._words += frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])
        self._userdata |= frame.userdata
        if self._held is not None:
            frame = utils.combine_frames([self._held, frame])
        rate, channels = frame.sample_rate, frame.num_channels
        samples = np.frombuffer(frame.data, np.int16).reshape(-1, channels)
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)).max(axis=1) > SILENCE)
        most = round((LONGEST_SECONDS - self._cut_seconds) * rate)
        keep = round(KEPT_SECONDS * rate)
        onset = int(loud[0]) if loud.size else len(samples)
        cut = max(0, min(onset - keep, most))
        self._cut_seconds += cut / rate
        kept = samples[cut:]
        out = rtc.AudioFrame(kept.tobytes(), rate, channels, len(kept))
        if not loud.size and cut < most:
            self._held = out
            return None
        return self._pass_on(out)

    def _pass_on(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        self._open = True
        self._held = None
        frame.userdata.update(self._userdata)
        if self._words:
            frame.userdata[USERDATA_TIMED_TRANSCRIPT] = self._words
        move_words(frame, -self._cut_seconds)
        return frame

    def rest(self) -> rtc.AudioFrame | None:
        """What is still held at the end: speech that was silence all through keeps its last milliseconds."""
        return None if self._held is None else self._pass_on(self._held)
