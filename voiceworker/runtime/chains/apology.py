"""What is said when no voice answers: rendered ahead, kept as a file, played without asking anybody."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from livekit import rtc
from livekit.agents.voice.io import TimedString
from livekit.plugins import espeak

from voiceworker.runtime.chains.spoken_part import Passed, Samples

logger = logging.getLogger("voiceworker.call")

_CHUNK_SECONDS = 0.1


class Apology:
    """Spoken by the embedded voice, which is there always; 24 kHz mono. `prepare` it before it is needed: while a
    process waits for its call."""

    SAMPLE_RATE = 24_000

    def __init__(self, folder: Path, text: str, *, voice: str = "en-us") -> None:
        """`voice`: of espeak, most often just the language of the agent."""
        name = hashlib.sha256(f"{voice}\n{text}".encode()).hexdigest()[:32]
        self.text = text
        self._voice = voice
        self._path = folder / f"{name}.flac"
        self._samples: Samples = np.zeros(0, np.int16)

    @property
    def is_ready(self) -> bool:
        return bool(len(self._samples))

    async def prepare(self) -> None:
        """Reads the file, or makes it: some 50 ms. What fails is logged: the apology is then silence.

        Raises ValueError when espeak has no such voice.
        """
        if not self._load():
            engine = espeak.TTS(voice=self._voice)
            frame = await engine.synthesize(self.text).collect()
            spoken = np.frombuffer(frame.data, np.int16).astype(np.float32)
            made = soxr.resample(spoken, frame.sample_rate, self.SAMPLE_RATE)
            self._samples = np.clip(made, -32768, 32767).astype(np.int16)
            self._save()

    def spoken(self, sample_rate: int) -> Passed:
        """All of it at once, at that rate, with its words at an even pace."""
        samples = self._samples
        if sample_rate != self.SAMPLE_RATE and len(samples):
            changed = soxr.resample(samples.astype(np.float32), self.SAMPLE_RATE, sample_rate)
            samples = np.clip(changed, -32768, 32767).astype(np.int16)
        words = self.text.split() if len(samples) else []
        step = len(samples) / sample_rate / max(1, len(words))
        timed = [
            TimedString(f"{word} ", start_time=place * step, end_time=(place + 0.5) * step)
            for place, word in enumerate(words)
        ]
        return Passed(samples, timed)

    async def frames(self) -> AsyncGenerator[rtc.AudioFrame, None]:
        """For `session.say(apology.text, audio=apology.frames())`."""
        chunk = round(_CHUNK_SECONDS * self.SAMPLE_RATE)
        for place in range(0, len(self._samples), chunk):
            part = self._samples[place : place + chunk]
            yield rtc.AudioFrame(part.tobytes(), self.SAMPLE_RATE, 1, len(part))

    def _load(self) -> bool:
        try:
            samples, rate = soundfile.read(self._path, dtype="int16")
        except (OSError, soundfile.LibsndfileError):
            return False
        if rate == self.SAMPLE_RATE and samples.ndim == 1:
            self._samples = samples
        return self.is_ready

    def _save(self) -> None:
        fresh = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(fresh, self._samples, self.SAMPLE_RATE, format="FLAC")
            fresh.replace(self._path)
        except (OSError, soundfile.LibsndfileError) as error:
            logger.warning("the apology was not kept: %s", error)
