"""The two ends of a call without a room: the caller's mouth and his ear, and a room that only takes messages."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents.voice import io

from voiceworker.lab.audio import SAMPLE_RATE, Samples

FRAME_SECONDS = 0.01
_FRAME_SAMPLES = round(FRAME_SECONDS * SAMPLE_RATE)
_QUEUE_FRAMES = 6
"that the native source of the agent's track holds before a capture waits"


class Mouth(io.AudioInput):
    """What the caller says, in frames of 10 ms, each when its time has come."""

    def __init__(self) -> None:
        super().__init__(label="caller")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()

    async def say(self, samples: Samples) -> None:
        """int16[samples] at SAMPLE_RATE; returns when the last of it has been said."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for begin in range(0, len(samples), _FRAME_SAMPLES):
            part = np.zeros(_FRAME_SAMPLES, np.int16)
            said = samples[begin : begin + _FRAME_SAMPLES]
            part[: len(said)] = said
            due += FRAME_SECONDS
            await asyncio.sleep(due - loop.time())
            self._frames.put_nowait(rtc.AudioFrame(part.tobytes(), SAMPLE_RATE, 1, _FRAME_SAMPLES))

    async def silence(self, seconds: float) -> None:
        await self.say(np.zeros(round(seconds * SAMPLE_RATE), np.int16))


class Ear:
    """Stands for the agent's track: plays a frame every 10 ms and lets a capture wait while more than six wait."""

    def __init__(self) -> None:
        self.heard_seconds = 0.0
        self._leaving: deque[float] = deque()

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        now = asyncio.get_running_loop().time()
        self._play(now)
        last = self._leaving[-1] if self._leaving else (math.floor(now / FRAME_SECONDS) * FRAME_SECONDS)
        self._leaving.append(last + FRAME_SECONDS)
        if len(self._leaving) > _QUEUE_FRAMES:
            await asyncio.sleep(self._leaving[-_QUEUE_FRAMES - 1] - now)

    def clear_queue(self) -> None:
        self._play(asyncio.get_running_loop().time())
        self._leaving.clear()

    async def aclose(self) -> None:
        self._leaving.clear()

    def _play(self, now: float) -> None:
        while self._leaving and self._leaving[0] <= now:
            self._leaving.popleft()
            self.heard_seconds += FRAME_SECONDS


class Messages:
    """A participant of the room, as far as a call speaks to it."""

    def __init__(self) -> None:
        self.sent = 0

    async def send_text(self, text: str, **_: Any) -> None:
        self.sent += 1

    async def perform_rpc(self, **_: Any) -> str:
        raise rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "no method")  # as a client answers that has none


class Room:
    """What a call asks of its room, where there is none."""

    def __init__(self) -> None:
        self.local_participant = Messages()

    def isconnected(self) -> bool:
        return True

    async def get_rtc_stats(self) -> rtc.RtcStats:
        raise RuntimeError("there is no connection to tell of")
