"""Deepgram's /v1/listen (streaming) and /v1/speak (streaming and HTTP), as its clients see them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.formats import decode_telephony, encoder_for
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.listening import ListenOptions
from voiceworker.lab.emulators.provider import FaultError, Job, Provider, api_key_of
from voiceworker.lab.emulators.requests import Transcript
from voiceworker.lab.emulators.speaking import SpeakSession
from voiceworker.lab.emulators.transcribing import Sent, Transcriber
from voiceworker.lab.emulators.voice import Voice
from voiceworker.runtime.tasks import Tasks

_SILENT_SECONDS = 10.0
"after which a connection without audio or KeepAlive is closed (NET-0001)"


class Deepgram:
    def __init__(self, provider: Provider, expectations: Expectations) -> None:
        self._provider = provider
        self._expectations = expectations
        self._tasks = Tasks()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/listen", self._listen),
            web.get("/v1/speak", self._speak_stream),
            web.post("/v1/speak", self._speak_once),
        ]

    async def aclose(self) -> None:
        await self._tasks.aclose()

    # --- speech to text ---

    async def _listen(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return _error(401, "INVALID_AUTH", "Invalid credentials.")
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return _error(status, "EMULATED", "The service is out of order.")
            try:
                options = ListenOptions.of_query(http.query)
            except ValueError as error:
                return _error(400, "Bad Request", str(error))
            return await _Listening(self._provider, job, options, self._expectations, self._tasks).run(http)

    # --- text to speech ---

    async def _speak_stream(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return _error(401, "INVALID_AUTH", "Invalid credentials.")
        return await SpeakSession(self._provider, http, self._tasks).run()

    async def _speak_once(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return _error(401, "INVALID_AUTH", "Invalid credentials.")
        async with self._provider.serving("tts", http) as job:
            if (status := job.refuse()) is not None:
                return _error(status, "EMULATED", "The service is out of order.")
            try:
                text = str((await http.json())["text"])
                encoding = http.query.get("encoding", "mp3")
                rate = int(http.query.get("sample_rate", "22050" if encoding == "mp3" else "24000"))
                wav = encoding == "linear16" and http.query.get("container", "wav") == "wav"
                encoder = encoder_for("wav" if wav else encoding, rate)
            except (ValueError, KeyError, TypeError) as error:
                return _error(400, "Bad Request", f"Unable to read the request: {error}")
            job.log.text = text
            job.account.characters += len(text)
            headers = {"Content-Type": encoder.content_type, "dg-request-id": job.request_id}
            answer = web.StreamResponse(headers=headers | {"dg-char-count": str(len(text))})

            async def send(data: bytes) -> None:
                if not answer.prepared:
                    await answer.prepare(http)
                await answer.write(data)

            voice = Voice(job, rate, encoder, self._provider.speech_speed, send)
            await voice.speak(text, job.log.started_at)
            await voice.finish()
            await answer.write_eof()
            return answer


class _Listening:
    """One connection to /v1/listen."""

    def __init__(
        self, provider: Provider, job: Job, options: ListenOptions, expectations: Expectations, tasks: Tasks
    ) -> None:
        self._provider = provider
        self._job = job
        self._options = options
        self._tasks = tasks
        self._socket = web.WebSocketResponse(autoping=True)
        self._changed = asyncio.Event()
        self._closing = False
        self._opened_at = time.perf_counter()
        self._hash = hashlib.sha256()
        self._transcriber = Transcriber(
            options,
            job.delays,
            expectations,
            job.log.api_key,
            self._opened_at,
            job.request_id,
            job.faults.late_final_seconds,
        )

    async def run(self, http: web.Request) -> web.WebSocketResponse:
        self._socket.headers["dg-request-id"] = self._job.request_id
        await self._socket.prepare(http)
        async with _owned(self._tasks, self._send(), "transcripts") as sending:
            await self._receive(sending)
            self._job.left()  # unless it said CloseStream
        if not self._socket.closed:
            await self._socket.close()
        return self._socket

    async def _receive(self, sending: asyncio.Task[None]) -> None:
        while not self._socket.closed:
            try:
                message = await self._socket.receive(timeout=_SILENT_SECONDS)
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
            if self._closing:
                await asyncio.wait([sending])
                return

    def _hear(self, data: bytes) -> None:
        samples: Samples = decode_telephony(data, self._options.encoding)
        if self._options.channels == 2:
            samples = samples[: len(samples) // 2 * 2].reshape(-1, 2)[:, 0]
        self._hash.update(data)
        self._job.account.audio_seconds += len(samples) / self._options.sample_rate
        self._transcriber.receive(samples, time.perf_counter())

    def _obey(self, text: str) -> None:
        try:
            kind = json.loads(text).get("type")
        except (ValueError, AttributeError):
            return
        if kind in ("Finalize", "CloseStream"):
            self._transcriber.finalize(time.perf_counter())
        if kind == "CloseStream":
            self._closing = self._job.is_complete = True

    async def _send(self) -> None:
        """Sends what is due, woken by audio and by the clock; ends with the stream."""
        with contextlib.suppress(FaultError, ConnectionError):
            while True:
                self._changed.clear()
                await self._job.before_sending(self._opened_at)
                for sent in self._transcriber.send_due(time.perf_counter()):
                    await self._tell(sent)
                if self._closing and self._transcriber.is_idle:
                    await self._socket.send_json(self._metadata())
                    await self._socket.close()
                    return
                moments = (self._transcriber.next_due_at(), self._job.next_strike_at(self._opened_at))
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

    def _metadata(self) -> dict[str, Any]:
        return {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._job.request_id,
            "sha256": self._hash.hexdigest(),
            "created": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "duration": round(self._transcriber.clock.seconds, 3),
            "channels": self._options.channels,
            "models": ["00000000-0000-4000-8000-000000000000"],
        }


@contextlib.asynccontextmanager
async def _owned(tasks: Tasks, work: Any, name: str) -> AsyncIterator[asyncio.Task[None]]:
    task = tasks.spawn(work, name)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _error(status: int, code: str, message: str) -> web.Response:
    request_id = str(uuid.uuid4())
    body = {"err_code": code, "err_msg": message, "request_id": request_id}
    return web.json_response(body, status=status, headers={"dg-request-id": request_id, "dg-error": message})
