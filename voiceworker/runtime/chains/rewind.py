"""The last of the caller's audio, for the recogniser that has to begin in the midst of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from livekit import rtc


class Rewind:
    """Frames by their place, in seconds of audio from the first one on."""

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds
        self._frames: deque[tuple[float, rtc.AudioFrame]] = deque()
        "each with the place of its beginning"
        self.end = 0.0

    @property
    def begin(self) -> float:
        """Where what is kept begins."""
        return self._frames[0][0] if self._frames else self.end

    def add(self, frame: rtc.AudioFrame) -> None:
        self._frames.append((self.end, frame))
        self.end += frame.duration
        self.forget(self.end - self._longest_seconds)

    def forget(self, until: float) -> None:
        """What ends before that place is not needed any more."""
        while self._frames and self._frames[0][0] + self._frames[0][1].duration <= until:
            self._frames.popleft()

    def since(self, place: float) -> Iterator[tuple[float, rtc.AudioFrame]]:
        """What is kept from there on, each frame with the place of its end. It may grow meanwhile, but not be asked for
        again what was given: ask anew from the last place."""
        for begin, frame in list(self._frames):
            if begin + frame.duration > place:
                yield begin + frame.duration, frame
