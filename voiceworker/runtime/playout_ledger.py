"""Which sample of which segment is played when: an exact model of the queue inside LiveKit's `rtc.AudioSource`.

The native source takes 10 ms out of its queue at every tick of a 10 ms grid that never drifts (measured: 10.00 ms, with
or without a room), and completes a capture that overfills the queue right after such a tick. So the grid can be read
off the completions, and from then on it is known without asking which frames have left the queue.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"int16[samples], mono"

SAMPLE_RATE = 24_000
FRAME_SECONDS = 0.01
FRAME_SAMPLES = 240
_REFILL_SECONDS = 0.002
"to fill an emptied queue again takes 0.3 ms, and more when the machine is busy"
_TIMELY_SECONDS = 0.001
"a completion heard of later than this may be older than a whole tick"


@dataclass(frozen=True, slots=True)
class SentFrame:
    """10 ms as they were given to the source."""

    segment: int
    "number of the segment; 0 for silence that belongs to none"
    offset: int
    "place of its first sample in the segment"
    count: int
    "samples of the segment in it; the rest of the 10 ms is silence"
    samples: Samples
    "int16[240], as heard: the gain is in them"
    gain_before: float
    gain_after: float
    is_fading: bool = False
    "part of the fade after which nothing follows"
    leaves_at: float = 0.0
    "monotonic moment at which it leaves (or left) the source"


@dataclass(slots=True)
class Run:
    """A stretch of one segment that left the source without a gap."""

    started_at: float
    offset: int
    count: int

    @property
    def ended_at(self) -> float:
        return self.started_at + self.count / SAMPLE_RATE


class Grid:
    """The moments at which the source takes 10 ms out of its queue."""

    _TOLERANCE_SECONDS = 0.0005

    def __init__(self) -> None:
        self._origin: float | None = None
        self._is_observed = False
        self._evidence = 0
        "observations in a row that came too late for what we believe"

    def completed(self, at: float) -> None:
        """A tick happened at, or (when the process was held up) before `at`.

        Of late and timely observations the earliest phase is the true one. Raises nothing; a clock that was stopped
        for a while (a suspended machine) is followed after some agreeing observations.
        """
        if self._origin is None or not self._is_observed:
            self._origin, self._is_observed = at, True
            return
        steps = (at - self._origin) / FRAME_SECONDS
        deviation = (steps - math.floor(steps + 0.5)) * FRAME_SECONDS
        if -FRAME_SECONDS / 2 <= deviation < 0:
            self._origin = at  # earlier than we believed
            self._evidence = 0
        elif deviation > self._TOLERANCE_SECONDS * 4:
            self._evidence += 1
            if self._evidence > 20:
                self._origin, self._evidence = at, 0
        else:
            self._evidence = 0

    def index(self, at: float) -> int:
        """Number of the last tick at or before `at`."""
        if self._origin is None:
            self._origin = at
        return math.floor((at - self._origin) / FRAME_SECONDS + 1e-6)

    def moment(self, index: int) -> float:
        assert self._origin is not None
        return self._origin + index * FRAME_SECONDS

    def until_safe(self, now: float) -> float:
        """Seconds until the queue can be emptied and filled again before a tick finds it empty: 0 when at once."""
        left = self.moment(self.index(now) + 1) - now
        return left + self._TOLERANCE_SECONDS if left < _REFILL_SECONDS else 0.0


@dataclass(slots=True)
class PlayoutLedger:
    """Frames in the source's queue, and what of the current segment has left it. Moments: monotonic seconds."""

    grid: Grid = field(default_factory=Grid)
    _mistaken: int = 0
    "by how many frames the queue was shorter than believed at the last completion"
    _queue: deque[SentFrame] = field(default_factory=deque)
    _runs: dict[int, list[Run]] = field(default_factory=dict)

    def send(self, frame: SentFrame, now: float) -> SentFrame:
        """Puts a frame at the end of the queue; returns it with the moment at which it will leave."""
        following = self.grid.moment(self.grid.index(now) + 1)
        if self._queue:
            following = max(following, self._queue[-1].leaves_at + FRAME_SECONDS)
        sent = replace(frame, leaves_at=following)
        self._queue.append(sent)
        return sent

    def completed(self, now: float, capacity: int) -> None:
        """A capture that had to wait was completed: a tick has just left `capacity` frames in the source's queue.

        The first time that this differs from what is believed may be a late word of it; the second time it is true.
        """
        self.grid.completed(now)
        tick = self.grid.index(now)
        if now - self.grid.moment(tick) > _TIMELY_SECONDS:
            return
        believed = sum(1 for frame in self._queue if frame.leaves_at > now + 1e-6)
        mistaken, self._mistaken = self._mistaken, believed - capacity
        if mistaken and mistaken == self._mistaken:
            self._correct(tick, believed, capacity)

    def _correct(self, tick: int, believed: int, capacity: int) -> None:
        self._mistaken = 0
        first = (
            tick + 1 + capacity - believed
        )  # the last of them leaves `capacity` ticks from now, whatever went before
        unplayed = len(self._queue) - believed
        for place, frame in enumerate(self._queue):
            if place >= unplayed:
                index = max(first + place - unplayed, tick)
                self._queue[place] = replace(frame, leaves_at=self.grid.moment(index))

    def advance(self, now: float) -> list[SentFrame]:
        """Takes out of the queue and returns what has left by `now`, in order."""
        left = []
        while self._queue and self._queue[0].leaves_at <= now + 1e-6:
            frame = self._queue.popleft()
            left.append(frame)
            if frame.count:
                self._note(frame)
        return left

    def _note(self, frame: SentFrame) -> None:
        runs = self._runs.setdefault(frame.segment, [])
        if runs:
            last = runs[-1]
            if last.offset + last.count == frame.offset and abs(last.ended_at - frame.leaves_at) < FRAME_SECONDS / 2:
                last.count += frame.count
                return
        runs.append(Run(frame.leaves_at, frame.offset, frame.count))

    def take_back(self, now: float) -> list[SentFrame]:
        """What has not left yet, in order; the queue is empty afterwards. `advance` comes first."""
        taken = [frame for frame in self._queue if frame.leaves_at > now]
        self._queue.clear()
        return taken

    @property
    def waiting(self) -> tuple[SentFrame, ...]:
        return tuple(self._queue)

    @property
    def dry_at(self) -> float | None:
        """When the last queued frame will have been played to its end; None when nothing is queued."""
        return self._queue[-1].leaves_at + FRAME_SECONDS if self._queue else None

    def runs(self, segment: int) -> tuple[Run, ...]:
        return tuple(self._runs.get(segment, ()))

    def position(self, segment: int, at: float) -> int:
        """Samples of the segment that had been played at `at`, which may lie in the past or in the future."""
        pending = [Run(frame.leaves_at, frame.offset, frame.count) for frame in self._queue if frame.segment == segment]
        position = 0
        for run in (*self._runs.get(segment, ()), *pending):
            if run.started_at > at or not run.count:
                break
            position = run.offset + min(run.count, int((at - run.started_at) * SAMPLE_RATE + 1e-6))
        return position

    def forget(self, segment: int) -> None:
        self._runs.pop(segment, None)
