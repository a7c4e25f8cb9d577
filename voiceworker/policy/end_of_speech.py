"""When did the caller really stop? Found in what was received, not in the voice detector's verdict; pure.

A voice detector keeps its probability up for a window or three after the last sound, and stamps by windows of 32 ms.
So its verdict says that the speech is over; the moment comes from the samples before it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"int16[samples], mono"


@dataclass(frozen=True, slots=True)
class EndOfSpeechSettings:
    kept_seconds: float = 2.0
    "how much of what was heard is kept: the longest silence before a verdict, and speech to compare it with"
    relative_level: float = 0.003
    "-50 dB of the peak: softer is not speech. Recordings are trimmed at -46 dB, and Opus softens a soft ending"
    noise_margin: float = 2.0
    "6 dB over the peak of the silence: softer cannot be told from the noise of the room"
    quiet_seconds: float = 0.1
    "of the silence just before the verdict, taken as the noise of the room"
    early_seconds: float = 0.05
    "a voice detector's stamp may lie this much before the end of a soft ending"
    release_seconds: float = 0.045
    "by so much it lies usually after the end; taken where the ending is lost in noise"
    longest_release_seconds: float = 0.1


class EndOfSpeech:
    """Keeps the last of a live stream. Frames come in their order, with the time of their arrival.

    A frame may be late against the pace of the stream, never early. So a sample's time is counted back from the
    best-timed frame after it: a stall of the worker does not look like longer speech.
    """

    def __init__(self, sample_rate: int, settings: EndOfSpeechSettings | None = None) -> None:
        self._rate = sample_rate
        self._settings = settings or EndOfSpeechSettings()
        self._frames: deque[tuple[Samples, float]] = deque()
        "each with the moment at which the stream would have begun, had it always come like this frame"
        self._kept = 0
        self._length = 0
        "samples heard since the beginning"

    def hear(self, samples: Samples, arrived_at: float) -> None:
        """A frame whose last sample came at `arrived_at`. The array is kept, not copied."""
        self._length += len(samples)
        self._kept += len(samples)
        self._frames.append((samples, arrived_at - self._length / self._rate))
        while self._kept - len(self._frames[0][0]) >= self._settings.kept_seconds * self._rate:
            self._kept -= len(self._frames.popleft()[0])

    def find(self, stamp: float | None = None) -> float | None:
        """Arrival of the last sample of speech, asked when the caller is known to have stopped.

        `stamp` is the voice detector's own idea of it: what came clearly later was no speech, however loud.
        None when nothing is louder than the silence at the end, and there is no stamp to go by.
        """
        instead = None if stamp is None else stamp - self._settings.release_seconds
        if not self._kept:
            return instead
        heard = np.abs(np.concatenate([samples for samples, _ in self._frames]).astype(np.int32))
        speech_level = int(heard.max()) * self._settings.relative_level
        noise_level = int(heard[-int(self._settings.quiet_seconds * self._rate) :].max()) * self._settings.noise_margin
        moments = self._arrivals(np.flatnonzero(heard > max(speech_level, noise_level)))
        if stamp is not None:
            moments = moments[moments <= stamp + self._settings.early_seconds]
        if not moments.size:
            return instead
        found = float(moments[-1])
        masked = noise_level > speech_level
        if stamp is not None and masked and found < stamp - self._settings.longest_release_seconds:
            return instead
        return found

    def _arrivals(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """When the samples at these places of what is kept came."""
        ends = np.cumsum([len(samples) for samples, _ in self._frames])
        began = np.minimum.accumulate([began for _, began in self._frames][::-1])[::-1]
        first = self._length - self._kept + 1
        moments: npt.NDArray[np.float64] = began[np.searchsorted(ends, places, side="right")]
        return moments + (first + places) / self._rate
