"""One connection to Deepgram's streaming /v1/speak: Speak, Flush, Clear and Close, in their order."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from voiceworker.lab.emulators.errors import deepgram_error, speak_error
from voiceworker.lab.emulators.faults import FaultsOfRequest
from voiceworker.lab.emulators.formats import Encoder, encoder_for
from voiceworker.lab.emulators.provider import EarlyCloseError, Job, MidstreamError, Provider, abort
from voiceworker.lab.emulators.voice import Voice
from voiceworker.lab.emulators.wire import Socket
from voiceworker.runtime.tasks import Tasks

_MODEL = "00000000-0000-4000-8000-000000000000"
_SENTENCE = re.compile(r".*[.!?](?=\s)", re.DOTALL)
"up to here the text is spoken without waiting for Flush"


class SpeakSession:
    """Text between two flushes is one request in the bill and in the log."""

    def __init__(self, provider: Provider, http: web.Request, tasks: Tasks) -> None:
        self._provider = provider
        self._http = http
        self._tasks = tasks
        self._socket = Socket()
        self._encoding = http.query.get("encoding", "linear16")
        self._first_faults: FaultsOfRequest | None = None
        "drawn when the connection is opened, for the first request on it"
        self._work: asyncio.Queue[_Order | None] = asyncio.Queue()
        "None: the end"
        self._text = ""
        "accepted, but not a whole sentence yet"
        self._job: Job | None = None
        "that takes text"
        self._unfinished: list[Job] = []
        self._flushes = 0
        self._speaker: asyncio.Task[None] | None = None

    async def run(self) -> web.StreamResponse:
        faults = self._first_faults = self._provider.draw("tts", self._http)
        if faults.of_kind("refuse") or faults.of_kind("status"):
            return self._refuse(faults)
        try:
            rate = int(self._http.query.get("sample_rate", "24000"))
            encoder_for(self._encoding, rate)
            if self._encoding not in ("linear16", "mulaw", "alaw"):
                raise ValueError(f"{self._encoding} cannot be streamed")
        except ValueError as error:
            return deepgram_error(400, "Bad Request", str(error))
        self._rate = rate
        self._socket.headers["dg-request-id"] = str(uuid.uuid4())
        await self._socket.prepare(self._http)
        about = {"model_name": self._model, "model_version": "emulated", "model_uuid": _MODEL}
        await self._send_json({"type": "Metadata", "request_id": str(uuid.uuid4())} | about)
        self._speaker = self._tasks.spawn(self._speak(), "speech")
        try:
            await self._receive()
        finally:
            self._speaker.cancel()
            self._drop()  # before anything is awaited: the client's leaving may cancel this
            await asyncio.wait([self._speaker])
        if not self._socket.closed:
            await self._socket.close()
        return self._socket

    @property
    def _model(self) -> str:
        return self._http.query.get("model", "aura-2-thalia-en")

    def _refuse(self, faults: FaultsOfRequest) -> web.StreamResponse:
        job = self._provider.begin("tts", self._http, faults)
        try:
            status = job.refuse()
        finally:
            job.end()
        return deepgram_error(status or 503, headers=job.refusal_headers())

    # --- what the client says ---

    async def _receive(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                order = json.loads(message.data)
                kind = order["type"]
            except (ValueError, KeyError, TypeError):
                await self._send_json({"type": "Error", "err_code": "DATA-0000", "err_msg": "not a known message"})
                continue
            if kind == "Speak":
                self._take(str(order.get("text", "")))
            elif kind == "Flush":
                self._flush()
            elif kind == "Clear":
                await self._clear()
            elif kind == "Close":
                self._flush(answer=False)
                self._work.put_nowait(None)

    def _take(self, text: str) -> None:
        if self._job is None:
            self._job = self._begin_job()
        self._job.log.text += text
        self._job.account.characters += len(text)
        self._text += text
        sentence = _SENTENCE.match(self._text)
        if sentence:
            self._text = self._text[sentence.end() :]
            self._work.put_nowait(_Order(self._job, sentence.group(), time.perf_counter()))

    def _begin_job(self) -> Job:
        faults = self._first_faults or self._provider.draw("tts", self._http)
        self._first_faults = None
        job = self._provider.begin("tts", self._http, faults)
        self._unfinished.append(job)
        return job

    def _flush(self, *, answer: bool = True) -> None:
        if self._job is not None or answer:
            self._work.put_nowait(_Order(self._job, self._text, time.perf_counter(), last=True, answer=answer))
        self._job, self._text = None, ""

    async def _clear(self) -> None:
        assert self._speaker is not None
        self._speaker.cancel()
        await asyncio.wait([self._speaker])
        self._drop()
        self._work = asyncio.Queue()
        await self._send_json({"type": "Cleared", "sequence_id": self._flushes})
        self._speaker = self._tasks.spawn(self._speak(), "speech")

    def _drop(self) -> None:
        """What was asked for and not said in full."""
        for job in self._unfinished:
            job.left()
            job.end()
        self._unfinished, self._job, self._text = [], None, ""

    # --- what is said ---

    async def _speak(self) -> None:
        try:
            await self._speak_orders()
        except EarlyCloseError:
            await self._socket.close()
        except MidstreamError as error:
            await self._send_json(speak_error(error.status))
            await self._socket.close(code=WSCloseCode.INTERNAL_ERROR)
        except ConnectionError:
            abort(self._http)

    async def _speak_orders(self) -> None:
        voice: Voice | None = None
        while True:
            order = await self._work.get()
            if order is None:
                await self._socket.close()
                return
            if order.job is not None:
                await self._check(order.job)
                if voice is None:
                    encoder: Encoder = encoder_for(self._encoding, self._rate)
                    speed = self._provider.speech_speed
                    voice = Voice(order.job, self._rate, encoder, speed, self._socket.send_bytes)
                if order.text.strip():
                    await voice.speak(order.text, order.asked_at)
            if order.last:
                voice = None
                if order.job is not None:
                    order.job.end()
                    self._unfinished.remove(order.job)
                if order.answer:
                    await self._send_json({"type": "Flushed", "sequence_id": self._flushes})
                    self._flushes += 1

    async def _check(self, job: Job) -> None:
        """On an open connection an error is a message, and the connection ends."""
        if job.log.failed:
            return
        status = job.refuse()
        if status is not None:
            raise MidstreamError(status)

    async def _send_json(self, message: dict[str, Any]) -> None:
        await self._socket.send_json(message)


class _Order:
    __slots__ = ("answer", "asked_at", "job", "last", "text")

    def __init__(
        self, job: Job | None, text: str, asked_at: float, *, last: bool = False, answer: bool = False
    ) -> None:
        self.job = job
        self.text = text
        self.asked_at = asked_at
        self.last = last
        self.answer = answer
