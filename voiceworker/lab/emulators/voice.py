"""The emulated voice: silence first, then tone words, sent faster than they are spoken."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import numpy as np

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.formats import Encoder
from voiceworker.lab.emulators.provider import NO_AUDIO, Job, sleep_until
from voiceworker.lab.emulators.tones import encode

_CHUNK_SECONDS = 0.1

Send = Callable[[bytes], Awaitable[None]]


class Voice:
    """Speaks the parts of one request, in order."""

    def __init__(self, job: Job, sample_rate: int, encoder: Encoder, speed: float, send: Send) -> None:
        self._job = job
        self._rate = sample_rate
        self._encoder = encoder
        self._speed = job.speech_speed(speed)
        self._send = send
        self._next_at = 0.0
        "when the provider has the next piece ready"
        self._began = False

    async def speak(self, text: str, asked_at: float) -> None:
        """`asked_at`: when the text was complete.

        Raises ConnectionError when the client has left, FaultError when a fault ends the answer.
        """
        self._next_at = max(self._next_at, asked_at + self._job.delays.first_audio_seconds)
        samples = encode(text, self._rate)
        if not self._began:
            self._began = True
            silence = np.zeros(round(self._job.delays.leading_silence_seconds * self._rate), np.int16)
            samples = np.concatenate([silence, samples])
        chunk = round(_CHUNK_SECONDS * self._rate)
        for begin in range(0, len(samples), chunk):
            await self._put(samples[begin : begin + chunk])

    async def finish(self) -> None:
        await self._deliver(self._encoder.finish())

    async def _put(self, samples: Samples) -> None:
        await sleep_until(self._next_at)
        if await self._job.before_sending(self._job.log.first_byte_at):
            await self._deliver(NO_AUDIO)
        self._next_at = max(self._next_at, time.perf_counter() - _CHUNK_SECONDS) + (
            len(samples) / self._rate / self._speed
        )
        self._job.account.audio_seconds += len(samples) / self._rate
        await self._deliver(self._encoder.encode(samples))

    async def _deliver(self, data: bytes) -> None:
        if data:
            await self._send(data)
            self._job.sent_first_byte()
