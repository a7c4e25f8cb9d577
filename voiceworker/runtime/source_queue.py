"""What the room's audio source was given and has not played: kept just full, and emptied at once.

LiveKit's source tells nothing of its queue. The ledger knows it by the clock; here it is given, and taken back.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from livekit import rtc

from voiceworker.runtime.playout_ledger import FRAME_SAMPLES, SAMPLE_RATE, PlayoutLedger, SentFrame

logger = logging.getLogger("voiceworker.call")

_FRAMES = 6
_CAPTURE_SECONDS = 1.0
"a source that takes no frame for longer is broken"
_BLOCKED_SECONDS = 0.002
"a capture that took longer waited for the source's clock"
_OBSERVE_SECONDS = 1.0
_AGAIN_SECONDS = 0.001


class Source(Protocol):
    """What the sink needs of `rtc.AudioSource`."""

    async def capture_frame(self, frame: rtc.AudioFrame) -> None: ...

    def clear_queue(self) -> None: ...

    async def aclose(self) -> None: ...


class SourceQueue:
    """The frames that wait are those of its `ledger`. All moments are seconds of `clock`."""

    def __init__(self, source: Source | None, clock: Callable[[], float]) -> None:
        """`source`: None for one of the room's."""
        self.source: Source = source or rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=_FRAMES * 10)
        self.ledger = PlayoutLedger()
        self._clock = clock
        self._clears = 0
        "times it was emptied"
        self._observed_at = -math.inf
        "when a capture last waited for the source's clock"
        self._is_capturing = False
        self._clears_again = False

    async def calibrate(self) -> None:
        """Overfills it with silence: the moment of the completion shows the source's clock."""
        for _ in range(_FRAMES + 2):
            await self.send(silence())

    def is_full(self, now: float) -> bool:
        """It is kept just full, so that no capture waits in it: one that does cannot be taken back before the next
        tick, at which nothing would be played. Once a second one waits on purpose, to see the source's clock."""
        room = _FRAMES + (1 if now - self._observed_at > _OBSERVE_SECONDS else 0)
        return len(self.ledger.waiting) >= room

    async def send(self, frame: SentFrame) -> None:
        began, clears = self._clock(), self._clears
        sent = self.ledger.send(frame, began)
        self._is_capturing = True
        try:
            async with asyncio.timeout(_CAPTURE_SECONDS):
                await self.source.capture_frame(rtc.AudioFrame(sent.samples.tobytes(), SAMPLE_RATE, 1, FRAME_SAMPLES))
        except Exception as error:  # the binding raises plain Exception; speech goes on in time, the room may return
            logger.debug("the source took no frame: %s", error)
            return
        finally:
            self._is_capturing = False
            if self._clears_again:  # the frame may have reached the queue after it was emptied
                self._clears_again = False
                self.source.clear_queue()
        now = self._clock()
        if clears == self._clears and now - began > _BLOCKED_SECONDS:
            self.ledger.completed(now, _FRAMES)
            self._observed_at = now

    def until_safe(self, now: float) -> float:
        """Seconds; 0 when what is taken back now can be given again before the next tick."""
        return _AGAIN_SECONDS if self._is_capturing else self.ledger.grid.until_safe(now)

    def take_back(self, now: float) -> list[SentFrame]:
        """Empties it: the frames that have not been played."""
        taken = self.ledger.take_back(now)
        self._clears += 1
        self._clears_again = self._is_capturing
        self.source.clear_queue()
        return taken

    async def aclose(self) -> None:
        await self.source.aclose()


def silence() -> SentFrame:
    """10 ms that belong to no segment."""
    return SentFrame(0, 0, 0, np.zeros(FRAME_SAMPLES, np.int16), 1.0, 1.0)
