"""Does something begin to sound in a silence? Told by its level alone, long before a voice detector is sure; pure.

A voice detector needs about 0.1 s of a voice before it says so. An agent that takes the turn in this tenth of a second
talks over a caller who has just gone on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"int16[samples], mono"


@dataclass(frozen=True, slots=True)
class OnsetSettings:
    over_silence_db: float = 9.0
    "a frame so much over the loudest of the silence is no part of it"
    under_speech_db: float = 26.0
    "so far below the voice it is breath, a click, the room: the weak beginning of a word is louder"
    silence_seconds: float = 0.1
    "how much of the silence is looked at for its own level"
    forget_db_per_second: float = 3.0
    "the level of the voice is that of the last seconds"


@dataclass(slots=True)
class Onset:
    """Hears every frame of 10 to 50 ms; says of those in a silence whether something begins."""

    settings: OnsetSettings = field(default_factory=OnsetSettings)
    _speech_db: float = field(default=-90.0, init=False)
    _recent: deque[tuple[float, float]] = field(default_factory=deque, init=False)
    "seconds and level of the last frames"
    _silence_db: float | None = field(default=None, init=False)
    "the level of the present silence; None while there is none"

    def silence_began(self) -> None:
        """The voice detector says that the caller has been silent for some time."""
        self._silence_db = max((level for _, level in self._recent), default=-90.0)

    def silence_ended(self) -> None:
        self._silence_db = None

    def hear(self, samples: Samples, sample_rate: int) -> bool:
        """True when this frame, in a silence, sounds like the beginning of something."""
        if not samples.size:
            return False
        seconds, level = samples.size / sample_rate, level_db(samples)
        self._recent.append((seconds, level))
        while sum(length for length, _ in self._recent) - self._recent[0][0] >= self.settings.silence_seconds:
            self._recent.popleft()
        self._speech_db = max(level, self._speech_db - self.settings.forget_db_per_second * seconds)
        if self._silence_db is None:
            return False
        threshold = max(
            self._silence_db + self.settings.over_silence_db, self._speech_db - self.settings.under_speech_db
        )
        return level > threshold


def level_db(samples: Samples) -> float:
    """Of a frame, against full scale; -90 for silence."""
    power = float(np.mean(np.square(samples.astype(np.float32))))
    return 10 * float(np.log10(max(power, 1.0) / 32768.0**2))
