"""The greeting as it was spoken before: a caller hears it at once, and it is paid for once.

Kept as one file for each voice and text in the cache folder, 24 kHz mono. A greeting that was changed, or is spoken by
another voice, is another file.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path

import numpy as np
import soundfile
from livekit import rtc

from voiceworker.runtime.playout_ledger import SAMPLE_RATE, Samples

logger = logging.getLogger("voiceworker.call")

_CHUNK_SAMPLES = SAMPLE_RATE // 10


class SpokenGreeting:
    def __init__(self, folder: Path, voice: str, text: str) -> None:
        """`voice` is the name of the model that speaks, as in the agent's file."""
        name = hashlib.sha256(f"{voice}\n{text}".encode()).hexdigest()[:32]
        self._path = folder / f"{name}.flac"
        self._samples: Samples | None = None
        self._is_new = False

    def load(self) -> None:
        """Reads the file, if there is one; blocks on the disk."""
        try:
            samples, rate = soundfile.read(self._path, dtype="int16")
        except (OSError, soundfile.LibsndfileError):
            return
        if rate == SAMPLE_RATE and samples.ndim == 1:
            self._samples = samples

    @property
    def is_known(self) -> bool:
        return self._samples is not None

    @property
    def samples(self) -> Samples:
        """int16[samples] of 24 kHz, where it is known."""
        assert self._samples is not None
        return self._samples

    async def frames(self) -> AsyncGenerator[rtc.AudioFrame, None]:
        for place in range(0, len(self.samples), _CHUNK_SAMPLES):
            part = self.samples[place : place + _CHUNK_SAMPLES]
            yield rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, len(part))

    async def kept(self, frames: AsyncIterable[rtc.AudioFrame]) -> AsyncGenerator[rtc.AudioFrame, None]:
        """The frames as they come; when the last has come they are written down for the next call."""
        parts: list[Samples] = []
        is_usable = True
        async for frame in frames:
            is_usable = is_usable and frame.sample_rate == SAMPLE_RATE and frame.num_channels == 1
            parts.append(np.frombuffer(frame.data, np.int16).copy())
            yield frame
        if parts and is_usable:
            self._samples, self._is_new = np.concatenate(parts), True

    def save(self) -> None:
        """Writes what `kept` has heard; blocks on the disk."""
        if self._samples is None or not self._is_new:
            return
        fresh = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(fresh, self._samples, SAMPLE_RATE, format="FLAC")
            fresh.replace(self._path)
        except (OSError, soundfile.LibsndfileError) as error:
            logger.warning("the greeting was not kept: %s", error)
