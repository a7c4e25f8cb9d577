"""One connection to Deepgram's /v1/listen or /v2/listen: audio in, what the recogniser says by its clock out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.formats import decode_telephony
from voiceworker.lab.emulators.provider import NO_JSON, EarlyCloseError, Job, MidstreamError, Provider
from voiceworker.lab.emulators.requests import Transcript
from voiceworker.lab.emulators.transcribing import Message, Sent
from voiceworker.lab.emulators.wire import Socket
from voiceworker.runtime.tasks import Tasks

_SILENT_SECONDS = 10.0
"after which a connection without audio or KeepAlive is closed (NET-0001)"


class AudioFormat(Protocol):
    @property
    def sample_rate(self) -> int: ...

    @property
    def encoding(self) -> str: ...

    @property
    def channels(self) -> int: ...


class Recogniser(Protocol):
    """What is behind the socket. Times are moments of `time.perf_counter`."""

    @property
    def is_idle(self) -> bool:
        """Nothing is owed to the client."""

    def receive(self, samples: Samples, data: bytes, now: float) -> None:
        """int16[samples], mono, and the bytes that they came in."""

    def obey(self, order: Message, now: float) -> None: ...

    def send_due(self, now: float) -> list[Sent]: ...

    def next_due_at(self) -> float | None: ...

    def farewell(self) -> Message | None:
        """The last message."""

    def error(self, status: int) -> Message: ...


class ListenSocket:
    def __init__(self, provider: Provider, job: Job, recogniser: Recogniser, audio: AudioFormat, tasks: Tasks) -> None:
        self._provider = provider
        self._job = job
        self._recogniser = recogniser
        self._audio = audio
        self._tasks = tasks
        self._socket = Socket()
        self._changed = asyncio.Event()
        self._closing = False
        self._opened_at = time.perf_counter()

    async def run(self, http: web.Request) -> web.WebSocketResponse:
        self._socket.headers["dg-request-id"] = self._job.request_id
        await self._socket.prepare(http)
        async with _owned(self._tasks, self._send(), "transcripts"):
            await self._receive()
            self._job.left()  # unless it said CloseStream
        if not self._socket.closed:
            await self._socket.close()
        return self._socket

    async def _receive(self) -> None:
        while not self._socket.closed:
            try:
                message = await self._socket.receive(timeout=None if self._closing else _SILENT_SECONDS)
            except TimeoutError:
                reason = b"NET-0001: no audio within the timeout window"
                await self._socket.close(code=WSCloseCode.INTERNAL_ERROR, message=reason)
                return
            if message.type is WSMsgType.BINARY:
                if message.data:
                    self._hear(message.data)
                else:  # an older way to close
                    self._obey('{"type": "CloseStream"}')
            elif message.type is WSMsgType.TEXT:
                self._obey(message.data)
            else:
                return
            self._changed.set()

    def _hear(self, data: bytes) -> None:
        samples: Samples = decode_telephony(data, self._audio.encoding)
        if self._audio.channels == 2:
            samples = samples[: len(samples) // 2 * 2].reshape(-1, 2)[:, 0]
        self._job.account.audio_seconds += len(samples) / self._audio.sample_rate
        self._job.log.peak = max(self._job.log.peak, int(np.abs(samples.astype(np.int32)).max(initial=0)))
        self._recogniser.receive(samples, data, time.perf_counter())

    def _obey(self, text: str) -> None:
        try:
            order = json.loads(text)
            is_last = order["type"] == "CloseStream"
        except (ValueError, KeyError, TypeError):
            return
        self._recogniser.obey(order, time.perf_counter())
        if is_last:
            self._closing = self._job.is_complete = True

    async def _send(self) -> None:
        """Sends what is due until the stream or a fault ends it."""
        try:
            await self._send_due()
        except EarlyCloseError:
            await self._socket.close()
        except MidstreamError as error:
            await self._socket.send_json(self._recogniser.error(error.status))
            await self._socket.close(code=WSCloseCode.INTERNAL_ERROR, message=b"NET-0000")
        except ConnectionError:
            pass

    async def _send_due(self) -> None:
        """Woken by audio and by the clock."""
        while True:
            self._changed.clear()
            if await self._job.before_sending(self._opened_at):
                await self._socket.send_str(NO_JSON)
            for sent in self._recogniser.send_due(time.perf_counter()):
                await self._tell(sent)
                await self._job.after_sending(self._job.delays.interim_every_seconds)
            if self._closing and self._recogniser.is_idle:
                farewell = self._recogniser.farewell()
                if farewell is not None:
                    await self._socket.send_json(farewell)
                await self._socket.close()
                return
            moments = (self._recogniser.next_due_at(), self._job.next_strike_at(self._opened_at))
            next_at = min((moment for moment in moments if moment is not None), default=None)
            timeout = None if next_at is None else max(0.0, next_at - time.perf_counter())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._changed.wait()

    async def _tell(self, sent: Sent) -> None:
        await self._socket.send_json(sent.message)
        if sent.text:
            self._job.sent_first_byte()
            key = self._job.log.api_key
            log = Transcript(key, sent.speech, sent.text, sent.is_final, sent.speech_final, time.perf_counter())
            self._provider.transcripts.append(log)


@contextlib.asynccontextmanager
async def _owned(tasks: Tasks, work: Any, name: str) -> AsyncIterator[asyncio.Task[None]]:
    task = tasks.spawn(work, name)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
