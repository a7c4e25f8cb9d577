"""What a caller's ear says: when the agent began, when it grew softer, when it stopped. Pure: the times are given."""

from __future__ import annotations

import bisect

import numpy as np
import numpy.typing as npt

from voiceworker.lab.audio import LOUD, QUIET_SECONDS, SAMPLE_RATE, Samples

WINDOW_SECONDS = 0.005
_WINDOW = int(WINDOW_SECONDS * SAMPLE_RATE)
DUCKED_DECIBEL = 9.0
"a fall of the level that counts as ducked: half of it is 6 dB, and a duck is 12"
_STAYS_SECONDS = 0.04
"a fall that is over sooner is the edge between two words"
_RUNNING_SECONDS = 1.0
_SILENCE_DECIBEL = -96.0


class Ear:
    """Frames as they were received; questions about them are answered in the clock of whoever feeds it."""

    def __init__(self) -> None:
        self._frames: list[Samples] = []
        self._ended: list[float] = []
        self._loud: list[tuple[float, float]] = []
        "of each frame that has loud samples: when the first and the last were received"
        self._loud_ends: list[float] = []

    def hear(self, samples: Samples, ended_at: float) -> None:
        """int16[samples] whose last one was received at `ended_at`; frames come in their order."""
        self._frames.append(samples)
        self._ended.append(ended_at)
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
        if loud.size:
            first, last = (ended_at - (len(samples) - int(loud[edge])) / SAMPLE_RATE for edge in (0, -1))
            self._loud.append((first, last))
            self._loud_ends.append(last)

    @property
    def listened_until(self) -> float:
        return self._ended[-1] if self._ended else float("-inf")

    # --- loud and quiet ---

    def is_talking(self, now: float) -> bool:
        """Whether something loud was heard within the last 250 ms before `now`."""
        last = self.last_loud_before(now)
        return last is not None and now - last <= QUIET_SECONDS

    def last_loud_before(self, moment: float) -> float | None:
        place = bisect.bisect_right(self._loud, (moment, float("inf")))
        return min(self._loud_ends[place - 1], moment) if place else None

    def onset_after(self, moment: float, before: float = float("inf")) -> float | None:
        """The first loud sample after `moment` that follows 250 ms of quiet; None when there is none (yet)."""
        place = bisect.bisect_left(self._loud, (moment, float("-inf")))
        last = self._loud_ends[place - 1] if place else float("-inf")
        for first, end in self._loud[place:]:
            if first > before:
                return None
            if first - last > QUIET_SECONDS:
                return first
            last = end
        return None

    def silence_after(self, moment: float) -> float | None:
        """The last loud sample before the first 250 ms of quiet that ends after `moment`; None while it is loud.

        When it is quiet already at `moment`: the last loud sample before it, or None if nothing was ever loud.
        """
        last = self.last_loud_before(moment)
        place = bisect.bisect_right(self._loud, (moment, float("inf")))
        if last is not None and place:
            last = self._loud_ends[place - 1]
        for first, end in self._loud[place:]:
            if last is not None and first - last > QUIET_SECONDS and first - moment > QUIET_SECONDS:
                return last
            last = end
        return last if last is not None and self.listened_until - last > QUIET_SECONDS else None

    # --- levels ---

    def between(self, start: float, end: float) -> Samples:
        """int16[samples] received between two moments, as one run: gaps of the network are not filled."""
        first = bisect.bisect_right(self._ended, start)
        last = bisect.bisect_left(self._ended, end) + 1
        frames = self._frames[first:last]
        if not frames:
            return np.zeros(0, np.int16)
        run = np.concatenate(frames)
        skipped = max(0, round((start - (self._ended[first] - len(frames[0]) / SAMPLE_RATE)) * SAMPLE_RATE))
        too_late = max(0, round((self._ended[min(last, len(self._ended)) - 1] - end) * SAMPLE_RATE))
        return run[skipped : len(run) - too_late]

    def level(self, start: float, end: float) -> float:
        """The running level between two moments: the median of its windows that are not silent, dB of full scale."""
        levels = levels_of(self.between(start, end))
        loud = levels[levels > -60]
        return float(np.median(loud)) if loud.size else _SILENCE_DECIBEL

    def duck_after(self, moment: float, within_seconds: float = 4.0) -> float | None:
        """When the level fell 9 dB below what it was before `moment`, and stayed there for 40 ms. None: it did not."""
        before = self.level(moment - _RUNNING_SECONDS, moment)
        levels = levels_of(self.between(moment, moment + within_seconds))
        stays = round(_STAYS_SECONDS / WINDOW_SECONDS)
        if before <= -60 or len(levels) < stays:
            return None
        loudest_next = np.lib.stride_tricks.sliding_window_view(levels, stays).max(axis=1)
        ducked = np.flatnonzero(loudest_next <= before - DUCKED_DECIBEL)
        return moment + int(ducked[0]) * WINDOW_SECONDS if ducked.size else None

    def restored_after(self, moment: float, reference_decibel: float, within_seconds: float = 4.0) -> float | None:
        """When the level was first within 3 dB of a reference again, for 40 ms, after `moment`. None: it was not."""
        levels = levels_of(self.between(moment, moment + within_seconds))
        stays = round(_STAYS_SECONDS / WINDOW_SECONDS)
        if len(levels) < stays:
            return None
        middle = np.median(np.lib.stride_tricks.sliding_window_view(levels, stays), axis=1)
        restored = np.flatnonzero(middle >= reference_decibel - 3)
        return moment + int(restored[0]) * WINDOW_SECONDS if restored.size else None


def levels_of(samples: Samples) -> npt.NDArray[np.float64]:
    """float64[windows]: level of each 5 ms, dB of full scale, -96 at the least; a rest at the end is left out."""
    whole = len(samples) // _WINDOW
    windows = samples[: whole * _WINDOW].astype(np.float64).reshape(whole, _WINDOW)
    power = np.sqrt(np.mean((windows / 32768) ** 2, axis=1))
    levels: npt.NDArray[np.float64] = np.maximum(20 * np.log10(np.maximum(power, 1e-9)), _SILENCE_DECIBEL)
    return levels
