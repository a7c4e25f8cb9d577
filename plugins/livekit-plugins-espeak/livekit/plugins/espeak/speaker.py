"""One utterance on its way out: clauses become audio and word times on one time line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from livekit.agents.types import TimedString

from .alignment import align, audible_length, quiet_lead
from .clauses import Clause
from .engine import Engine, Style
from .wording import is_speakable, word

LEAD_SECONDS = 0.01
"silence kept before the first sound, so that its onset is not clipped"
TAIL_SECONDS = 0.02
"silence kept after the last sound"


@dataclass(frozen=True, slots=True)
class SpokenClause:
    samples: npt.NDArray[np.int16]
    "int16[samples], mono; empty when nothing of the clause is spoken"
    words: list[TimedString]
    "seconds from the start of the utterance; joined they are the clause as written"


class Speaker:
    """Speaks the clauses of one utterance in order.

    The pause that ends a clause is held back until there is a next one: silence opens and closes no utterance.
    """

    def __init__(self, engine: Engine, style: Style, language: str) -> None:
        self._engine = engine
        self._style = style
        self._language = language
        self._pause: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._given_samples = 0

    @property
    def given_seconds(self) -> float:
        return self._given_samples / self._engine.sample_rate

    async def speak(self, clause: Clause) -> SpokenClause:
        """Raises EngineError. Cancelling stops the engine."""
        wording = word(clause.text, self._language)
        if not is_speakable(wording.spoken):
            now = self.given_seconds
            words = [TimedString(clause.text, start_time=now, end_time=now)] if clause.text else []
            return SpokenClause(np.zeros(0, np.int16), words)
        speech = await self._engine.speak(wording.spoken, self._style, pause_after=clause.complete)
        heard = align(clause.text, wording, speech)
        rate = self._engine.sample_rate
        first = 0
        if self._given_samples == 0:
            first = max(0, quiet_lead(speech.samples) - int(LEAD_SECONDS * rate))
        last = min(len(speech.samples), audible_length(speech.samples) + int(TAIL_SECONDS * rate))
        offset = self._given_samples + len(self._pause) - first
        words = [
            TimedString(
                item.text,
                start_time=max(0, offset + item.start_sample) / rate,
                end_time=max(0, offset + item.end_sample) / rate,
            )
            for item in heard
        ]
        samples = np.concatenate([self._pause, speech.samples[first:last]])
        self._pause = speech.samples[max(first, last) :]
        self._given_samples += len(samples)
        return SpokenClause(samples, words)
