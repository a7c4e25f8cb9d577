"""A microphone without a room: a frame every 10 ms, speech when there is some, faint noise under all of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
from livekit import rtc

from voiceworker.lab.audio import SAMPLE_RATE, Samples, room_noise
from voiceworker.lab.conversation import Utterance

FRAME_SECONDS = 0.01
FRAME_SAMPLES = int(FRAME_SECONDS * SAMPLE_RATE)
_CATCH_UP_SECONDS = 0.1
"a caller held up for longer does not send the missed frames in a burst"


class Microphone:
    """Times are perf_counter seconds. A frame is sent when its last sample would have been taken."""

    def __init__(self, on_sent: Callable[[Samples, float], None]) -> None:
        self.source = rtc.AudioSource(SAMPLE_RATE, 1, queue_size_ms=0)
        self._on_sent = on_sent
        self._queue: list[tuple[Samples, Utterance, asyncio.Event]] = []
        self._sent = asyncio.Event()

    async def say(self, samples: Samples, utterance: Utterance) -> None:
        """Speaks and returns when the last sample has been sent; `utterance.ended_at` says when that was."""
        done = asyncio.Event()
        self._queue.append((samples, utterance, done))
        await done.wait()

    def cut(self) -> None:
        """Stops what is being said, and forgets what was to be said after it."""
        now = time.perf_counter()
        for _, utterance, done in self._queue:
            utterance.ended_at = now
            done.set()
        self._queue.clear()

    async def next_frame(self) -> None:
        """Waits until the next frame has been sent: a clock of 10 ms."""
        await self._sent.wait()

    async def run(self) -> None:
        noise, place = room_noise(), 0
        due = time.perf_counter()
        while True:
            due += FRAME_SECONDS
            now = time.perf_counter()
            if now - due > _CATCH_UP_SECONDS:
                due = now
            await asyncio.sleep(max(0.0, due - now))
            sent_at = time.perf_counter()
            frame = noise[place : place + FRAME_SAMPLES].astype(np.int32)
            place = (place + FRAME_SAMPLES) % len(noise)
            speech = self._next_speech(sent_at)
            frame[: len(speech)] += speech
            samples = np.clip(frame, -32768, 32767).astype(np.int16)
            await self.source.capture_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, FRAME_SAMPLES))
            self._on_sent(samples, sent_at)
            self._sent.set()
            self._sent = asyncio.Event()

    def _next_speech(self, sent_at: float) -> Samples:
        if not self._queue:
            return np.zeros(0, np.int16)
        samples, utterance, done = self._queue[0]
        if len(samples) > FRAME_SAMPLES:
            self._queue[0] = (samples[FRAME_SAMPLES:], utterance, done)
            return samples[:FRAME_SAMPLES]
        self._queue.pop(0)
        utterance.ended_at = sent_at - (FRAME_SAMPLES - len(samples)) / SAMPLE_RATE
        done.set()
        return samples
