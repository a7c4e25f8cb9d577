"""What of the caller's audio a speech-to-speech model is sent: his turns, with the beginning that was not yet known.

Without it every second of the call is paid for and fills the model's memory: the agent's own speech is most of a
caller's silence. The frames of the open turn are kept, so that another connection can be told them again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from livekit import rtc

PRE_ROLL_SECONDS = 0.6
"the voice detector speaks up this long after a voice began, at most, and some silence besides"
TRAILING_SECONDS = 2.0
"of silence that is sent after a voice, as long as the turn is not taken"
UNDETECTED_SECONDS = 6.0
"of a turn that the voice detector did not see, and is taken all the same"
STALE_SECONDS = 10.0
"after a voice that has become no turn, it is none: the next one begins anew"
LONGEST_SECONDS = 120.0
"of one turn that is kept"


class CallerInput:
    """Sans-IO; moments are seconds of any monotonic clock."""

    def __init__(self) -> None:
        self._recent = _Frames(UNDETECTED_SECONDS)
        "not sent"
        self._turn = _Frames(LONGEST_SECONDS)
        "sent since the last turn was taken"
        self._is_speaking = False
        self._stopped_at: float | None = None

    @property
    def turn(self) -> Sequence[rtc.AudioFrame]:
        """What the model has heard of a turn that is not taken yet."""
        return tuple(self._turn)

    def push(self, frame: rtc.AudioFrame, now: float) -> bool:
        """The next frame of the call; whether it is to be sent."""
        if self._is_speaking or (self._stopped_at is not None and now < self._stopped_at + TRAILING_SECONDS):
            self._turn.add(frame)
            return True
        self._recent.add(frame)
        return False

    def voice_began(self, now: float) -> tuple[bool, list[rtc.AudioFrame]]:
        """Whether what the model has heard is to be forgotten first, and what is to be sent."""
        stale = bool(self._turn) and self._stopped_at is not None and now > self._stopped_at + STALE_SECONDS
        if stale:
            self._turn.clear()
        self._is_speaking = True
        frames = self._recent.take(PRE_ROLL_SECONDS)
        self._turn.extend(frames)
        return stale, frames

    def voice_stopped(self, now: float) -> None:
        self._is_speaking, self._stopped_at = False, now

    def take(self) -> tuple[list[rtc.AudioFrame], list[rtc.AudioFrame]]:
        """The turn is over: what is to be sent of it still, and all of it."""
        missing = [] if self._turn else self._recent.take(UNDETECTED_SECONDS)
        whole = [*self._turn, *missing]
        self.clear()
        return missing, whole

    def clear(self) -> None:
        """Nothing that was heard is part of a turn any more."""
        self._turn.clear()
        self._recent.clear()
        self._stopped_at = None


class _Frames(deque[rtc.AudioFrame]):
    def __init__(self, longest_seconds: float) -> None:
        super().__init__()
        self._longest_seconds = longest_seconds
        self._seconds = 0.0

    def add(self, frame: rtc.AudioFrame) -> None:
        self.append(frame)
        self._seconds += frame.duration
        while self._seconds > self._longest_seconds:
            self._seconds -= self.popleft().duration

    def take(self, seconds: float) -> list[rtc.AudioFrame]:
        """The last of them; forgets all."""
        taken: list[rtc.AudioFrame] = []
        while self and seconds > 0:
            taken.append(self.pop())
            seconds -= taken[-1].duration
        self.clear()
        return taken[::-1]

    def clear(self) -> None:
        super().clear()
        self._seconds = 0.0

    def extend(self, frames: Sequence[rtc.AudioFrame]) -> None:  # type: ignore[override]
        for frame in frames:
            self.add(frame)
