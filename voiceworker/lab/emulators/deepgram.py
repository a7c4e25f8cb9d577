"""Deepgram's /v1/listen (streaming) and /v1/speak (streaming and HTTP), as its clients see them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from voiceworker.lab.audio import Samples
from voiceworker.lab.emulators.errors import deepgram_error, listen_error
from voiceworker.lab.emulators.formats import decode_telephony, encoder_for
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.listening import ListenOptions
from voiceworker.lab.emulators.provider import (
    NO_JSON,
    EarlyCloseError,
    Job,
    MidstreamError,
    Provider,
    abort,
    api_key_of,
)
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
            return deepgram_error(401)
        async with self._provider.serving("stt", http) as job:
            if (status := job.refuse()) is not None:
                return deepgram_error(status, headers=job.refusal_headers())
            try:
                options = ListenOptions.of_query(http.query)
            except ValueError as error:
                return deepgram_error(400, "Bad Request", str(error))
            return await _Listening(self._provider, job, options, self._expectations, self._tasks).run(http)

    # --- text to speech ---

    async def _speak_stream(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        return await SpeakSession(self._provider, http, self._tasks).run()

    async def _speak_once(self, http: web.Request) -> web.StreamResponse:
        if not api_key_of(http):
            return deepgram_error(401)
        async with self._provider.serving("tts", http) as job:
            if (status := job.refuse()) is not None:
                return deepgram_error(status, headers=job.refusal_headers())
            try:
                text = str((await http.json())["text"])
                encoding = http.query.get("encoding", "mp3")
                rate = int(http.query.get("sample_rate", "22050" if encoding == "mp3" else "24000"))
                wav = encoding == "linear16" and http.query.get("container", "wav") == "wav"
                encoder = encoder_for("wav" if wav else encoding, rate)
            except (ValueError, KeyError, TypeError) as error:
                return deepgram_error(400, "Bad Request", f"Unable to read the request: {error}")
            job.log.text = text
            job.account.characters += len(text)
            headers = {"Content-Type": encoder.content_type, "dg-request-id": job.request_id}
            answer = web.StreamResponse(headers=headers | {"dg-char-count": str(len(text))})

            async def send(data: bytes) -> None:
                if not answer.prepared:
                    await answer.prepare(http)
                if data:
                    await answer.write(data)

            voice = Voice(job, rate, encoder, self._provider.speech_speed, send)
            try:
                await voice.speak(text, job.log.started_at)
                await voice.finish()
            except EarlyCloseError:
                await send(b"")
            except MidstreamError:  # bytes of audio have no room for words: the body ends without its last chunk
                abort(http)
                raise
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
        """Sends what is due until the stream or a fault ends it."""
        try:
            await self._send_due()
        except EarlyCloseError:
            await self._socket.close()
        except MidstreamError as error:
            await self._socket.send_json(listen_error(error.status))
            await self._socket.close(code=WSCloseCode.INTERNAL_ERROR, message=b"NET-0000")
        except ConnectionError:
            pass

    async def _send_due(self) -> None:
        """Woken by audio and by the clock."""
        while True:
            self._changed.clear()
            if await self._job.before_sending(self._opened_at):
                await self._socket.send_str(NO_JSON)
            for sent in self._transcriber.send_due(time.perf_counter()):
                await self._tell(sent)
                await self._job.after_sending(self._job.delays.interim_every_seconds)
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
