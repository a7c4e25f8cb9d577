"""The last of a stream of audio, kept until nobody needs it any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from livekit import rtc


class RecentAudio:
    """The last of the caller's audio, by its place in the stream, counted in samples."""

    def __init__(self) -> None:
        self.rate = 0
        self.end = 0
        self._frames: deque[tuple[int, rtc.AudioFrame]] = deque()
        "each with the place of its first sample"

    def add(self, frame: rtc.AudioFrame) -> None:
        self.rate = frame.sample_rate
        self._frames.append((self.end, frame))
        self.end += frame.samples_per_channel

    def forget(self, until: int) -> None:
        while self._frames and self._frames[0][0] + self._frames[0][1].samples_per_channel <= until:
            self._frames.popleft()

    def cut(self, since: int, until: int) -> Iterator[rtc.AudioFrame]:
        """What is still there of a stretch, in frames as they came or parts of them."""
        for begin, frame in self._frames:
            end = begin + frame.samples_per_channel
            first, last = max(begin, since), min(end, until)
            if first >= last:
                continue
            if (first, last) == (begin, end):
                yield frame
                continue
            samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
            part = samples[first - begin : last - begin]
            yield rtc.AudioFrame(part.tobytes(), frame.sample_rate, frame.num_channels, len(part))
